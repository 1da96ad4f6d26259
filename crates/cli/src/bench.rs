//! Measurements: every figure is one row, with how it was taken and what it has to beat.

use std::{fs, io, path::Path, thread};

use serde::Serialize;

use crate::{
    args::{Bench, BenchArgs},
    failure::{Failure, at},
    output::{self, Human, Output},
    text::{
        Column::{Left, Right},
        table,
    },
};

mod app;
mod blob;
mod discovery;
mod lan;
mod listen;
mod money;
mod search;
mod shaper;
mod songs;
mod stream;
mod swarm;

/// What the row says where a repository or machine does not tell.
const UNKNOWN: &str = "unknown";
/// What stands in the place of a value that was not measured.
const ABSENT: &str = "n/a";

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    /// The middle one of the measured values; absent where none was.
    p50: Option<f64>,
    /// Nineteen in twenty are at most this.
    p95: Option<f64>,
    runs: usize,
    /// How it was taken, or why it was not.
    method: String,
    /// What it has to beat, or the best that is known of others.
    baseline: &'static str,
    machine: String,
    commit: String,
}

/// Where rows go as they are taken.
pub(crate) struct Rows {
    output: Output,
    machine: String,
    commit: String,
    rows: Vec<Row>,
}

/// What a figure is called and compared with.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) method: String,
    pub(crate) baseline: &'static str,
}

/// Measures, tells each figure when it is known, and writes a report where one is wanted.
///
/// # Errors
/// Those of standard output and of the report's folder.
pub(crate) async fn run(args: &BenchArgs, output: Output) -> Result<(), Failure> {
    let mut rows = Rows { output, machine: machine(), commit: commit(), rows: Vec::new() };
    let name = match args.bench {
        Bench::Listen => listen::run(&mut rows).await.map(|()| "listen"),
        Bench::Stream => stream::run(&mut rows).await.map(|()| "stream"),
        Bench::Blob => blob::run(&mut rows, args).await.map(|()| "blob"),
        Bench::Discovery => discovery::run(&mut rows).await.map(|()| "discovery"),
        Bench::Search => search::run(&mut rows).await.map(|()| "search"),
        Bench::App => return app::run(args, output).await,
        Bench::Money => money::run(&mut rows).await.map(|()| "money"),
        Bench::Lan => return lan::inside().await,
        Bench::Source => return blob::serve(args.file.as_deref().unwrap_or(Path::new(""))).await,
    }?;
    rows.end(name, args.report.as_deref())
}

impl Rows {
    /// Adds a figure of its measured values, in any order.
    ///
    /// # Errors
    /// Those of standard output.
    pub(crate) fn add(&mut self, figure: Figure, mut values: Vec<f64>) -> Result<(), Failure> {
        values.sort_by(f64::total_cmp);
        let Figure { name, unit, method, baseline } = figure;
        let row = Row {
            name,
            unit,
            p50: percentile(&values, 50),
            p95: percentile(&values, 95),
            runs: values.len(),
            method,
            baseline,
            machine: self.machine.clone(),
            commit: self.commit.clone(),
        };
        self.output.stream(&row)?;
        self.rows.push(row);
        Ok(())
    }

    /// Adds a figure that could not be measured here, with the reason.
    ///
    /// # Errors
    /// Those of standard output.
    pub(crate) fn absent(&mut self, figure: Figure, reason: &str) -> Result<(), Failure> {
        let method = format!("{ABSENT}: {reason}");
        self.output.note(&format!("{}: {method}", figure.name));
        self.add(Figure { method, ..figure }, Vec::new())
    }

    fn end(self, name: &str, report: Option<&Path>) -> Result<(), Failure> {
        if !self.output.json {
            self.output.say(&self.rows)?;
        }
        let Some(folder) = report else { return Ok(()) };
        write_report(folder, name, &self.rows).map_err(|error| at(folder, error).into())
    }
}

