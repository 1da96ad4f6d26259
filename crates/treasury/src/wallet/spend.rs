//! Payments: prepared without keys, shown, then signed.

use std::collections::HashSet;

use domain::bitcoin::{
    Address, Amount, FeeRate, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, VarInt, Weight,
    Witness,
    absolute::LockTime,
    opcodes::all::OP_RETURN,
    script::{Builder, PushBytesBuf},
    transaction::Version,
};
use serde::{Deserialize, Serialize};

use super::{
    Account, Chain, Coin, Keys, Limits, MAX_DATA, MAX_FEE_RATE, MAX_PAYEES, MAX_WEIGHT, MIN_FEE_RATE,
    SpendError, WARN_FEE_PERCENT, Wallet,
    changes::{Sent, Stage},
    keys,
    select::{self, Selection},
};

/// Names a kept draft within its wallet.
pub type DraftId = u64;

/// Somebody who is to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    /// Where to.
    pub address: Address,
    /// How much.
    pub amount: Amount,
}

/// Which coins may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coins {
    /// Those of this account, and of the other one only where they do not suffice.
    First(Account),
    /// Exactly these, all of them.
    Only(Vec<OutPoint>),
}

impl Default for Coins {
    fn default() -> Self {
        Self::First(Account::Private)
    }
}

/// A payment as it is wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Who gets how much, in the order of the outputs.
    pub payees: Vec<Payee>,
    /// Who gets all that is left of the coins; there is no change then.
    pub rest_to: Option<Address>,
    /// What it may cost.
    pub rate: FeeRate,
    /// Which coins.
    pub coins: Coins,
    /// Data that everybody can read, in an output without worth after the payees.
    pub data: Option<Vec<u8>>,
    /// What the payment is for; nobody else sees it.
    pub label: Option<String>,
}

/// What a draft would do to an earlier transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftKind {
    /// Nothing.
    Payment,
    /// Takes its place with a higher fee (BIP 125).
    Replacement(Txid),
    /// Pays for it, too: a miner that takes this one has to take that one first.
    Child(Txid),
}

/// What the user should know before signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The fee is at least half of what is paid.
    HighFee {
        /// The fee in percent of the amount.
        percent: u64,
    },
    /// Coins whose owner is publicly known are spent together with private ones.
    LinksAccounts,
}

impl Warning {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HighFee { .. } => "fee_high",
            Self::LinksAccounts => "links_accounts",
        }
    }
}

/// A coin that a draft spends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The coin.
    pub outpoint: OutPoint,
    /// Its worth.
    pub amount: Amount,
    /// The chain of its key.
    pub chain: Chain,
    /// The key's index.
    pub index: u32,
}

/// What goes back to the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOutput {
    /// The output's number.
    pub vout: u32,
    /// Its worth.
    pub amount: Amount,
    /// The index of its key.
    pub index: u32,
}

/// A payment that only lacks its signatures. Its transaction's name is final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub(crate) kind: DraftKind,
    pub(crate) tx: Transaction,
    /// The wallet's own.
    pub(crate) inputs: Vec<Input>,
    pub(crate) change: Option<ChangeOutput>,
    pub(crate) rest_to: Option<ScriptBuf>,
    pub(crate) label: Option<String>,
    /// When it was made, in unix seconds.
    pub(crate) made_at: u64,
    /// A treasury's transaction, whose anchor is the first input; it is nobody's, and needs no signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Transaction>,
}

impl Draft {
    /// Says what it does to an earlier transaction.
    pub fn kind(&self) -> DraftKind {
        self.kind
    }

    /// Returns the transaction without signatures.
    pub fn transaction(&self) -> &Transaction {
        &self.tx
    }

    /// Returns the transaction's name, which signing does not change.
    pub fn txid(&self) -> Txid {
        self.tx.compute_txid()
    }

    /// Returns the coins that it spends.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Returns what goes back to the wallet.
    pub fn change(&self) -> Option<ChangeOutput> {
        self.change
    }

    /// Returns the outputs that do not go back to the wallet, with their numbers.
    pub fn payments(&self) -> impl Iterator<Item = (u32, &TxOut)> {
        let change = self.change.map(|change| change.vout);
        (0..).zip(&self.tx.output).filter(move |(vout, _)| Some(*vout) != change)
    }

