//! The wallet and the Bitcoin network in words.

use std::fmt::Write;

use node::api::{
    ChainStatus, Coins, Drill, Sent, TransactionState, WalletHistory, WalletStatus, WalletTransaction,
};

use crate::{
    output::Human,
    text::{
        Column::{Left, Right},
        clean_lines, count, fields, moment, table,
    },
};

impl Human for WalletStatus {
    fn human(&self) -> String {
        if !self.exists {
            return format!(
                "There is no wallet on {} yet: `musicdao wallet create` makes one.\n",
                self.network
            );
        }
        let key = if self.unlocked { "unlocked" } else { "locked" };
        let mut lines = vec![
            ("network", self.network.to_string()),
            ("balance", sats(self.confirmed_sat)),
            ("pending", sats(self.pending_sat)),
        ];
        if self.income_sat > 0 {
            lines.push(("income in it", sats(self.income_sat)));
        }
        if self.frozen_sat > 0 {
            lines.push(("frozen in it", sats(self.frozen_sat)));
        }
        lines.push(("wallet", key.to_owned()));
        lines.push(("block", self.height.to_string()));
        lines.push(("connected", count(self.peers.into(), "Bitcoin node")));
        if let Some(cap) = self.cap_sat {
            lines.push(("at most", format!("{} in one payment", sats(cap))));
        }
        let mut text = fields(&lines);
        if let Some(waiting) = &self.waiting {
            let _ = writeln!(text, "\nWaiting: {}", clean_lines(waiting));
        }
        if !self.words_confirmed {
            text.push_str("\nWrite the words down, if you have not: `musicdao wallet words` shows them.\n");
        }
        text
    }
}

impl Human for Sent {
    fn human(&self) -> String {
        let mut text = fields(&[
            ("payment", self.txid.clone()),
            ("amount", sats(self.amount_sat)),
            ("fee", format!("{} ({} sat/vB, {} vB)", sats(self.fee_sat), self.sat_per_vb, self.vsize)),
            ("total", sats(self.amount_sat.saturating_add(self.fee_sat))),
        ]);
        for warning in &self.warnings {
            let _ = writeln!(text, "Note: {warning}");
        }
        if self.dry_run {
            text.push_str("Nothing was paid: this was a trial.\n");
        }
        text
    }
}

impl Human for WalletHistory {
    fn human(&self) -> String {
        if self.transactions.is_empty() {
            return "No payment yet: `musicdao wallet address` shows where to be paid.\n".to_owned();
        }
        let rows = self.transactions.iter().map(|tx| {
            let words = tx.label.as_deref().or(tx.purpose.as_deref()).unwrap_or_default();
            let fee = tx.fee_sat.map(|fee| fee.to_string()).unwrap_or_default();
            [
                moment(tx.at_ms),
                format!("{:+}", tx.net_sat),
                fee,
                state(tx),
                tx.txid[..16].to_owned(),
                words.to_owned(),
            ]
        });
        let columns =
            [Left("WHEN"), Right("SAT"), Right("FEE"), Left("STATE"), Left("PAYMENT"), Left("LABEL")];
        table(columns, rows)
    }
}

impl Human for Coins {
    fn human(&self) -> String {
        if self.coins.is_empty() {
            return "No coins yet: `musicdao wallet address` shows where to be paid.\n".to_owned();
        }
        self.coins.iter().fold(String::new(), |mut text, coin| {
            let income = if coin.income { ", public income" } else { "" };
            let frozen = if coin.frozen { ", frozen" } else { "" };
            let label =
                coin.label.as_deref().map(|label| format!(" ({})", clean_lines(label))).unwrap_or_default();
            let depth = count(coin.confirmations.into(), "confirmation");
            let _ = writeln!(
                text,
                "{}  {}, {depth}{income}{frozen}{label}",
                coin.outpoint,
                sats(coin.amount_sat)
            );
            text
        })
    }
}

impl Human for Drill {
    fn human(&self) -> String {
        match (self.restores, self.extras) {
            (false, _) => "This does NOT bring this wallet back: it is of another one.\n".to_owned(),
            (true, None) => {
                "These words bring this wallet's money back. Labels and notes need a backup.\n".to_owned()
            }
            (true, Some(extras)) => {
                format!("This backup brings this wallet back, with {extras} labels and other notes.\n")
            }
        }
    }
}

impl Human for ChainStatus {
    fn human(&self) -> String {
        let mut lines = vec![
            ("network", self.network.to_string()),
            ("block", format!("{} ({})", self.height, self.block_hash)),
            ("connected", count(self.peers.into(), "Bitcoin node")),
        ];
        if let Some(fees) = &self.fees {
            lines.push((
                "fees",
                format!("fast {}, normal {}, slow {} sat/vB", fees.fast, fees.normal, fees.slow),
            ));
        }
        let mut text = fields(&lines);
        for problem in self.problems.iter().chain(&self.waiting) {
            let _ = writeln!(text, "Waiting: {}", clean_lines(problem));
        }
        text
    }
}

fn state(tx: &WalletTransaction) -> String {
    match tx.state {
        TransactionState::Draft => "draft".to_owned(),
        TransactionState::Signed => "signed, not sent".to_owned(),
        TransactionState::Broadcast => "sent".to_owned(),
        TransactionState::InMempool => "waits for a block".to_owned(),
        TransactionState::Confirming => format!("{} of 6", tx.confirmations),
        TransactionState::Confirmed => "confirmed".to_owned(),
        TransactionState::Replaced => "replaced".to_owned(),
        TransactionState::Conflicted => "void".to_owned(),
        TransactionState::Dropped => "given up".to_owned(),
    }
}

/// Writes an amount with its thousands apart.
pub(crate) fn sats(sat: u64) -> String {
    let digits = sat.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    format!("{} sat", groups.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_easy_to_read() {
        assert_eq!(sats(0), "0 sat");
        assert_eq!(sats(999), "999 sat");
        assert_eq!(sats(1_234_567), "1,234,567 sat");
    }
}
