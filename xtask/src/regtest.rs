//! A Bitcoin of one's own: a daemon whose blocks are made by command, and coins for whoever asks.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Blocks until a coinbase may be spent, and one more.
const MATURE: u32 = 101;

/// The secret key 1, which everybody knows: the coins are worth nothing.
const KEY: &str = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA";

/// What a payment costs, in sat.
const FEE: u64 = 1_000;

/// Sat in a bitcoin.
const COIN: u64 = 100_000_000;

/// Builds the daemon and prints its folder last.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn build(root: &Path) -> Result<()> {
    println!("{}", programs(root)?.display());
    Ok(())
}

/// Runs a daemon until it is ended, beside a data folder that uses it.
///
/// # Errors
/// When it cannot be built or started, or its folder cannot be written.
pub(crate) fn run(root: &Path) -> Result<()> {
    let node = Node::find(root)?;
    let mut child = node.start()?;
    if let Err(error) = node.prepare() {
        // It may have ended by itself.
        let _ = child.kill();
        return Err(error);
    }
    let data = node.data.display();
    println!("A Bitcoin of your own answers at 127.0.0.1:18444. Ctrl-C ends it; it goes on where it was.");
    println!("  musicdao --data {data} daemon      a node that uses it");
    println!("  cargo xtask faucet ADDRESS SATS    pays an address of its wallet");
    println!("  cargo xtask mine                   makes the block that confirms it");
    println!("Deleting {data} begins anew.");
    let status = child.wait().context("the daemon is lost")?;
    ensure!(status.success(), "bitcoind: {status}");
    Ok(())
}

/// Adds blocks, which pay an address where one is said.
///
/// # Errors
/// When no daemon runs or what was said is wrong.
pub(crate) fn mine(root: &Path, blocks: &str, address: Option<&str>) -> Result<()> {
    let node = Node::find(root)?;
    let blocks: u32 = blocks.parse().with_context(|| format!("{blocks:?} is no number of blocks"))?;
    let address = address.map_or_else(|| node.address(), |it| Ok(it.to_owned()))?;
    node.generate(blocks, &address)?;
    println!("block {}", node.call("getblockcount", &[])?);
    Ok(())
}

/// Pays an address.
///
/// # Errors
/// When no daemon runs, what was said is wrong, or the coins do not suffice.
pub(crate) fn pay(root: &Path, address: &str, sats: &str) -> Result<()> {
    let node = Node::find(root)?;
    let sats: u64 = sats.parse().with_context(|| format!("{sats:?} is no number of sat"))?;
    let coin = node.coin(sats.saturating_add(FEE))?;
    let inputs = json!([{ "txid": coin.txid, "vout": coin.vout }]);
    let outputs = json!([{ address: bitcoins(sats) }, { node.address()?: bitcoins(coin.sats - sats - FEE) }]);
    let raw = node.call("createrawtransaction", &[inputs.to_string(), outputs.to_string()])?;
    let keys = json!([KEY]).to_string();
    let signed = node.call("signrawtransactionwithkey", &[text(&raw)?, keys])?;
    let sent = node.call("sendrawtransaction", &[text(&signed["hex"])?])?;
    println!("{}", text(&sent)?);
    Ok(())
}

/// The daemon's folders and programs.
struct Node {
    programs: PathBuf,
    data: PathBuf,
}

/// A spendable coin of the faucet.
struct Coin {
    txid: String,
    vout: u64,
    sats: u64,
}

impl Node {
    fn find(root: &Path) -> Result<Self> {
        let share = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        let share = share.or_else(|| std::env::home_dir().map(|it| it.join(".local/share")));
        let data = share.context("there is no home folder")?.join("musicdao-regtest");
        Ok(Self { programs: programs(root)?, data })
    }

    fn folder(&self) -> PathBuf {
        self.data.join("bitcoin")
    }

    fn start(&self) -> Result<Child> {
        let folder = self.folder();
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Command::new(self.programs.join("bitcoind"))
            .args(["-regtest", "-server", "-listen", "-listenonion=0", "-discover=0", "-dnsseed=0"])
            .args(["-fixedseeds=0", "-natpmp=0", "-blockfilterindex=1", "-peerblockfilters=1"])
            .args(["-printtoconsole=0", "-bind=127.0.0.1", "-whitelist=noban@127.0.0.1"])
            .arg(format!("-datadir={}", folder.display()))
            .spawn()
            .context("cannot start bitcoind")
    }

    /// Waits until the daemon answers, and gives the faucet its first coins and the data folder its settings.
    fn prepare(&self) -> Result<()> {
        if self.ask(&["-rpcwait", "-rpcwaittimeout=60"], "getblockcount", &[])? == 0 {
            self.generate(MATURE, &self.address()?)?;
        }
        settle(&self.data)
    }

