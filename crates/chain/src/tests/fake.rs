//! A peer that says what a test wants: honest by its own chain, or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::bip158::{BlockFilter, FilterHash, FilterHeader};
use bitcoin::block::{Header, Version};
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::p2p::message_filter::{CFHeaders, CFilter};
use bitcoin::{Amount, ScriptBuf, absolute, transaction};
use bitcoin::{Block, BlockHash, CompactTarget, Network as Bitcoin, OutPoint, Transaction, TxIn, TxOut};
use domain::Network;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::PeerAddress;
use crate::link::{self, Link};
use crate::testenv::Bitcoind;

/// The difficulty of regtest, and one that is 256 times as hard to find.
pub(crate) const EASIEST: u32 = 0x207f_ffff;
pub(crate) const HARDER: u32 = 0x1f7f_ffff;

/// What a fake peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers by its chain.
    Plain,
    /// Shakes hands and says nothing more.
    Silent,
    /// Sends filters that are not those of its filter headers.
    Garbled,
}

/// Blocks above the first of regtest, and their filters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Block>,
    pub(crate) filters: Vec<Vec<u8>>,
}

impl Chain {
    /// The chain of a real node.
    pub(crate) fn of(node: &Bitcoind) -> Self {
        let mut chain = Self::default();
        for height in 1..=node.tip().height {
            let hash = node.block_id(height).hash;
            let filter = node.rpc("getblockfilter", json!([hash]));
            chain.blocks.push(node.block(hash));
            chain.filters.push(bytes_of(filter["filter"].as_str().unwrap()));
        }
        chain
    }

    /// The same chain, with blocks of a certain difficulty on top.
    pub(crate) fn and_mined(mut self, count: u32, bits: u32, salt: u32) -> Self {
        for _ in 0..count {
            let block = mine(self.tip(), self.blocks.len() as u32 + 1, bits, salt);
            let filter = BlockFilter::new_script_filter(&block, |_| Ok(ScriptBuf::new())).unwrap();
            self.blocks.push(block);
            self.filters.push(filter.content);
        }
        self
    }

    /// The same chain, whose filter at a height holds nothing.
    pub(crate) fn without_filter(mut self, height: u32) -> Self {
        self.filters[height as usize - 1] = vec![0];
        self
    }

    pub(crate) fn tip(&self) -> BlockHash {
        self.hash(self.blocks.len())
    }

    fn hash(&self, height: usize) -> BlockHash {
        match height.checked_sub(1) {
            Some(above) => self.blocks[above].block_hash(),
            None => genesis_block(Bitcoin::Regtest).block_hash(),
        }
    }

    fn height_of(&self, hash: BlockHash) -> Option<usize> {
        (0..=self.blocks.len()).find(|it| self.hash(*it) == hash)
    }

    fn filter_hash(&self, height: usize) -> FilterHash {
        let genesis = genesis_block(Bitcoin::Regtest);
        match height.checked_sub(1) {
            Some(above) => FilterHash::hash(&self.filters[above]),
            None => {
                let filter = BlockFilter::new_script_filter(&genesis, |_| Ok(ScriptBuf::new())).unwrap();
                FilterHash::hash(&filter.content)
            }
        }
    }

    fn filter_header(&self, height: usize) -> FilterHeader {
        (0..=height).fold(FilterHeader::all_zeros(), |header, it| self.filter_hash(it).filter_header(&header))
    }

    fn headers_after(&self, locator: &[BlockHash]) -> Vec<Header> {
        let known = locator.iter().filter_map(|it| self.height_of(*it)).max().unwrap_or(0);
        self.blocks[known..].iter().map(|it| it.header).take(2_000).collect()
    }

    fn filter_headers(&self, start: usize, stop: BlockHash) -> Option<CFHeaders> {
        let end = self.height_of(stop)?;
        let previous = start.checked_sub(1).map(|it| self.filter_header(it));
        Some(CFHeaders {
            filter_type: 0,
            stop_hash: stop,
            previous_filter_header: previous.unwrap_or(FilterHeader::all_zeros()),
            filter_hashes: (start..=end).map(|it| self.filter_hash(it)).collect(),
        })
    }
}

/// Starts a fake peer, which ends with the runtime.
pub(crate) async fn start(chain: Chain, manner: Manner) -> PeerAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let chain = Arc::new(chain);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever asked may be gone.
            let chain = chain.clone();
            tokio::spawn(async move { drop(serve(stream, &chain, manner).await) });
        }
    });
    address.into()
}

