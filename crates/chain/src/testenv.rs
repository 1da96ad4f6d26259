//! Throw-away regtest nodes: Bitcoin Core's daemon as `cargo xtask bitcoind` finds or builds it, each in a folder of its own,
//! on free ports, ended when dropped, after a panic, too. It has no wallet: a [`Purse`] holds a key and signs.
//!
//! Calls block; they are short. What takes time is waited for by asking the node, and a wait that lasts longer than
//! [`PATIENCE`] fails the test.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{
    Address, Amount, Block, BlockHash, CompressedPublicKey, Network, OutPoint, PrivateKey, ScriptBuf,
    Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, ecdsa, transaction,
};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::event::BlockId;
use crate::peer::PeerAddress;

/// How long a wait may last on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a node that cannot tell by itself.
const LOOK: Duration = Duration::from_millis(10);

/// Attempts to find ports that nobody takes in between.
const ATTEMPTS: usize = 5;

/// Blocks until a coinbase may be spent.
const MATURITY: u32 = 100;

/// What a payment of a purse costs: more than one sat/vB for some outputs.
const FEE: Amount = Amount::from_sat(2_000);

/// A running regtest node.
#[derive(Debug)]
pub struct Bitcoind {
    child: Child,
    folder: TempDir,
    ports: Ports,
    /// What it is started with beside the usual.
    options: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    rpc: u16,
    p2p: u16,
}

impl Bitcoind {
    /// Starts a node with one block, and waits until it answers and serves filters.
    ///
    /// # Panics
    /// When there is no bitcoind, or it does not start.
    pub fn start() -> Self {
        let node = Self::launch();
        // With a block of today it is past its initial download, and relays.
        node.mine(1);
        node
    }

    /// Starts two nodes that are connected and agree.
    ///
    /// # Panics
    /// When they do not.
    pub fn pair() -> (Self, Self) {
        let (one, other) = (Self::start(), Self::launch());
        other.connect(&one);
        other.wait_for(&one);
        (one, other)
    }

