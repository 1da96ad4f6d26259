//! The chain of headers that the light client found to have the most work, and its file.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use bip157::ChainState;
use bip157::chain::IndexedHeader;
use bitcoin::block::Header;
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, consensus};
use domain::Network;

use crate::checkpoints::checkpoint_below;
use crate::error::Error;
use crate::event::BlockId;

/// Bytes of a header.
const HEADER: usize = 80;

/// Bytes before the headers in the file: the height and the hash of the block below the first.
const BASE: usize = 4 + 32;

/// Blocks whose times a median is taken of (BIP 113).
const MEDIAN_SPAN: u32 = 11;

/// The chain of most work above a base that nothing can reorganise away.
#[derive(Debug)]
pub(crate) struct Headers {
    network: Network,
    base: BlockId,
    headers: Vec<Header>,
    heights: HashMap<BlockHash, u32>,
    tip: BlockId,
    path: PathBuf,
    /// Headers that are in the file as they are here.
    written: usize,
}

impl Headers {
    /// Loads what the file holds, where its base is not above `base`; else begins anew. What a crash cut off is left out.
    pub(crate) fn load(path: PathBuf, network: Network, base: BlockId) -> Result<Self, Error> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::Folder { path, source }),
        };
        let mut chain = Self::empty(path, network, base);
        let is_ours = |it: &BlockId| it.height <= base.height && checkpoint_below(network, it.height) == *it;
        if let Some(kept) = base_of(&bytes).filter(is_ours) {
            (chain.base, chain.tip) = (kept, kept);
            for header in bytes[BASE..].chunks_exact(HEADER) {
                let Ok(header) = consensus::deserialize::<Header>(header) else { break };
                if header.validate_pow(header.target()).is_err() || !chain.push(header) {
                    break;
                }
            }
            chain.written = chain.headers.len();
        }
        Ok(chain)
    }

    fn empty(path: PathBuf, network: Network, base: BlockId) -> Self {
        Self { network, base, headers: Vec::new(), heights: HashMap::new(), tip: base, path, written: 0 }
    }

    /// Forgets all and begins above another base.
    pub(crate) fn begin_at(&mut self, base: BlockId) {
        *self = Self::empty(std::mem::take(&mut self.path), self.network, base);
    }

    pub(crate) fn base(&self) -> BlockId {
        self.base
    }

    pub(crate) fn tip(&self) -> BlockId {
        self.tip
    }

    pub(crate) fn height(&self) -> u32 {
        self.tip.height
    }

    pub(crate) fn header(&self, height: u32) -> Option<Header> {
        if height == 0 && self.base.height == 0 {
            return Some(genesis_block(self.network.bitcoin()).header);
        }
        let above = height.checked_sub(self.base.height)?.checked_sub(1)?;
        self.headers.get(above as usize).copied()
    }

    pub(crate) fn id(&self, height: u32) -> Option<BlockId> {
        if height == self.base.height {
            return Some(self.base);
        }
        Some(BlockId { height, hash: self.header(height)?.block_hash() })
    }

    pub(crate) fn height_of(&self, hash: &BlockHash) -> Option<u32> {
        if *hash == self.base.hash {
            return Some(self.base.height);
        }
        self.heights.get(hash).copied()
    }

    pub(crate) fn contains(&self, id: BlockId) -> bool {
        self.height_of(&id.hash) == Some(id.height)
    }

    /// Names of blocks from the tip down, ever further apart, by which a peer finds where its chain leaves ours.
    pub(crate) fn locator(&self) -> Vec<BlockHash> {
        let (mut height, mut step, mut hashes) = (self.height(), 1, Vec::new());
        while let Some(id) = self.id(height) {
            hashes.push(id.hash);
            if height == self.base.height {
                break;
            }
            height = height.saturating_sub(step).max(self.base.height);
            step *= 2;
        }
        hashes
    }

    /// The median time of a block and the ten before it, in seconds since 1970 (BIP 113).
    pub(crate) fn median_time_past(&self, height: u32) -> Option<u32> {
        let lowest = height.saturating_sub(MEDIAN_SPAN - 1);
        let mut times: Vec<u32> =
            (lowest..=height).map(|it| Some(self.header(it)?.time)).collect::<Option<_>>()?;
        times.sort_unstable();
        Some(times[times.len() / 2])
    }

    /// Adds a header on top, where it fits there.
    pub(crate) fn push(&mut self, header: Header) -> bool {
        if header.prev_blockhash != self.tip.hash {
            return false;
        }
        self.headers.push(header);
        self.tip = BlockId { height: self.tip.height + 1, hash: header.block_hash() };
        self.heights.insert(self.tip.hash, self.tip.height);
        true
    }

    /// Drops what is above a height and returns it, highest first.
    pub(crate) fn truncate(&mut self, height: u32) -> Vec<BlockId> {
        let mut gone = Vec::new();
        while self.tip.height > height
            && let Some(header) = self.headers.pop()
        {
            self.heights.remove(&self.tip.hash);
            gone.push(self.tip);
            self.tip = BlockId { height: self.tip.height - 1, hash: header.prev_blockhash };
        }
        self.written = self.written.min(self.headers.len());
        gone
    }

    /// The lowest height that the light client can begin above: the base's own header is unknown, unless it is the first block.
    pub(crate) fn lowest(&self) -> u32 {
        if self.base.height == 0 { 0 } else { self.base.height + 1 }
    }

    /// What the light client begins with: the headers from `height` on, as far as they are known.
    pub(crate) fn snapshot(&self, height: u32) -> ChainState {
        let indexed = |height| Some(IndexedHeader { height, header: self.header(height)? });
        let known: Vec<IndexedHeader> =
            (height.max(self.lowest())..=self.height()).filter_map(indexed).collect();
        match known.is_empty() {
            true => ChainState::Checkpoint((self.base.height, self.base.hash).into()),
            false => ChainState::Snapshot(known),
        }
    }

    /// Brings the file up to date. It is a cache: what a crash cuts off is learnt again.
    pub(crate) fn save(&mut self) -> Result<(), Error> {
        self.write().map_err(|source| Error::Folder { path: self.path.clone(), source })?;
        self.written = self.headers.len();
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        let mut file: File = OpenOptions::new().create(true).append(true).open(&self.path)?;
        if self.written == 0 {
            file.set_len(0)?;
            file.write_all(&self.base.height.to_le_bytes())?;
            file.write_all(&self.base.hash.to_byte_array())?;
        } else {
            file.set_len((BASE + self.written * HEADER) as u64)?;
        }
        let rest: Vec<u8> = self.headers[self.written..].iter().flat_map(consensus::serialize).collect();
        file.write_all(&rest)
    }
}

