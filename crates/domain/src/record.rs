//! The one envelope for everything that spreads.
//!
//! A record is `payload ‖ signature`: the payload is a CBOR map (RFC 8949) with small integer keys, the signature is
//! Ed25519 over [`CONTEXT`] and the payload's exact bytes. Nothing is ever encoded again: what was signed is what is
//! stored, hashed and relayed, so fields that this version does not know are kept.

use bytes::Bytes;
use minicbor::{Decode, Encode};

use crate::{Identity, Key, Network, PeerId, RecordId, SlotId};

/// Longest record in bytes, signature included; what is bigger is a blob that a record names by hash.
pub const MAX_RECORD_LEN: usize = 4096;
/// Most other records that one record may refer to.
pub const MAX_REFS: usize = 8;
/// How far ahead of the reader's clock `created_at` may be and still count for "new" and "trending".
pub const MAX_AHEAD_MS: u64 = 10 * 60 * 1000;

/// Bytes of the signature at a record's end.
const SIGNATURE_LEN: usize = 64;
/// The only version of the envelope so far.
const VERSION: u8 = 1;
/// Separates signatures of records from all others made with the same key.
const CONTEXT: &[u8] = b"musicdao record v1\n";

/// Says why bytes are not a record, or a record could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Longer than [`MAX_RECORD_LEN`].
    #[error("the record has {0} bytes, more than {MAX_RECORD_LEN}")]
    TooLong(usize),
    /// The envelope cannot be read.
    #[error("the record's envelope is malformed")]
    Malformed,
    /// A later version of the envelope.
    #[error("the record has version {0}, newer than {VERSION}")]
    Version(u8),
    /// More than [`MAX_REFS`] references.
    #[error("the record refers to {0} others, more than {MAX_REFS}")]
    TooManyRefs(usize),
    /// The author did not sign these bytes.
    #[error("the record's signature is wrong")]
    Signature,
    /// The body is not what its kind asks for.
    #[error("{field} {problem}")]
    Body {
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it, as the end of a sentence.
        problem: String,
    },
    /// The key is not the one that the body implies.
    #[error("the record's key does not belong to its body")]
    Key,
    /// The record is about money on another chain than this node's.
    #[error("the record is about money on {0}")]
    Network(Network),
    /// A withdrawal of what can never be taken back.
    #[error("what the record withdraws cannot be taken back")]
    Permanent,
}

impl RecordError {
    /// Makes the error of a field of a body.
    pub fn body(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Body { field, problem: problem.into() }
    }

    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "record_too_long",
            Self::Malformed => "record_malformed",
            Self::Version(_) => "record_version",
            Self::TooManyRefs(_) => "record_too_many_refs",
            Self::Signature => "record_signature",
            Self::Body { .. } => "record_body",
            Self::Key => "record_key",
            Self::Network(_) => "record_network",
            Self::Permanent => "record_permanent",
        }
    }
}

/// Where a record spreads: the common swarm, or the swarm of one community.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Everybody's: releases, profiles, tags.
    #[default]
    Common,
    /// A community's own, named by 32 bytes.
    Community([u8; 32]),
}

/// What a kind of record must say of itself. Implementing this is all that a new kind needs.
///
/// Encode the body as a CBOR map (`#[cbor(map)]`) with optional fields for whatever is added later: a reader of an
/// older version then skips what it does not know, and a newer one reads old bodies.
pub trait Kind: Encode<()> + for<'b> Decode<'b, ()> {
    /// The number in the envelope. Numbers below 1024 belong to this project, the rest to whoever extends it.
    const ID: u16;
    /// The kind's name in errors and documents.
    const NAME: &'static str;
    /// Whether what is signed can never be taken back, since others rely on it.
    const PERMANENT: bool = false;

    /// Says which of its author's slots of this kind the body fills.
    fn key(&self) -> Key;

    /// Refuses a body that must not be stored, shown or relayed.
    ///
    /// # Errors
    /// [`RecordError::Body`] names the field and what is wrong with it.
    fn check(&self) -> Result<(), RecordError>;

    /// Says which chain the body's money is on, where it is about money.
    fn network(&self) -> Option<Network> {
        None
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Payload<'b> {
    #[n(0)]
    version: u8,
    #[n(1)]
    kind: u16,
    #[n(2)]
    author: PeerId,
    #[cbor(n(3), with = "minicbor::bytes")]
    community: Option<[u8; 32]>,
    #[n(4)]
    key: Key,
    #[n(5)]
    seq: u64,
    #[n(6)]
    created_at: u64,
    #[n(7)]
    refs: Option<Vec<RecordId>>,
    #[cbor(b(8), with = "minicbor::bytes")]
    body: Option<&'b [u8]>,
}

/// A signed record whose envelope and signature have been checked. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// BLAKE3 of the payload.
    pub id: RecordId,
    /// The place that this record fills.
    pub slot: SlotId,
    /// The kind's number.
    pub kind: u16,
    /// Who signed.
    pub author: PeerId,
    /// The swarm it belongs to.
    pub topic: Topic,
    /// Distinguishes the author's slots of this kind.
    pub key: Key,
    /// Which version of the slot this is: the highest wins.
    pub seq: u64,
    /// Unix milliseconds by the author's clock; a hint, never trusted.
    pub created_at: u64,
    /// Records that this one answers or builds on.
    pub refs: Vec<RecordId>,
    /// The kind's body, or `None` where the author withdrew the slot.
    pub body: Option<Bytes>,
    bytes: Bytes,
}