    fn launch() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..ATTEMPTS {
            let ports = Ports::free();
            let mut child = spawn(folder.path(), ports, &[]);
            if is_up(&mut child, folder.path(), ports) {
                return Self { child, folder, ports, options: Vec::new() };
            }
        }
        panic!("bitcoind did not start, {ATTEMPTS} times");
    }

    /// Ends the node, runs `while_down`, and starts it again with the same folder and ports.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn restart(&mut self, while_down: impl FnOnce()) {
        self.rpc("stop", json!([]));
        self.child.wait().unwrap();
        while_down();
        self.child = spawn(self.folder.path(), self.ports, &self.options);
        assert!(is_up(&mut self.child, self.folder.path(), self.ports), "bitcoind did not come back");
        self.wait_for_filters();
    }

    /// Starts the node again with other options of one's own.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn restart_with(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self.restart(|| {});
    }

    /// Starts the node again without the transactions that waited for a block.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn forget_mempool(&mut self) {
        let kept = self.folder.path().join("regtest/mempool.dat");
        self.restart(|| fs::remove_file(kept).unwrap());
    }

    /// Where it answers other nodes.
    pub fn peer(&self) -> PeerAddress {
        self.address().into()
    }

    /// Where it answers other nodes.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.p2p))
    }

    /// Connects to another node, which may be slow to see it.
    ///
    /// # Panics
    /// When it does not work.
    pub fn connect(&self, other: &Self) {
        self.rpc("addnode", json!([other.address().to_string(), "onetry"]));
        for node in [self, other] {
            wait_until("two nodes to be connected", || node.rpc("getconnectioncount", json!([])) != 0);
        }
    }

    /// Ends all connections to another node, which is not dialled again.
    ///
    /// # Panics
    /// When it does not work.
    pub fn part(&self, other: &Self) {
        let is_other = |peer: &Value| peer["subver"].as_str().is_some_and(|name| name.contains("Satoshi"));
        for node in [self, other] {
            let peers = node.rpc("getpeerinfo", json!([]));
            for peer in peers.as_array().unwrap().iter().filter(|peer| is_other(peer)) {
                // The other end may have closed it already.
                let _ = node.try_rpc("disconnectnode", json!(["", peer["id"]]));
            }
        }
        for node in [self, other] {
            wait_until("two nodes to be parted", || {
                !node.rpc("getpeerinfo", json!([])).as_array().unwrap().iter().any(is_other)
            });
        }
    }

    /// Drops every connection and takes no new one, until `true` is given.
    ///
    /// # Panics
    /// When the node is gone, or its connections stay.
    pub fn network(&self, active: bool) {
        self.rpc("setnetworkactive", json!([active]));
        if !active {
            wait_until("connections to end", || self.rpc("getconnectioncount", json!([])) == 0);
        }
    }

    /// Mines blocks that pay nobody, with what the mempool holds.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn mine(&self, count: u32) -> Vec<BlockHash> {
        self.mine_to(count, &nobody(0))
    }

    /// Mines blocks that pay an address.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn mine_to(&self, count: u32, address: &Address) -> Vec<BlockHash> {
        let blocks = self.rpc("generatetoaddress", json!([count, address.to_string()]));
        self.wait_for_filters();
        serde_json::from_value(blocks).unwrap()
    }

    /// Replaces the last `depth` blocks by one more than they were, all of them empty.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn reorganise(&self, depth: u32) {
        let tip = self.tip();
        let lowest = self.block_id(tip.height + 1 - depth);
        self.rpc("invalidateblock", json!([lowest.hash]));
        for _ in 0..=depth {
            // Paid to another, or the first might be the very block that was declared invalid.
            self.rpc("generateblock", json!([nobody(tip.height).to_string(), []]));
        }
        self.wait_for_filters();
    }

    /// The highest block.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn tip(&self) -> BlockId {
        let hash: BlockHash = serde_json::from_value(self.rpc("getbestblockhash", json!([]))).unwrap();
        let header = self.rpc("getblockheader", json!([hash]));
        BlockId { height: header["height"].as_u64().unwrap().try_into().unwrap(), hash }
    }

    /// The block at a height.
    ///
    /// # Panics
    /// When there is none.
    pub fn block_id(&self, height: u32) -> BlockId {
        BlockId { height, hash: serde_json::from_value(self.rpc("getblockhash", json!([height]))).unwrap() }
    }

    /// A whole block.
    ///
    /// # Panics
    /// When there is none.
    pub fn block(&self, hash: BlockHash) -> Block {
        deserialize_hex(self.rpc("getblock", json!([hash, 0])).as_str().unwrap()).unwrap()
    }

    /// Puts a transaction into the mempool.
    ///
    /// # Panics
    /// When the node refuses it.
    pub fn send(&self, transaction: &Transaction) {
        self.rpc("sendrawtransaction", json!([serialize_hex(transaction)]));
    }

    /// Whether the mempool holds a transaction.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn has_in_mempool(&self, txid: Txid) -> bool {
        self.try_rpc("getmempoolentry", json!([txid])).is_ok()
    }

    /// Waits until this node has the other's tip, and its filter.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn wait_for(&self, other: &Self) {
        self.wait_for_block(other.tip());
    }

    /// Waits until this node has a block as its tip, and its filter.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn wait_for_block(&self, id: BlockId) {
        wait_until("the nodes to agree", || self.tip() == id);
        self.wait_for_filters();
    }

    /// Filters are made beside the blocks, so a block may be known before its filter is.
    fn wait_for_filters(&self) {
        wait_until("the filters", || {
            let index = &self.rpc("getindexinfo", json!([]))["basic block filter index"];
            index["synced"] == true && index["best_block_height"] == self.rpc("getblockcount", json!([]))
        });
    }

    /// Calls a method of the node.
    ///
    /// # Panics
    /// When it answers with an error.
    pub fn rpc(&self, method: &str, parameters: Value) -> Value {
        self.try_rpc(method, parameters.clone())
            .unwrap_or_else(|error| panic!("{method} {parameters}: {error}"))
    }

    /// Calls a method of the node.
    ///
    /// # Errors
    /// With what the node said.
    pub fn try_rpc(&self, method: &str, parameters: Value) -> Result<Value, String> {
        call(self.folder.path(), self.ports.rpc, method, parameters)
    }

    fn end(&mut self) {
        // It may have ended by itself; the folder is thrown away, so nothing has to be put in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        self.end();
    }
}

impl Ports {
    fn free() -> Self {
        Self { rpc: free_port(), p2p: free_port() }
    }
}

/// A key with coins, and what it takes to pay with them.
#[derive(Debug)]
pub struct Purse {
    key: PrivateKey,
    coins: Vec<(OutPoint, Amount)>,
}

