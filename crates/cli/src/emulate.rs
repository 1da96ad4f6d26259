//! `musicdao emulate`: a DAO of many members in one process, and what it costs.

use std::{
    fs, io,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use node::api::ApiError;
use serde_json::{Map, Value};
use sim::dao::{self, COLUMNS, Construction, Emulation, Machine, Meter, Row, Settings};
use tokio::{process::Command, task};

use crate::{
    args::EmulateArgs,
    bench,
    failure::{Failure, at},
    output::Output,
};

/// What a value says where nothing was measured.
const ABSENT: &str = "n/a";
/// Columns that are words even where they look like numbers.
const WORDS: [&str; 4] = ["construction", "refused", "trace_hash", "reason"];
/// What is written into the report's folder, beside the graphs of the page as files of their own.
const FILES: [&str; 2] = ["report.html", "results.csv"];
/// Where the graphs are.
const GRAPHS: &str = "graphs";
/// As many members as one emulation has while others run beside it.
const BESIDE: usize = 1_000;

/// Emulates, tells the figures, and writes a report where one is wanted.
///
/// # Errors
/// Those of standard output, of the report's folder, and of processes.
pub(crate) async fn run(args: EmulateArgs, output: Output) -> Result<(), Failure> {
    if args.all {
        return all(&args, output).await;
    }
    let settings = args.settings();
    let measured = task::spawn_blocking(move || dao::emulate(&settings, &Process::begin())).await;
    let row = dao::row(&measured.map_err(io::Error::other)?);
    if let Some(folder) = &args.report {
        write(folder, std::slice::from_ref(&row))?;
    }
    output.say_as(&json(&row), || words(&row))
}

/// Every size and construction, each in a process of its own, so that none uses the memory of another.
async fn all(args: &EmulateArgs, output: Output) -> Result<(), Failure> {
    let most = args.members.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let folder = args.report.as_deref().unwrap_or(Path::new("."));
    let sizes = dao::SIZES.into_iter().filter(|size| *size <= most);
    let runs: Vec<_> = sizes.flat_map(|size| Construction::ALL.map(|one| (size, one))).collect();
    let mut rows = Vec::new();
    for pair in runs.chunks(2) {
        let alone = pair.iter().any(|(size, _)| *size > BESIDE);
        let (first, second) = (&pair[0], pair.get(1));
        let pair = match second {
            Some(second) if !alone => {
                let (first, second) = tokio::join!(child(args, *first), child(args, *second));
                vec![first?, second?]
            }
            Some(second) => vec![child(args, *first).await?, child(args, *second).await?],
            None => vec![child(args, *first).await?],
        };
        for row in pair {
            output.say_as(&json(&row), || words(&row))?;
            rows.push(row);
        }
        write(folder, &rows)?;
    }
    Ok(())
}

/// Has another process emulate one size.
async fn child(args: &EmulateArgs, (members, construction): (usize, Construction)) -> Result<Row, Failure> {
    let (least, most) = args.latency;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "emulate", "--construction", construction.as_str()]);
    let values = [
        ("--members", members.to_string()),
        ("--seed", args.seed.to_string()),
        ("--joins", args.joins.to_string()),
        ("--together", args.together.to_string()),
        ("--payments", args.payments.to_string()),
        ("--latency", format!("{least}..{most}")),
        ("--churn", args.churn.to_string()),
    ];
    values.into_iter().for_each(|(name, value)| _ = command.args([name, &value]));
    if let Some(partition) = args.partition {
        command.args(["--partition", &format!("{}:{}", partition.share, partition.millis / 1_000)]);
    }
    let ended = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
    let Ok(told) = serde_json::from_slice::<Map<String, Value>>(&ended.stdout) else {
        let settings = Settings { members, construction, ..args.settings() };
        let outcome = Err(format!("the emulation ended before it was done: {}", ended.status));
        return Ok(dao::row(&Emulation { settings, outcome }));
    };
    let value = |column: &&str| match told.get(*column) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => ABSENT.to_owned(),
    };
    Ok(Row(COLUMNS.iter().map(value).collect()))
}

