//! Money between listeners and artists, in words.

use std::fmt::Write;

use node::api::{
    Caution, Income, IncomeOf, Invested, Note, NoteStatus, Notes, Offer, Offers, PaidOut, Payment, Payments,
    Tipped,
};

use super::wallet::sats;
use crate::{
    output::Human,
    text::{
        Column::{Left, Right},
        clean_lines, fields, moment, short, table,
    },
};

impl Human for Tipped {
    fn human(&self) -> String {
        let mut lines = vec![("to", self.artist.clone()), ("amount", sats(self.amount_sat))];
        if let Some(txid) = &self.txid {
            lines.push(("payment", txid.clone()));
        }
        if !self.waiting {
            lines.push(("fee", sats(self.fee_sat)));
        }
        let trial = self.txid.is_none() && !(self.waiting && self.payment_id.is_some());
        with_warnings(fields(&lines), &self.warnings, trial)
    }
}

impl Human for Payments {
    fn human(&self) -> String {
        if self.payments.is_empty() {
            return "No tips yet.\n".to_owned();
        }
        let rows = self.payments.iter().map(|tip| {
            let words = tip.thanks.as_ref().map(|thanks| format!("thanks: {thanks}")).or(tip.memo.clone());
            [
                moment(tip.at_ms),
                tip.amount_sat.to_string(),
                tip.from_name.clone(),
                tip.artist.clone(),
                depth(tip),
                short(tip.payment_id),
                words.unwrap_or_default(),
            ]
        });
        let columns =
            [Left("WHEN"), Right("SAT"), Left("FROM"), Left("TO"), Left("STATE"), Left("TIP"), Left("WORDS")];
        table(columns, rows)
    }
}

impl Human for Offer {
    fn human(&self) -> String {
        let mut lines = vec![
            ("artist", self.artist.clone()),
            ("title", self.title.clone().unwrap_or_default()),
            ("goal", format!("{}, {} raised", sats(self.goal_sat), sats(self.raised_sat))),
            (
                "share",
                format!(
                    "{} of the income, up to {} of what was invested",
                    percent(self.share_bp.into()),
                    percent(u64::from(self.cap_percent) * 100)
                ),
            ),
            ("floor", format!("{} before investors earn", sats(self.floor_sat))),
            (
                "ends",
                format!("{}{}", self.expiry, if self.open { "" } else { "; it takes no investments now" }),
            ),
        ];
        if let Some(offer) = &self.offer_id {
            lines.insert(0, ("offer", offer.to_string()));
            lines.push(("owed", sats(self.owed_sat)));
            lines.push(("paid", sats(self.paid_sat)));
        }
        let mut text = fields(&lines);
        if !self.notes.is_empty() {
            text.push('\n');
            text.push_str(&notes(&self.notes));
        }
        if !self.example.is_empty() {
            let rows = self.example.iter().map(|it| {
                [it.income_sat, it.investors_sat, it.collaborators_sat, it.artist_sat]
                    .map(|sat| sat.to_string())
            });
            let columns = [Right("INCOME"), Right("INVESTORS"), Right("COLLABORATORS"), Right("YOU")];
            text.push_str("\nHow income would be divided, in satoshis, once the goal is reached:\n");
            text.push_str(&table(columns, rows));
            text.push_str("Nothing was published: this was a trial.\n");
        }
        with_waiting(text, self.waiting.as_deref())
    }
}

impl Human for Offers {
    fn human(&self) -> String {
        if self.offers.is_empty() {
            return with_waiting("No offers are known here.\n".to_owned(), self.waiting.as_deref());
        }
        let rows = self.offers.iter().map(|offer| {
            [
                offer.offer_id.as_ref().map(short).unwrap_or_default(),
                offer.artist.clone(),
                offer.title.clone().unwrap_or_default(),
                format!("{} of {}", offer.raised_sat, offer.goal_sat),
                percent(offer.share_bp.into()),
                offer.expiry.clone(),
            ]
        });
        let columns =
            [Left("OFFER"), Left("ARTIST"), Left("TITLE"), Right("SAT"), Right("SHARE"), Left("ENDS")];
        with_waiting(table(columns, rows), self.waiting.as_deref())
    }
}

