//! Graphs of a report as SVG: in a page, which styles them, or each as a file of its own.

use std::fmt::Write;

use super::{Construction, Row};

/// A graph: what it shows, in which unit, of which column, and what that is.
pub(super) struct Graph {
    pub title: &'static str,
    pub unit: &'static str,
    pub column: &'static str,
    pub words: &'static str,
}

impl Graph {
    /// Whether it counts, so that 0 is a value to show.
    fn counts(&self) -> bool {
        self.unit.is_empty()
    }
}

pub(super) const GRAPHS: [Graph; 21] = [
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
        title: "Bytes of a join, one member",
        unit: "bytes",
        column: "bytes_per_join_of_one",
        words: "What one member receives for one join; a turn for several counts for each in equal parts.",
    },
    Graph {
        title: "Bytes of a join, all members",
        unit: "bytes",
        column: "bytes_per_join",
        words: "The same on all links together.",
    },
    Graph {
        title: "Messages of a join, all members",
        unit: "messages",
        column: "messages_per_join",
        words: "On all links together.",
    },
    Graph {
        title: "Bytes of a payment, one member",
        unit: "bytes",
        column: "bytes_per_payment_of_one",
        words: "What one member receives for one payment, everybody's ballots among it.",
    },
    Graph {
        title: "Size of the payments' transaction",
        unit: "vB",
        column: "vbytes",
        words: "All payments in one transaction, by the key path where there is one.",
    },
    Graph {
        title: "Fee at 1 sat/vB",
        unit: "sat",
        column: "fee_sat_at_1",
        words: "What the pool pays for the payments' transaction.",
    },
    Graph {
        title: "Fee at 10 sat/vB",
        unit: "sat",
        column: "fee_sat_at_10",
        words: "The same at a higher rate.",
    },
    Graph {
        title: "Fee at 100 sat/vB",
        unit: "sat",
        column: "fee_sat_at_100",
        words: "The same where block space is dear.",
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
        title: "Putting signatures together, one member",
        unit: "ms",
        column: "aggregate_ms",
        words: "Verifying every part and making the witness.",
    },
    Graph {
        title: "Putting signatures together, all members",
        unit: "ms",
        column: "aggregate_ms_total",
        words: "The same by every holder of a key: nobody relies on another's word.",
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
        words: "What a holder of a key, who shares nothing with others, computed for all joins and payments, and to check \
                every record.",
    },
    Graph {
        title: "Failures",
        unit: "",
        column: "failures",
        words: "Joins and payments not done, members that disagree, transactions that the network refuses.",
    },
    Graph {
        title: "The emulation itself",
        unit: "s",
        column: "took_s",
        words: "All members' work in one process on one thread, by the clock.",
    },
    Graph {
        title: "The emulation's memory",
        unit: "bytes",
        column: "peak_bytes",
        words: "Most that the process had.",
    },
];

/// The drawing's size and its margins, in its own units.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 40.0;
/// What a file of its own has above the drawing.
const HEAD: f64 = 52.0;

/// Colours on light and on dark paper.
pub(super) const LIGHT: &str = "--ink: #16181d; --dim: #5b6270; --line: #d8dce3; --paper: #fff; --card: #f6f7f9; \
    --c0: #0b63ce; --c1: #b3400e; --c2: #16793c; --c3: #8a3ab9; --c4: #8a6500;";
pub(super) const DARK: &str = "--ink: #e8eaee; --dim: #a0a7b4; --line: #353b46; --paper: #14161a; --card: #1c1f25; \
    --c0: #6cb0ff; --c1: #ff9a6b; --c2: #6fd596; --c3: #d59bff; --c4: #e6bf4d;";

/// What is drawn of a construction: its points.
type Line = (Construction, Vec<(f64, f64)>);

/// Draws every graph as a file of its own: its name and its text. What has no figure is left out.
pub fn graphs(rows: &[Row]) -> Vec<(String, String)> {
    let file = |graph: &Graph| Some((format!("{}.svg", graph.column), alone(graph, rows)?));
    GRAPHS.iter().filter_map(file).collect()
}

