//! Fills a data folder with a large library, for measuring the app: `fill FOLDER TRACKS SAVED FILES [QUERIES]` makes a
//! catalogue of so many synthetic tracks, saves so many of its releases, and lists so many private files. It prints
//! queries that the catalogue answers, one on a line.

use std::{env, error::Error, net::Ipv4Addr, path::PathBuf};

use node::{
    Api, Config, Node, NodeHandle, Settings,
    api::{LibraryCommand, ReleaseQuery, Request, Response},
    bench,
};

/// What the catalogue and the queries are made from.
const SEED: u64 = 1;
/// Releases asked for at once.
const PAGE: u32 = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let folder = args.first().ok_or("fill FOLDER TRACKS SAVED FILES [QUERIES]")?;
    let count = |at: usize| args.get(at).map_or(Ok(0), |text| text.parse::<u32>());
    let (tracks, saved, files, queries) = (count(1)?, count(2)?, count(3)?, count(4)?);
    let data = PathBuf::from(folder);
    std::fs::create_dir_all(&data)?;
    // As the daemon keeps it: a filled catalogue is not to be forgotten at the next start.
    Settings::load(&data)?.save(&data)?;
    let listen = Some((Ipv4Addr::LOCALHOST, 0).into());
    let config = Config { data, listen, peers: Vec::new(), no_dht: true, no_mdns: true };
    let node = Node::start(config).await?;
    bench::fill(&node, tracks, SEED).await?;
    save(&node, saved).await?;
    bench::list_files(&node, files).await?;
    for number in 0..u64::from(queries) {
        println!("{}", bench::query(SEED, number));
    }
    node.shutdown().await;
    Ok(())
}

async fn save(node: &NodeHandle, count: u32) -> Result<(), Box<dyn Error>> {
    for offset in (0..count).step_by(PAGE as usize) {
        let page = ReleaseQuery { limit: Some(PAGE.min(count - offset)), offset, ..ReleaseQuery::default() };
        let Response::Releases(page) = node.call(Request::Releases(page)).await? else { continue };
        for release in page.releases {
            node.call(Request::Library(LibraryCommand::Save { release: release.release_id })).await?;
        }
    }
    Ok(())
}