    /// Returns the output that pays the script.
    pub fn outpoint(&self, script: &ScriptBuf) -> Option<OutPoint> {
        let (vout, _) = self.payments().find(|(_, output)| output.script_pubkey == *script)?;
        Some(OutPoint::new(self.txid(), vout))
    }

    /// Returns what others get.
    pub fn amount(&self) -> Amount {
        self.payments().map(|(_, output)| output.value).sum()
    }

    /// Returns the network's fee.
    pub fn fee(&self) -> Amount {
        let anchor: Amount = self.anchor().map(|output| output.value).into_iter().sum();
        let spent: Amount = self.inputs.iter().map(|input| input.amount).sum();
        anchor + spent - self.tx.output.iter().map(|output| output.value).sum()
    }

    /// Returns the size in virtual bytes once it is signed.
    pub fn vsize(&self) -> u64 {
        self.weight().to_vbytes_ceil()
    }

    /// Returns the fee for each weight unit.
    pub fn fee_rate(&self) -> FeeRate {
        self.fee() / self.weight()
    }

    /// Returns what the payment is for.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Returns when it was made, in unix seconds.
    pub fn made_at(&self) -> u64 {
        self.made_at
    }

    /// Returns what the user should know before signing.
    pub fn warnings(&self) -> Vec<Warning> {
        let (fee, amount) = (self.fee().to_sat(), self.amount().to_sat());
        let percent = fee.saturating_mul(100).checked_div(amount).unwrap_or(0);
        let high = (percent >= WARN_FEE_PERCENT).then_some(Warning::HighFee { percent });
        let accounts: HashSet<Account> = self.inputs.iter().map(|input| input.chain.account()).collect();
        let links = (accounts.len() > 1).then_some(Warning::LinksAccounts);
        high.into_iter().chain(links).collect()
    }

    fn weight(&self) -> Weight {
        let mut tx = self.tx.clone();
        for input in tx.input.iter_mut().skip(self.anchor().into_iter().count()) {
            input.witness = Witness::from_slice(&[[0_u8; 64]]);
        }
        tx.weight()
    }

    /// The anchor that the first input spends.
    fn anchor(&self) -> Option<&TxOut> {
        let outpoint = self.tx.input.first()?.previous_output;
        self.parent.as_ref()?.output.get(outpoint.vout as usize)
    }
}

/// What a draft is made of, once the wish was checked.
pub(crate) struct Plan {
    pub(crate) kind: DraftKind,
    pub(crate) outputs: Vec<TxOut>,
    pub(crate) rest_to: Option<ScriptBuf>,
    pub(crate) rate: FeeRate,
    /// What is paid on top of the rate.
    pub(crate) extra: Amount,
    pub(crate) label: Option<String>,
    /// Whether the change may stand anywhere; where an output is publicly known to be a payment, it stands last.
    pub(crate) hide_change: bool,
}

impl Wallet {
    /// Prepares a payment. Nothing is reserved: what another payment spends meanwhile makes signing fail. `entropy`
    /// chooses among equally good coins and hides which output is the change; `now` is in unix seconds.
    ///
    /// # Errors
    /// Any [`SpendError`].
    pub fn prepare(&self, spend: &Spend, entropy: [u8; 32], now: u64) -> Result<Draft, SpendError> {
        let plan = self.plan(spend)?;
        match &spend.coins {
            Coins::Only(chosen) => {
                let chosen = chosen.iter().map(|coin| self.chosen(*coin)).collect::<Result<Vec<_>, _>>()?;
                self.assemble(&plan, chosen, Vec::new(), entropy, now)
            }
            Coins::First(_) if plan.rest_to.is_some() => {
                let worth = select::worth_spending(self.spendable(), plan.rate);
                self.assemble(&plan, worth, Vec::new(), entropy, now)
            }
            Coins::First(account) => {
                let own = self.spendable().filter(|coin| coin.chain.account() == *account).collect();
                match self.assemble(&plan, Vec::new(), own, entropy, now) {
                    Err(SpendError::Insufficient { .. }) => {
                        self.assemble(&plan, Vec::new(), self.spendable().collect(), entropy, now)
                    }
                    done => done,
                }
            }
        }
    }

