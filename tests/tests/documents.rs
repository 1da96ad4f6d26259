//! What the documents say is true: bytes, limits, codes and commands are compared with the code.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A command that the guide tells to type.
struct Typed {
    page: String,
    words: Vec<String>,
}

#[test]
fn the_protocols_example_is_the_golden_record() {
    let page = read("docs/protocol.md");
    let example = page.split("```hex\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let hex: String = example.lines().map(|line| line.split('#').next().unwrap().replace(' ', "")).collect();

    let snapshot = read("crates/domain/tests/snapshots/records__golden_v1.snap");
    let golden = snapshot.lines().find_map(|line| line.strip_prefix("tag: ")).unwrap();
    let (id, bytes) = golden.split_once(' ').unwrap();
    assert_eq!(hex, bytes);
    let payload = unhex(&hex[..hex.len() - 128]);
    assert_eq!(blake3::hash(&payload).to_string(), id);
    assert!(page.contains(&format!("`{id}`")), "the page names the id {id}");
}

#[test]
fn the_protocols_limits_are_the_codes() {
    let page = read("docs/protocol.md");
    let rows: Vec<Vec<&str>> = page.lines().filter_map(limit).collect();
    assert!(rows.len() > 40, "the table of limits is there");
    for row in rows {
        let [name, value, file] = row[..] else { unreachable!("a row was checked for three cells") };
        let (constant, field) = (format!(" {name}: "), format!("{name}: {value},"));
        let source = read(file);
        let mut lines = source.lines();
        let found = lines.any(|line| {
            (line.contains(&constant) && line.contains(&format!(" = {value};"))) || line.trim() == field
        });
        assert!(found, "{name} is not {value} in {file}");
    }
}

#[test]
fn every_code_of_the_guide_is_one_that_the_program_gives() {
    let sources: String = rust_files(&root().join("crates")).iter().map(|file| text(file)).collect();
    let page = read("docs/guide/troubleshooting.md");
    let codes: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(codes.len() > 30, "the table of codes is there");
    for code in codes {
        assert!(sources.contains(&format!("\"{code}\"")), "nothing gives the code {code}");
    }
}

#[test]
fn every_command_of_the_guide_is_one_that_the_program_knows() {
    let commands = typed();
    assert!(commands.len() > 30, "the guide has commands");
    for command in &commands {
        let names: Vec<&str> = named(command);
        let output = Command::new(tests::musicdao()).args(&names).arg("--help").output().unwrap();
        let help = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {:?}: {errors}", command.page, command.words);
        for option in command.words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option.as_str()), "{}: {names:?} has no {option}", command.page);
        }
    }
}

#[test]
fn every_setting_of_the_guide_is_one_that_the_program_has() {
    let folder = tests::Folder::new();
    let settings = folder.run(&["config", "get"]);
    let keys = settings["config"].as_object().unwrap();
    for command in
        typed().iter().filter(|command| command.words.starts_with(&["config".into(), "set".into()]))
    {
        let key = &command.words[2];
        assert!(keys.contains_key(key) || key == "listen", "{}: no setting {key}", command.page);
    }
}

/// The first three cells of a row of the table of limits.
fn limit(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> =
        line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    (cells.len() >= 4 && cells[2].starts_with("crates/")).then(|| cells[..3].to_vec())
}

/// Every line of the shell blocks of the guide and the workshop that calls the program.
fn typed() -> Vec<Typed> {
    let pages = fs::read_dir(root().join("docs/guide")).unwrap().map(|entry| entry.unwrap().path());
    pages.chain([root().join("docs/workshop.md")]).flat_map(|page| commands(&page)).collect()
}

fn commands(page: &Path) -> Vec<Typed> {
    let content = text(page);
    let blocks = content.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("musicdao "));
    let words = |line: &str| {
        line.split(" #").next().unwrap_or_default().split_whitespace().map(String::from).collect()
    };
    lines.map(|line| Typed { page: page.display().to_string(), words: words(line) }).collect()
}

/// The command's name, and its own command's where it has some.
fn named(command: &Typed) -> Vec<&str> {
    let mut words =
        command.words.iter().map(String::as_str).skip_while(|word| word.starts_with('-')).peekable();
    let name = words.next().unwrap();
    let nested = [
        "player", "library", "playlist", "tag", "hide", "profile", "block", "config", "identity", "wallet",
        "chain", "dao", "offer",
    ];
    let own = words.next_if(|_| nested.contains(&name));
    // What is proposed is a command of its own, behind the DAO's name.
    let proposed = own.filter(|own| *own == "propose").and_then(|_| {
        let kinds = ["invest", "pay", "set", "admit", "remove", "refresh", "dissolve"];
        words.find(|word| kinds.contains(word))
    });
    let place = proposed.map(|_| "DAO");
    [Some(name), own, place, proposed].into_iter().flatten().collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    text(&root().join(path))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
