//! Labels, and their exchange with other wallets (BIP 329).

use bip329::{AddressRecord, Label, Labels, OutputRecord, TransactionRecord};
use domain::bitcoin::{Address, OutPoint, Txid};

use super::{ChangeSet, Draft, Wallet};

/// Longest label in characters (BIP 329's recommendation).
pub const MAX_LABEL: usize = 255;
/// Most labels of a wallet.
pub const MAX_LABELS: usize = 100_000;

/// Says why labels cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// A line is not a label of BIP 329.
    #[error("line {line} is no label: {problem}")]
    Line {
        /// The line's number from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A label is too long.
    #[error("a label of {0} characters is longer than {MAX_LABEL}")]
    TooLong(usize),
    /// There are too many.
    #[error("{0} labels are more than {MAX_LABELS}")]
    TooMany(usize),
}

impl LabelError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Line { .. } => "labels_invalid",
            Self::TooLong(_) => "label_too_long",
            Self::TooMany(_) => "labels_too_many",
        }
    }
}

/// What a label belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelTarget {
    /// A transaction.
    Transaction(Txid),
    /// An address.
    Address(Address),
    /// An output.
    Output(OutPoint),
}

impl LabelTarget {
    fn label(&self, text: Option<String>, spendable: Option<bool>) -> Label {
        match self {
            Self::Transaction(txid) => {
                Label::Transaction(TransactionRecord { ref_: *txid, label: text, origin: None })
            }
            Self::Address(address) => {
                Label::Address(AddressRecord { ref_: address.as_unchecked().clone(), label: text })
            }
            Self::Output(outpoint) => Label::Output(OutputRecord { ref_: *outpoint, label: text, spendable }),
        }
    }
}

impl Wallet {
    /// Labels something; an empty text removes the label.
    ///
    /// # Errors
    /// [`LabelError::TooLong`] or [`LabelError::TooMany`].
    pub fn set_label(&mut self, target: &LabelTarget, text: &str) -> Result<(), LabelError> {
        let text = text.trim();
        check(text)?;
        let label = target.label(Some(text.to_owned()), None);
        let key = key(&label);
        if self.labels.len() >= MAX_LABELS && !self.labels.contains_key(&key) {
            return Err(LabelError::TooMany(self.labels.len() + 1));
        }
        self.put_label(key, (!text.is_empty()).then_some(label));
        Ok(())
    }

    /// Returns the label of something.
    pub fn label(&self, target: &LabelTarget) -> Option<&str> {
        self.labels.get(&key(&target.label(None, None)))?.label()
    }

    /// Writes all labels, and which coins are locked, one JSON object on each line.
    pub fn export_labels(&self) -> String {
        let mut labels = self.labels.clone();
        for coin in &self.locked {
            let target = LabelTarget::Output(*coin);
            let text = self.label(&target).map(str::to_owned);
            let label = target.label(text, Some(false));
            labels.insert(key(&label), label);
        }
        let lines =
            labels.values().map(|label| serde_json::to_string(label).expect("a label has a JSON form"));
        lines.map(|line| line + "\n").collect()
    }

    /// Takes labels of this or another program, which overwrite those of the same things; coins that are said to be
    /// unspendable are locked. Either all are taken or none. Returns how many.
    ///
    /// # Errors
    /// Any [`LabelError`].
    pub fn import_labels(&mut self, text: &str) -> Result<usize, LabelError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let labels = lines.map(|(index, line)| read(index + 1, line)).collect::<Result<Vec<_>, _>>()?;
        if self.labels.len() + labels.len() > MAX_LABELS {
            return Err(LabelError::TooMany(self.labels.len() + labels.len()));
        }
        let count = labels.len();
        for mut label in labels {
            // From here on the wallet knows which coins are locked, not their labels.
            if let Label::Output(OutputRecord { ref_, spendable, .. }) = &mut label
                && let Some(spendable) = spendable.take()
            {
                self.set_locked(*ref_, !spendable);
            }
            self.put_label(key(&label), label.label().is_some_and(|text| !text.is_empty()).then_some(label));
        }
        Ok(count)
    }

    pub(crate) fn label_of(&self, txid: Txid) -> Option<String> {
        self.label(&LabelTarget::Transaction(txid)).map(str::to_owned)
    }

    /// Gives a signed transaction the label of its draft.
    pub(crate) fn name(&mut self, draft: &Draft, txid: Txid) {
        let Some(text) = draft.label() else { return };
        let text: String = text.trim().chars().take(MAX_LABEL).collect();
        // A label that finds no room is no reason to fail a payment.
        let _ = self.set_label(&LabelTarget::Transaction(txid), &text);
    }

    fn put_label(&mut self, key: String, label: Option<Label>) {
        let old = match &label {
            Some(label) => self.labels.insert(key.clone(), label.clone()),
            None => self.labels.remove(&key),
        };
        if old != label {
            self.stage(ChangeSet { labels: [(key, label)].into(), ..ChangeSet::default() });
        }
    }
}

fn read(line: usize, text: &str) -> Result<Label, LabelError> {
    let invalid = |problem: String| LabelError::Line { line, problem };
    let labels = Labels::try_from_str(text).map_err(|error| invalid(error.to_string()))?;
    let label = labels.into_vec().pop().ok_or(invalid("it is empty".into()))?;
    check(label.label().unwrap_or_default())?;
    Ok(label)
}

fn check(text: &str) -> Result<(), LabelError> {
    match text.chars().count() {
        length if length > MAX_LABEL => Err(LabelError::TooLong(length)),
        _ => Ok(()),
    }
}

/// Two labels of one thing have the same key.
fn key(label: &Label) -> String {
    let kind = match label {
        Label::Transaction(_) => "tx",
        Label::Address(_) => "addr",
        Label::PublicKey(_) => "pubkey",
        Label::Input(_) => "input",
        Label::Output(_) => "output",
        Label::ExtendedPublicKey(_) => "xpub",
    };
    format!("{kind}:{}", label.ref_())
}