    /// Signs a draft, checks the signatures, and counts the transaction as made: its coins are spent from now on. It
    /// stands in [`Wallet::outbox`] once what is staged is kept.
    ///
    /// # Errors
    /// [`SpendError::OtherKeys`], or [`SpendError::Stale`] where the wallet has changed too much since the draft.
    pub fn sign(&mut self, draft: &Draft, keys: &Keys, now: u64) -> Result<Txid, SpendError> {
        if keys.accounts() != self.accounts {
            return Err(SpendError::OtherKeys);
        }
        let prevouts = self.inputs_still_there(draft)?;
        self.check_caps(draft)?;
        let stale = |problem: &str| SpendError::Stale(problem.into());
        let own = draft.anchor().into_iter().count()..draft.tx.input.len();
        let paths: Vec<_> = draft.inputs.iter().map(|input| (input.chain, input.index)).collect();
        let mut tx = draft.tx.clone();
        let signed = keys.sign(&mut tx, &prevouts, own.clone().zip(paths));
        signed.map_err(|error| SpendError::Stale(error.to_string()))?;
        let valid = |input| keys::verify(&self.secp, &tx, input, &prevouts);
        if !own.clone().all(valid) || tx.weight() > draft.weight() {
            return Err(stale("its signatures do not hold"));
        }
        if let Some(change) = draft.change {
            self.reveal(Chain::Change, change.index + 1);
        }
        if let Some(parent) = &draft.parent {
            self.take_parent(parent, now);
        }
        let sent = Sent { stage: Stage::Signed, at: now, rest_to: draft.rest_to.clone() };
        let txid = self.take_signed(tx, sent);
        self.name(draft, txid);
        Ok(txid)
    }

    /// Signs this wallet's own inputs of a transaction that others have a part in, each of which spends a coin of the
    /// wallet's as it is. Nothing changes: whoever asks says what the transaction does.
    ///
    /// # Errors
    /// [`SpendError::OtherKeys`], or [`SpendError::Stale`] where an input is none of the wallet's coins.
    pub fn sign_inputs(
        &self,
        tx: &Transaction,
        spent: &[TxOut],
        inputs: &[usize],
        keys: &Keys,
    ) -> Result<Vec<Witness>, SpendError> {
        if keys.accounts() != self.accounts {
            return Err(SpendError::OtherKeys);
        }
        let stale = |problem: &str| SpendError::Stale(problem.into());
        let coins = self.coins();
        let sign = |input: &usize| {
            let outpoint = tx.input.get(*input).map(|input| input.previous_output);
            let coin = coins.iter().find(|coin| Some(coin.outpoint) == outpoint);
            let coin = coin.ok_or_else(|| stale("a coin of it is spent, or is not this wallet's"))?;
            let output = TxOut { value: coin.amount, script_pubkey: coin.script.clone() };
            if spent.len() != tx.input.len() || spent.get(*input) != Some(&output) {
                return Err(stale("a coin of it is not what is said"));
            }
            let path = (coin.chain, coin.index);
            keys.witness(tx, spent, *input, path).map_err(|error| SpendError::Stale(error.to_string()))
        };
        inputs.iter().map(sign).collect()
    }

    /// The coins that a payment may take by itself: ripe, not locked, and not taken back by anybody else.
    pub(crate) fn spendable(&self) -> impl Iterator<Item = Coin> {
        let usable = |coin: &&Coin| {
            !coin.immature && !self.locked.contains(&coin.outpoint) && (coin.height.is_some() || coin.own)
        };
        self.view().coins.iter().filter(usable).cloned()
    }

