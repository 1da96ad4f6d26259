//! What peers say to each other: a version byte, then a [`Message`] in postcard's encoding.
//!
//! A later version adds messages at the end of the enum and a bit to [`FEATURES`]; a peer that announces bits this
//! version does not know may send words that it does not know, which are passed over.

use std::net::SocketAddr;

use bytes::Bytes;
use domain::{BlobHash, PeerId, Record, RecordError, RecordId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Equivocation, QueryId,
    limits::{MAX_MESSAGE_LEN, MAX_RECORDS_LEN},
};

/// The first byte of every message.
pub const VERSION: u8 = 1;
/// What this version can do beyond the first one: nothing yet.
pub const FEATURES: u64 = 0;

/// Everything a peer says. Lists are bounded by [`MAX_MESSAGE_LEN`] when read, and by what each one says when heeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The first word on a connection, from either side.
    Hello(Hello),
    /// A frame of HyParView or PlumTree.
    Gossip(Bytes),
    /// Begins or continues a comparison.
    Open(Open),
    /// Answers [`Message::Open`]; the records it tells of follow, then [`Message::Pushed`].
    Opened(Opened),
    /// A frame of negentropy from the side that began.
    Range(Frame),
    /// The answer to [`Message::Range`].
    Ranged(Frame),
    /// Asks for records; they follow, then [`Message::Pushed`].
    Want(Want),
    /// Records, each in its exact bytes.
    Records(Vec<Bytes>),
    /// All records of the comparison of this number that were told of or asked for are sent.
    Pushed(u32),
    /// No time for the comparison of this number.
    Busy(u32),
    /// Authors that the sender has proofs against.
    Caught(Vec<PeerId>),
    /// Asks for the proofs against these authors.
    WantProofs(Vec<PeerId>),
    /// Two records that contradict each other.
    Proof(Bytes, Bytes),
    /// Who serves a blob?
    Find(Find),
    /// An answer to [`Message::Find`] on its way back.
    Provided(Provided),
    /// Asks for a search.
    Search(Search),
    /// What a search found, best first.
    Found(QueryNumber, Vec<Bytes>),
}

/// What a peer tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What it can do.
    pub features: u64,
    /// It keeps nothing from before this moment, in Unix milliseconds.
    pub since: u64,
    /// Random, once per start: with another number than before, it remembers nothing of this connection's past.
    pub life: u64,
}

/// The first message of a comparison: the newest ids in full, a fingerprint of all the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The comparison's number, by the side that begins.
    pub session: u32,
    /// The comparison is about records from this moment on.
    pub since: u64,
    /// Where the ids begin: a `created_at` and an id.
    pub from: (u64, RecordId),
    /// The ids end below this `created_at`.
    pub until: u64,
    /// Every id between.
    pub ids: Vec<RecordId>,
    /// The fingerprints of what comes before and after.
    pub rest: [[u8; 16]; 2],
    /// Whether the other side gave its turn away, and must not give it back.
    pub turned: bool,
}

/// The answer to [`Open`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The comparison's number.
    pub session: u32,
    /// The answering side keeps nothing from before this moment.
    pub since: u64,
    /// Ids that the answering side lacks.
    pub want: Vec<RecordId>,
    /// How many records follow.
    pub pushed: u32,
    /// Where to continue, if not all that was missing follows.
    pub more: Option<(u64, RecordId)>,
    /// Whether the rest differs.
    pub differs: bool,
}

/// A frame of negentropy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The comparison's number.
    pub session: u32,
    /// The comparison is about records from this moment on.
    pub since: u64,
    /// The frame.
    pub frame: Bytes,
}

/// A request for records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The comparison's number.
    pub session: u32,
    /// Their ids.
    pub ids: Vec<RecordId>,
}

/// A question for providers of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// Random, by the asker.
    pub id: u64,
    /// The blob.
    pub blob: BlobHash,
    /// How many times the question may be passed on.
    pub hops: u8,
}

/// A provider of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    /// The question's id.
    pub id: u64,
    /// Who serves the blob.
    pub peer: PeerId,
    /// Where to dial.
    pub addrs: Vec<SocketAddr>,
}

