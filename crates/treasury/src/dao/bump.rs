//! A child that pays for T or for a node of R: anybody can spend their anchors, and adds a coin of its own.

use domain::bitcoin::{
    Amount, FeeRate, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Weight, Witness,
    absolute::LockTime, transaction::Version,
};
use domain::kinds::MIN_OUTPUT;

use super::weights::{INPUT, anchor, joiner_input, output, overhead};
use crate::wallet::{MAX_FEE_RATE, MIN_FEE_RATE, SpendError};

/// Heaviest child of an unconfirmed version 3 transaction that nodes relay: 1,000 vB (BIP 431).
pub const MAX_CHILD: Weight = Weight::from_wu(4_000);

/// A confirmed coin of a wallet, of one key: P2WPKH, or P2TR by its key path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purse {
    /// Which.
    pub outpoint: OutPoint,
    /// Value and script.
    pub output: TxOut,
}

/// A child, whose second input the wallet signs; the first, the anchor, needs no signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The transaction, to be sent as a package with its parent.
    pub transaction: Transaction,
    /// The outputs that it spends, in the order of its inputs.
    pub spent: [TxOut; 2],
    /// Its weight once it is signed, at most.
    pub weight: Weight,
    /// What it pays.
    pub fee: Amount,
    /// What it and its parent pay together.
    pub package_fee: Amount,
}

/// Makes the child by which a transaction with an anchor is paid for at a rate. `paid` is what the parent pays itself. What
/// the coin leaves goes to `change`.
///
/// # Errors
/// [`SpendError`]: a rate out of bounds, a parent without an anchor or that pays as much already, a coin of another kind or
/// one that is too small.
pub fn child(
    parent: &Transaction,
    paid: Amount,
    purse: &Purse,
    change: ScriptBuf,
    rate: FeeRate,
) -> Result<Child, SpendError> {
    let txid = parent.compute_txid();
    let refused = |problem| SpendError::Bump { txid, problem };
    if !(MIN_FEE_RATE..=MAX_FEE_RATE).contains(&rate) {
        return Err(refused("the rate is out of bounds"));
    }
    let vout = parent.output.iter().position(|output| *output == anchor());
    let vout = vout.and_then(|vout| u32::try_from(vout).ok()).ok_or(refused("it has no anchor"))?;
    let script = &purse.output.script_pubkey;
    if !script.is_p2tr() && !script.is_p2wpkh() {
        return Err(refused("the coin is of another kind"));
    }
    let weight = Weight::from_wu(overhead(2, 1) + INPUT + 1 + joiner_input(script) + output(&change));
    let whole = rate * (parent.weight() + weight);
    // The child by itself pays what it takes to be relayed, too.
    let fee = whole.checked_sub(paid).filter(|fee| *fee >= MIN_FEE_RATE * weight);
    let fee = fee.ok_or(refused("it pays that much already"))?;
    let available = anchor().value + purse.output.value;
    let needed = fee + Amount::from_sat(MIN_OUTPUT);
    let left = available.checked_sub(fee).filter(|left| left.to_sat() >= MIN_OUTPUT);
    let value = left.ok_or(SpendError::Insufficient { needed, available })?;
    let spend = |previous_output| TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let transaction = Transaction {
        version: Version(3),
        lock_time: LockTime::ZERO,
        input: vec![spend(OutPoint { txid, vout }), spend(purse.outpoint)],
        output: vec![TxOut { value, script_pubkey: change }],
    };
    let spent = [anchor(), purse.output.clone()];
    Ok(Child { transaction, spent, weight, fee, package_fee: paid + fee })
}

#[cfg(test)]
mod tests {
    use domain::bitcoin::{Txid, WPubkeyHash, hashes::Hash, key::XOnlyPublicKey, secp256k1::Secp256k1};

    use super::*;

    fn parent(outputs: Vec<TxOut>) -> Transaction {
        let previous_output = OutPoint { txid: Txid::all_zeros(), vout: 0 };
        let witness = Witness::from_slice(&[[0; 64]]);
        let input = TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness };
        Transaction { version: Version(3), lock_time: LockTime::ZERO, input: vec![input], output: outputs }
    }

    fn purse(sat: u64, script_pubkey: ScriptBuf) -> Purse {
        let outpoint = OutPoint { txid: Txid::hash(&[1]), vout: 3 };
        Purse { outpoint, output: TxOut { value: Amount::from_sat(sat), script_pubkey } }
    }

    fn key_hash() -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&[7]))
    }

    fn taproot() -> ScriptBuf {
        let key = XOnlyPublicKey::from_slice(&[2; 32]).unwrap();
        ScriptBuf::new_p2tr(&Secp256k1::verification_only(), key, None)
    }

    fn rate(sat_per_vb: u32) -> FeeRate {
        FeeRate::from_sat_per_vb_u32(sat_per_vb)
    }

    #[test]
    fn a_child_and_its_parent_pay_the_rate_together() {
        let payment = TxOut { value: Amount::from_sat(9_000), script_pubkey: key_hash() };
        let parent = parent(vec![payment, anchor()]);
        let paid = rate(2) * parent.weight();
        for (script, witness) in [(key_hash(), vec![72, 33]), (taproot(), vec![64])] {
            let purse = purse(50_000, script.clone());
            let child = child(&parent, paid, &purse, script, rate(20)).unwrap();
            let outpoint = child.transaction.input[0].previous_output;
            assert_eq!((outpoint.txid, outpoint.vout), (parent.compute_txid(), 1));
            let mut signed = child.transaction.clone();
            let elements: Vec<Vec<u8>> = witness.into_iter().map(|len| vec![0; len]).collect();
            signed.input[1].witness = Witness::from_slice(&elements);
            assert_eq!(signed.weight(), child.weight);
            assert!(child.weight <= MAX_CHILD);
            let spent: Amount = child.spent.iter().map(|output| output.value).sum();
            assert_eq!(spent - signed.output[0].value, child.fee);
            assert_eq!(child.package_fee, rate(20) * (parent.weight() + child.weight));
        }
    }

    #[test]
    fn what_cannot_be_paid_for_is_refused() {
        let with = parent(vec![anchor()]);
        let without = parent(vec![TxOut { value: Amount::from_sat(240), script_pubkey: key_hash() }]);
        let check = |parent: &Transaction, paid, sat, script, at, code| {
            let refused = child(parent, Amount::from_sat(paid), &purse(sat, script), key_hash(), rate(at));
            assert_eq!(refused.unwrap_err().code(), code);
        };
        check(&without, 0, 50_000, key_hash(), 20, "bump_impossible");
        check(&with, 1_000_000, 50_000, key_hash(), 20, "bump_impossible");
        check(&with, 0, 50_000, key_hash(), 100_000, "bump_impossible");
        check(&with, 0, 50_000, ScriptBuf::new(), 20, "bump_impossible");
        check(&with, 0, 1_000, key_hash(), 20, "insufficient_funds");
    }
}
