use std::{collections::HashMap, io, ops::Range, sync::Arc, time::Instant};

use bao_tree::io::{
    BaoContentItem, DecodeError,
    fsm::{ResponseDecoder, ResponseDecoderNext},
};
use bytes::{Bytes, BytesMut};
use iroh_io::AsyncStreamReader;
use quinn::{RecvStream, VarInt};
use tokio::task::AbortHandle;
use tracing::debug;

use super::{
    State,
    plan::{FlightId, Order, Outcome},
};
use crate::{
    BlobError, Event,
    blobs::{Blob, Verified, blocking, chunks, geometry},
    endpoint::FETCH_WINDOW,
    error::NetError,
    network::Shared,
    streams,
    wire::{BlobReply, BlobRequest, GROUP, group_count},
};

/// Verified bytes are written, and seen by readers, in pieces of at most this size.
const FLUSH: usize = 256 * 1024;

/// A request that ended.
pub(crate) struct Ended {
    order: Order,
    result: Result<Vec<Range<u64>>, NetError>,
}

/// Makes one request and keeps what verifies of its answer.
pub(crate) async fn fly(state: Arc<State>, order: Order) -> Ended {
    let result = match state.shared.upgrade() {
        Some(shared) => fetch(&shared, &state, &order).await,
        None => Err(NetError::Closed),
    };
    Ended { order, result }
}

/// Tells the plan how a request ended; an error here is the end of the download.
pub(crate) async fn settle(
    state: &State,
    handles: &mut HashMap<FlightId, AbortHandle>,
    ended: Ended,
) -> Result<(), NetError> {
    let Ended { order, result } = ended;
    handles.remove(&order.flight);
    let (hash, peer) = (state.hash, order.provider);
    if let Err(error) = &result {
        debug!(%hash, peer = peer.short(), %error, "request for a range failed");
    }
    let outcome = match result {
        Ok(lacks) => Outcome::Done { lacks },
        Err(NetError::Blob(error)) => return Err(error.into()),
        Err(NetError::Closed) => return Err(NetError::Closed),
        Err(NetError::HashMismatch { .. } | NetError::Protocol { .. }) => {
            if let Some(shared) = state.shared.upgrade() {
                let _ = shared.events.send(Event::BadProvider { peer, hash }).await;
            }
            Outcome::Lied
        }
        Err(NetError::Refused(_) | NetError::NotConnected(_)) => Outcome::Gone,
        Err(_) => Outcome::Failed,
    };
    state.plan().ended(order.flight, outcome, Instant::now());
    state.report();
    Ok(())
}

/// Returns the groups that were asked for and are not at the provider.
async fn fetch(shared: &Arc<Shared>, state: &State, order: &Order) -> Result<Vec<Range<u64>>, NetError> {
    let peer = order.provider;
    let connection = shared.connection(peer).await?;
    state.plan().set_latency(peer, connection.rtt());
    connection.set_receive_window(VarInt::from_u32(FETCH_WINDOW));
    let asks = !order.groups.is_empty();
    let groups = if asks { vec![order.groups.clone()] } else { Vec::new() };
    let request = BlobRequest { hash: state.hash, groups, tail: order.tail, urgent: order.urgent };
    let (reply, stream) = streams::blob(peer, &connection, request).await?;
    check(state, order, &reply)?;
    if !asks {
        return Ok(Vec::new());
    }
    if !is_size_sure(state, order, &reply) {
        return Ok(vec![order.groups.clone()]);
    }
    let blob = sized(shared, state, order, reply.size).await?;
    receive(state, order, &blob, &reply, stream).await?;
    Ok(lacking(order, &reply))
}

/// The answer must be within what was asked, and of the size that a signed record or a proof names.
fn check(state: &State, order: &Order, reply: &BlobReply) -> Result<(), NetError> {
    let peer = order.provider;
    let known = match state.blob() {
        Some(blob) if blob.is_size_proven() => Some(blob.size()),
        _ => state.expected,
    };
    if known.is_some_and(|known| known != reply.size) {
        return Err(NetError::HashMismatch { peer, hash: state.hash });
    }
    let last = group_count(reply.size) - 1;
    let asked = |range: &Range<u64>| {
        let inside = order.groups.start <= range.start && range.end <= order.groups.end;
        inside
            || order.tail && range.end == last + 1 && order.groups.contains(&range.start)
            || order.tail && *range == (last..last + 1)
    };
    let good = reply.groups.iter().all(|range| range.end <= last + 1 && asked(range));
    if good { Ok(()) } else { Err(NetError::protocol(peer, "groups that were not asked for")) }
}

/// A size that nobody signed is taken only with its proof, the last group.
fn is_size_sure(state: &State, order: &Order, reply: &BlobReply) -> bool {
    let last = group_count(reply.size) - 1;
    let proof = order.tail && reply.groups.last().is_some_and(|range| range.contains(&last));
    proof || state.expected.is_some() || state.blob().is_some_and(|blob| blob.is_size_proven())
}