    /// Chooses the coins and puts the transaction together.
    pub(crate) fn assemble(
        &self,
        plan: &Plan,
        required: Vec<Coin>,
        optional: Vec<Coin>,
        entropy: [u8; 32],
        now: u64,
    ) -> Result<Draft, SpendError> {
        let index = self.revealed(Chain::Change);
        let change_script = self.scripts.script(Chain::Change, index);
        let Selection { coins, change } = select::select(plan, required, optional, &change_script, entropy)?;
        let mut outputs = plan.outputs.clone();
        let mut change = change.map(|amount| {
            let last = outputs.len();
            let vout = if plan.hide_change { usize::from(entropy[0]) % (last + 1) } else { last };
            outputs.insert(vout, TxOut { value: amount, script_pubkey: change_script });
            ChangeOutput { vout: vout as u32, amount, index }
        });
        let inputs: Vec<Input> = coins.iter().map(Input::of).collect();
        let spent: Amount = inputs.iter().map(|input| input.amount).sum();
        if let Some(rest_to) = &plan.rest_to {
            let output = rest(plan, rest_to, spent, inputs.len(), &outputs)?;
            if matches!(plan.kind, DraftKind::Child(_)) {
                change = Some(ChangeOutput { vout: outputs.len() as u32, amount: output.value, index });
            }
            outputs.push(output);
        }
        let draft = Draft {
            kind: plan.kind,
            tx: unsigned(&inputs, outputs, self.tip().height),
            inputs,
            change,
            rest_to: plan.rest_to.clone(),
            label: plan.label.clone(),
            made_at: now,
            parent: None,
        };
        if draft.weight() > MAX_WEIGHT {
            return Err(SpendError::TooHeavy(draft.weight().to_wu()));
        }
        self.check_caps(&draft)?;
        Ok(draft)
    }

    fn plan(&self, spend: &Spend) -> Result<Plan, SpendError> {
        check_rate(spend.rate)?;
        if spend.payees.is_empty() && spend.rest_to.is_none() {
            return Err(SpendError::NoPayee);
        }
        if spend.payees.len() > MAX_PAYEES {
            return Err(SpendError::TooManyPayees(spend.payees.len()));
        }
        let mut outputs = Vec::with_capacity(spend.payees.len() + 1);
        for payee in &spend.payees {
            let script_pubkey = self.payable(&payee.address)?;
            check_amount(payee.amount, &script_pubkey)?;
            outputs.push(TxOut { value: payee.amount, script_pubkey });
        }
        let sum = outputs.iter().try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value));
        sum.filter(|sum| *sum <= Amount::MAX_MONEY).ok_or(SpendError::TooMuch)?;
        outputs.extend(spend.data.as_deref().map(data_output).transpose()?);
        Ok(Plan {
            kind: DraftKind::Payment,
            outputs,
            rest_to: spend.rest_to.as_ref().map(|address| self.payable(address)).transpose()?,
            rate: spend.rate,
            extra: Amount::ZERO,
            label: spend.label.clone(),
            hide_change: spend.data.is_none(),
        })
    }

    fn payable(&self, address: &Address) -> Result<ScriptBuf, SpendError> {
        match address.as_unchecked().is_valid_for_network(self.network().bitcoin()) {
            true => Ok(address.script_pubkey()),
            false => Err(SpendError::Network(address.to_string())),
        }
    }

    /// A coin that the owner chose by hand: it may be unconfirmed, but must be there, ripe and free.
    fn chosen(&self, outpoint: OutPoint) -> Result<Coin, SpendError> {
        let coin = self.view().coins.iter().find(|coin| coin.outpoint == outpoint);
        let free = coin.filter(|coin| !coin.immature && !self.locked.contains(&outpoint));
        free.cloned().ok_or(SpendError::Coin(outpoint))
    }

    fn inputs_still_there(&self, draft: &Draft) -> Result<Vec<TxOut>, SpendError> {
        let free: HashSet<OutPoint> = self.view().coins.iter().map(|coin| coin.outpoint).collect();
        let replaced = match (draft.kind, &draft.parent) {
            (DraftKind::Replacement(txid), _) => self.waiting(txid)?.input.clone(),
            (_, Some(parent)) => self.children(parent).iter().flat_map(|tx| tx.input.clone()).collect(),
            _ => Vec::new(),
        };
        let replaced: HashSet<OutPoint> = replaced.iter().map(|input| input.previous_output).collect();
        let mut prevouts: Vec<TxOut> = draft.anchor().cloned().into_iter().collect();
        for (input, txin) in draft.inputs.iter().zip(draft.tx.input.iter().skip(prevouts.len())) {
            let output = self.graph.get_txout(input.outpoint).filter(|output| output.value == input.amount);
            let here = self.scripts.of(input.outpoint) == Some((input.chain, input.index))
                && txin.previous_output == input.outpoint
                && !self.locked.contains(&input.outpoint)
                && (free.contains(&input.outpoint) || replaced.contains(&input.outpoint));
            match output.filter(|_| here) {
                Some(output) => prevouts.push(output.clone()),
                None => {
                    return Err(SpendError::Stale(format!("the coin {} is no longer free", input.outpoint)));
                }
            }
        }
        match draft.tx.input.len() == prevouts.len() && draft.anchor().is_some() == draft.parent.is_some() {
            true => Ok(prevouts),
            false => Err(SpendError::Stale("its coins do not match".into())),
        }
    }

    pub(crate) fn check_caps(&self, draft: &Draft) -> Result<(), SpendError> {
        let limits = Limits::of(self.network());
        let (amount, fee) = (draft.amount(), draft.fee());
        if let Some(cap) = limits.amount.filter(|cap| amount > *cap) {
            return Err(SpendError::AmountAboveCap { amount, cap });
        }
        // A child pays nobody: its fee is measured by what it rescues.
        let measure =
            if amount == Amount::ZERO { draft.inputs.iter().map(|input| input.amount).sum() } else { amount };
        match limits.highest_fee(measure).filter(|cap| fee > *cap) {
            Some(cap) => Err(SpendError::FeeAboveCap { fee, cap }),
            None => Ok(()),
        }
    }
}

