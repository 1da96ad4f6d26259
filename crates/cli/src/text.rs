//! How values look to people: tables, sizes, times, and text from strangers made harmless.

use std::fmt::Write;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Widest cell in columns; longer text ends in an ellipsis.
const MAX_CELL: usize = 44;
const BOLD: Style = Style::new().bold();

/// A column's title and on which side its cells line up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    Left(&'static str),
    Right(&'static str),
}

/// Lines cells up under bold titles; each line ends in a newline.
pub(crate) fn table<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows = rows.into_iter().map(|row| row.map(|cell| shorten(&clean(&cell)))).collect::<Vec<_>>();
    let widths = std::array::from_fn::<usize, N, _>(|at| {
        let cells = rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
        cells.max(columns[at].title().width())
    });
    let titles = line(columns, widths, columns.map(|column| column.title().to_owned()));
    let mut text = format!("{BOLD}{titles}{BOLD:#}\n");
    for row in rows {
        text.push_str(&line(columns, widths, row));
        text.push('\n');
    }
    text
}

/// Lines values up behind their names; each line ends in a newline.
pub(crate) fn fields(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{BOLD}{name:width$}{BOLD:#}  {}", clean(value));
        text
    })
}

/// Replaces what could command the terminal or turn the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// As [`clean`], but keeps the ends of lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// Writes bytes in the unit that suits them, powers of 1000.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be written as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Writes milliseconds as `m:ss`, or as `h:mm:ss` from an hour on.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Writes a number with its noun.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Writes a moment in Unix milliseconds as `YYYY-MM-DD hh:mm` in UTC.
pub(crate) fn moment(unix_ms: u64) -> String {
    let minutes = unix_ms / 60_000;
    let (year, month, day) = civil(minutes / (24 * 60));
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Writes yes or no.
pub(crate) fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// Returns the first digits of an id, enough to type.
pub(crate) fn short(id: impl ToString) -> String {
    id.to_string().chars().take(10).collect()
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) => title,
        }
    }
}

fn line<const N: usize>(columns: [Column; N], widths: [usize; N], cells: [String; N]) -> String {
    let mut text = String::new();
    for ((column, width), cell) in columns.into_iter().zip(widths).zip(cells) {
        let gap = " ".repeat(width - cell.width());
        let (before, after) = match column {
            Column::Left(_) => ("", gap.as_str()),
            Column::Right(_) => (gap.as_str(), ""),
        };
        let _ = write!(text, "{before}{cell}{after}  ");
    }
    text.truncate(text.trim_end().len());
    text
}

fn shorten(text: &str) -> String {
    if text.width() <= MAX_CELL {
        return text.to_owned();
    }
    let mut width = 1;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width <= MAX_CELL
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Turns days since 1970-01-01 into a date of the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day is a year's last; an era has 400 of them.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_that_suits() {
        let shown = [0, 999, 1000, 999_949, 999_950, 5_000_000, 5 << 30, u64::MAX].map(size);
        assert_eq!(shown.join(", "), "0 B, 999 B, 1.0 kB, 999.9 kB, 1.0 MB, 5.0 MB, 5.4 GB, 18446.7 PB");
    }

    #[test]
    fn durations_show_hours_only_where_there_are_any() {
        let shown = [0, 999, 61_000, 3_599_999, 3_600_000, 10_800_000].map(duration);
        assert_eq!(shown.join(", "), "0:00, 0:00, 1:01, 59:59, 1:00:00, 3:00:00");
    }

    #[test]
    fn moments_are_dates_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(moment(1_709_251_140_000), "2024-02-29 23:59");
        assert_eq!(moment(4_107_542_400_000), "2100-03-01 00:00");
    }

    #[test]
    fn text_of_strangers_cannot_command_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d\u{9b}e"), "a�[31mb�c�d�e");
        assert_eq!(clean_lines("a\nb\u{7}"), "a\nb�");
    }

    #[test]
    fn columns_line_up_by_what_the_eye_sees() {
        let rows = [
            ["ネコ".to_owned(), "1".to_owned()],
            ["cat\u{1b}".to_owned(), "1234".to_owned()],
            ["x".repeat(60), String::new()],
        ];
        let text = table([Column::Left("NAME"), Column::Right("SIZE")], rows);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text), @r"
        NAME                                          SIZE
        ネコ                                             1
        cat�                                          1234
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
        ");
    }
}