/// Returns the blob in the size that the provider names, unless another claim is being checked.
async fn sized(shared: &Shared, state: &State, order: &Order, size: u64) -> Result<Blob, NetError> {
    match state.blob() {
        Some(blob) if blob.size() == size => Ok(blob),
        Some(_) => Err(NetError::Busy(order.provider)),
        None => {
            let blob = shared.config.blobs.begin(state.hash, size).await?;
            state.adopt(blob.clone());
            Ok(blob)
        }
    }
}

async fn receive(
    state: &State,
    order: &Order,
    blob: &Blob,
    reply: &BlobReply,
    stream: RecvStream,
) -> Result<(), NetError> {
    let peer = order.provider;
    let root = blake3::Hash::from_bytes(*state.hash.as_bytes());
    let reader = StreamReader { stream, rest: Bytes::new() };
    let mut decoder = ResponseDecoder::new(root, chunks(&reply.groups), geometry(reply.size), reader);
    let (mut verified, mut bytes) = (Verified::default(), 0);
    let result = loop {
        let item = match decoder.next().await {
            ResponseDecoderNext::Done(_) => break Ok(()),
            ResponseDecoderNext::More((next, item)) => {
                decoder = next;
                item
            }
        };
        match item {
            Ok(BaoContentItem::Parent(parent)) => verified.pairs.push((parent.node, parent.pair)),
            Ok(BaoContentItem::Leaf(leaf)) => {
                bytes += leaf.data.len();
                verified.leaves.push((leaf.offset, leaf.data));
            }
            Err(DecodeError::ParentHashMismatch(_) | DecodeError::LeafHashMismatch(_)) => {
                break Err(NetError::HashMismatch { peer, hash: state.hash });
            }
            Err(error) => break Err(NetError::lost(peer, error)),
        }
        if bytes >= FLUSH {
            bytes = 0;
            keep(state, order, blob, std::mem::take(&mut verified)).await?;
        }
    };
    keep(state, order, blob, verified).await?;
    if result.is_err() && !blob.is_size_proven() && state.expected.is_none() {
        forget_size(state);
    }
    result
}

/// Writes what verified, then tells the plan.
async fn keep(state: &State, order: &Order, blob: &Blob, verified: Verified) -> Result<(), BlobError> {
    if verified.leaves.is_empty() {
        return Ok(());
    }
    let size = blob.size();
    let groups: Vec<Range<u64>> = verified
        .leaves
        .iter()
        .map(|(offset, leaf)| {
            let end = (offset + leaf.len() as u64).min(size).div_ceil(GROUP).max(1);
            offset / GROUP..end
        })
        .collect();
    let writer = blob.clone();
    blocking(move || writer.write(&verified)).await?;
    state.plan().arrived(order.flight, &groups, Instant::now());
    state.report();
    Ok(())
}

/// A claim of a size that did not prove true is given up, so that the next provider's can be tried.
fn forget_size(state: &State) {
    super::lock(&state.blob).take();
    state.plan().forget_size();
}

fn lacking(order: &Order, reply: &BlobReply) -> Vec<Range<u64>> {
    let (mut lacks, mut at) = (Vec::new(), order.groups.start);
    for range in &reply.groups {
        if at < range.start.min(order.groups.end) {
            lacks.push(at..range.start.min(order.groups.end));
        }
        at = at.max(range.end);
    }
    let end = order.groups.end.min(group_count(reply.size));
    if at < end {
        lacks.push(at..end);
    }
    lacks
}

/// The encoded answer, read without copying where a piece lies in one packet's bytes.
struct StreamReader {
    stream: RecvStream,
    rest: Bytes,
}

impl StreamReader {
    async fn fill(&mut self) -> io::Result<bool> {
        match self.stream.read_chunk(FLUSH, true).await.map_err(io::Error::from)? {
            Some(chunk) => self.rest = chunk.bytes,
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl AsyncStreamReader for StreamReader {
    async fn read_bytes(&mut self, len: usize) -> io::Result<Bytes> {
        if self.rest.is_empty() && !self.fill().await? {
            return Ok(Bytes::new());
        }
        if self.rest.len() >= len {
            return Ok(self.rest.split_to(len));
        }
        let mut bytes = BytesMut::with_capacity(len);
        loop {
            let piece = self.rest.split_to(self.rest.len().min(len - bytes.len()));
            bytes.extend_from_slice(&piece);
            if bytes.len() == len || !self.fill().await? {
                return Ok(bytes.freeze());
            }
        }
    }

    async fn read<const L: usize>(&mut self) -> io::Result<[u8; L]> {
        let bytes = self.read_bytes(L).await?;
        bytes.as_ref().try_into().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}
