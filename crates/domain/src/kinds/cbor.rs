//! How types of the `bitcoin` crate stand in CBOR.

use minicbor::{Decoder, Encoder, decode::Error, encode};

/// An amount is an unsigned integer of satoshis.
pub(super) mod sats {
    use bitcoin::Amount;

    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        amount: &Amount,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.u64(amount.to_sat())?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Amount, Error> {
        Ok(Amount::from_sat(decoder.u64()?))
    }
}

/// An extended key is the byte string of 78 that BIP 32 gives it.
pub(super) mod xpub {
    use bitcoin::bip32::Xpub;

    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        xpub: &Xpub,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&xpub.encode())?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Xpub, Error> {
        let at = decoder.position();
        Xpub::decode(decoder.bytes()?).map_err(|_| Error::message("not an extended public key").at(at))
    }
}

/// A script is a byte string.
pub(super) mod script {
    use bitcoin::ScriptBuf;

    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        script: &ScriptBuf,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(script.as_bytes())?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<ScriptBuf, Error> {
        Ok(ScriptBuf::from_bytes(decoder.bytes()?.to_vec()))
    }
}

/// An outpoint is a byte string of 36, as in a transaction.
pub(super) mod outpoint {
    use bitcoin::{OutPoint, consensus};

    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        outpoint: &OutPoint,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&consensus::serialize(outpoint))?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<OutPoint, Error> {
        let at = decoder.position();
        consensus::deserialize(decoder.bytes()?).map_err(|_| Error::message("not an outpoint").at(at))
    }
}

/// Hashes are one byte string, 32 after 32.
pub(super) mod hashes {
    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        hashes: &[[u8; 32]],
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&hashes.concat())?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Vec<[u8; 32]>, Error> {
        let at = decoder.position();
        let (hashes, rest) = decoder.bytes()?.as_chunks::<32>();
        match rest {
            [] => Ok(hashes.to_vec()),
            _ => Err(Error::message("not a row of hashes").at(at)),
        }
    }
}

/// A key of BIP 340 is its 32 bytes.
pub(super) mod key {
    use bitcoin::XOnlyPublicKey;

    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        key: &XOnlyPublicKey,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&key.serialize())?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<XOnlyPublicKey, Error> {
        let at = decoder.position();
        XOnlyPublicKey::from_slice(decoder.bytes()?)
            .map_err(|_| Error::message("not a key of BIP 340").at(at))
    }
}

/// A block's hash is its 32 bytes.
pub(super) mod block {
    use bitcoin::{BlockHash, hashes::Hash};

    use super::*;

    pub(crate) fn encode<C, W: encode::Write>(
        hash: &BlockHash,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(hash.as_byte_array())?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<BlockHash, Error> {
        let at = decoder.position();
        BlockHash::from_slice(decoder.bytes()?).map_err(|_| Error::message("not the hash of a block").at(at))
    }
}
