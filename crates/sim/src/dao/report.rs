//! What emulations measured, as a table for programs and as a page for people.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    Construction, Emulation, Figures,
    graph::{DARK, GRAPHS, LIGHT, figure, sample},
};

/// What stands in the place of what was not measured.
const ABSENT: &str = "n/a";

/// The columns of the table.
pub const COLUMNS: [&str; 38] = [
    "members",
    "construction",
    "seed",
    "joins",
    "together",
    "payments",
    "join_ms_p50",
    "join_ms_p95",
    "messages_per_join",
    "bytes_per_join",
    "bytes_per_join_of_one",
    "propose_to_signed_ms",
    "messages_per_payment",
    "bytes_per_payment",
    "bytes_per_payment_of_one",
    "keygen_ms_per_member",
    "keygen_ms_total",
    "sign_ms_per_member",
    "sign_ms_total",
    "aggregate_ms",
    "aggregate_ms_total",
    "signing_messages",
    "vbytes",
    "vbytes_sent",
    "vbytes_join",
    "fee_sat_at_1",
    "fee_sat_at_10",
    "fee_sat_at_100",
    "memory_bytes_per_member",
    "cpu_ms_per_member",
    "took_s",
    "peak_bytes",
    "turns",
    "healed_ms",
    "failures",
    "refused",
    "trace_hash",
    "reason",
];

/// Where and by what it was measured.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Processor, cores, system.
    pub machine: String,
    /// The commit that was built.
    pub commit: String,
    /// The command that was given.
    pub command: String,
}

/// The values of the columns, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<String>);

impl Row {
    /// Returns a value by its column.
    pub fn value(&self, column: &str) -> Option<&str> {
        let at = COLUMNS.iter().position(|other| *other == column)?;
        self.0.get(at).map(String::as_str).filter(|value| *value != ABSENT && !value.is_empty())
    }

    pub(super) fn number(&self, column: &str) -> Option<f64> {
        self.value(column)?.parse().ok()
    }
}

/// Makes a row of what was measured.
pub fn row(emulation: &Emulation) -> Row {
    let settings = &emulation.settings;
    let figures = emulation.outcome.as_ref().ok();
    let whole = |value: Option<u64>| value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string());
    let real = |value: Option<f64>| value.map_or_else(|| ABSENT.to_owned(), |value| format!("{value:.3}"));
    let large = |value: Option<usize>| value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string());
    let keys = figures.and_then(|figures| figures.keys);
    let fee = |rate: usize| large(figures.and_then(Figures::vbytes).map(|vbytes| vbytes * rate));
    let refused = |figures: &Figures| {
        let counts = figures.refused.iter().map(|(code, count)| format!("{code}:{count}"));
        counts.collect::<Vec<_>>().join(" ")
    };
    let values = [
        settings.members.to_string(),
        settings.construction.to_string(),
        settings.seed.to_string(),
        settings.joins.to_string(),
        settings.together.to_string(),
        settings.payments.to_string(),
        whole(figures.and_then(|it| it.join_percentile(50))),
        whole(figures.and_then(|it| it.join_percentile(95))),
        whole(figures.map(|it| it.messages_per_join)),
        whole(figures.map(|it| it.bytes_per_join)),
        whole(figures.map(|it| it.bytes_per_join_of_one(settings.members))),
        whole(figures.and_then(Figures::propose_to_signed)),
        whole(figures.map(|it| it.messages_per_payment)),
        whole(figures.map(|it| it.bytes_per_payment)),
        whole(figures.map(|it| it.bytes_per_payment_of_one(settings.members))),
        real(keys.map(|it| it.keygen_ms_per_member)),
        real(keys.map(|it| it.keygen_ms_total)),
        real(keys.map(|it| it.sign_ms_per_member)),
        real(keys.map(|it| it.sign_ms_total)),
        real(keys.map(|it| it.aggregate_ms)),
        real(keys.map(|it| it.aggregate_ms * it.keys as f64)),
        whole(keys.map(|it| it.messages)),
        large(figures.and_then(Figures::vbytes)),
        large(figures.and_then(|it| it.vbytes_sent)),
        large(figures.and_then(|it| it.vbytes_join)),
        fee(1),
        fee(10),
        fee(100),
        whole(figures.map(|it| it.memory_bytes_per_member)),
        real(figures.map(|it| it.cpu_ms_per_member)),
        real(figures.map(|it| it.took.as_secs_f64())),
        whole(figures.map(|it| it.peak)),
        whole(figures.map(|it| it.turns.into())),
        whole(figures.and_then(|it| it.healed_ms)),
        whole(figures.map(|it| it.failures)),
        figures.map_or_else(|| ABSENT.to_owned(), refused),
        figures.map_or_else(|| ABSENT.to_owned(), |it| format!("{:016x}", it.trace)),
        emulation.outcome.as_ref().err().cloned().unwrap_or_default(),
    ];
    Row(values.into())
}