impl Human for Invested {
    fn human(&self) -> String {
        let mut lines = vec![
            ("invested", sats(self.principal_sat)),
            ("fee", sats(self.fee_sat)),
            ("at most", format!("{} come back", sats(self.cap_sat))),
        ];
        if let Some(note) = &self.note_id {
            lines.insert(0, ("note", note.to_string()));
        }
        if let Some(txid) = &self.txid {
            lines.push(("payment", txid.clone()));
        }
        with_warnings(fields(&lines), &self.warnings, self.txid.is_none())
    }
}

impl Human for Notes {
    fn human(&self) -> String {
        let text = match self.notes.is_empty() {
            true => "You have not invested in anything.\n".to_owned(),
            false => notes(&self.notes),
        };
        with_waiting(text, self.waiting.as_deref())
    }
}

impl Human for PaidOut {
    fn human(&self) -> String {
        let rows = self.lines.iter().map(|line| {
            let what = if line.note_id.is_some() { "note" } else { "other" };
            [line.name.clone(), what.to_owned(), line.sat.to_string()]
        });
        let mut text = table([Left("TO"), Left("FOR"), Right("SAT")], rows);
        for line in &self.lines {
            let _ = writeln!(text, "{}  {}", line.address, line.sat);
        }
        let sum: u64 = self.lines.iter().map(|line| line.sat).sum();
        text.push_str(&fields(&[("together", sats(sum)), ("fee", sats(self.fee_sat))]));
        if let Some(txid) = &self.txid {
            let _ = writeln!(text, "Paid: {txid}");
        }
        with_warnings(text, &self.warnings, self.txid.is_none())
    }
}

impl Human for Income {
    fn human(&self) -> String {
        let mut text = fields(&[
            ("income", sats(self.confirmed_sat)),
            ("on its way", sats(self.pending_sat)),
            ("owed", format!("{} to investors", sats(self.owed_sat))),
        ]);
        for (title, sums) in
            [("day", &self.days), ("release", &self.releases), ("supporter", &self.supporters)]
        {
            if !sums.is_empty() {
                let _ = write!(text, "\nBy {title}:\n{}", income(sums));
            }
        }
        with_waiting(text, self.waiting.as_deref())
    }
}

fn income(sums: &[IncomeOf]) -> String {
    let rows = sums.iter().map(|sum| {
        let name = if sum.name.is_empty() { "nobody in particular" } else { &sum.name };
        [name.to_owned(), sum.sat.to_string(), sum.count.to_string()]
    });
    table([Left(""), Right("SAT"), Right("PAYMENTS")], rows)
}

fn notes(notes: &[Note]) -> String {
    let rows = notes.iter().map(|note| {
        [
            short(note.note_id),
            note.artist.clone(),
            note.investor_name.clone(),
            note.principal_sat.to_string(),
            format!("{} of {}", note.paid_sat, note.cap_sat),
            note.owed_sat.to_string(),
            status(note.status).to_owned(),
        ]
    });
    let columns = [
        Left("NOTE"),
        Left("ARTIST"),
        Left("INVESTOR"),
        Right("INVESTED"),
        Right("PAID BACK"),
        Right("OWED"),
        Left("STATE"),
    ];
    table(columns, rows)
}

fn status(status: NoteStatus) -> &'static str {
    match status {
        NoteStatus::Pending => "waits for a block",
        NoteStatus::Active => "earns",
        NoteStatus::Late => "late",
        NoteStatus::Complete => "paid back",
        NoteStatus::Expired => "expired",
        NoteStatus::Refundable => "to be given back",
        NoteStatus::Refunded => "given back",
        NoteStatus::Invalid => "not paid",
    }
}

fn depth(tip: &Payment) -> String {
    match tip.confirmations {
        _ if tip.waiting => "waits for others".to_owned(),
        None => "not seen in the chain".to_owned(),
        Some(0) => "waits for a block".to_owned(),
        Some(depth) => format!("{depth} deep"),
    }
}

fn with_warnings(mut text: String, warnings: &[Caution], trial: bool) -> String {
    for warning in warnings {
        let _ = writeln!(text, "Note: {warning}");
    }
    if trial {
        text.push_str("Nothing was paid: this was a trial.\n");
    }
    text
}

fn with_waiting(mut text: String, waiting: Option<&str>) -> String {
    if let Some(waiting) = waiting {
        let _ = writeln!(text, "\nAmounts are not of now: {}", clean_lines(waiting));
    }
    text
}

/// Basis points as a percentage.
fn percent(basis_points: u64) -> String {
    match basis_points % 100 {
        0 => format!("{} %", basis_points / 100),
        part => format!("{}.{part:02} %", basis_points / 100),
    }
}