fn base_of(bytes: &[u8]) -> Option<BlockId> {
    let height = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    let hash = BlockHash::from_byte_array(bytes.get(4..BASE)?.try_into().ok()?);
    Some(BlockId { height, hash })
}

#[cfg(test)]
mod tests {
    use bitcoin::block::Version;
    use bitcoin::{CompactTarget, TxMerkleNode};

    use super::*;
    use crate::checkpoints::newest_checkpoint;

    const EASIEST: u32 = 0x207f_ffff;

    fn mined(previous: BlockHash, time: u32) -> Header {
        let mut header = Header {
            version: Version::TWO,
            prev_blockhash: previous,
            merkle_root: TxMerkleNode::all_zeros(),
            time,
            bits: CompactTarget::from_consensus(EASIEST),
            nonce: 0,
        };
        while header.validate_pow(header.target()).is_err() {
            header.nonce += 1;
        }
        header
    }

    fn load(path: &std::path::Path) -> Headers {
        Headers::load(path.to_owned(), Network::Regtest, newest_checkpoint(Network::Regtest)).unwrap()
    }

    fn grow(chain: &mut Headers, times: impl IntoIterator<Item = u32>) {
        for time in times {
            assert!(chain.push(mined(chain.tip().hash, time)));
        }
    }

    #[test]
    fn the_file_gives_back_the_chain_across_growth_and_reorganisation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let mut chain = load(&path);
        grow(&mut chain, 1..=20);
        chain.save().unwrap();
        assert_eq!(load(&path).tip(), chain.tip());

        let gone = chain.truncate(15);
        assert_eq!(gone.iter().map(|it| it.height).collect::<Vec<_>>(), [20, 19, 18, 17, 16]);
        grow(&mut chain, 100..=106);
        chain.save().unwrap();
        let again = load(&path);
        assert_eq!((again.tip(), again.height()), (chain.tip(), 22));
        assert!((0..=22).all(|it| again.id(it) == chain.id(it)));
        assert!(gone.iter().all(|it| !again.contains(*it)));
    }

    #[test]
    fn a_cut_or_altered_file_gives_the_whole_headers_before_the_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let mut chain = load(&path);
        grow(&mut chain, 1..=10);
        chain.save().unwrap();
        let whole = fs::read(&path).unwrap();

        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let expect = cut.saturating_sub(BASE) / HEADER;
            assert_eq!(load(&path).height(), expect as u32, "cut at {cut}");
        }
        let mut altered = whole.clone();
        altered[BASE + 4 * HEADER + 5] ^= 1;
        fs::write(&path, &altered).unwrap();
        let mut chain = load(&path);
        assert_eq!(chain.height(), 4);

        // What is learnt anew replaces the damage.
        grow(&mut chain, 50..=51);
        chain.save().unwrap();
        assert_eq!(load(&path).tip(), chain.tip());
    }

    #[test]
    fn the_file_of_another_network_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let mut chain = load(&path);
        grow(&mut chain, 1..=3);
        chain.save().unwrap();
        let signet = newest_checkpoint(Network::Signet);
        assert_eq!(Headers::load(path, Network::Signet, signet).unwrap().tip(), signet);
    }

    #[test]
    fn the_median_is_of_eleven_or_of_all_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = load(&folder.path().join("headers"));
        let genesis = chain.header(0).unwrap().time;
        grow(&mut chain, [50, 10, 40, 20, 30, 60, 70, 80, 90, 100, 110, 120]);
        assert_eq!(chain.median_time_past(0), Some(genesis));
        assert_eq!(chain.median_time_past(2), Some(50));
        assert_eq!(chain.median_time_past(11), Some(60));
        assert_eq!(chain.median_time_past(12), Some(70));
        assert_eq!(chain.median_time_past(13), None);
    }

    #[test]
    fn a_header_that_does_not_fit_on_top_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = load(&folder.path().join("headers"));
        grow(&mut chain, 1..=2);
        let below = chain.id(1).unwrap().hash;
        assert!(!chain.push(mined(below, 7)));
        assert_eq!(chain.height(), 2);
    }
}
