//! Everything a peer can send outside QUIC: total over all bytes, and what is accepted is written and read back the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use net::wire::{
    Frame, FrameDecoder, FrameKind, Hello, MAX_HEADER, MAX_MESSAGE, Opening, Probe, Reply, Sealed,
    frame_header, header_length,
};

fuzz_target!(|data: &[u8]| {
    frames(data);
    headers(data);
    if let Some(probe) = Probe::decode(data) {
        assert_eq!(probe.encode(), data);
    }
    if let Some(sealed) = Sealed::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(Sealed::decode(sealed.encode()), Some(sealed));
    }
});

/// The same bytes at once and one by one are the same frames, and no header makes the decoder wait for too much.
fn frames(data: &[u8]) {
    let whole = decoded([data]);
    let pieces = decoded(data.chunks(1));
    assert_eq!(whole, pieces);
    let mut written = Vec::new();
    for frame in &whole.0 {
        assert!(frame.payload.len() <= MAX_MESSAGE);
        written.extend_from_slice(
            &frame_header(frame.kind, frame.payload.len()).expect("it was within the limit"),
        );
        written.extend_from_slice(&frame.payload);
        if frame.kind == FrameKind::Hello {
            hello(&frame.payload);
        }
    }
    assert!(data.starts_with(&written));
}

fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let (mut decoder, mut frames) = (FrameDecoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.decode() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

fn hello(payload: &[u8]) {
    if let Ok(hello) = Hello::decode(payload) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
}

fn headers(data: &[u8]) {
    if let Some((len, rest)) = data.split_first_chunk()
        && let Ok(len) = header_length(*len)
    {
        assert!(len <= MAX_HEADER);
        if let Some(header) = rest.get(..len) {
            opening(header);
            reply(header);
        }
    }
    hello(data);
    opening(data);
    reply(data);
}

fn opening(header: &[u8]) {
    if let Ok(opening) = Opening::decode(header) {
        assert_eq!(Opening::decode(&opening.encode()[2..]), Ok(opening));
    }
}

fn reply(header: &[u8]) {
    if let Ok(reply) = Reply::decode(header) {
        assert_eq!(Reply::decode(&reply.encode()[2..]), Ok(reply));
    }
}
