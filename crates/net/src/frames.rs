use bytes::Bytes;
use quinn::{ReadError, RecvStream};

use crate::wire::{Frame, FrameDecoder, FrameKind, Hello, WireError};

/// Bytes taken from the stream at a time.
const READ: usize = 64 * 1024;

/// The peer's control stream, frame by frame.
#[derive(Debug)]
pub(crate) struct Frames {
    stream: RecvStream,
    decoder: FrameDecoder,
}

/// How a control stream ended other than at its proper end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FramesError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the stream ended inside a frame")]
    Torn,
    #[error("the first frame is no hello")]
    NoHello,
}

impl Frames {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, decoder: FrameDecoder::default() }
    }

    /// Reads the first frame.
    pub(crate) async fn hello(&mut self) -> Result<Hello, FramesError> {
        match self.next().await? {
            Some(Frame { kind: FrameKind::Hello, payload }) => Ok(Hello::decode(&payload)?),
            _ => Err(FramesError::NoHello),
        }
    }

    /// Reads the next message, skipping frames of later versions; `None` at the proper end.
    pub(crate) async fn message(&mut self) -> Result<Option<Bytes>, FramesError> {
        while let Some(frame) = self.next().await? {
            if frame.kind == FrameKind::Message {
                return Ok(Some(frame.payload));
            }
        }
        Ok(None)
    }

    async fn next(&mut self) -> Result<Option<Frame>, FramesError> {
        loop {
            if let Some(frame) = self.decoder.decode()? {
                return Ok(Some(frame));
            }
            match self.stream.read_chunk(READ, true).await? {
                Some(chunk) => self.decoder.push(&chunk.bytes),
                None if self.decoder.is_partial() => return Err(FramesError::Torn),
                None => return Ok(None),
            }
        }
    }
}
