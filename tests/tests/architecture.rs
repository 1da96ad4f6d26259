//! The shape of the workspace: who imports whom, where crates live, and what keeps the pure ones pure.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Dependency, Metadata, MetadataCommand, Package};

/// May import anything of ours, and nothing of ours may import them.
const TOP: [&str; 2] = ["tests", "xtask"];

/// Crates that know no clock, thread or random generator of their own.
const PURE: [&str; 3] = ["domain", "peer", "sim"];

/// What a pure crate's clippy.toml forbids, and what it must repeat of the root's, which it hides.
const PURITY: [&str; 7] = [
    "allow-unwrap-in-tests = true",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "rand::rng",
    "getrandom::fill",
];

/// Fewer lines of code than this are a crate that waits for its content.
const FEWEST_LINES: usize = 20;

/// A crate's row of the import table: its name and what it may import.
type Table = BTreeMap<String, Vec<String>>;

/// One of our crates importing another.
#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
}

#[test]
fn crates_import_only_what_the_table_allows() {
    let edges: Vec<Edge> = workspace().workspace_packages().into_iter().flat_map(edges_of).collect();
    assert!(edges.len() > 3, "the workspace has edges: {edges:?}");
    assert_eq!(forbidden(&table(), &edges), [""; 0]);
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let workspace = workspace();
    let mut crates: Vec<&str> = our_crates(&workspace).map(|it| it.name.as_str()).collect();
    crates.sort_unstable();
    assert_eq!(crates, table().keys().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_folder_name_is_the_crate_name() {
    for package in our_crates(&workspace()) {
        assert_eq!(folder(package).file_name().unwrap(), package.name.as_str());
    }
}

#[test]
fn no_crate_is_empty() {
    for package in our_crates(&workspace()) {
        let lines: usize = sources(&folder(package).join("src")).iter().map(|file| code_lines(file)).sum();
        assert!(lines >= FEWEST_LINES, "{} has {lines} lines of code", package.name);
    }
}

#[test]
fn pure_crates_forbid_clocks_threads_and_random_generators() {
    for name in PURE {
        let rules =
            fs::read_to_string(root().join("crates").join(name).join("clippy.toml")).unwrap_or_default();
        assert_eq!(missing_rules(&rules), [""; 0], "crates/{name}/clippy.toml");
    }
}

#[test]
fn a_forbidden_edge_is_found() {
    let edge = |from: &str, to: &str| Edge { from: from.into(), to: to.into() };
    let expect = |from, to, found: &str| assert_eq!(forbidden(&table(), &[edge(from, to)]), [found]);
    expect("domain", "peer", "domain may not import peer");
    expect("peer", "net", "peer may not import net");
    expect("net", "store", "net may not import store");
    expect("node", "sim", "node may not import sim");
    expect("node", "tests", "node may not import tests");
    expect("newcomer", "domain", "newcomer has no row in the import table");
    assert_eq!(
        forbidden(&table(), &[edge("node", "peer"), edge("tests", "node"), edge("xtask", "node")]),
        [""; 0]
    );
}

#[test]
fn an_edge_is_found_in_a_manifest_whatever_its_kind_and_name() {
    let dependency = |kind: &str, path: Option<&str>| -> Dependency {
        let fields = serde_json::json!({
            "name": "x", "source": null, "req": "*", "kind": kind, "rename": "other", "optional": false,
            "uses_default_features": true, "features": [], "target": null, "registry": null, "path": path
        });
        serde_json::from_value(fields).unwrap()
    };
    for kind in ["normal", "dev", "build"] {
        assert!(is_ours(&dependency(kind, Some("/x"))), "{kind}");
        assert!(!is_ours(&dependency(kind, None)), "{kind}");
    }
}

#[test]
fn a_missing_rule_of_purity_is_found() {
    let rules = PURITY[..6].join("\n");
    assert_eq!(missing_rules(&rules), ["getrandom::fill"]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn workspace() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

/// The crates of `crates/`, without `tests` and `xtask`.
fn our_crates(workspace: &Metadata) -> impl Iterator<Item = &Package> {
    workspace.workspace_packages().into_iter().filter(|it| !TOP.contains(&it.name.as_str()))
}

fn folder(package: &Package) -> &Path {
    package.manifest_path.parent().unwrap().as_std_path()
}

/// A dependency by path is one of ours: the workspace has no other.
fn is_ours(dependency: &Dependency) -> bool {
    dependency.path.is_some()
}

fn edges_of(package: &Package) -> Vec<Edge> {
    let ours = package.dependencies.iter().filter(|it| is_ours(it));
    ours.map(|it| Edge { from: package.name.to_string(), to: it.name.clone() }).collect()
}

/// The rows that follow `| crate | may import |` in ARCHITECTURE.md.
fn table() -> Table {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().skip_while(|line| *line != "| crate | may import |").skip(2);
    let table: Table = rows.take_while(|line| line.starts_with('|')).map(row).collect();
    assert!(!table.is_empty(), "ARCHITECTURE.md has an import table");
    table
}

fn row(line: &str) -> (String, Vec<String>) {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [name, imports] = cells[..] else { panic!("a row has two cells: {line}") };
    (name.to_owned(), imports.split(',').map(|it| it.trim().to_owned()).collect())
}

fn forbidden(table: &Table, edges: &[Edge]) -> Vec<String> {
    let verdict = |edge: &Edge| match table.get(&edge.from) {
        _ if TOP.contains(&edge.from.as_str()) => None,
        None => Some(format!("{} has no row in the import table", edge.from)),
        Some(allowed) if allowed.contains(&edge.to) => None,
        Some(_) => Some(format!("{} may not import {}", edge.from, edge.to)),
    };
    edges.iter().filter_map(verdict).collect()
}

fn missing_rules(rules: &str) -> Vec<&'static str> {
    PURITY.into_iter().filter(|rule| !rules.contains(rule)).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    rust.chain(folders.iter().flat_map(|it| sources(it))).collect()
}

fn code_lines(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count()
}
