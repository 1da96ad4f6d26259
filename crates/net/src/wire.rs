//! Every byte a peer can send outside QUIC itself, as pure functions over slices: nothing here does I/O,
//! allocates more than its documented limit, or panics.

use std::{net::SocketAddr, ops::Range};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use domain::{BlobHash, PeerId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Name of the protocol in the TLS handshake (ALPN, RFC 7301).
pub const ALPN: &[u8] = b"musicdao/1";
/// Highest protocol version this program speaks; the hello carries it.
pub const VERSION: u16 = 1;
/// Most bytes of one message (64 KiB); records are 4 KiB at most, so a batch of them fits.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Most bytes of the header that opens a stream or answers it.
pub const MAX_HEADER: usize = 2048;
/// Bytes in a group, the smallest verified unit of a blob.
pub const GROUP: u64 = 16 * 1024;
/// Most bytes of a blob asked for by one request: one stream's flow-control window.
pub const MAX_REQUESTED: u64 = 1024 * 1024;
/// Most separate ranges in one blob request.
pub const MAX_RANGES: usize = 16;
/// Largest blob (16 GiB): longer than a day of uncompressed sound, and its bitmap is 128 KiB.
pub const MAX_BLOB: u64 = 16 * 1024 * 1024 * 1024;
/// Most addresses one peer may name for itself.
pub const MAX_ADDRESSES: usize = 16;

/// Bytes before a frame's payload: kind, then the length as `u32` little-endian.
const FRAME_HEADER: usize = 5;

/// Says why a peer's bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A length is above its limit.
    #[error("{what} of {len} bytes is above the limit of {max}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// The length the peer named.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// The bytes do not have the shape of what they should be.
    #[error("malformed {0}")]
    Malformed(&'static str),
}

/// Says what a frame of the control stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The [`Hello`], once, first.
    Hello,
    /// A message for the layer above.
    Message,
    /// A kind of a later version; skipped.
    Unknown(u8),
}

/// One frame of a control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it carries.
    pub kind: FrameKind,
    /// The payload, at most [`MAX_MESSAGE`] bytes.
    pub payload: Bytes,
}

/// First frame in each direction of a connection. Bytes behind the known fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Highest protocol version the sender speaks.
    pub version: u16,
    /// Optional features the sender has; unknown bits mean nothing.
    pub features: u64,
    /// From the lower id: the number of the session that this connection carries. From the higher id: 0.
    pub session: u64,
    /// From the lower id: the session that this connection continues. From the higher id: the session it
    /// still holds. 0 is none.
    pub replaces: u64,
}

/// First bytes of a bidirectional stream: what the opener wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// A request of the layer above; its body is the rest of the stream.
    Request,
    /// A part of a blob.
    Blob(BlobRequest),
    /// "From which address do you see me?"
    Observe,
    /// "Bring me to that peer", asked of a mutual peer.
    Introduce(Introduce),
    /// "That peer wants to reach you", passed on by a mutual peer.
    Introduced(Introduced),
    /// "Forward sealed datagrams between me and that peer, while this stream is open."
    Relay(PeerId),
    /// "That peer will reach you through me, while this stream is open", said by the relay.
    Relayed(Relayed),
}

/// First bytes of the answer on a bidirectional stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Accepted; a body may follow.
    Ok,
    /// Answer to [`Opening::Observe`].
    Observed(SocketAddr),
    /// Answer to [`Opening::Blob`]; the encoded ranges follow.
    Blob(BlobReply),
    /// Answer to [`Opening::Introduce`] and [`Opening::Introduced`].
    Candidates(Vec<SocketAddr>),
    /// Answer to [`Opening::Relay`]: the number of the circuit.
    Circuit(u32),
    /// The asked peer does not have it, or is not connected to whom it should be.
    NotFound,
    /// The asked peer does not want to.
    Refused,
    /// The asked peer is at a limit; later may work.
    Busy,
}

/// Asks for parts of a blob; for none of it, whether the peer has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRequest {
    /// Which blob.
    pub hash: BlobHash,
    /// Which groups, ascending and apart.
    pub groups: Vec<Range<u64>>,
    /// Adds the last group, which proves the size, for an asker that does not know it.
    pub tail: bool,
    /// Somebody waits for it: it should go out before what nobody waits for.
    pub urgent: bool,
}

