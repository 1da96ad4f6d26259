//! Requests: one bidirectional stream each, a small header, an answer.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use domain::PeerId;
use quinn::{Connection, ReadExactError, ReadToEndError, RecvStream, SendStream, WriteError};
use tokio::{
    sync::Semaphore,
    time::{error::Elapsed, timeout},
};
use tracing::debug;

use crate::{
    close,
    error::NetError,
    link::canonical,
    network::Shared,
    overlay::is_circuit,
    punch, relay, serve,
    wire::{self, BlobReply, BlobRequest, Opening, Reply, WireError},
};

/// How long the few bytes of a stream's header may take.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Answers a peer's requests on one connection until it closes.
pub(crate) async fn serve(shared: Weak<Shared>, peer: PeerId, connection: Connection) {
    let Some(permits) = shared.upgrade().map(|shared| shared.config.limits.requests) else { return };
    let permits = Arc::new(Semaphore::new(permits));
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        let Some(shared) = shared.upgrade() else { return };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            let _ = recv.stop(close::FULL);
            tokio::spawn(async move { reply(peer, &mut send, &Reply::Busy).await });
            continue;
        };
        let connection = connection.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let asked = Asked { shared, peer, connection, send, recv };
            if let Err(error) = asked.answer().await {
                debug!(peer = peer.short(), %error, "request not answered");
            }
        });
    }
}

/// One stream that a peer opened.
pub(crate) struct Asked {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: PeerId,
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
}

impl Asked {
    /// Answers what came before the handshake ended: only reads, as anybody may have recorded and repeated it.
    pub(crate) async fn answer_early(mut self) -> Result<(), NetError> {
        match self.opening().await? {
            Opening::Blob(request) => serve::blob(&self.shared, self.peer, request, self.send).await,
            _ => self.reply(Reply::Refused).await,
        }
    }

    async fn opening(&mut self) -> Result<Opening, NetError> {
        let within = HEADER_TIME.min(self.shared.config.limits.request_time);
        let opening = timeout(within, header(self.peer, &mut self.recv)).await;
        let opening = opening.unwrap_or(Err(NetError::Timeout("a request's header")))?;
        Opening::decode(&opening).map_err(|error| NetError::protocol(self.peer, error))
    }

    async fn answer(mut self) -> Result<(), NetError> {
        let opening = self.opening().await?;
        if matches!(opening, Opening::Request | Opening::Blob(_)) {
            self.shared.touch(&self.peer);
        }
        match opening {
            Opening::Request => self.answer_request().await,
            Opening::Blob(request) => serve::blob(&self.shared, self.peer, request, self.send).await,
            Opening::Observe => {
                let addr = canonical(self.connection.remote_address());
                let reply = if is_circuit(&addr) { Reply::Refused } else { Reply::Observed(addr) };
                self.reply(reply).await
            }
            Opening::Introduce(introduce) => {
                let reply =
                    punch::introduce(&self.shared, (self.peer, self.connection.clone()), introduce).await;
                self.reply(reply).await
            }
            Opening::Introduced(introduced) => {
                let reply = punch::introduced(&self.shared, self.peer, introduced);
                self.reply(reply).await
            }
            Opening::Relay(target) => {
                relay::forward(&self.shared, (self.peer, self.connection), target, self.send, self.recv).await
            }
            Opening::Relayed(relayed) => {
                relay::accept(&self.shared, (self.peer, self.connection), relayed, self.send, self.recv).await
            }
        }
    }

    async fn answer_request(mut self) -> Result<(), NetError> {
        let limits = &self.shared.config.limits;
        let body = timeout(limits.request_time, self.recv.read_to_end(limits.request_body)).await;
        let body = match body {
            Ok(Ok(body)) => Bytes::from(body),
            Ok(Err(error)) => return Err(NetError::lost(self.peer, error)),
            Err(_) => return Err(NetError::Timeout("a request's body")),
        };
        let handled = timeout(limits.request_time, self.shared.config.handler.request(self.peer, body)).await;
        let body = match handled {
            Ok(Some(body)) => body,
            Ok(None) => return self.reply(Reply::Refused).await,
            Err(_) => return self.reply(Reply::Busy).await,
        };
        let pieces = &mut [Reply::Ok.encode(), body];
        let taken = timeout(limits.request_time, self.send.write_all_chunks(pieces)).await;
        written(self.peer, taken, &mut self.send)?;
        let _ = self.send.finish();
        Ok(())
    }

    async fn reply(mut self, answer: Reply) -> Result<(), NetError> {
        reply(self.peer, &mut self.send, &answer).await
    }
}

