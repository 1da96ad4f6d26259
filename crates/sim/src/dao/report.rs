//! What emulations measured, as a table for programs and as a page for people.

use std::fmt::Write;

use super::{Construction, Emulation, Figures};

/// What stands in the place of what was not measured.
const ABSENT: &str = "n/a";

/// The columns of the table.
pub const COLUMNS: [&str; 31] = [
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
    "propose_to_signed_ms",
    "keygen_ms_per_member",
    "keygen_ms_total",
    "sign_ms_per_member",
    "sign_ms_total",
    "aggregate_ms",
    "signing_messages",
    "vbytes",
    "vbytes_sent",
    "vbytes_join",
    "fee_sat_at_1",
    "fee_sat_at_10",
    "fee_sat_at_100",
    "memory_bytes_per_member",
    "cpu_ms_per_member",
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

    fn number(&self, column: &str) -> Option<f64> {
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
        whole(figures.and_then(Figures::propose_to_signed)),
        real(keys.map(|it| it.keygen_ms_per_member)),
        real(keys.map(|it| it.keygen_ms_total)),
        real(keys.map(|it| it.sign_ms_per_member)),
        real(keys.map(|it| it.sign_ms_total)),
        real(keys.map(|it| it.aggregate_ms)),
        whole(keys.map(|it| it.messages)),
        large(figures.and_then(Figures::vbytes)),
        large(figures.and_then(|it| it.vbytes_sent)),
        large(figures.and_then(|it| it.vbytes_join)),
        fee(1),
        fee(10),
        fee(100),
        whole(figures.map(|it| it.memory_bytes_per_member)),
        real(figures.map(|it| it.cpu_ms_per_member)),
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

/// A graph: what it shows, in which unit, of which column, and what that is.
struct Graph {
    title: &'static str,
    unit: &'static str,
    column: &'static str,
    words: &'static str,
}

const GRAPHS: [Graph; 12] = [
    Graph {
        title: "Join",
        unit: "ms",
        column: "join_ms_p50",
        words: "From the wish until every member that was there held the complete transaction: the middle one.",
    },
    Graph {
        title: "Payment",
        unit: "ms",
        column: "propose_to_signed_ms",
        words: "From a proposal, through everybody's vote, until every member held the complete transaction.",
    },
    Graph {
        title: "Bytes for each join",
        unit: "bytes",
        column: "bytes_per_join",
        words: "On all links together; a turn for several counts for each of them in equal parts.",
    },
    Graph {
        title: "Messages for each join",
        unit: "messages",
        column: "messages_per_join",
        words: "On all links together.",
    },
    Graph {
        title: "Size of the payments' transaction",
        unit: "vB",
        column: "vbytes",
        words: "One vbyte costs 1, 10 or 100 sat; the table has the products. By the key path where there is one.",
    },
    Graph {
        title: "Making keys, one member",
        unit: "ms",
        column: "keygen_ms_per_member",
        words: "All rounds of one member's key generation (FROST), or computing the coin's key (the others).",
    },
    Graph {
        title: "Making keys, all members",
        unit: "ms",
        column: "keygen_ms_total",
        words: "The same for all of them together.",
    },
    Graph {
        title: "Signing, one member",
        unit: "ms",
        column: "sign_ms_per_member",
        words: "All rounds of one signer.",
    },
    Graph {
        title: "Signing, all signers",
        unit: "ms",
        column: "sign_ms_total",
        words: "The same for all of them together.",
    },
    Graph {
        title: "Putting signatures together",
        unit: "ms",
        column: "aggregate_ms",
        words: "Verifying every part and making the witness, by one member.",
    },
    Graph {
        title: "Memory, one member",
        unit: "bytes",
        column: "memory_bytes_per_member",
        words: "With what members share, divided by their number.",
    },
    Graph {
        title: "Thinking, one member",
        unit: "ms",
        column: "cpu_ms_per_member",
        words: "What a holder of a key, who shares nothing with others, computed for all joins and payments.",
    },
];

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #16181d; --dim: #5b6270; --line: #d8dce3; --paper: #fff; --card: #f6f7f9;
  --c0: #0b63ce; --c1: #b3400e; --c2: #16793c; --c3: #8a3ab9; --c4: #8a6500; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --dim: #a0a7b4; --line: #353b46; --paper: #14161a;
  --card: #1c1f25; --c0: #6cb0ff; --c1: #ff9a6b; --c2: #6fd596; --c3: #d59bff; --c4: #e6bf4d; } }
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
     construction signs by one key, the size is that; members sign by the leaf wherever somebody does not answer in time, and \
     `vbytes_sent` is the size of what they sent.",
    "Thinking is the time of one member that shares nothing; it and that of keys are by the clock, on one thread. All others \
     share what they compute alike: the steps of turns, and which signatures are valid.",
    "Memory is what the process grew by, divided by the members. It is measured for the process: in a report of many sizes \
     each has a process of its own.",
    "Failures are joins and payments that were not done, members that disagree in the end or whose accounts do not sum to \
     the coin, and transactions that the network refuses.",
];

/// Writes the page, which needs nothing beside itself.
pub fn html(rows: &[Row], machine: &Machine) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = writeln!(page, "<title>How a DAO scales</title><style>{STYLE}</style></head><body>");
    page.push_str("<h1>How a DAO scales</h1>\n");
    let Machine { machine, commit, command } = machine;
    let _ = writeln!(
        page,
        "<p class=\"dim\">{} · commit {} · <code>{}</code></p>",
        escaped(machine),
        escaped(commit),
        escaped(command)
    );
    let shown: Vec<Construction> = Construction::ALL
        .into_iter()
        .filter(|it| {
            rows.iter().any(|row| {
                row.value("construction") == Some(it.as_str()) && row.value("trace_hash").is_some()
            })
        })
        .collect();
    page.push_str("<ul class=\"key\">");
    for construction in &shown {
        let _ = write!(page, "<li>{}{construction}</li>", sample(*construction));
    }
    page.push_str("</ul>\n<div class=\"graphs\">\n");
    for graph in &GRAPHS {
        page.push_str(&figure(graph, rows, &shown));
    }
    page.push_str("</div>\n<h2>Figures</h2>\n<div class=\"table\" tabindex=\"0\">");
    page.push_str(&table(rows));
    page.push_str("</div>\n<h2>Method</h2>\n<ul>");
    METHOD.iter().for_each(|line| _ = write!(page, "<li>{}</li>", escaped(line)));
    page.push_str("</ul>\n</body></html>\n");
    page
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

/// The drawing's size and its margins, in its own units.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 32.0;

/// An axis by powers of ten.
struct Axis {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 0.0) {
            (least, most) = (least.min(value.log10()), most.max(value.log10()));
        }
        let (least, most) = (least.floor(), most.ceil());
        (least.is_finite() && most.is_finite()).then(|| Self { least, most: most.max(least + 1.0), from, to })
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value.log10() - self.least) / (self.most - self.least) * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (least, most) = (self.least as i32, self.most as i32);
        (least..=most).map(|power| 10f64.powi(power))
    }
}