/// Where and when a record is signed.
#[derive(Clone, Debug, Default)]
pub struct Stamp {
    /// The swarm it belongs to.
    pub topic: Topic,
    /// Higher than every earlier `seq` of this author.
    pub seq: u64,
    /// Unix milliseconds.
    pub created_at: u64,
    /// Records that this one answers or builds on.
    pub refs: Vec<RecordId>,
}

impl Record {
    /// Signs a body.
    ///
    /// # Errors
    /// What [`Kind::check`] refuses, and records longer than [`MAX_RECORD_LEN`].
    pub fn sign<K: Kind>(identity: &Identity, stamp: Stamp, kind: &K) -> Result<Self, RecordError> {
        kind.check()?;
        let body = minicbor::to_vec(kind).expect("encoding into memory does not fail");
        Self::seal(identity, stamp, K::ID, kind.key(), Some(&body))
    }

    /// Signs the withdrawal of a slot: whatever filled it disappears, its id stays.
    ///
    /// # Errors
    /// [`RecordError::TooManyRefs`].
    pub fn withdraw(identity: &Identity, stamp: Stamp, kind: u16, key: Key) -> Result<Self, RecordError> {
        Self::seal(identity, stamp, kind, key, None)
    }

    /// Reads a record and checks its envelope and signature, not its body: that is [`Record::read`]'s.
    ///
    /// # Errors
    /// Every [`RecordError`] but those of the body.
    pub fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        let record = Self::parse(bytes)?;
        record.verified().then_some(record).ok_or(RecordError::Signature)
    }

    /// Reads a record that this node checked before it stored it, without the cost of the signature.
    ///
    /// # Errors
    /// As [`Record::decode`], but for the signature.
    pub fn parse(bytes: Bytes) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_LEN {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let split = bytes.len().checked_sub(SIGNATURE_LEN).ok_or(RecordError::Malformed)?;
        let payload: Payload<'_> = minicbor::decode(&bytes[..split]).map_err(|_| RecordError::Malformed)?;
        if payload.version != VERSION {
            return Err(RecordError::Version(payload.version));
        }
        let refs = payload.refs.unwrap_or_default();
        if refs.len() > MAX_REFS {
            return Err(RecordError::TooManyRefs(refs.len()));
        }
        Ok(Self {
            id: RecordId::from_bytes(*blake3::hash(&bytes[..split]).as_bytes()),
            slot: SlotId::of(&payload.author, payload.kind, &payload.key),
            kind: payload.kind,
            author: payload.author,
            topic: payload.community.map_or(Topic::Common, Topic::Community),
            key: payload.key,
            seq: payload.seq,
            created_at: payload.created_at,
            refs,
            body: payload.body.map(|body| bytes.slice_ref(body)),
            bytes: bytes.clone(),
        })
    }

    /// Reads the body as one of kind `K` and checks it and its key. `None` where the slot was withdrawn.
    ///
    /// # Errors
    /// [`RecordError::Body`] and [`RecordError::Key`].
    pub fn read<K: Kind>(&self) -> Result<Option<K>, RecordError> {
        if self.kind != K::ID {
            return Err(RecordError::body("kind", format!("{} is not that of a {}", self.kind, K::NAME)));
        }
        let Some(body) = &self.body else { return Ok(None) };
        let body: K =
            minicbor::decode(body).map_err(|error| RecordError::body(K::NAME, error.to_string()))?;
        body.check()?;
        if body.key() != self.key {
            return Err(RecordError::Key);
        }
        Ok(Some(body))
    }

    /// Returns the exact bytes that travel and are stored.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Says whether this record takes the slot from the other: the higher `seq`, and among equals the higher id, so
    /// that every node that has seen both agrees whatever came first.
    pub fn wins_over(&self, other: &Self) -> bool {
        (self.seq, self.id) > (other.seq, other.id)
    }

    /// Says whether both together prove that their author signed two things for one version of one slot.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.slot == other.slot && self.seq == other.seq && self.id != other.id
    }

    fn seal(
        identity: &Identity,
        stamp: Stamp,
        kind: u16,
        key: Key,
        body: Option<&[u8]>,
    ) -> Result<Self, RecordError> {
        let community = match stamp.topic {
            Topic::Common => None,
            Topic::Community(id) => Some(id),
        };
        let payload = Payload {
            version: VERSION,
            kind,
            author: identity.id(),
            community,
            key,
            seq: stamp.seq,
            created_at: stamp.created_at,
            refs: (!stamp.refs.is_empty()).then_some(stamp.refs),
            body,
        };
        let mut bytes = minicbor::to_vec(&payload).expect("encoding into memory does not fail");
        let signature = identity.sign(&[CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature);
        Self::parse(bytes.into())
    }

    fn verified(&self) -> bool {
        let (payload, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_LEN);
        let signature = signature.try_into().expect("split at the signature's length");
        self.author.verify(&[CONTEXT, payload].concat(), signature)
    }
}