/// The asker's number of a search.
pub type QueryNumber = u32;

/// A remote search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// The asker's number.
    pub query: QueryNumber,
    /// What to look for.
    pub text: String,
    /// Most records to answer with.
    pub limit: u16,
}

/// Says why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Longer than [`MAX_MESSAGE_LEN`].
    #[error("the message has {0} bytes, more than {MAX_MESSAGE_LEN}")]
    TooLong(usize),
    /// Not of [`VERSION`].
    #[error("the message's version {0} is not {VERSION}")]
    Version(u8),
    /// It cannot be read.
    #[error("the message is malformed")]
    Malformed,
}

impl WireError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "message_too_long",
            Self::Version(_) => "message_version",
            Self::Malformed => "message_malformed",
        }
    }
}

impl Message {
    /// Encodes the message.
    pub fn encode(&self) -> Bytes {
        let bytes = postcard::to_extend(self, vec![VERSION]);
        bytes.expect("encoding into memory does not fail").into()
    }

    /// Reads a message; total over all bytes.
    ///
    /// # Errors
    /// Every [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_MESSAGE_LEN {
            return Err(WireError::TooLong(bytes.len()));
        }
        match bytes.split_first() {
            Some((&VERSION, rest)) => whole(rest).ok_or(WireError::Malformed),
            Some((&version, _)) => Err(WireError::Version(version)),
            None => Err(WireError::Malformed),
        }
    }
}

/// Packs records into as few messages as fit [`MAX_MESSAGE_LEN`], in order.
pub fn encode_records(records: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
    let (mut messages, mut chunk, mut len) = (Vec::new(), Vec::new(), 0);
    for record in records {
        if len + record.len() > MAX_RECORDS_LEN {
            messages.push(Message::Records(std::mem::take(&mut chunk)).encode());
            len = 0;
        }
        // Its length is written before every record in at most three bytes.
        len += record.len() + 3;
        chunk.push(record);
    }
    if !chunk.is_empty() {
        messages.push(Message::Records(chunk).encode());
    }
    messages
}

/// Encodes a proof as a message.
pub fn encode_proof(proof: &Equivocation) -> Bytes {
    Message::Proof(proof.one.bytes().clone(), proof.two.bytes().clone()).encode()
}

/// Reads the addresses in a peer's contact data; whatever is not one is no address.
pub(crate) fn read_addrs(data: &[u8]) -> Vec<SocketAddr> {
    whole(data).unwrap_or_default()
}

pub(crate) fn write_addrs(addrs: &[SocketAddr]) -> Vec<u8> {
    postcard::to_stdvec(addrs).expect("encoding into memory does not fail")
}

/// Reads two records and checks that they contradict each other.
pub(crate) fn read_proof(one: Bytes, two: Bytes) -> Result<Equivocation, RecordError> {
    let (one, two) = (Record::decode(one)?, Record::decode(two)?);
    Equivocation::of(one, two).ok_or(RecordError::Malformed)
}

impl From<QueryId> for QueryNumber {
    fn from(query: QueryId) -> Self {
        query.0
    }
}

fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_read_back() {
        let id = RecordId::from_bytes([3; 32]);
        let messages = [
            Message::Hello(Hello { features: 5, since: 6, life: 7 }),
            Message::Gossip(Bytes::from_static(b"frame")),
            Message::Want(Want { session: 1, ids: vec![id] }),
            Message::Records(vec![Bytes::from_static(b"a"), Bytes::new()]),
            Message::Provided(Provided {
                id: 1,
                peer: PeerId::from_bytes([1; 32]),
                addrs: vec!["[::1]:5".parse().unwrap()],
            }),
        ];
        for message in messages {
            assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    /// A change here is another protocol: it needs another [`VERSION`] or a bit in [`FEATURES`].
    #[test]
    fn the_bytes_of_version_1_never_change() {
        let (id, text) = (RecordId::from_bytes([0xaa; 32]), "aa".repeat(32));
        let open = Open {
            session: 1,
            since: 2,
            from: (3, id),
            until: 4,
            ids: vec![id],
            rest: [[5; 16], [6; 16]],
            turned: true,
        };
        let opened =
            Opened { session: 1, since: 2, want: vec![id], pushed: 3, more: Some((300, id)), differs: false };
        let (fives, sixes) = ("05".repeat(16), "06".repeat(16));
        let golden = [
            (Message::Hello(Hello { features: 1, since: 300, life: 2 }), "010001ac0202".to_owned()),
            (Message::Gossip(Bytes::from_static(&[7, 8])), "0101020708".to_owned()),
            (Message::Open(open), format!("0102010203{text}0401{text}{fives}{sixes}01")),
            (Message::Opened(opened), format!("0103010201{text}0301ac02{text}00")),
            (
                Message::Range(Frame { session: 1, since: 2, frame: Bytes::from_static(&[9]) }),
                "010401020109".to_owned(),
            ),
            (Message::Ranged(Frame { session: 1, since: 2, frame: Bytes::new() }), "0105010200".to_owned()),
            (Message::Want(Want { session: 1, ids: vec![id] }), format!("01060101{text}")),
            (Message::Records(vec![Bytes::from_static(&[1, 2])]), "010701020102".to_owned()),
            (Message::Pushed(5), "010805".to_owned()),
            (Message::Busy(5), "010905".to_owned()),
            (Message::Caught(Vec::new()), "010a00".to_owned()),
            (Message::WantProofs(vec![PeerId::from_bytes([0xaa; 32])]), format!("010b01{text}")),
            (Message::Proof(Bytes::from_static(&[1]), Bytes::from_static(&[2])), "010c01010102".to_owned()),
            (
                Message::Find(Find { id: 1, blob: BlobHash::from_bytes([0xaa; 32]), hops: 3 }),
                format!("010d01{text}03"),
            ),
            (
                Message::Provided(Provided {
                    id: 1,
                    peer: PeerId::from_bytes([0xaa; 32]),
                    addrs: vec!["1.2.3.4:80".parse().unwrap()],
                }),
                format!("010e01{text}01000102030450"),
            ),
            (Message::Search(Search { query: 1, text: "ab".into(), limit: 9 }), "010f0102616209".to_owned()),
            (Message::Found(1, Vec::new()), "01100100".to_owned()),
        ];
        for (message, bytes) in golden {
            let hex: String = message.encode().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, bytes, "{message:?}");
        }
    }

    #[test]
    fn other_versions_lengths_and_tails_are_refused() {
        let mut bytes = Message::Pushed(1).encode().to_vec();
        bytes.push(0);
        assert_eq!(Message::decode(&bytes), Err(WireError::Malformed));
        bytes[0] = 2;
        assert_eq!(Message::decode(&bytes), Err(WireError::Version(2)));
        assert_eq!(Message::decode(&[]), Err(WireError::Malformed));
        assert!(matches!(Message::decode(&vec![1; MAX_MESSAGE_LEN + 1]), Err(WireError::TooLong(_))));
    }

    #[test]
    fn a_count_without_content_costs_no_memory() {
        // Variant 7, a list of four billion records, and nothing.
        let bytes = [VERSION, 7, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(Message::decode(&bytes), Err(WireError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = Message::decode(&bytes);
            let mut versioned = bytes.clone();
            versioned.insert(0, VERSION);
            if let Ok(message) = Message::decode(&versioned) {
                prop_assert!(Message::decode(&message.encode()).is_ok());
            }
        }

        #[test]
        fn records_are_packed_in_order_and_within_bounds(lens in proptest::collection::vec(0usize..4097, 0..100)) {
            let records: Vec<Bytes> = lens.iter().map(|&len| Bytes::from(vec![len as u8; len])).collect();
            let messages = encode_records(records.clone());
            let mut unpacked = Vec::new();
            for message in messages {
                prop_assert!(message.len() <= MAX_MESSAGE_LEN);
                let Ok(Message::Records(records)) = Message::decode(&message) else { panic!("records") };
                unpacked.extend(records);
            }
            prop_assert_eq!(unpacked, records);
        }
    }
}