/// Writes the table with commas, as RFC 4180 says.
pub fn csv(rows: &[Row]) -> String {
    let mut text = format!("{}\r\n", COLUMNS.join(","));
    for Row(values) in rows {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        text.push_str(&values.join(","));
        text.push_str("\r\n");
    }
    text
}

fn quoted(value: &str) -> String {
    match value.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    }
}

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 0; }
p, li { max-width: 46rem; } small, .dim { color: var(--dim); }
.graphs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: 1rem; background: var(--card); border-radius: .5rem; }
figcaption { color: var(--dim); font-size: .875rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim); font-size: 12px; }
.grid { stroke: var(--line); } .key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
.key svg { width: 1.75rem; display: inline-block; vertical-align: middle; margin-right: .4rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .8125rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { position: sticky; top: 0; background: var(--paper); } td:nth-child(2), th:nth-child(2), td:last-child, th:last-child
{ text-align: left; }
";

const METHOD: [&str; 9] = [
    "Every member is the state machine that a node runs. Chain, network, clock and owners are simulated; the same seed gives \
     the same trace. Signatures and records are real, and each transaction and each refund is checked as the network does: \
     scripts, amounts, lock times, sizes.",
    "What is for everybody is passed on by seven neighbours each, so it takes one link for the first seven and one more for \
     seven times as many; a link's latency is drawn once for each pair. A message counts once for each receiver.",
    "Up to 100 members are founded and joined by messages. More begin with a state that the same kernel made turn by turn, \
     with real transactions on the simulated chain, of which the last lot drew the committee.",
    "Those who join together share a turn where it has room. The bytes of a join have the turns in which its key came.",
    "Everybody who is there votes yes as soon as the proposal has arrived; a member takes the ballots at once, when the last \
     of them has arrived.",
    "The time of keys is measured beside the network, with the members' keys and the payments' transaction. Where a \
     construction signs by one key, the size is that; members sign by the leaf wherever somebody does not answer in \
     time, and `vbytes_sent` is the size of what they sent. Where all members do the same, the total is one member's time as often \
     as there are keys.",
    "Thinking is the time of one member that shares nothing and checks every record's signature; it and that of keys are by \
     the clock, on one thread. All others share what they compute alike: the steps of turns, and which signatures are valid.",
    "Memory is what the process grew by, divided by the members. It is measured for the process: in a report of many sizes \
     each has a process of its own.",
    "Failures are joins and payments that were not done, members that disagree in the end or whose accounts do not sum to \
     the coin, and transactions that the network refuses.",
];

/// Writes the page, which needs nothing beside itself.
pub fn html(rows: &[Row], machine: &Machine) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = writeln!(
        page,
        "<title>How a DAO scales</title><style>:root {{ color-scheme: light dark; {LIGHT} }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}{STYLE}</style></head><body>"
    );
    page.push_str("<h1>How a DAO scales</h1>\n");
    let Machine { machine, commit, command } = machine;
    let _ = writeln!(
        page,
        "<p class=\"dim\">{} · commit {} · <code>{}</code></p>",
        escaped(machine),
        escaped(commit),
        escaped(command)
    );
    page.push_str("<ul class=\"key\">");
    for construction in Construction::ALL.into_iter().filter(|it| is_shown(rows, *it)) {
        let _ = write!(page, "<li>{}{construction}</li>", sample(construction));
    }
    page.push_str("</ul>\n<div class=\"graphs\">\n");
    GRAPHS.iter().for_each(|graph| page.push_str(&figure(graph, rows)));
    page.push_str("</div>\n");
    page.push_str(&absent(rows));
    page.push_str("<h2>Figures</h2>\n<div class=\"table\" tabindex=\"0\">");
    page.push_str(&table(rows));
    page.push_str("</div>\n<h2>Method</h2>\n<ul>");
    METHOD.iter().for_each(|line| _ = write!(page, "<li>{}</li>", escaped(line)));
    page.push_str("</ul>\n</body></html>\n");
    page
}