impl Input {
    pub(crate) fn of(coin: &Coin) -> Self {
        Self { outpoint: coin.outpoint, amount: coin.amount, chain: coin.chain, index: coin.index }
    }
}

pub(crate) fn check_rate(rate: FeeRate) -> Result<(), SpendError> {
    if rate < MIN_FEE_RATE {
        return Err(SpendError::FeeTooLow { rate });
    }
    match rate > MAX_FEE_RATE {
        true => Err(SpendError::RateAboveCap {
            rate: rate.to_sat_per_vb_floor(),
            cap: MAX_FEE_RATE.to_sat_per_vb_floor(),
        }),
        false => Ok(()),
    }
}

fn check_amount(amount: Amount, script: &ScriptBuf) -> Result<(), SpendError> {
    let least = script.minimal_non_dust();
    match amount {
        Amount::ZERO => Err(SpendError::Zero),
        amount if amount > Amount::MAX_MONEY => Err(SpendError::TooMuch),
        amount if amount < least => Err(SpendError::Dust { amount, least }),
        _ => Ok(()),
    }
}

fn data_output(data: &[u8]) -> Result<TxOut, SpendError> {
    let too_long = |_| SpendError::Data(data.len());
    if data.len() > MAX_DATA {
        return Err(SpendError::Data(data.len()));
    }
    let pushed = PushBytesBuf::try_from(data.to_vec()).map_err(too_long)?;
    let script_pubkey = Builder::new().push_opcode(OP_RETURN).push_slice(pushed).into_script();
    Ok(TxOut { value: Amount::ZERO, script_pubkey })
}

/// The output that takes all that the others and the fee leave.
fn rest(
    plan: &Plan,
    rest_to: &ScriptBuf,
    spent: Amount,
    inputs: usize,
    outputs: &[TxOut],
) -> Result<TxOut, SpendError> {
    let mut output = TxOut { value: Amount::ZERO, script_pubkey: rest_to.clone() };
    let all: Vec<TxOut> = outputs.iter().chain([&output]).cloned().collect();
    let fee = plan.rate * select::weight(inputs, &all) + plan.extra;
    let others: Amount = outputs.iter().map(|output| output.value).sum();
    let needed = others + fee + rest_to.minimal_non_dust();
    match spent.checked_sub(others + fee).filter(|_| spent >= needed) {
        Some(value) => {
            output.value = value;
            Ok(output)
        }
        None => Err(SpendError::Insufficient { needed, available: spent }),
    }
}

/// Every input says that the transaction may be replaced; it is not valid below the next block, so that nobody gains by
/// mining the newest block again.
fn unsigned(inputs: &[Input], output: Vec<TxOut>, height: u32) -> Transaction {
    let input = |input: &Input| TxIn {
        previous_output: input.outpoint,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        ..TxIn::default()
    };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_height(height).unwrap_or(LockTime::ZERO),
        input: inputs.iter().map(input).collect(),
        output,
    }
}

/// Bytes of a compact size.
pub(crate) fn compact_size(count: usize) -> u64 {
    VarInt::from(count).size() as u64
}