/// Says what of the requested parts follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobReply {
    /// Bytes of the whole blob; proven only by the last group's verification.
    pub size: u64,
    /// The groups that follow: those asked for that the provider holds.
    pub groups: Vec<Range<u64>>,
    /// Whether the provider holds the whole blob.
    pub complete: bool,
}

/// Asks a mutual peer for an introduction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduce {
    /// Whom to reach.
    pub target: PeerId,
    /// Where the asker may be reached.
    pub candidates: Vec<SocketAddr>,
    /// What the target's probes carry, so that the asker knows them.
    pub token: Token,
}

/// Passes an introduction on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduced {
    /// Who asks.
    pub from: PeerId,
    /// Where the asker may be reached.
    pub candidates: Vec<SocketAddr>,
    /// What the probes shall carry.
    pub token: Token,
}

/// Announces a circuit to its far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relayed {
    /// Who is at the other end.
    pub from: PeerId,
    /// The number of the circuit.
    pub circuit: u32,
}

/// Marks the probes of one introduction.
pub type Token = [u8; 16];

/// A raw packet that opens a way through a NAT, and shows its receiver where it came from. Its first byte
/// has the fixed bit of QUIC unset (RFC 9000, section 17), and it is too short to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Of which introduction.
    pub token: Token,
}

/// Bytes of a probe.
pub const PROBE_LEN: usize = 20;
const PROBE_MAGIC: [u8; 4] = [0, b'm', b'd', 1];

/// One datagram of a circuit, or half of one that does not fit the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Whether it goes to the relay or comes from it.
    pub way: Way,
    /// Which circuit.
    pub circuit: u32,
    /// Whole, or which half.
    pub part: Part,
    /// The packet of the inner connection, which only its ends can open.
    pub packet: Bytes,
}

/// Which way a sealed datagram goes on a connection with a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From an end of the circuit to the relay.
    Up,
    /// From the relay to an end of the circuit.
    Down,
}

/// What of an inner packet a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The first half of the packet with this number.
    First(u8),
    /// The second half of the packet with this number.
    Second(u8),
}

/// Bytes before the inner packet: way, circuit, part, number.
pub const SEALED_HEADER: usize = 7;

/// Gathers the bytes of a control stream into frames; holds at most one frame beside what was pushed.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Message => 1,
            Self::Unknown(code) => code,
        }
    }

    fn of(code: u8) -> Self {
        match code {
            0 => Self::Hello,
            1 => Self::Message,
            other => Self::Unknown(other),
        }
    }
}

impl FrameDecoder {
    /// Adds bytes as they arrive.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next whole frame, or `None` until more bytes come.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] as soon as a header names more than [`MAX_MESSAGE`].
    pub fn decode(&mut self) -> Result<Option<Frame>, WireError> {
        let Some(header) = self.buffer.first_chunk::<FRAME_HEADER>() else { return Ok(None) };
        let [code, a, b, c, d] = *header;
        let len = u32::from_le_bytes([a, b, c, d]);
        let size = bounded("frame", u64::from(len), MAX_MESSAGE as u64)? as usize;
        if self.buffer.len() < FRAME_HEADER + size {
            return Ok(None);
        }
        self.buffer.advance(FRAME_HEADER);
        let payload = self.buffer.split_to(size).freeze();
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(Some(Frame { kind: FrameKind::of(code), payload }))
    }

    /// Says whether a frame has begun and not ended.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }
}

impl Hello {
    /// Reads the payload of a hello frame.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when the known fields are not there.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        take("hello", payload)
    }

    /// Writes the payload of a hello frame.
    pub fn encode(&self) -> Bytes {
        encoded(self)
    }
}

impl Opening {
    /// Reads a stream's header.
    ///
    /// # Errors
    /// [`WireError`] when it is malformed, of a later version, or above a limit.
    pub fn decode(header: &[u8]) -> Result<Self, WireError> {
        let opening = take("opening", header)?;
        match &opening {
            Self::Blob(request) => check_request(request)?,
            Self::Introduce(Introduce { candidates, .. })
            | Self::Introduced(Introduced { candidates, .. }) => check_candidates(candidates)?,
            _ => {}
        }
        Ok(opening)
    }

    /// Writes the header with its length before it.
    pub fn encode(&self) -> Bytes {
        with_length(&encoded(self))
    }
}