fn figure(graph: &Graph, rows: &[Row], shown: &[Construction]) -> String {
    let points = |construction: &Construction| {
        let its = rows.iter().filter(|row| row.value("construction") == Some(construction.as_str()));
        let point = |row: &Row| Some((row.number("members")?, row.number(graph.column)?));
        its.filter_map(point).filter(|(_, value)| *value > 0.0).collect::<Vec<_>>()
    };
    let lines: Vec<(Construction, Vec<(f64, f64)>)> = shown.iter().map(|it| (*it, points(it))).collect();
    let all = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let across = Axis::of(all().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let up = Axis::of(all().map(|point| point.1), HEIGHT - BOTTOM, TOP);
    let (Some(across), Some(up)) = (across, up) else { return String::new() };
    let mut text = format!("<figure><h3>{}, {}</h3>", graph.title, graph.unit);
    let _ = write!(
        text,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} in {} by number of members\">",
        graph.title, graph.unit
    );
    grid(&mut text, &across, &up);
    lines.iter().for_each(|(construction, points)| line(&mut text, *construction, points, (&across, &up)));
    let _ =
        writeln!(text, "</svg><figcaption>{} Both axes by powers of ten.</figcaption></figure>", graph.words);
    text
}

fn grid(text: &mut String, across: &Axis, up: &Axis) {
    for value in up.ticks() {
        let (y, right, label) = (up.place(value), WIDTH - RIGHT, short(value));
        let _ =
            write!(text, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let (x, y) = (LEFT - 8.0, y + 4.0);
        let _ = write!(text, "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{label}</text>");
    }
    for value in across.ticks() {
        let (x, bottom, label) = (across.place(value), HEIGHT - BOTTOM, short(value));
        let _ =
            write!(text, "<line class=\"grid\" y1=\"{TOP}\" y2=\"{bottom}\" x1=\"{x:.1}\" x2=\"{x:.1}\"/>");
        let y = HEIGHT - 10.0;
        let _ = write!(text, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>");
    }
}

fn line(text: &mut String, construction: Construction, points: &[(f64, f64)], (across, up): (&Axis, &Axis)) {
    let place = |(x, y): &(f64, f64)| format!("{:.1},{:.1}", across.place(*x), up.place(*y));
    let path: Vec<String> = points.iter().map(place).collect();
    let _ = write!(text, "<polyline points=\"{}\" {}/>", path.join(" "), stroke(construction));
    for point in points {
        let (x, y) = (across.place(point.0), up.place(point.1));
        let _ = write!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"var(--c{})\"><title>{construction}, {} members: {:.1}\
             </title></circle>",
            colour(construction),
            point.0,
            point.1
        );
    }
}

/// The beginning of a construction's line, for the key.
fn sample(construction: Construction) -> String {
    let stroke = stroke(construction);
    format!(
        "<svg viewBox=\"0 0 28 10\" aria-hidden=\"true\"><line x1=\"0\" x2=\"28\" y1=\"5\" y2=\"5\" {stroke}/></svg>"
    )
}

/// Lines differ by their dashes, too, for those who do not tell the colours apart.
fn stroke(construction: Construction) -> String {
    let dashes = ["", "7 3", "2 3", "9 3 2 3", "14 4"][colour(construction)];
    let colour = colour(construction);
    format!("fill=\"none\" stroke=\"var(--c{colour})\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"")
}

fn colour(construction: Construction) -> usize {
    Construction::ALL.iter().position(|it| *it == construction).unwrap_or_default()
}

/// A power of ten in few characters.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{} G", value / 1e9),
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dao::Settings;

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
        let page = html(&[at(3, 400), at(1_000, 3_000)].map(|it| row(&it)), &machine);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
        assert_eq!(page.matches("<circle").count(), 2);
        assert!(page.contains("multi_a, 1000 members: 3000.0"));
        assert!(!page.contains("http"), "it needs nothing from elsewhere");
    }
}