fn is_shown(rows: &[Row], construction: Construction) -> bool {
    let its = |row: &&Row| row.value("construction") == Some(construction.as_str());
    rows.iter().filter(its).any(|row| row.value("trace_hash").is_some())
}

/// What has no figures, by construction and reason.
fn absent(rows: &[Row]) -> String {
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for row in rows {
        let of = row.value("construction").zip(row.value("reason"));
        if let (Some(of), Some(members)) = (of, row.value("members")) {
            reasons.entry(of).or_default().push(members);
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let line = |((construction, reason), members): (&(&str, &str), &Vec<&str>)| {
        format!("<li>{}, {}: {}</li>", escaped(construction), members.join(", "), escaped(reason))
    };
    let lines: String = reasons.iter().map(line).collect();
    format!("<h2>Sizes without figures</h2>\n<ul>{lines}</ul>\n")
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("<table><thead><tr>");
    COLUMNS.iter().for_each(|name| _ = write!(text, "<th scope=\"col\">{}</th>", name.replace('_', " ")));
    text.push_str("</tr></thead><tbody>");
    for Row(values) in rows {
        text.push_str("<tr>");
        values.iter().for_each(|value| _ = write!(text, "<td>{}</td>", escaped(value)));
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dao::{Settings, graphs};

    fn emulation(members: usize, outcome: Result<Figures, String>) -> Emulation {
        Emulation { settings: Settings { members, ..Settings::default() }, outcome }
    }

    #[test]
    fn a_row_has_every_column_and_says_why_it_has_no_figures() {
        let figures = Figures { join_ms: vec![400, 500, 900], trace: 10, ..Figures::default() };
        let both = [emulation(2, Err("a DAO, so to speak".into())), emulation(3, Ok(figures))];
        let table = csv(&both.map(|it| row(&it)));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert!(lines[1].starts_with("2,multi_a,0,10,5,5,n/a,n/a,"));
        assert!(lines[1].ends_with(",\"a DAO, so to speak\""));
        assert!(lines[2].starts_with("3,multi_a,0,10,5,5,500,900,"));
        assert!(lines[2].ends_with(",000000000000000a,"));
        assert_eq!(lines[2].split(',').count(), COLUMNS.len());
    }

    #[test]
    fn a_page_draws_what_was_measured_and_escapes_what_it_is_told() {
        let at =
            |members, millis| emulation(members, Ok(Figures { join_ms: vec![millis], ..Figures::default() }));
        let machine = Machine { machine: "<script>".into(), ..Machine::default() };
        let absent = emulation(2, Err("too <few>".into()));
        let page = html(&[at(3, 400), at(1_000, 3_000), absent].map(|it| row(&it)), &machine);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
        assert!(page.contains("<li>multi_a, 2: too &lt;few&gt;</li>"));
        let drawn = page.split_once("</figure>").unwrap().0;
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert!(page.contains("multi_a, 1000 members: 3000.0"));
        assert!(!page.contains("http"), "it needs nothing from elsewhere");
    }

    #[test]
    fn a_graph_stands_alone_and_draws_that_nothing_failed() {
        let rows = [row(&emulation(3, Ok(Figures::default()))), row(&emulation(2, Err("too few".into())))];
        let files = graphs(&rows);
        let (_, failures) = files.iter().find(|(name, _)| name == "failures.svg").unwrap();
        assert!(failures.starts_with("<svg xmlns=") && failures.contains(">multi_a</text>"));
        assert!(failures.contains("multi_a, 3 members: 0.0") && !failures.contains("committee"));
        assert!(files.iter().all(|(name, _)| name != "join_ms_p50.svg"), "there was no join");
    }
}
