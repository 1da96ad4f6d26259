//! Rules of the repository that no compiler knows.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

/// A source file with more lines of code than this holds more than one idea.
const MOST_LINES: usize = 1_000;

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// Tests that may sleep, each with its reason. A test waits for the event it needs, not for the time it may take.
const SLEEPERS: &[(&str, &str)] = &[
    ("crates/net/tests/all/blobs.rs", "a kill at a moment that nothing announces"),
    ("crates/net/tests/all/internet.rs", "the latency of a simulated link"),
    ("crates/net/tests/all/lan.rs", "two clock readings that must differ"),
    ("crates/net/tests/all/routed.rs", "a pause between dials to a peer that is still starting"),
];

/// Where cargo finds a package; any other source in a lockfile ties the project to one machine or one host.
const CRATES_IO: &str = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;

/// Checks every file that git knows or would take.
///
/// # Errors
/// When a rule is broken (the message lists every place), or git or a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<()> {
    let rules = Rules::new();
    let mut broken = Vec::new();
    for path in files(root)? {
        let bytes = fs::read(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            broken.extend(rules.broken_by(&path, &text));
            broken.extend(dead_links(root, &path, &text));
        }
    }
    broken.extend(licence(root));
    ensure!(broken.is_empty(), "{}\n{} rules broken", broken.join("\n"), broken.len());
    Ok(())
}

struct Rules {
    machine: Regex,
    unfinished: Regex,
    sleep: Regex,
}

impl Rules {
    fn new() -> Self {
        let rule = |pattern| Regex::new(pattern).expect("the patterns are constant and tested");
        Self {
            machine: rule(concat!(
                r#"(^|[\s"'`(=:,\[])/(root|home/[a-z]|Users/[A-Za-z]|work/)"#,
                r"|index\.crates\.io|static\.crates\.io|registry\.npmjs\.org|deb\.debian\.org|files\.pythonhosted\.org"
            )),
            unfinished: rule(concat!(
                r"\bTO",
                r"DO\b|\bFIX",
                r"ME\b|\btodo",
                r"!|\bunimplemented",
                r"!|\bdbg",
                "!"
            )),
            sleep: rule(r"\bsleep(_until|_ms)?\("),
        }
    }

    fn broken_by(&self, path: &str, text: &str) -> Vec<String> {
        let mut broken = Vec::new();
        let is_rule_book = path == "xtask/src/tidy.rs";
        let is_code = has_extension(path, &["rs", "sh", "sql", "toml", "yml", "ts", "svelte"]);
        if !is_rule_book {
            broken.extend(matches(
                &self.machine,
                path,
                text,
                0,
                "names a machine's path or a registry's host",
            ));
        }
        if is_code && !is_rule_book {
            broken.extend(matches(&self.unfinished, path, text, 0, "is unfinished"));
        }
        if has_extension(path, &["rs"]) {
            broken.extend(too_long(path, text));
        }
        if let Some(first) = first_test_line(path, text).filter(|_| !is_rule_book && !listed(SLEEPERS, path))
        {
            broken.extend(matches(&self.sleep, path, text, first, "sleeps in a test"));
        }
        if path.ends_with("Cargo.lock") {
            broken.extend(foreign_sources(path, text));
        }
        broken
    }
}

/// The tracked files and those that only await `git add`, as paths from the root.
fn files(root: &Path) -> Result<Vec<String>> {
    let listing = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("cannot start git")?;
    if !listing.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&listing.stderr));
    }
    let names = String::from_utf8(listing.stdout).context("a file's name is not UTF-8")?;
    Ok(names.split_terminator('\0').filter(|name| root.join(name).is_file()).map(String::from).collect())
}

fn matches(rule: &Regex, path: &str, text: &str, first: usize, what: &str) -> Vec<String> {
    let hits = text.lines().enumerate().skip(first).filter(|(_, line)| rule.is_match(line));
    hits.map(|(at, line)| format!("{path}:{}: {what}: {}", at + 1, line.trim())).collect()
}