async fn serve(stream: TcpStream, chain: &Chain, manner: Manner) -> std::io::Result<()> {
    let mut link = Link::accepted(stream, Network::Regtest);
    loop {
        let message = link.receive().await?;
        let answers = match message {
            NetworkMessage::Version(_) => greeting(chain),
            _ if manner == Manner::Silent => Vec::new(),
            message => answers(chain, message, manner),
        };
        for answer in answers {
            link.send(answer).await?;
        }
    }
}

fn greeting(chain: &Chain) -> Vec<NetworkMessage> {
    let mut version = link::version(true);
    version.services = ServiceFlags::NETWORK | ServiceFlags::WITNESS | ServiceFlags::COMPACT_FILTERS;
    version.start_height = chain.blocks.len() as i32;
    vec![NetworkMessage::Version(version), NetworkMessage::Verack]
}

fn answers(chain: &Chain, message: NetworkMessage, manner: Manner) -> Vec<NetworkMessage> {
    match message {
        NetworkMessage::GetHeaders(it) => {
            vec![NetworkMessage::Headers(chain.headers_after(&it.locator_hashes))]
        }
        NetworkMessage::GetCFHeaders(it) => {
            let headers = chain.filter_headers(it.start_height as usize, it.stop_hash);
            headers.map(NetworkMessage::CFHeaders).into_iter().collect()
        }
        NetworkMessage::GetCFilters(it) => {
            let end = chain.height_of(it.stop_hash).unwrap_or(0);
            (it.start_height as usize..=end).map(|it| filter(chain, it, manner)).collect()
        }
        NetworkMessage::GetData(wanted) => wanted.into_iter().filter_map(|it| block(chain, it)).collect(),
        _ => Vec::new(),
    }
}

fn filter(chain: &Chain, height: usize, manner: Manner) -> NetworkMessage {
    let filter = if manner == Manner::Garbled { vec![1, 2, 3] } else { chain.filters[height - 1].clone() };
    NetworkMessage::CFilter(CFilter { filter_type: 0, block_hash: chain.hash(height), filter })
}

fn block(chain: &Chain, wanted: Inventory) -> Option<NetworkMessage> {
    let (Inventory::Block(hash) | Inventory::WitnessBlock(hash)) = wanted else { return None };
    let height = chain.height_of(hash)?.checked_sub(1)?;
    Some(NetworkMessage::Block(chain.blocks[height].clone()))
}

fn mine(previous: BlockHash, height: u32, bits: u32, salt: u32) -> Block {
    let coinbase = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: bitcoin::script::Builder::new()
                .push_int(i64::from(height))
                .push_int(i64::from(salt))
                .into_script(),
            ..TxIn::default()
        }],
        output: vec![TxOut { value: Amount::ONE_BTC, script_pubkey: super::script(salt) }],
    };
    let mut block = Block {
        header: Header {
            version: Version::TWO,
            prev_blockhash: previous,
            merkle_root: bitcoin::TxMerkleNode::all_zeros(),
            time: 1_700_000_000 + height,
            bits: CompactTarget::from_consensus(bits),
            nonce: 0,
        },
        txdata: vec![coinbase],
    };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    block
}

fn bytes_of(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

/// Starts a SOCKS5 proxy that leads every connection, whatever its target, to one place; says how many there were.
pub(crate) async fn start_proxy(target: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counter = counter.clone();
            // Whoever asked may be gone.
            tokio::spawn(async move { drop(lead(stream, target, &counter).await) });
        }
    });
    (address, count)
}

/// One connection (RFC 1928) or one resolved name (Tor's command 0xF0).
async fn lead(mut stream: TcpStream, target: SocketAddr, count: &AtomicUsize) -> std::io::Result<()> {
    const DONE: [u8; 10] = [5, 0, 0, 1, 10, 9, 9, 9, 0, 0];
    let methods = stream.read_u16().await? as u8;
    stream.read_exact(&mut vec![0; methods.into()]).await?;
    stream.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let length = match request[3] {
        1 => 4,
        4 => 16,
        _ => stream.read_u8().await?.into(),
    };
    stream.read_exact(&mut vec![0; length + 2]).await?;
    stream.write_all(&DONE).await?;
    if request[1] == 1 {
        count.fetch_add(1, Ordering::Relaxed);
        let mut onward = TcpStream::connect(target).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
    }
    Ok(())
}
