use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Says why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id of 64 hexadecimal digits")]
pub struct ParseIdError(String);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps the 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the first ten hexadecimal digits, enough for a person and for a log line.
            pub fn short(&self) -> String {
                let mut text = self.to_string();
                text.truncate(10);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER_PERMISSIVE.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
                let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                bytes.map(Self).ok_or_else(|| ParseIdError(text.chars().take(80).collect()))
            }
        }

        /// A byte string of 32 bytes.
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let at = decoder.position();
                let bytes = <[u8; 32]>::try_from(decoder.bytes()?);
                bytes.map(Self).map_err(|_| minicbor::decode::Error::message("not 32 bytes").at(at))
            }
        }

        /// Text in human-readable formats, 32 raw bytes in binary ones.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id! {
    /// An Ed25519 public key (RFC 8032): a node, an artist, an investor and a member are all one of these.
    PeerId
}
id! {
    /// The BLAKE3 hash of a signed record's payload.
    RecordId
}
id! {
    /// Names a place that successive versions of one record fill: the BLAKE3 hash of author, kind and key.
    SlotId
}
id! {
    /// Distinguishes the slots of one author and kind; every kind says what it is made of.
    Key
}
id! {
    /// The BLAKE3 hash of a blob's content, which is also the root of its verification tree.
    BlobHash
}

impl Key {
    /// Makes the key of its parts; each part's length is hashed too, so that no two lists of parts collide.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("musicdao 2026 record key v1");
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl SlotId {
    /// Makes the slot of an author's record of a kind under a key.
    pub fn of(author: &PeerId, kind: u16, key: &Key) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("musicdao 2026 record slot v1");
        hasher.update(author.as_bytes()).update(&kind.to_le_bytes()).update(key.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

impl BlobHash {
    /// Hashes a whole blob.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

/// A release keeps its id when its artist edits it: it is the slot of its records.
pub type ReleaseId = SlotId;
