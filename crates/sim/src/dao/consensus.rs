//! What the network checks of a transaction, for the scripts that a DAO and its joiners use (BIP 141, 143, 341, 342).

use domain::bitcoin::{
    CompressedPublicKey, EcdsaSighashType, Script, ScriptBuf, TapLeafHash, TapSighashType, Transaction,
    TxOut, Witness, XOnlyPublicKey, ecdsa,
    opcodes::all::{OP_CHECKMULTISIG, OP_CHECKSIG, OP_CHECKSIGADD, OP_NUMEQUAL},
    script::Instruction,
    secp256k1::{Message, PublicKey, Secp256k1, VerifyOnly, schnorr},
    sighash::{Prevouts, SighashCache},
    taproot::{ControlBlock, LeafVersion},
};

use super::people::digest;

/// Largest version 3 transaction in virtual bytes (BIP 431).
const MAX_VSIZE: usize = 10_000;

struct Input<'a> {
    secp: Secp256k1<VerifyOnly>,
    transaction: &'a Transaction,
    at: usize,
    spent: &'a [TxOut],
}

/// Says why the network would not take a transaction that spends these outputs, in the order of its inputs.
pub(super) fn check(transaction: &Transaction, spent: &[TxOut]) -> Result<(), String> {
    let value = |outputs: &[TxOut]| outputs.iter().map(|output| output.value.to_sat()).sum::<u64>();
    if spent.len() != transaction.input.len() || transaction.output.is_empty() {
        return Err("a coin is missing".into());
    }
    if value(spent) < value(&transaction.output) {
        return Err("it pays more than it spends".into());
    }
    if transaction.vsize() > MAX_VSIZE {
        return Err(format!("it has {} virtual bytes", transaction.vsize()));
    }
    for at in 0..spent.len() {
        let input = Input { secp: Secp256k1::verification_only(), transaction, at, spent };
        input.check().ok_or_else(|| format!("input {at} has no valid witness"))?;
    }
    Ok(())
}