impl Reply {
    /// Reads an answer's header.
    ///
    /// # Errors
    /// [`WireError`] when it is malformed, of a later version, or above a limit.
    pub fn decode(header: &[u8]) -> Result<Self, WireError> {
        let reply = take("reply", header)?;
        match &reply {
            Self::Blob(blob) => {
                bounded("blob", blob.size, MAX_BLOB)?;
                check_groups(&blob.groups)?;
            }
            Self::Candidates(candidates) => check_candidates(candidates)?,
            _ => {}
        }
        Ok(reply)
    }

    /// Writes the header with its length before it.
    pub fn encode(&self) -> Bytes {
        with_length(&encoded(self))
    }
}

impl Probe {
    /// Reads a probe; `None` for any other packet.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let token = packet.strip_prefix(&PROBE_MAGIC)?;
        Some(Self { token: token.try_into().ok()? })
    }

    /// Writes the probe.
    pub fn encode(&self) -> [u8; PROBE_LEN] {
        let mut packet = [0; PROBE_LEN];
        let (magic, token) = packet.split_at_mut(PROBE_MAGIC.len());
        magic.copy_from_slice(&PROBE_MAGIC);
        token.copy_from_slice(&self.token);
        packet
    }
}

impl Sealed {
    /// Reads a datagram; `None` when it is none of a circuit.
    pub fn decode(mut datagram: Bytes) -> Option<Self> {
        if datagram.len() < SEALED_HEADER {
            return None;
        }
        let way = match datagram.get_u8() {
            1 => Way::Up,
            2 => Way::Down,
            _ => return None,
        };
        let circuit = datagram.get_u32_le();
        let part = match (datagram.get_u8(), datagram.get_u8()) {
            (0, _) => Part::Whole,
            (1, number) => Part::First(number),
            (2, number) => Part::Second(number),
            _ => return None,
        };
        Some(Self { way, circuit, part, packet: datagram })
    }

    /// Writes the datagram.
    pub fn encode(&self) -> Bytes {
        let mut datagram = BytesMut::with_capacity(SEALED_HEADER + self.packet.len());
        datagram.put_u8(match self.way {
            Way::Up => 1,
            Way::Down => 2,
        });
        datagram.put_u32_le(self.circuit);
        let (part, number) = match self.part {
            Part::Whole => (0, 0),
            Part::First(number) => (1, number),
            Part::Second(number) => (2, number),
        };
        datagram.put_slice(&[part, number]);
        datagram.put_slice(&self.packet);
        datagram.freeze()
    }
}

/// Writes the header of a frame whose payload has `len` bytes.
///
/// # Errors
/// [`WireError::TooLarge`] above [`MAX_MESSAGE`].
pub fn frame_header(kind: FrameKind, len: usize) -> Result<Bytes, WireError> {
    let len = bounded("message", len as u64, MAX_MESSAGE as u64)? as u32;
    let mut header = BytesMut::with_capacity(FRAME_HEADER);
    header.put_u8(kind.code());
    header.put_u32_le(len);
    Ok(header.freeze())
}

/// Reads the length before a header.
///
/// # Errors
/// [`WireError::TooLarge`] above [`MAX_HEADER`].
pub fn header_length(bytes: [u8; 2]) -> Result<usize, WireError> {
    let len = u64::from(u16::from_le_bytes(bytes));
    Ok(bounded("header", len, MAX_HEADER as u64)? as usize)
}

/// Counts the groups of a blob; an empty blob has one, empty, group.
pub fn group_count(size: u64) -> u64 {
    size.div_ceil(GROUP).max(1)
}

fn check_request(request: &BlobRequest) -> Result<(), WireError> {
    check_groups(&request.groups)?;
    let asked: u64 = request.groups.iter().map(|range| range.end - range.start).sum();
    bounded("requested range", asked.saturating_mul(GROUP), MAX_REQUESTED).map(drop)
}

/// Groups must ascend, be apart and lie inside the largest blob, so that sums over them cannot overflow.
fn check_groups(groups: &[Range<u64>]) -> Result<(), WireError> {
    bounded("list of ranges", groups.len() as u64, MAX_RANGES as u64 + 1)?;
    let mut end = 0;
    for range in groups {
        if range.start < end || range.start >= range.end {
            return Err(WireError::Malformed("list of ranges"));
        }
        end = range.end;
    }
    bounded("group", end, group_count(MAX_BLOB)).map(drop)
}

fn check_candidates(candidates: &[SocketAddr]) -> Result<(), WireError> {
    bounded("list of addresses", candidates.len() as u64, MAX_ADDRESSES as u64).map(drop)
}