impl Purse {
    /// Mines `coins` coinbases to a key, and on top of them as many blocks as make them spendable.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn fill(node: &Bitcoind, coins: u32) -> Self {
        let key = SecretKey::from_slice(&[7; 32]).unwrap();
        let mut purse = Self { key: PrivateKey::new(key, Network::Regtest), coins: Vec::new() };
        for hash in node.mine_to(coins, &purse.address()) {
            let coinbase = node.block(hash).txdata.swap_remove(0);
            let value = coinbase.output[0].value;
            purse.coins.push((OutPoint::new(coinbase.compute_txid(), 0), value));
        }
        node.mine(MATURITY);
        purse
    }

    /// The address of its key.
    pub fn address(&self) -> Address {
        let public = CompressedPublicKey::from_private_key(&Secp256k1::new(), &self.key).unwrap();
        Address::p2wpkh(&public, Network::Regtest)
    }

    /// Signs a payment and hands it to the node.
    ///
    /// # Panics
    /// When the coins do not suffice or the node refuses it.
    pub fn pay(&mut self, node: &Bitcoind, script: &ScriptBuf, amount: Amount) -> Transaction {
        let payment = self.sign(&[(script.clone(), amount)]);
        node.send(&payment);
        payment
    }

    /// Signs a payment, which nobody has seen yet. What remains is a coin again.
    ///
    /// # Panics
    /// When the coins do not suffice.
    pub fn sign(&mut self, outputs: &[(ScriptBuf, Amount)]) -> Transaction {
        let (point, value) = self.coins.pop().expect("the purse has a coin");
        let spent: Amount = outputs.iter().map(|it| it.1).sum();
        let change = TxOut { value: value - spent - FEE, script_pubkey: self.address().script_pubkey() };
        let paid =
            outputs.iter().map(|(script, value)| TxOut { value: *value, script_pubkey: script.clone() });
        let mut payment = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: point,
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                ..TxIn::default()
            }],
            output: paid.chain([change.clone()]).collect(),
        };
        payment.input[0].witness = self.witness(&payment, value);
        let last = u32::try_from(outputs.len()).unwrap();
        // Coins that no block holds yet are used last.
        self.coins.insert(0, (OutPoint::new(payment.compute_txid(), last), change.value));
        payment
    }

    fn witness(&self, payment: &Transaction, value: Amount) -> Witness {
        let (secp, script) = (Secp256k1::new(), self.address().script_pubkey());
        let hash = SighashCache::new(payment)
            .p2wpkh_signature_hash(0, &script, value, EcdsaSighashType::All)
            .unwrap();
        let signature = secp.sign_ecdsa(&Message::from(hash), &self.key.inner);
        let signature = ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
        Witness::p2wpkh(&signature, &self.key.inner.public_key(&secp))
    }
}

/// An address that nobody can spend from, another one for each number.
pub fn nobody(number: u32) -> Address {
    Address::p2wsh(&ScriptBuf::new_op_return(number.to_le_bytes()), Network::Regtest)
}

/// Waits until something is so.
///
/// # Panics
/// When it takes longer than [`PATIENCE`].
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

fn spawn(folder: &Path, ports: Ports, options: &[String]) -> Child {
    Command::new(program())
        .args([
            "-regtest",
            "-server",
            "-listen",
            "-listenonion=0",
            "-discover=0",
            "-dnsseed=0",
            "-fixedseeds=0",
        ])
        .args(["-natpmp=0", "-blockfilterindex=1", "-peerblockfilters=1", "-printtoconsole=0"])
        // Connections of this machine are served at once, and none is ever banned.
        .args(["-whitelist=noban@127.0.0.1", "-par=1", "-dbcache=16", "-rpcthreads=4"])
        .args(options)
        .arg(format!("-datadir={}", folder.display()))
        .arg(format!("-rpcport={}", ports.rpc))
        .arg(format!("-bind=127.0.0.1:{}", ports.p2p))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", program().display()))
}

/// Says whether there is a daemon to start.
pub fn is_installed() -> bool {
    installed().is_some()
}

fn program() -> PathBuf {
    installed().expect("there is no bitcoind: run `cargo xtask bitcoind`")
}

/// The daemon of the machine, else the one that `cargo xtask bitcoind` built.
fn installed() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|it| it.join("bitcoind"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::home_dir().map(|it| it.join(".cache"))).unwrap_or_default();
    let built = fs::read_dir(cache.join("musicdao")).into_iter().flatten().flatten();
    let built = built.filter(|it| it.file_name().to_string_lossy().starts_with("bitcoin-"));
    on_path.chain(built.map(|it| it.path().join("bin/bitcoind"))).find(|it| it.is_file())
}

fn is_up(child: &mut Child, folder: &Path, ports: Ports) -> bool {
    let mut ended = false;
    wait_until("bitcoind to answer", || {
        ended = child.try_wait().unwrap().is_some();
        ended || call(folder, ports.rpc, "getblockcount", json!([])).is_ok()
    });
    !ended
}

fn call(folder: &Path, port: u16, method: &str, parameters: Value) -> Result<Value, String> {
    let cookie = fs::read_to_string(folder.join("regtest/.cookie")).map_err(|it| it.to_string())?;
    let body = json!({ "id": 0, "method": method, "params": parameters }).to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        BASE64.encode(cookie.trim().as_bytes()),
        body.len(),
    );
    let answer = exchange(port, &request).map_err(|it| it.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let mut answer: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
    match answer["error"].take() {
        Value::Null => Ok(answer["result"].take()),
        error => Err(error.to_string()),
    }
}

fn exchange(port: u16, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