impl Input<'_> {
    fn check(&self) -> Option<()> {
        let (script, witness) =
            (&self.spent.get(self.at)?.script_pubkey, &self.transaction.input.get(self.at)?.witness);
        if script.is_p2wpkh() {
            self.by_key_hash(script, witness)
        } else if script.is_p2wsh() {
            self.by_multisig(script, witness)
        } else if script.is_p2tr() && witness.len() == 1 {
            self.by_key(script, witness)
        } else if script.is_p2tr() {
            self.by_leaf(script, witness)
        } else {
            None
        }
    }

    fn by_key_hash(&self, script: &ScriptBuf, witness: &Witness) -> Option<()> {
        let key = CompressedPublicKey::from_slice(witness.nth(1)?).ok()?;
        let is_owner = ScriptBuf::new_p2wpkh(&key.wpubkey_hash()) == *script && witness.len() == 2;
        let message = digest(self.transaction, self.at, script, self.spent.get(self.at)?.value);
        is_owner.then_some(())?;
        self.ecdsa(&message, witness.nth(0)?, &key.0)
    }

    fn ecdsa(&self, message: &Message, signature: &[u8], key: &PublicKey) -> Option<()> {
        let signature = ecdsa::Signature::from_slice(signature).ok()?;
        let is_all = signature.sighash_type == EcdsaSighashType::All;
        is_all.then_some(())?;
        self.secp.verify_ecdsa(message, &signature.signature, key).ok()
    }

    /// `OP_CHECKMULTISIG`: signatures in the order of their keys, after an empty element.
    fn by_multisig(&self, script: &Script, witness: &Witness) -> Option<()> {
        let (code, elements) = witness.iter().collect::<Vec<_>>().split_last().map(split)?;
        let code = ScriptBuf::from_bytes(code.to_vec());
        let (threshold, keys) = multisig(&code).filter(|_| code.to_p2wsh() == *script)?;
        let value = self.spent.get(self.at)?.value;
        let mut cache = SighashCache::new(self.transaction);
        let hash = cache.p2wsh_signature_hash(self.at, &code, value, EcdsaSighashType::All).ok()?;
        let (message, mut left) = (Message::from(hash), keys.iter());
        let (dummy, signatures) = elements.split_first()?;
        let is_signed = |signature: &&[u8]| left.any(|key| self.ecdsa(&message, signature, key).is_some());
        let enough = dummy.is_empty() && signatures.len() == threshold;
        (enough && signatures.iter().all(is_signed)).then_some(())
    }

    fn by_key(&self, script: &Script, witness: &Witness) -> Option<()> {
        let key = XOnlyPublicKey::from_slice(script.as_bytes().get(2..)?).ok()?;
        let hash = SighashCache::new(self.transaction)
            .taproot_key_spend_signature_hash(self.at, &Prevouts::All(self.spent), TapSighashType::Default)
            .ok()?;
        self.schnorr(&hash.into(), witness.nth(0)?, &key)
    }

    fn schnorr(&self, message: &Message, signature: &[u8], key: &XOnlyPublicKey) -> Option<()> {
        let signature = schnorr::Signature::from_slice(signature).ok()?;
        self.secp.verify_schnorr(&signature, message, key).ok()
    }

    /// A leaf that counts signatures: each is valid or empty, and as many are there as it says.
    fn by_leaf(&self, script: &Script, witness: &Witness) -> Option<()> {
        let elements: Vec<&[u8]> = witness.iter().collect();
        let [signatures @ .., code, control] = &elements[..] else { return None };
        let control = ControlBlock::decode(control).ok()?;
        let output = XOnlyPublicKey::from_slice(script.as_bytes().get(2..)?).ok()?;
        let code = ScriptBuf::from_bytes(code.to_vec());
        if !control.verify_taproot_commitment(&self.secp, output, &code) {
            return None;
        }
        let leaf = TapLeafHash::from_script(&code, LeafVersion::TapScript);
        let hash = SighashCache::new(self.transaction)
            .taproot_script_spend_signature_hash(
                self.at,
                &Prevouts::All(self.spent),
                leaf,
                TapSighashType::Default,
            )
            .ok()?;
        let (message, (threshold, keys)) = (hash.into(), multi_a(&code)?);
        let signed = |(key, signature): (&XOnlyPublicKey, &&[u8])| match signature.is_empty() {
            true => Some(0),
            false => self.schnorr(&message, signature, key).map(|()| 1),
        };
        let counted = keys.iter().zip(signatures.iter().rev()).map(signed).sum::<Option<usize>>()?;
        (signatures.len() == keys.len() && counted == threshold).then_some(())
    }
}

fn split<'a>((last, others): (&&'a [u8], &[&'a [u8]])) -> (&'a [u8], Vec<&'a [u8]>) {
    (last, others.to_vec())
}

/// Reads `<t> <key>… <n> OP_CHECKMULTISIG`.
fn multisig(code: &Script) -> Option<(usize, Vec<PublicKey>)> {
    let parts = code.instructions().collect::<Result<Vec<_>, _>>().ok()?;
    let [least, keys @ .., count, last] = &parts[..] else { return None };
    let keys = keys.iter().map(|part| PublicKey::from_slice(part.push_bytes()?.as_bytes()).ok());
    let keys: Vec<PublicKey> = keys.collect::<Option<_>>()?;
    let fits = *last == Instruction::Op(OP_CHECKMULTISIG) && number(count)? == keys.len();
    fits.then_some((number(least)?, keys))
}

/// Reads `<key> OP_CHECKSIG (<key> OP_CHECKSIGADD)… <t> OP_NUMEQUAL`.
fn multi_a(code: &Script) -> Option<(usize, Vec<XOnlyPublicKey>)> {
    let parts = code.instructions().collect::<Result<Vec<_>, _>>().ok()?;
    let [counted @ .., least, last] = &parts[..] else { return None };
    let mut keys = Vec::new();
    for (at, pair) in counted.chunks(2).enumerate() {
        let [key, operation] = pair else { return None };
        let expected = if at == 0 { OP_CHECKSIG } else { OP_CHECKSIGADD };
        (*operation == Instruction::Op(expected)).then_some(())?;
        keys.push(XOnlyPublicKey::from_slice(key.push_bytes()?.as_bytes()).ok()?);
    }
    (*last == Instruction::Op(OP_NUMEQUAL)).then_some((number(least)?, keys))
}

fn number(part: &Instruction<'_>) -> Option<usize> {
    part.script_num().and_then(|number| usize::try_from(number).ok())
}
