//! `musicdao:` links: an invite, or a release, an artist or a DAO with whoever shares it: `musicdao:release/ID?from=INVITE`.
//!
//! A DAO has a shorter one for QR codes that are read from the back of a room: `musicdao:dao/` and a code of its id and the
//! invite ([`Invite::code`]).

use std::{sync::Arc, time::Duration};

use domain::{
    PeerId, ReleaseId,
    kinds::{BlockEntry, DaoId},
};
use net::Invite;
use tokio::sync::mpsc::Receiver;

use crate::{
    api::{ApiError, Event, Opened},
    node::{Inner, is_no_invite},
};

/// The scheme of all our links.
const SCHEME: &str = "musicdao:";
/// Longest link that is read.
const MAX_LINK: usize = 4096;
/// How long a release is waited for where no time is said, and the longest that can be said.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What a link names, and the invite to join by, where it has one.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Invite(String),
    Release(ReleaseId, Option<String>),
    Artist(PeerId, Option<String>),
    Dao(DaoId, Option<String>),
}

/// What is waited for.
#[derive(Clone, Copy)]
enum What {
    Of(BlockEntry),
    Dao(DaoId),
}

/// Makes a link to a release or an artist.
pub(crate) fn share(node: &Inner, what: &BlockEntry) -> Result<String, ApiError> {
    let (kind, id) = match what {
        BlockEntry::Release(release) => ("release", release.to_string()),
        BlockEntry::Author(artist) => ("artist", artist.to_string()),
        BlockEntry::Blob(_) => return Err(ApiError::new("bad_link", "a file alone cannot be shared")),
    };
    Ok(with_invite(node, kind, &id))
}

/// Makes a link to a DAO.
pub(crate) fn share_dao(node: &Inner, dao: &DaoId) -> String {
    with_invite(node, "dao", &dao.to_string())
}

/// Makes the short link to a DAO, for a QR code.
pub(crate) fn dao_code(node: &Inner, dao: &DaoId) -> String {
    let Invite { peer, contact } = node.invite();
    code_of(dao, &Invite { peer, contact: contact.short() })
}

fn code_of(dao: &DaoId, invite: &Invite) -> String {
    format!("{SCHEME}dao/{}", invite.code(dao.as_bytes()))
}

fn with_invite(node: &Inner, kind: &str, id: &str) -> String {
    let invite = node.invite().to_string();
    let from = escaped(invite.strip_prefix(SCHEME).unwrap_or(&invite));
    format!("{SCHEME}{kind}/{id}?from={from}")
}

/// Joins by a link and waits for what it leads to.
pub(crate) async fn open(node: &Arc<Inner>, link: &str, wait_ms: Option<u64>) -> Result<Opened, ApiError> {
    let wait = wait_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(MAX_WAIT);
    let events = node.hub.listen();
    let (kind, id, invite) = match parse(link)? {
        Target::Invite(invite) => {
            node.join(&invite).await?;
            let peer = invite.strip_prefix(SCHEME).unwrap_or_default();
            let id = peer.split('?').next().unwrap_or_default().to_owned();
            return Ok(Opened { kind: "joined".into(), id, known: true, unreachable: None });
        }
        Target::Release(release, invite) => ("release", What::Of(BlockEntry::Release(release)), invite),
        Target::Artist(artist, invite) => ("artist", What::Of(BlockEntry::Author(artist)), invite),
        Target::Dao(dao, invite) => ("dao", What::Dao(dao), invite),
    };
    let mut unreachable = None;
    if let Some(invite) = invite {
        match node.join(&invite).await {
            // One's own link leads to what is here.
            Err(error) if error.code == "invite_own" => {}
            Err(error) if is_no_invite(&error) => return Err(error),
            joined => unreachable = joined.err(),
        }
    }
    let known = arrived(node, &id, events, wait).await?;
    let id = match id {
        What::Of(BlockEntry::Release(id)) => id.to_string(),
        What::Of(BlockEntry::Author(id)) => id.to_string(),
        What::Of(BlockEntry::Blob(id)) => id.to_string(),
        What::Dao(id) => id.to_string(),
    };
    Ok(Opened { kind: kind.into(), id, known, unreachable })
}

/// Waits until something is known here, looking whenever the catalogue changes.
async fn arrived(
    node: &Inner,
    what: &What,
    mut events: Receiver<Event>,
    wait: Duration,
) -> Result<bool, ApiError> {
    let waiting = async {
        loop {
            if is_known(node, what).await? {
                return Ok(true);
            }
            if events.recv().await.is_none() {
                return Ok(false);
            }
            while events.try_recv().is_ok() {}
        }
    };
    tokio::time::timeout(wait, waiting).await.unwrap_or(Ok(false))
}