fn bounded(what: &'static str, len: u64, max: u64) -> Result<u64, WireError> {
    if len > max { Err(WireError::TooLarge { what, len, max }) } else { Ok(len) }
}

fn take<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    postcard::take_from_bytes(bytes).map(|(value, _rest)| value).map_err(|_| WireError::Malformed(what))
}

fn encoded<T: Serialize>(value: &T) -> Bytes {
    postcard::to_stdvec(value).expect("plain data always serializes").into()
}

fn with_length(header: &[u8]) -> Bytes {
    let len = u16::try_from(header.len()).expect("our own headers are far below 64 KiB");
    let mut bytes = BytesMut::with_capacity(2 + header.len());
    bytes.put_u16_le(len);
    bytes.put_slice(header);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(kind: FrameKind, payload: &[u8]) -> Vec<u8> {
        let mut bytes = frame_header(kind, payload.len()).unwrap().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    fn request(groups: impl Into<Vec<Range<u64>>>) -> Opening {
        let groups = groups.into();
        Opening::Blob(BlobRequest { hash: BlobHash::from_bytes([3; 32]), groups, tail: false, urgent: true })
    }

    fn reread(opening: &Opening) -> Result<Opening, WireError> {
        Opening::decode(&opening.encode()[2..])
    }

    #[test]
    fn an_oversize_frame_is_refused_by_its_header_alone() {
        let mut decoder = FrameDecoder::default();
        decoder.push(&[1, 1, 0, 1, 0]);
        let expected = WireError::TooLarge { what: "frame", len: 65537, max: 65536 };
        assert_eq!(decoder.decode(), Err(expected));
    }

    #[test]
    fn a_later_hello_is_read_by_this_version() {
        let hello = Hello { version: 9, features: u64::MAX, session: 4, replaces: 3 };
        let mut bytes = hello.encode().to_vec();
        bytes.extend_from_slice(b"fields of version 9");
        assert_eq!(Hello::decode(&bytes), Ok(hello));
    }

    #[test]
    fn ranges_must_ascend_and_stay_in_bounds() {
        assert_eq!(reread(&request([0..1, 5..9])), Ok(request([0..1, 5..9])));
        assert!(reread(&request([5..9, 0..1])).is_err());
        assert!(reread(&request([0..3, 2..4])).is_err());
        assert!(reread(&request([1..2, 4..4])).is_err());
        assert!(reread(&request([0..1, 1..66])).is_err());
        assert!(reread(&request([0..1, u64::MAX - 1..u64::MAX])).is_err());
    }

    #[test]
    fn too_many_addresses_are_refused() {
        let candidates = vec!["192.0.2.1:4".parse().unwrap(); MAX_ADDRESSES + 1];
        let opening =
            Opening::Introduce(Introduce { target: PeerId::from_bytes([1; 32]), candidates, token: [0; 16] });
        assert!(matches!(reread(&opening), Err(WireError::TooLarge { .. })));
    }

    #[test]
    fn a_size_beyond_the_largest_blob_is_refused() {
        let reply = Reply::Blob(BlobReply { size: MAX_BLOB + 1, groups: vec![], complete: true });
        assert!(matches!(Reply::decode(&reply.encode()[2..]), Err(WireError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn frames_survive_any_fragmentation(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
            cut in 1usize..50,
        ) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|p| framed(FrameKind::Message, p)).collect();
            let mut decoder = FrameDecoder::default();
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Some(frame) = decoder.decode().unwrap() {
                    seen.push(frame.payload.to_vec());
                }
            }
            prop_assert_eq!(seen, payloads);
            prop_assert!(!decoder.is_partial());
        }

        #[test]
        fn sealed_datagrams_are_read_as_they_were_written(
            circuit: u32,
            number: u8,
            part in 0..3,
            up: bool,
            packet in proptest::collection::vec(any::<u8>(), 0..1300),
        ) {
            let part = match part {
                0 => Part::Whole,
                1 => Part::First(number),
                _ => Part::Second(number),
            };
            let way = if up { Way::Up } else { Way::Down };
            let sealed = Sealed { way, circuit, part, packet: packet.into() };
            prop_assert_eq!(Sealed::decode(sealed.encode()), Some(sealed));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Hello::decode(&bytes);
            let _ = Opening::decode(&bytes);
            let _ = Reply::decode(&bytes);
            let _ = Probe::decode(&bytes);
            let _ = Sealed::decode(bytes.clone().into());
            let mut decoder = FrameDecoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.decode() {}
        }
    }
}