fn has_extension(path: &str, extensions: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

fn listed(allowed: &[(&str, &str)], path: &str) -> bool {
    allowed.iter().any(|(file, _)| *file == path)
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    (lines > MOST_LINES && !listed(LONG, path))
        .then(|| format!("{path}: {lines} lines of code, {MOST_LINES} at most"))
}

/// The line where a file begins to test: its first in a folder of tests, else that of the test module's attribute.
fn first_test_line(path: &str, text: &str) -> Option<usize> {
    if !has_extension(path, &["rs", "sh", "ts"]) {
        return None;
    }
    if path.starts_with("tests/") || path.contains("/tests/") {
        return Some(0);
    }
    text.find("#[cfg(test)]\nmod ").map(|at| text[..at].lines().count())
}

fn foreign_sources(path: &str, lockfile: &str) -> Vec<String> {
    let foreign = |line: &&str| line.starts_with("source = ") && *line != CRATES_IO;
    lockfile.lines().filter(foreign).map(|line| format!("{path}: not from crates.io: {line}")).collect()
}

fn dead_links(root: &Path, path: &str, text: &str) -> Vec<String> {
    if !has_extension(path, &["md"]) {
        return Vec::new();
    }
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let dead = |target: &&str| !root.join(folder).join(target).exists();
    links(text)
        .into_iter()
        .filter(dead)
        .map(|target| format!("{path}: links to {target}, which is missing"))
        .collect()
}

/// The files that a Markdown text links to, without anchors, web addresses and what stands in code.
fn links(markdown: &str) -> Vec<&str> {
    let link = Regex::new(r"\]\(([^)\s#]+)[^)]*\)").expect("the pattern is constant and tested");
    let prose = markdown.split("```").step_by(2);
    let targets = prose.flat_map(|text| link.captures_iter(text).filter_map(|found| found.get(1)));
    targets.map(|target| target.as_str()).filter(|target| !target.contains(':')).collect()
}

fn licence(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join("LICENSE")).unwrap_or_default();
    let whole = text.contains("GNU GENERAL PUBLIC LICENSE") && text.contains("Version 3, 29 June 2007");
    (!whole).then(|| "LICENSE: not the text of GPL version 3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expect: &[&str]) {
        let broken = Rules::new().broken_by(path, text);
        assert_eq!(broken.len(), expect.len(), "{path}: {broken:?}");
        for (found, wanted) in broken.iter().zip(expect) {
            assert!(found.contains(wanted), "{found:?} does not say {wanted:?}");
        }
    }

    #[test]
    fn a_machines_path_is_found_and_an_ordinary_one_is_not() {
        check("a.md", "see `/root/x`", &["a.md:1: names a machine's path"]);
        check("a.rs", "\nlet p = \"/home/ann/x\";", &["a.rs:2"]);
        check("a.yml", "url: https://index.crates.io/", &["a.yml:1"]);
        check("a.md", "`~/.cache`, /usr/share, docs/root/x, https://a.example/home/x", &[]);
    }

    #[test]
    fn unfinished_code_is_found() {
        check("a.rs", "// TODO later", &["is unfinished"]);
        check("a.rs", "dbg!(x); todo!()", &["is unfinished"]);
        check("a.md", "the word TODO in prose", &[]);
    }

    #[test]
    fn a_sleep_is_found_in_tests_only() {
        let code = "fn wait() { sleep(x); }\n#[cfg(test)]\nmod tests {}\n";
        check("crates/a/src/b.rs", code, &[]);
        check("crates/a/tests/b.rs", code, &["sleeps in a test"]);
        check(
            "crates/a/src/b.rs",
            "#[cfg(test)]\nmod tests {\n tokio::time::sleep(x).await\n}",
            &["b.rs:3: sleeps"],
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_comments_do_not_count() {
        check("a.rs", &"x();\n".repeat(MOST_LINES + 1), &["1001 lines of code"]);
        check("a.rs", &"x();\n// why\n\n".repeat(MOST_LINES), &[]);
    }

    #[test]
    fn a_lockfile_names_crates_io_alone() {
        check("Cargo.lock", CRATES_IO, &[]);
        check("fuzz/Cargo.lock", "source = \"sparse+https://mirror.example/\"", &["not from crates.io"]);
        check("Cargo.lock", "source = \"git+https://a.example/b\"", &["not from crates.io"]);
    }

    #[test]
    fn links_are_read_without_anchors_addresses_and_code() {
        let text =
            "[a](docs/a.md#x) [b](https://b.example) [c](#here)\n```\n[d](none.md)\n```\n[e](e.md \"title\")";
        assert_eq!(links(text), ["docs/a.md", "e.md"]);
    }

    #[test]
    fn a_link_to_a_missing_file_is_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("docs")).unwrap();
        fs::write(root.path().join("docs/here.md"), "").unwrap();
        let found = dead_links(root.path(), "docs/index.md", "[a](here.md) [b](gone.md)");
        assert_eq!(found, ["docs/index.md: links to gone.md, which is missing"]);
    }
}