    fn call(&self, method: &str, arguments: &[String]) -> Result<Value> {
        self.ask(&[], method, arguments)
    }

    fn ask(&self, options: &[&str], method: &str, arguments: &[String]) -> Result<Value> {
        let output = Command::new(self.programs.join("bitcoin-cli"))
            .arg("-regtest")
            .arg(format!("-datadir={}", self.folder().display()))
            .args(options)
            .arg(method)
            .args(arguments)
            .stderr(Stdio::piped())
            .output()
            .context("cannot start bitcoin-cli")?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let hint =
                if words.contains("connect") { "\nsay `make regtest` first, in another window" } else { "" };
            bail!("{method}: {}{hint}", words.trim());
        }
        let answer = String::from_utf8(output.stdout).context("bitcoin-cli answers with text")?;
        // A bare word is a text without quotes.
        Ok(serde_json::from_str(&answer).unwrap_or_else(|_| json!(answer.trim())))
    }

    fn generate(&self, blocks: u32, address: &str) -> Result<()> {
        self.call("generatetoaddress", &[blocks.to_string(), address.to_owned()])?;
        Ok(())
    }

    /// The faucet's coins as a descriptor without secrets.
    fn descriptor(&self) -> Result<String> {
        text(&self.call("getdescriptorinfo", &[format!("wpkh({KEY})")])?["descriptor"])
    }

    fn address(&self) -> Result<String> {
        text(&self.call("deriveaddresses", &[self.descriptor()?])?[0])
    }

    /// A coin of at least so much that may be spent and is not being spent.
    fn coin(&self, least: u64) -> Result<Coin> {
        let wanted = json!([self.descriptor()?]).to_string();
        let found = self.call("scantxoutset", &["start".into(), wanted])?;
        let height = found["height"].as_u64().context("scantxoutset says its height")?;
        for it in found["unspents"].as_array().context("scantxoutset lists coins")? {
            let coin = Coin {
                txid: text(&it["txid"])?,
                vout: it["vout"].as_u64().context("a coin has an index")?,
                sats: sats(&it["amount"])?,
            };
            let age = height + 1 - it["height"].as_u64().unwrap_or(height);
            let is_mature = it["coinbase"] != true || age >= u64::from(MATURE) - 1;
            let is_free = || self.call("gettxout", &[coin.txid.clone(), coin.vout.to_string()]);
            if coin.sats >= least && is_mature && is_free()?.is_object() {
                return Ok(coin);
            }
        }
        bail!("no coin of {least} sat: say `cargo xtask mine {MATURE}`")
    }
}

fn programs(root: &Path) -> Result<PathBuf> {
    let output = Command::new(root.join("xtask/bitcoind.sh"))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start xtask/bitcoind.sh")?;
    ensure!(output.status.success(), "no bitcoind");
    let lines = String::from_utf8(output.stdout).context("the folder's name is not UTF-8")?;
    Ok(lines.lines().last().context("xtask/bitcoind.sh names a folder")?.into())
}

/// Points the data folder at the daemon, where nobody has yet.
fn settle(data: &Path) -> Result<()> {
    let path = data.join("config.toml");
    if path.exists() {
        return Ok(());
    }
    let mut file = fs::File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(b"network = \"regtest\"\nbitcoin_peers = [\"127.0.0.1:18444\"]\n")
        .with_context(|| format!("cannot write {}", path.display()))
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("not a text: {value}"))
}

/// An amount as the daemon writes it, exactly: a decimal number of bitcoins.
fn bitcoins(sats: u64) -> String {
    format!("{}.{:08}", sats / COIN, sats % COIN)
}

/// An amount as the daemon writes it, in sat, without the rounding of floating point.
fn sats(value: &Value) -> Result<u64> {
    let number = value.as_f64().with_context(|| format!("not an amount: {value}"))?;
    let written = format!("{number:.8}");
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("not an amount: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_the_same_there_and_back() {
        for amount in [0, 1, 330, 99_999_999, COIN, 50 * COIN, 2_099_999_997_690_000] {
            let written: Value = serde_json::from_str(&bitcoins(amount)).unwrap();
            assert_eq!(sats(&written).unwrap(), amount);
        }
        assert!(sats(&json!("x")).is_err());
    }

    #[test]
    fn the_settings_are_written_once() {
        let folder = tempfile::tempdir().unwrap();
        settle(folder.path()).unwrap();
        let path = folder.path().join("config.toml");
        assert!(fs::read_to_string(&path).unwrap().contains("regtest"));
        fs::write(&path, "mine").unwrap();
        settle(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
