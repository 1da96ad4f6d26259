//! Which coins pay.

use bdk_wallet::{
    KeychainKind, LocalOutput, Utxo, WeightedUtxo,
    chain::{BlockId, ChainPosition, ConfirmationBlockTime},
    coin_selection::{
        BranchAndBoundCoinSelection, CoinSelectionAlgorithm, CoinSelectionResult, Excess, InsufficientFunds,
        LargestFirstCoinSelection, SingleRandomDraw,
    },
};
use domain::bitcoin::{
    Amount, FeeRate, Script, TxOut, Weight,
    hashes::Hash,
    key::rand::{SeedableRng, rngs::StdRng},
};

use super::{
    Coin, MAX_WEIGHT, SpendError,
    spend::{Plan, compact_size},
};

/// What an input's signature weighs: its length and 64 bytes (BIP 341).
const SATISFACTION: Weight = Weight::from_wu(65);
/// What an input weighs with it: outpoint, sequence and an empty script at four units a byte, the witness at one.
const INPUT: Weight = Weight::from_wu(41 * 4 + 1 + 65);
/// Bytes of a taproot output: amount, length and script.
const CHANGE_BYTES: u64 = 8 + 1 + 34;

/// The coins that were chosen, and what they leave.
pub(crate) struct Selection {
    pub(crate) coins: Vec<Coin>,
    pub(crate) change: Option<Amount>,
}

/// Weight of a signed transaction with that many inputs.
pub(crate) fn weight(inputs: usize, outputs: &[TxOut]) -> Weight {
    let fixed = Weight::from_vb_unchecked(4 + 4 + compact_size(inputs) + compact_size(outputs.len()));
    let outputs: Weight = outputs.iter().map(TxOut::weight).sum();
    fixed + Weight::from_wu(2) + outputs + INPUT * inputs as u64
}

/// Leaves out the coins that cost more to spend than they are worth.
pub(crate) fn worth_spending(coins: impl Iterator<Item = Coin>, rate: FeeRate) -> Vec<Coin> {
    coins.filter(|coin| coin.amount > rate * INPUT).collect()
}

/// Chooses among the optional coins so that all outputs and the fee are paid. Without change where that is possible;
/// else at random, which tells an observer least; and by size where that would be too many coins.
pub(crate) fn select(
    plan: &Plan,
    required: Vec<Coin>,
    optional: Vec<Coin>,
    change: &Script,
    entropy: [u8; 32],
) -> Result<Selection, SpendError> {
    if plan.rest_to.is_some() {
        return Ok(Selection { coins: required, change: None });
    }
    let optional = worth_spending(optional.into_iter(), plan.rate);
    let outputs: Amount = plan.outputs.iter().map(|output| output.value).sum();
    // As if there were one output more and many inputs: their counts may need longer numbers.
    let most = required.len() + optional.len();
    let counts = compact_size(most) + compact_size(plan.outputs.len() + 1);
    let fixed: Weight = plan.outputs.iter().map(TxOut::weight).sum();
    let fixed = fixed + Weight::from_vb_unchecked(4 + 4 + counts) + Weight::from_wu(2);
    let target = outputs + plan.rate * fixed + plan.extra;
    let of = |coins: &[Coin]| coins.iter().map(weighted).collect::<Vec<_>>();
    let mut random = StdRng::from_seed(entropy);
    let exact = BranchAndBoundCoinSelection::new(CHANGE_BYTES, SingleRandomDraw);
    let first = exact.coin_select(of(&required), of(&optional), plan.rate, target, change, &mut random);
    let chosen = match first {
        Ok(chosen) if fixed + INPUT * chosen.selected.len() as u64 > MAX_WEIGHT => LargestFirstCoinSelection
            .coin_select(of(&required), of(&optional), plan.rate, target, change, &mut random),
        first => first,
    };
    let chosen = chosen
        .map_err(|InsufficientFunds { needed, available }| SpendError::Insufficient { needed, available })?;
    Ok(Selection::of(&chosen, required.into_iter().chain(optional)))
}

impl Selection {
    fn of(chosen: &CoinSelectionResult, coins: impl Iterator<Item = Coin>) -> Self {
        let taken: std::collections::HashSet<_> = chosen.selected.iter().map(Utxo::outpoint).collect();
        let change = match &chosen.excess {
            Excess::Change { amount, .. } => Some(*amount),
            Excess::NoChange { .. } => None,
        };
        Self { coins: coins.filter(|coin| taken.contains(&coin.outpoint)).collect(), change }
    }
}

/// The form in which the algorithms want a coin; of it they look at worth, weight and height.
fn weighted(coin: &Coin) -> WeightedUtxo {
    let block = |height| ConfirmationBlockTime {
        block_id: BlockId { height, hash: domain::bitcoin::BlockHash::all_zeros() },
        confirmation_time: 0,
    };
    let chain_position = match coin.height {
        Some(height) => ChainPosition::Confirmed { anchor: block(height), transitively: None },
        None => ChainPosition::Unconfirmed { first_seen: None, last_seen: None },
    };
    let utxo = Utxo::Local(LocalOutput {
        outpoint: coin.outpoint,
        txout: TxOut { value: coin.amount, script_pubkey: coin.script.clone() },
        keychain: KeychainKind::External,
        is_spent: false,
        derivation_index: coin.index,
        chain_position,
    });
    WeightedUtxo { satisfaction_weight: SATISFACTION, utxo }
}