/// Writes the page and the table.
fn write(folder: &Path, rows: &[Row]) -> Result<(), ApiError> {
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let machine = Machine {
        machine: bench::machine(),
        commit: bench::commit(),
        command: format!("musicdao {command}"),
    };
    let texts = [dao::html(rows, &machine), dao::csv(rows)];
    let graphs = folder.join(GRAPHS);
    fs::create_dir_all(&graphs).map_err(|error| at(&graphs, error))?;
    let pages = FILES.into_iter().map(|name| folder.join(name)).zip(texts);
    let graphs = dao::graphs(rows).into_iter().map(|(name, text)| (graphs.join(name), text));
    for (path, text) in pages.chain(graphs) {
        fs::write(&path, text).map_err(|error| at(&path, error))?;
    }
    Ok(())
}

fn json(row: &Row) -> Map<String, Value> {
    let value = |column: &str, text: &String| match text.as_str() {
        ABSENT => Value::Null,
        text if WORDS.contains(&column) => text.into(),
        text => text
            .parse::<u64>()
            .map(Value::from)
            .or_else(|_| text.parse::<f64>().map(Value::from))
            .unwrap_or(Value::Null),
    };
    COLUMNS.iter().zip(&row.0).map(|(column, text)| ((*column).to_owned(), value(column, text))).collect()
}

fn words(row: &Row) -> String {
    let value = |column| row.value(column).unwrap_or(ABSENT);
    let (members, construction) = (value("members"), value("construction"));
    if let Some(reason) = row.value("reason") {
        return format!("{members} members, {construction}: {ABSENT}: {reason}\n");
    }
    format!(
        "{members} members, {construction}: a join takes {} ms (p95 {}), {} bytes in {} messages; a payment {} ms, {} vB; \
         {} failures; trace {}\n",
        value("join_ms_p50"),
        value("join_ms_p95"),
        value("bytes_per_join"),
        value("messages_per_join"),
        value("propose_to_signed_ms"),
        value("vbytes"),
        value("failures"),
        value("trace_hash"),
    )
}

/// This process: how long it has run, and its memory.
struct Process {
    begun: Instant,
}

impl Process {
    fn begin() -> Self {
        Self { begun: Instant::now() }
    }
}

impl Meter for Process {
    fn time(&self) -> Duration {
        // A thread's own time is counted in ticks that are longer than a signature takes.
        self.begun.elapsed()
    }

    fn memory(&self) -> u64 {
        status("VmRSS:")
    }

    fn peak(&self) -> u64 {
        status("VmHWM:")
    }
}

/// Bytes of memory that the system knows by a name; 0 where it knows none.
fn status(name: &str) -> u64 {
    let told = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::dao::Figures;

    #[test]
    fn the_last_line_has_the_keys_of_the_contract() {
        let figures = Figures { join_ms: vec![400], trace: 10, ..Figures::default() };
        let told = json(&dao::row(&Emulation { settings: Settings::default(), outcome: Ok(figures) }));
        for key in [
            "members",
            "construction",
            "join_ms_p50",
            "join_ms_p95",
            "bytes_per_join",
            "propose_to_signed_ms",
            "vbytes",
            "failures",
            "trace_hash",
        ] {
            assert!(told.contains_key(key), "{key}");
        }
        assert_eq!((&told["join_ms_p50"], &told["vbytes"]), (&Value::from(400), &Value::Null));
        assert_eq!(told["trace_hash"], Value::from("000000000000000a"));
    }

    #[test]
    fn what_cannot_be_is_said_in_words() {
        let outcome = Err("OP_CHECKMULTISIG has at most 20 keys".into());
        let row = dao::row(&Emulation { settings: Settings::default(), outcome });
        assert_eq!(words(&row), "3 members, multi_a: n/a: OP_CHECKMULTISIG has at most 20 keys\n");
    }

    #[test]
    fn a_report_is_a_page_and_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let row = dao::row(&Emulation { settings: Settings::default(), outcome: Ok(Figures::default()) });
        write(&folder.path().join("new"), &[row]).unwrap();
        for name in FILES {
            assert!(fs::read_to_string(folder.path().join("new").join(name)).unwrap().contains("multi_a"));
        }
        assert!(folder.path().join("new/graphs/failures.svg").is_file());
    }
}
