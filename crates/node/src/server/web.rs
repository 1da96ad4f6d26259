//! The app's page in a browser, and what it loads besides the Api: who may, and with which rules.

use std::{
    borrow::Cow,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use axum::{
    Json,
    body::Body,
    extract::{Path as UrlPath, Query, State},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::{Address, Shared, fresh_token};
use crate::{
    api::ApiError,
    asset::{AssetName, AssetSize},
    drafts::{Drafts, too_large},
    folder,
};

/// The file in the data folder that keeps port and token for the next start.
const SEAT_FILE: &str = "web.json";
/// What is shown where the page was not built.
const NOT_BUILT: &str = "MusicDAO runs, but its page was not built into this program. \
                         Build it with `make build`, then start the daemon again.\n";
/// Bytes of an upload after which the room is measured again.
const MEASURED: u64 = 8 << 20;
/// What a browser may keep for good: its name changes with its content.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";

/// The app's page, and where it is served.
#[derive(Clone, Copy, Debug)]
pub struct Web {
    /// A loopback address; the port of the last time, else a free one, where it is 0.
    pub addr: SocketAddr,
    /// Finds a file of the page by its path without the first slash.
    pub page: fn(&str) -> Option<Page>,
}

/// A file of the page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub mime: String,
}

/// Says who is let in.
pub(super) struct Gate {
    token: String,
    hosts: [String; 2],
    policy: String,
    page: Option<fn(&str) -> Option<Page>>,
}

/// Port and token of a daemon that serves a page.
#[derive(Serialize, Deserialize)]
struct Seat {
    port: u16,
    token: String,
}

/// How large a picture is wanted.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    size: AssetSize,
}

/// How a file is called at home.
#[derive(Deserialize)]
pub(super) struct Upload {
    name: String,
}

/// Where an upload is now.
#[derive(Serialize)]
struct Uploaded {
    path: PathBuf,
}

/// Listens where the page was served the last time, if that can be had, else on a free port.
pub(super) async fn listen(data: &Path, addr: SocketAddr) -> io::Result<(TcpListener, String)> {
    let last: Option<Seat> =
        std::fs::read(data.join(SEAT_FILE)).ok().and_then(|seat| serde_json::from_slice(&seat).ok());
    let port = if addr.port() == 0 { last.as_ref().map_or(0, |seat| seat.port) } else { addr.port() };
    let listener = match TcpListener::bind(SocketAddr::new(addr.ip(), port)).await {
        Err(_) if addr.port() == 0 => TcpListener::bind(addr).await?,
        bound => bound?,
    };
    let port = listener.local_addr()?.port();
    // Pages that are open send the token to the port where they were served: whoever has that now may know it.
    let known = last.filter(|seat| seat.port == port && seat.token.len() == 64);
    let token = known.map_or_else(fresh_token, |seat| Ok(seat.token))?;
    let seat = Seat { port, token: token.clone() };
    folder::write_private(&data.join(SEAT_FILE), &serde_json::to_vec(&seat)?)?;
    Ok((listener, token))
}

impl Gate {
    pub(super) fn new(address: &Address, web: Option<Web>) -> Self {
        let port = address.addr.port();
        let policy = format!(
            "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; style-src-attr 'unsafe-inline'; \
             connect-src 'self' ws://{} ws://localhost:{port}; object-src 'none'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            address.addr
        );
        Self {
            token: address.token.clone(),
            hosts: [address.addr.to_string(), format!("localhost:{port}")],
            policy,
            page: web.map(|web| web.page),
        }
    }

    /// Lets in who knows the token and comes from this daemon's own page or from no page at all.
    pub(super) fn admit(&self, token: &str, headers: &HeaderMap) -> Result<(), StatusCode> {
        if !bool::from(token.as_bytes().ct_eq(self.token.as_bytes())) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if self.is_own_page(headers) { Ok(()) } else { Err(StatusCode::FORBIDDEN) }
    }