fn alone(graph: &Graph, rows: &[Row]) -> Option<String> {
    let lines = lines(graph, rows);
    let drawing = drawing(&lines)?;
    let (mut text, height) = (String::new(), HEIGHT + HEAD);
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\
         <style>:root {{ {LIGHT} }} @media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }} \
         text {{ font: 12px system-ui, sans-serif; fill: var(--dim); }} .title {{ font-weight: 600; font-size: 15px; \
         fill: var(--ink); }} .grid {{ stroke: var(--line); }}</style>\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"var(--card)\"/>\
         <text class=\"title\" x=\"16\" y=\"24\">{}</text>",
        label(graph),
        heading(graph)
    );
    let mut x = 16.0;
    for (construction, _) in lines.iter().filter(|(_, points)| !points.is_empty()) {
        let end = x + 28.0;
        let stroke = stroke(*construction);
        let _ = write!(
            text,
            "<line x1=\"{x}\" x2=\"{end}\" y1=\"42\" y2=\"42\" {stroke}/><text x=\"{}\" y=\"46\">{construction}</text>",
            end + 6.0
        );
        x = end + 24.0 + 7.0 * construction.as_str().len() as f64;
    }
    let _ = writeln!(text, "<g transform=\"translate(0 {HEAD})\">{drawing}</g></svg>");
    Some(text)
}

/// Draws a graph for a page; nothing where there is no figure.
pub(super) fn figure(graph: &Graph, rows: &[Row]) -> String {
    let lines = lines(graph, rows);
    let Some(drawing) = drawing(&lines) else { return String::new() };
    let axes = if graph.counts() { "" } else { "Both axes by powers of ten." };
    format!(
        "<figure><h3>{}</h3><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{drawing}</svg>\
         <figcaption>{} {axes}</figcaption></figure>\n",
        heading(graph),
        label(graph),
        graph.words
    )
}

fn heading(graph: &Graph) -> String {
    match graph.unit {
        "" => graph.title.to_owned(),
        unit => format!("{}, {unit}", graph.title),
    }
}

fn label(graph: &Graph) -> String {
    format!("{} by number of members", heading(graph))
}

fn lines(graph: &Graph, rows: &[Row]) -> Vec<Line> {
    let points = |construction: Construction| {
        let its = rows.iter().filter(|row| row.value("construction") == Some(construction.as_str()));
        let point = |row: &Row| Some((row.number("members")?, row.number(graph.column)?));
        let is_drawn = |(_, value): &(f64, f64)| *value > 0.0 || graph.counts();
        (construction, its.filter_map(point).filter(is_drawn).collect())
    };
    Construction::ALL.into_iter().map(points).collect()
}

/// Where values stand: by powers of ten, or evenly from 0 where one is 0.
struct Axis {
    least: f64,
    most: f64,
    is_even: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        let (least, most) =
            (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        if least <= 0.0 {
            return Some(Self { least: 0.0, most: most.max(1.0), is_even: true, from, to });
        }
        let (least, most) = (least.log10().floor(), most.log10().ceil());
        Some(Self { least, most: most.max(least + 1.0), is_even: false, from, to })
    }

    fn place(&self, value: f64) -> f64 {
        let value = if self.is_even { value } else { value.log10() };
        self.from + (value - self.least) / (self.most - self.least) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_even {
            return vec![0.0, self.most];
        }
        let (least, most) = (self.least as i32, self.most as i32);
        (least..=most).map(|power| 10f64.powi(power)).collect()
    }
}

fn drawing(lines: &[Line]) -> Option<String> {
    let all = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let across = Axis::of(all().map(|point| point.0), LEFT, WIDTH - RIGHT)?;
    let up = Axis::of(all().map(|point| point.1), HEIGHT - BOTTOM, TOP)?;
    let mut text = String::new();
    grid(&mut text, &across, &up);
    lines.iter().for_each(|(construction, points)| line(&mut text, *construction, points, (&across, &up)));
    Some(text)
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
        let y = HEIGHT - BOTTOM + 18.0;
        let _ = write!(text, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>");
    }
    let (x, y) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 6.0);
    let _ = write!(text, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">members</text>");
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
pub(super) fn sample(construction: Construction) -> String {
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

/// A number in few characters.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{} G", value / 1e9),
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}
