//! What parts of a transaction weigh and cost.

use domain::bitcoin::{Amount, Script, ScriptBuf, TxOut, opcodes::OP_TRUE, script::Builder};

/// Heaviest version 3 transaction that nodes relay: 10,000 vB (BIP 431).
pub const MAX_WEIGHT: u64 = 40_000;
/// Value of the output that anyone can spend to pay for more speed, its dust limit.
pub const ANCHOR: u64 = 240;
/// Fee rate that is kept for the refund, in satoshis per virtual byte.
pub const REFUND_RATE: u64 = 2;

/// Weight of an output to a taproot or witness script, the largest there is.
pub(super) const LARGEST_OUTPUT: u64 = 4 * (8 + 1 + 34);
/// Weight of the anchor.
pub(super) const ANCHOR_OUTPUT: u64 = 4 * (8 + 1 + 4);
/// Weight of the commitment.
pub(super) const COMMITMENT: u64 = 4 * (8 + 1 + 38);
/// Weight of an input without its witness.
pub(super) const INPUT: u64 = 4 * (32 + 4 + 1 + 4);

/// The anchor's output (BIP 431, "pay to anchor").
pub(super) fn anchor() -> TxOut {
    let script_pubkey = Builder::new().push_opcode(OP_TRUE).push_slice([0x4e, 0x73]).into_script();
    TxOut { value: Amount::from_sat(ANCHOR), script_pubkey }
}

/// Weight of what every transaction has: version, lock time, counts, the mark of a witness.
pub(super) fn overhead(inputs: usize, outputs: usize) -> u64 {
    4 * (4 + 4 + count(inputs) + count(outputs)) + 2
}

/// Weight of an output.
pub(super) fn output(script: &Script) -> u64 {
    4 * (8 + count(script.len()) + script.len() as u64)
}

/// Weight of a joiner's input with its witness: a key's signature by BIP 340, or a key and a low-S signature in DER.
pub(super) fn joiner_input(script: &ScriptBuf) -> u64 {
    INPUT + if script.is_p2tr() { 1 + 1 + 64 } else { 1 + 1 + 72 + 1 + 33 }
}

/// Fee of a weight at a rate in satoshis per thousand weight units.
pub(super) fn fee(weight: u64, rate: u32) -> u64 {
    (weight * u64::from(rate)).div_ceil(1_000)
}

/// Fee of a weight in the refund.
pub(super) fn refund_fee(weight: u64) -> u64 {
    weight.div_ceil(4) * REFUND_RATE
}

/// Bytes of a count.
fn count(count: usize) -> u64 {
    if count < 0xfd { 1 } else { 3 }
}