/// Asks on a new stream and reads the whole answer.
pub(crate) async fn request(
    peer: PeerId,
    connection: Connection,
    body: Bytes,
    most: usize,
) -> Result<Bytes, NetError> {
    let (reply, mut recv) = ask(peer, &connection, &Opening::Request, body).await?;
    accepted(peer, reply)?;
    let body = recv.read_to_end(most).await.map_err(|error| match error {
        ReadToEndError::TooLong => {
            NetError::TooLarge { what: "the answer", len: most as u64 + 1, max: most as u64 }
        }
        ReadToEndError::Read(error) => NetError::lost(peer, error),
    })?;
    Ok(body.into())
}

/// Asks from where the peer sees this node.
pub(crate) async fn observe(peer: PeerId, connection: Connection) -> Result<SocketAddr, NetError> {
    match ask(peer, &connection, &Opening::Observe, Bytes::new()).await?.0 {
        Reply::Observed(addr) => Ok(canonical(addr)),
        reply => Err(unexpected(peer, &reply)),
    }
}

/// Asks for a part of a blob; the encoded groups follow on the stream.
pub(crate) async fn blob(
    peer: PeerId,
    connection: &Connection,
    request: BlobRequest,
) -> Result<(BlobReply, RecvStream), NetError> {
    match ask(peer, connection, &Opening::Blob(request), Bytes::new()).await? {
        (Reply::Blob(reply), recv) => Ok((reply, recv)),
        (reply, _) => Err(unexpected(peer, &reply)),
    }
}

/// Asks on a new stream that stays open in both directions.
pub(crate) async fn ask_open(
    peer: PeerId,
    connection: &Connection,
    opening: &Opening,
) -> Result<(Reply, (SendStream, RecvStream)), NetError> {
    let lost = |error: &dyn std::error::Error| NetError::lost(peer, error);
    let (mut send, mut recv) = connection.open_bi().await.map_err(|error| lost(&error))?;
    send.write_chunk(opening.encode()).await.map_err(|error| lost(&error))?;
    let reply = header(peer, &mut recv).await?;
    let reply = Reply::decode(&reply).map_err(|error| NetError::protocol(peer, error))?;
    Ok((reply, (send, recv)))
}

/// Writes the only answer of a stream.
pub(crate) async fn reply(peer: PeerId, send: &mut SendStream, reply: &Reply) -> Result<(), NetError> {
    write_reply(peer, send, reply).await?;
    let _ = send.finish();
    Ok(())
}

/// Writes an answer that more may follow.
pub(crate) async fn write_reply(peer: PeerId, send: &mut SendStream, reply: &Reply) -> Result<(), NetError> {
    send.write_chunk(reply.encode()).await.map_err(|error| NetError::lost(peer, error))
}

/// Judges a write that was given a time; who does not take it in time is too slow to wait for.
pub(crate) fn written(
    peer: PeerId,
    written: Result<Result<(), WriteError>, Elapsed>,
    send: &mut SendStream,
) -> Result<(), NetError> {
    match written {
        Ok(result) => result.map_err(|error| NetError::lost(peer, error)),
        Err(_) => {
            let _ = send.reset(close::SLOW);
            Err(NetError::Slow(peer))
        }
    }
}

/// Asks on a new stream, which ends with the body.
pub(crate) async fn ask(
    peer: PeerId,
    connection: &Connection,
    opening: &Opening,
    body: Bytes,
) -> Result<(Reply, RecvStream), NetError> {
    let lost = |error: &dyn std::error::Error| NetError::lost(peer, error);
    let (mut send, mut recv) = connection.open_bi().await.map_err(|error| lost(&error))?;
    // The answer may come before the body is written, so a failed write is not the last word.
    let written = send.write_all_chunks(&mut [opening.encode(), body]).await;
    let _ = send.finish();
    match header(peer, &mut recv).await {
        Ok(reply) => Ok((Reply::decode(&reply).map_err(|error| NetError::protocol(peer, error))?, recv)),
        Err(error) => Err(written.err().map_or(error, |error| lost(&error))),
    }
}

async fn header(peer: PeerId, recv: &mut RecvStream) -> Result<Vec<u8>, NetError> {
    let lost = |error: ReadExactError| NetError::lost(peer, error);
    let mut length = [0; 2];
    recv.read_exact(&mut length).await.map_err(lost)?;
    let length = wire::header_length(length).map_err(|error: WireError| NetError::protocol(peer, error))?;
    let mut header = vec![0; length];
    recv.read_exact(&mut header).await.map_err(lost)?;
    Ok(header)
}

fn accepted(peer: PeerId, reply: Reply) -> Result<(), NetError> {
    if reply == Reply::Ok { Ok(()) } else { Err(unexpected(peer, &reply)) }
}

/// Turns an answer that is not the hoped-for one into an error.
pub(crate) fn unexpected(peer: PeerId, reply: &Reply) -> NetError {
    match reply {
        Reply::Refused | Reply::NotFound => NetError::Refused(peer),
        Reply::Busy => NetError::Busy(peer),
        _ => NetError::protocol(peer, "an answer to another question"),
    }
}