async fn is_known(node: &Inner, what: &What) -> Result<bool, ApiError> {
    Ok(match what {
        What::Of(BlockEntry::Release(release)) => !node.store.release_rows(&[*release]).await?.is_empty(),
        What::Of(BlockEntry::Author(artist)) => node.store.artist(artist).await?.is_some(),
        What::Of(BlockEntry::Blob(_)) => false,
        What::Dao(dao) => node.store.record(dao).await?.is_some(),
    })
}

fn parse(link: &str) -> Result<Target, ApiError> {
    let malformed =
        || ApiError::new("bad_link", "this is not a link of MusicDAO's: those begin with `musicdao:`");
    let link = link.trim();
    let rest = link.strip_prefix(SCHEME).filter(|_| link.len() <= MAX_LINK).ok_or_else(malformed)?;
    // Some systems put slashes behind any scheme.
    let rest = rest.trim_start_matches('/');
    let Some((kind, rest)) = rest.split_once('/') else {
        return Ok(Target::Invite(format!("{SCHEME}{rest}")));
    };
    let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
    let from = query.split('&').find_map(|pair| pair.strip_prefix("from="));
    let invite = match from {
        Some(from) => Some(format!("{SCHEME}{}", unescaped(from).ok_or_else(malformed)?)),
        None => None,
    };
    let id = id.trim_end_matches('/');
    match kind {
        "release" => Ok(Target::Release(id.parse().map_err(|_| malformed())?, invite)),
        "artist" => Ok(Target::Artist(id.parse().map_err(|_| malformed())?, invite)),
        "dao" => match id.parse() {
            Ok(dao) => Ok(Target::Dao(dao, invite)),
            Err(_) => {
                let (dao, invite) = Invite::of_code(id).ok_or_else(malformed)?;
                Ok(Target::Dao(DaoId::from_bytes(dao), Some(invite.to_string())))
            }
        },
        _ => Err(malformed()),
    }
}

/// Escapes what would end the invite inside another link (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '%' => "%25".to_owned(),
        '&' => "%26".to_owned(),
        '#' => "%23".to_owned(),
        '+' => "%2B".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_inside_a_link_comes_out_as_it_was() {
        let invite = "aa?at=%5B::1%5D:1&relay=bb@1.2.3.4:5";
        assert_eq!(unescaped(&escaped(invite)).as_deref(), Some(invite));
        let id = ReleaseId::from_bytes([7; 32]);
        let link = format!(" musicdao://release/{id}?from={}\n", escaped(invite));
        assert_eq!(parse(&link).unwrap(), Target::Release(id, Some(format!("musicdao:{invite}"))));
        assert_eq!(parse(&format!("musicdao:release/{id}")).unwrap(), Target::Release(id, None));
        assert_eq!(parse("musicdao:abc?at=1").unwrap(), Target::Invite("musicdao:abc?at=1".into()));
    }

    #[test]
    fn the_code_of_a_dao_leads_to_it_and_is_short() {
        let addrs = ["203.0.113.7:40123", "192.168.178.34:40123"].map(|addr| addr.parse().unwrap());
        let invite = Invite { peer: PeerId::from_bytes([7; 32]), contact: net::Contact::of(&addrs) };
        let dao = DaoId::from_bytes([9; 32]);
        let code = code_of(&dao, &invite);
        assert_eq!(parse(&code).unwrap(), Target::Dao(dao, Some(invite.to_string())));
        // 134 bytes are what a code of 41 by 41 modules holds.
        assert!(code.len() <= 134, "{} characters", code.len());
        let (text, last) = code.split_at(code.len() - 1);
        let slip = format!("{text}{}", if last == "A" { "E" } else { "A" });
        for wrong in [text, &slip, "musicdao:dao/AAAA"] {
            assert_eq!(parse(wrong).unwrap_err().code, "bad_link", "{wrong}");
        }
    }

    #[test]
    fn other_links_are_refused() {
        let long = format!("musicdao:{}", "a".repeat(MAX_LINK));
        for link in [
            "http://a.example",
            "musicdao:album/1",
            "musicdao:release/1",
            "musicdao:release/?from=%",
            &long,
            "",
        ] {
            assert_eq!(parse(link).unwrap_err().code, "bad_link", "{link:.60}");
        }
    }
}