    /// As [`Self::admit`], with the token where a program of a page puts it.
    pub(super) fn admit_bearer(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let token = text(headers, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        self.admit(token.unwrap_or_default(), headers)
    }

    /// Refuses web pages of other origins and names that were rebound to the loopback address.
    fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let host = text(headers, &header::HOST).is_some_and(|host| self.hosts.iter().any(|own| own == host));
        let origin = text(headers, &header::ORIGIN).is_none_or(|origin| {
            self.hosts.iter().any(|own| origin.strip_prefix("http://") == Some(own.as_str()))
        });
        host && origin
    }
}

/// Serves a file of the page. It holds no secret: only its name is checked, so that no other name leads to it.
pub(super) async fn page(State(shared): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(find) = shared.gate.page else { return StatusCode::NOT_FOUND.into_response() };
    if !shared.gate.is_own_page(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    // A path without an ending is a place in the app, not a file.
    let is_place = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let name = if is_place { "index.html" } else { path };
    let guards = guards(&shared.gate);
    match find(name) {
        Some(page) => {
            let kept = if name.starts_with("assets/") { IMMUTABLE } else { "no-cache" };
            let about = [(header::CONTENT_TYPE, page.mime), (header::CACHE_CONTROL, kept.to_owned())];
            (guards, about, page.bytes.into_owned()).into_response()
        }
        None if is_place => (StatusCode::SERVICE_UNAVAILABLE, guards, NOT_BUILT).into_response(),
        None => (StatusCode::NOT_FOUND, guards).into_response(),
    }
}

/// Serves an image or a waveform.
pub(super) async fn asset(
    State(shared): State<Shared>,
    UrlPath(name): UrlPath<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = shared.gate.admit_bearer(&headers) {
        return refused.into_response();
    }
    let name = match name.parse::<AssetName>() {
        Ok(name) => name,
        Err(error) => return failed(&error),
    };
    match shared.api.asset(name, wanted.size).await {
        Ok(asset) => {
            let kept = if matches!(name, AssetName::Blob(_)) { IMMUTABLE } else { "no-cache" };
            let about = [(header::CONTENT_TYPE, asset.mime), (header::CACHE_CONTROL, kept)];
            (guards(&shared.gate), about, asset.bytes).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// Takes a file that is to be published: the body is its content. Answers where it is now.
pub(super) async fn upload(
    State(shared): State<Shared>,
    Query(file): Query<Upload>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = shared.gate.admit_bearer(&headers) {
        return refused.into_response();
    }
    match receive(&shared.drafts, &file.name, body).await {
        Ok(path) => (guards(&shared.gate), Json(Uploaded { path })).into_response(),
        Err(error) => failed(&error),
    }
}

async fn receive(drafts: &Drafts, name: &str, body: Body) -> Result<PathBuf, ApiError> {
    let mut room = drafts.room()?;
    room.file()?;
    let place = drafts.place(name)?;
    let received = write(drafts, &place, body, room.bytes()).await;
    if received.is_err() {
        drafts.discard([place.as_path()]);
    }
    received.map(|()| place)
}

async fn write(drafts: &Drafts, place: &Path, body: Body, most: u64) -> Result<(), ApiError> {
    let mut file = tokio::fs::File::create_new(place).await?;
    let (mut written, mut measured, mut chunks) = (0, 0, body.into_data_stream());
    while let Some(chunk) = chunks.next().await {
        let cut = |error| ApiError::new("upload_cut", format!("the upload ended too early: {error}"));
        let chunk = chunk.map_err(cut)?;
        written += chunk.len() as u64;
        if written > most {
            return Err(too_large(most));
        }
        file.write_all(&chunk).await?;
        // Others are on their way at the same time: what they wrote meanwhile counts, too.
        if written - measured >= MEASURED {
            file.flush().await?;
            if drafts.room()?.bytes() == 0 {
                return Err(too_large(0));
            }
            measured = written;
        }
    }
    Ok(file.flush().await?)
}

/// Says what went wrong, in the Api's words.
pub(super) fn failed(error: &ApiError) -> Response {
    let status = match error.code.as_str() {
        "bad_id" => StatusCode::BAD_REQUEST,
        "asset_unknown" | "blob_not_found" => StatusCode::NOT_FOUND,
        "asset_too_large" | "upload_too_large" | "drafts_full" => StatusCode::PAYLOAD_TOO_LARGE,
        "upload_cut" => StatusCode::BAD_REQUEST,
        "asset_timed_out" => StatusCode::GATEWAY_TIMEOUT,
        "disk_full" => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(error)).into_response()
}

/// What keeps a page to itself.
fn guards(gate: &Gate) -> [(HeaderName, String); 4] {
    [
        (header::CONTENT_SECURITY_POLICY, gate.policy.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin".to_owned()),
    ]
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Default for Web {
    /// No page on a free port.
    fn default() -> Self {
        Self { addr: (Ipv4Addr::LOCALHOST, 0).into(), page: |_| None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let address = Address { addr: ([127, 0, 0, 1], 4711).into(), token: "secret".into(), pid: 1 };
        Gate::new(&address, None)
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_the_token_from_the_own_page_is_let_in() {
        let own = (header::HOST, "127.0.0.1:4711");
        for (token, pairs, expected) in [
            ("secret", vec![own.clone()], Ok(())),
            ("secret", vec![(header::HOST, "localhost:4711")], Ok(())),
            ("secret", vec![own.clone(), (header::ORIGIN, "http://127.0.0.1:4711")], Ok(())),
            ("secre", vec![own.clone()], Err(StatusCode::UNAUTHORIZED)),
            ("", vec![own.clone()], Err(StatusCode::UNAUTHORIZED)),
            ("secret", vec![], Err(StatusCode::FORBIDDEN)),
            ("secret", vec![(header::HOST, "evil.example:4711")], Err(StatusCode::FORBIDDEN)),
            (
                "secret",
                vec![own.clone(), (header::ORIGIN, "http://evil.example")],
                Err(StatusCode::FORBIDDEN),
            ),
            ("secret", vec![own.clone(), (header::ORIGIN, "null")], Err(StatusCode::FORBIDDEN)),
            (
                "secret",
                vec![own.clone(), (header::ORIGIN, "https://127.0.0.1:4711")],
                Err(StatusCode::FORBIDDEN),
            ),
        ] {
            assert_eq!(gate().admit(token, &headers(&pairs)), expected, "{token} {pairs:?}");
        }
        let bearer = headers(&[own.clone(), (header::AUTHORIZATION, "Bearer secret")]);
        assert_eq!(gate().admit_bearer(&bearer), Ok(()));
        assert_eq!(gate().admit_bearer(&headers(&[own])), Err(StatusCode::UNAUTHORIZED));
    }

    #[tokio::test]
    async fn a_page_that_is_open_finds_its_daemon_again() {
        let folder = tempfile::tempdir().unwrap();
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let (first, token) = listen(folder.path(), any).await.unwrap();
        let addr = first.local_addr().unwrap();
        drop(first);
        let (first, again) = listen(folder.path(), any).await.unwrap();
        assert_eq!((first.local_addr().unwrap(), &again), (addr, &token));
        // The port is taken: another one serves, and what pages send to the old one opens nothing here.
        let (other, fresh) = listen(folder.path(), any).await.unwrap();
        assert_ne!(other.local_addr().unwrap(), addr);
        assert_ne!(fresh, token);
        let last = other.local_addr().unwrap();
        drop((first, other));
        let (third, again) = listen(folder.path(), any).await.unwrap();
        assert_eq!((third.local_addr().unwrap(), again), (last, fresh));
        assert!(listen(folder.path(), last).await.is_err(), "a port that was asked for is not exchanged");
    }

    #[tokio::test]
    async fn uploads_at_the_same_time_share_the_room() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(folder.path());
        let chunk = || Ok::<_, io::Error>(bytes::Bytes::from(vec![7; MEASURED as usize]));
        let whole = Body::from_stream(futures_util::stream::iter([chunk(), chunk()]));
        receive(&drafts, "alone.wav", whole).await.unwrap();
        // Another one takes all of the room while this one is on its way.
        let place = drafts.place("other.wav").unwrap();
        let chunks = futures_util::stream::iter([0, 1]).map(move |turn| {
            if turn == 1 {
                std::fs::File::create_new(&place).unwrap().set_len(crate::drafts::MAX_TOTAL).unwrap();
            }
            chunk()
        });
        let error = receive(&drafts, "late.wav", Body::from_stream(chunks)).await;
        assert_eq!(error.unwrap_err().code, "upload_too_large");
    }
}