impl Human for Vec<Row> {
    fn human(&self) -> String {
        let rows = self.iter().map(|row| {
            [
                row.name.clone(),
                row.unit.to_owned(),
                value(row.p50),
                value(row.p95),
                row.runs.to_string(),
                row.baseline.to_owned(),
            ]
        });
        let columns =
            [Left("FIGURE"), Left("UNIT"), Right("P50"), Right("P95"), Right("RUNS"), Left("TO BEAT")];
        table(columns, rows)
    }
}

/// Writes `NAME.json` for programs and `NAME.md` for people.
fn write_report(folder: &Path, name: &str, rows: &[Row]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{name}.json")), format!("{}\n", output::json(&rows)))?;
    fs::write(folder.join(format!("{name}.md")), markdown(name, rows))
}

fn markdown(name: &str, rows: &[Row]) -> String {
    let place = rows.first().map(|row| format!("{}, commit {}", row.machine, row.commit)).unwrap_or_default();
    let lines = rows.iter().map(|row| {
        let Row { name, unit, p50, p95, runs, method, baseline, .. } = row;
        let (p50, p95) = (value(*p50), value(*p95));
        format!("| {name} | {unit} | {p50} | {p95} | {runs} | {method} | {baseline} |\n")
    });
    format!(
        "## {name}\n\n{place}\n\n| figure | unit | p50 | p95 | runs | method | to beat |\n\
         |---|---|---|---|---|---|---|\n{}",
        lines.collect::<String>()
    )
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| format!("{value:.1}"))
}

/// Returns the nearest rank of sorted values.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Returns what it was measured on.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(UNKNOWN, |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let memory =
        kilobytes.map_or(UNKNOWN.to_owned(), |kilobytes| format!("{} GiB", kilobytes.div_ceil(1 << 20)));
    format!("{model}, {cores} cores, {memory}, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Returns the commit that `make build` built, whatever folder the program runs in.
pub(crate) fn commit() -> String {
    option_env!("MUSICDAO_COMMIT").unwrap_or(UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> Row {
        Row {
            name: name.into(),
            unit: "ms",
            p50: Some(12.34),
            p95: Some(56.0),
            runs: 9,
            method: "a clock".into(),
            baseline: "<= 100",
            machine: "a machine".into(),
            commit: "abc".into(),
        }
    }

    #[test]
    fn percentiles_are_measured_values() {
        let values = (1..=20).map(f64::from).collect::<Vec<_>>();
        assert_eq!((percentile(&values, 50), percentile(&values, 95)), (Some(10.0), Some(19.0)));
        assert_eq!((percentile(&[7.0], 50), percentile(&[7.0], 95)), (Some(7.0), Some(7.0)));
        assert_eq!((percentile(&[1.0, 2.0, 3.0], 95), percentile(&[], 50)), (Some(3.0), None));
    }

    #[test]
    fn reports_are_for_programs_and_people() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("new");
        let absent = Row { p50: None, p95: None, runs: 0, method: "n/a: refused".into(), ..row("seek") };
        write_report(&report, "listen", &[row("first sound"), absent]).unwrap();
        let json = fs::read_to_string(report.join("listen.json")).unwrap();
        let keys = serde_json::from_str::<Vec<serde_json::Map<String, serde_json::Value>>>(&json).unwrap();
        for key in ["name", "unit", "p50", "p95", "runs", "method", "baseline", "machine", "commit"] {
            assert!(keys[0].contains_key(key), "{key}");
        }
        insta::assert_snapshot!(fs::read_to_string(report.join("listen.md")).unwrap(), @r"
        ## listen

        a machine, commit abc

        | figure | unit | p50 | p95 | runs | method | to beat |
        |---|---|---|---|---|---|---|
        | first sound | ms | 12.3 | 56.0 | 9 | a clock | <= 100 |
        | seek | ms | n/a | n/a | 0 | n/a: refused | <= 100 |
        ");
    }
}
