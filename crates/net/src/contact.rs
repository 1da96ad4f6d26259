//! Where a peer may be reached, and the link or QR code that says so to a friend.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
    str::FromStr,
};

use data_encoding::BASE64URL_NOPAD;
use domain::PeerId;
use serde::{Deserialize, Serialize};

use crate::{
    reach::is_global,
    wire::{MAX_ADDRESSES, WireError},
};

/// Most relays one peer may name for itself.
pub const MAX_RELAYS: usize = 4;
/// Most characters of an invite; a QR code of that size is still read by a phone.
pub const MAX_INVITE: usize = 1500;
/// Digits that tell whether an invite is whole: a slip passes once in four thousand million times.
const CHECK_DIGITS: usize = 8;
/// What the check of an invite is derived with.
const CHECK: &str = "musicdao/1 invite";
/// What the check of a code is derived with.
const CODE_CHECK: &str = "musicdao/1 invite code";
/// Bytes of that check.
const CODE_CHECK_LEN: usize = 4;
/// The scheme of an invite's URI.
const SCHEME: &str = "musicdao:";

/// Where a peer may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Its own addresses, best first; at most [`MAX_ADDRESSES`].
    pub addrs: Vec<SocketAddr>,
    /// Peers that introduce or relay to it; at most [`MAX_RELAYS`].
    pub relays: Vec<Relay>,
}

/// A peer that others are reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// Who it is.
    pub peer: PeerId,
    /// Where it is.
    pub addr: SocketAddr,
}

/// A link that brings somebody to a peer: `musicdao:KEY?at=ADDR&relay=KEY@ADDR&check=DIGITS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Who invites.
    pub peer: PeerId,
    /// Where the inviter may be reached.
    pub contact: Contact,
}

/// Says why a text is not an invite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// It is not a link of ours.
    #[error("an invite begins with `musicdao:`")]
    Scheme,
    /// It is longer than [`MAX_INVITE`].
    #[error("an invite of {0} characters is too long")]
    TooLong(usize),
    /// The key is not one.
    #[error("`{0}` is not the key of a peer")]
    Key(String),
    /// An address is not one, or cannot be dialled.
    #[error("`{0}` is not an address")]
    Address(String),
    /// It names too many addresses or relays.
    #[error("an invite names at most {MAX_ADDRESSES} addresses and {MAX_RELAYS} relays")]
    TooMany,
    /// Something of it is missing or was mistyped.
    #[error("the invite is not whole, or has a slip in it; copy all of it")]
    Damaged,
}

impl InviteError {
    /// Returns the stable code that shells match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme | Self::TooLong(_) | Self::TooMany => "invite_malformed",
            Self::Key(_) | Self::Address(_) | Self::Damaged => "invite_damaged",
        }
    }
}

impl Contact {
    /// Makes a contact of addresses alone; those that nobody can be at, and those beyond [`MAX_ADDRESSES`], are left
    /// out.
    pub fn of(addrs: &[SocketAddr]) -> Self {
        let addrs = addrs.iter().copied().filter(is_dialable).take(MAX_ADDRESSES).collect();
        Self { addrs, relays: Vec::new() }
    }

    /// Reads what [`Self::encode`] wrote, from bytes that anybody may have made.
    ///
    /// # Errors
    /// [`WireError`] when they are malformed or name too much.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read: Result<(Self, _), _> = postcard::take_from_bytes(bytes);
        let (contact, _) = read.map_err(|_| WireError::Malformed("contact"))?;
        let dialable = contact.addresses().all(|addr| is_dialable(&addr));
        if !dialable || contact.addrs.len() > MAX_ADDRESSES || contact.relays.len() > MAX_RELAYS {
            return Err(WireError::Malformed("contact"));
        }
        Ok(contact)
    }

    /// Writes the contact for the DHT.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data always serializes")
    }

    /// Keeps the fewest addresses by which somebody in the same room and somebody on the Internet find their way: the best
    /// of either sort, and the best relay that the Internet reaches.
    pub fn short(&self) -> Self {
        let best = |is_far: bool| {
            let mut sort = self.addrs.iter().filter(|addr| is_global(&addr.ip()) == is_far);
            // What most networks have comes first.
            sort.clone().find(|addr| addr.is_ipv4()).or(sort.next()).copied()
        };
        let addrs = best(true).into_iter().chain(best(false)).collect();
        let relays = self.relays.iter().find(|relay| is_global(&relay.addr.ip()));
        Self { addrs, relays: relays.copied().into_iter().collect() }
    }

    fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addrs.iter().copied().chain(self.relays.iter().map(|relay| relay.addr))
    }
}

/// Says whether a packet to this address can mean one host.
pub(crate) fn is_dialable(addr: &SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let reserved = match ip {
        std::net::IpAddr::V4(ip) => ip.is_broadcast() || ip.octets()[0] >= 240,
        std::net::IpAddr::V6(_) => false,
    };
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !reserved
}

impl Invite {
    /// What is checked: all of the link that says something. Brackets of IPv6 addresses are escaped (RFC 3986, section
    /// 3.4), so that the link survives chat programs.
    fn body(&self) -> String {
        let addrs = self.contact.addrs.iter().map(|addr| format!("at={}&", Escaped(addr)));
        let relays = self.contact.relays.iter();
        let relays = relays.map(|relay| format!("relay={}@{}&", relay.peer, Escaped(&relay.addr)));
        format!("{}?{}", self.peer, addrs.chain(relays).collect::<String>())
    }

    /// Writes what it leads to and the invite as short as they can be, as Base64 for URLs without padding (RFC 4648, section
    /// 5): the 32 bytes of what it leads to, the inviter's 32, the contact as in the DHT, and a check of 4 bytes.
    pub fn code(&self, to: &[u8; 32]) -> String {
        let mut bytes = [to.as_slice(), self.peer.as_bytes(), &self.contact.encode()].concat();
        bytes.extend(code_check(&bytes));
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads what [`Self::code`] wrote, from a text that anybody may have made.
    pub fn of_code(text: &str) -> Option<([u8; 32], Self)> {
        let bytes = Some(text).filter(|text| text.len() <= MAX_INVITE)?;
        let bytes = BASE64URL_NOPAD.decode(bytes.as_bytes()).ok()?;
        let (bytes, check) = bytes.split_last_chunk::<CODE_CHECK_LEN>()?;
        let (to, rest) = bytes.split_first_chunk::<32>().filter(|_| code_check(bytes) == *check)?;
        let (peer, contact) = rest.split_first_chunk::<32>()?;
        let contact = Contact::decode(contact).ok()?;
        Some((*to, Self { peer: PeerId::from_bytes(*peer), contact }))
    }

    fn check(&self) -> String {
        let mut digits =
            blake3::Hasher::new_derive_key(CHECK).update(self.body().as_bytes()).finalize().to_hex();
        digits.truncate(CHECK_DIGITS);
        digits.to_string()
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}check={}", self.body(), self.check())
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    /// Parameters of later versions are ignored.
    fn from_str(text: &str) -> Result<Self, InviteError> {
        let text = text.trim();
        if text.len() > MAX_INVITE {
            return Err(InviteError::TooLong(text.len()));
        }
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let rest = &text[scheme.ok_or(InviteError::Scheme)?.len()..];
        let (key, query) = rest.split_once('?').unwrap_or((rest, ""));
        let peer = parse_key(key.trim_start_matches('/').trim_end_matches('/'))?;
        let (mut contact, mut check) = (Contact::default(), None);
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("check", digits)) => check = Some(digits),
                Some(("at", addr)) => contact.addrs.push(parse_addr(addr)?),
                Some(("relay", relay)) => contact.relays.push(parse_relay(relay)?),
                _ => {}
            }
        }
        if contact.addrs.len() > MAX_ADDRESSES || contact.relays.len() > MAX_RELAYS {
            return Err(InviteError::TooMany);
        }
        let invite = Self { peer, contact };
        if check.is_some_and(|check| check.eq_ignore_ascii_case(&invite.check())) {
            Ok(invite)
        } else {
            Err(InviteError::Damaged)
        }
    }
}

fn code_check(bytes: &[u8]) -> [u8; CODE_CHECK_LEN] {
    *blake3::derive_key(CODE_CHECK, bytes).first_chunk().expect("4 of 32 bytes")
}

struct Escaped<'a>(&'a SocketAddr);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '[' => f.write_str("%5B")?,
                ']' => f.write_str("%5D")?,
                '%' => f.write_str("%25")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn parse_key(text: &str) -> Result<PeerId, InviteError> {
    text.parse().map_err(|_| InviteError::Key(excerpt(text)))
}

fn parse_addr(text: &str) -> Result<SocketAddr, InviteError> {
    let unescaped = text.replace("%5B", "[").replace("%5b", "[").replace("%5D", "]").replace("%5d", "]");
    let addr = unescaped.replace("%25", "%").parse().ok().filter(is_dialable);
    addr.ok_or_else(|| InviteError::Address(excerpt(text)))
}

fn parse_relay(text: &str) -> Result<Relay, InviteError> {
    let (peer, addr) = text.split_once('@').ok_or_else(|| InviteError::Key(excerpt(text)))?;
    Ok(Relay { peer: parse_key(peer)?, addr: parse_addr(addr)? })
}

/// Enough of a wrong text to recognise it by.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn addr() -> impl Strategy<Value = SocketAddr> {
        (any::<std::net::IpAddr>(), 1..=u16::MAX)
            .prop_map(SocketAddr::from)
            .prop_filter("dialable", is_dialable)
    }

    fn relay() -> impl Strategy<Value = Relay> {
        (any::<[u8; 32]>(), addr()).prop_map(|(peer, addr)| Relay { peer: PeerId::from_bytes(peer), addr })
    }

    fn contact() -> impl Strategy<Value = Contact> {
        let addrs = proptest::collection::vec(addr(), 0..=MAX_ADDRESSES);
        let relays = proptest::collection::vec(relay(), 0..=MAX_RELAYS);
        (addrs, relays).prop_map(|(addrs, relays)| Contact { addrs, relays })
    }

    proptest! {
        #[test]
        fn an_invite_is_read_as_it_was_written(peer in any::<[u8; 32]>(), contact in contact()) {
            let invite = Invite { peer: PeerId::from_bytes(peer), contact };
            let text = invite.to_string();
            prop_assert!(text.len() <= MAX_INVITE, "{} characters", text.len());
            prop_assert!(!text.contains(['[', ']', ' ']));
            prop_assert_eq!(text.parse(), Ok(invite));
        }

        #[test]
        fn no_cut_and_no_slip_goes_unseen(
            peer in any::<[u8; 32]>(), contact in contact(), place in any::<prop::sample::Index>(), slip in "[!-~]",
        ) {
            let invite = Invite { peer: PeerId::from_bytes(peer), contact };
            let text = invite.to_string();
            let place = place.index(text.len());
            prop_assert!(text[..place].parse::<Invite>().is_err());
            let slipped = format!("{}{slip}{}", &text[..place], &text[place + 1..]);
            // A slip that means the same, such as a capital letter, does no harm.
            prop_assert!(slipped.parse::<Invite>().is_ok_and(|read| read == invite) || slipped.parse::<Invite>().is_err());
        }

        #[test]
        fn a_code_is_read_as_it_was_written(to in any::<[u8; 32]>(), peer in any::<[u8; 32]>(), contact in contact()) {
            let invite = Invite { peer: PeerId::from_bytes(peer), contact };
            let code = invite.code(&to);
            prop_assert_eq!(Invite::of_code(&code), Some((to, invite)));
            prop_assert_eq!(Invite::of_code(&code[1..]), None);
        }

        #[test]
        fn a_contact_is_read_as_it_was_written(contact in contact()) {
            prop_assert_eq!(Contact::decode(&contact.encode()), Ok(contact));
        }

        #[test]
        fn arbitrary_input_never_panics(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = text.parse::<Invite>();
            let _ = Invite::of_code(&text);
            let _ = format!("{SCHEME}{text}").parse::<Invite>();
            let _ = format!("{SCHEME}{KEY}?at={text}&relay={text}").parse::<Invite>();
            let _ = Contact::decode(&bytes);
        }
    }

    fn invite(addr: &str) -> Invite {
        Invite { peer: KEY.parse().unwrap(), contact: Contact::of(&[addr.parse().unwrap()]) }
    }

    #[test]
    fn a_short_contact_has_the_best_address_of_either_sort() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        let relay = |text| Relay { peer: PeerId::from_bytes([1; 32]), addr: addr(text) };
        let addrs =
            ["[2001:db8::1]:1", "[2a00:1::1]:1", "9.9.9.9:1", "9.9.9.8:1", "10.0.0.1:1", "192.168.0.1:1"];
        let whole = Contact {
            addrs: addrs.map(addr).to_vec(),
            relays: vec![relay("10.0.0.2:1"), relay("8.8.8.8:1")],
        };
        let short = whole.short();
        assert_eq!(short.addrs, [addr("9.9.9.9:1"), addr("10.0.0.1:1")]);
        assert_eq!(short.relays, [relay("8.8.8.8:1")]);
        let near = Contact::of(&[addr("127.0.0.1:1")]);
        assert_eq!(near.short(), near);
    }

    #[test]
    fn the_check_is_as_documented() {
        let text = invite("192.0.2.1:4000").to_string();
        assert_eq!(text, format!("musicdao:{KEY}?at=192.0.2.1:4000&check=5c6b94fc"));
        assert_eq!(InviteError::Damaged.code(), "invite_damaged");
    }

    #[track_caller]
    fn refused(text: &str, expected: InviteError) {
        assert_eq!(text.parse::<Invite>(), Err(expected));
    }

    #[test]
    fn people_and_programs_change_links_a_little() {
        let plain = invite("192.0.2.1:4000");
        let check = plain.check();
        for variant in [
            format!("  musicdao:{KEY}?at=192.0.2.1:4000&check={check}\n"),
            format!("MUSICDAO:{KEY}?at=192.0.2.1:4000&check={}", check.to_uppercase()),
            format!("musicdao://{KEY}/?at=192.0.2.1:4000&check={check}"),
            format!("musicdao:{KEY}?at=192.0.2.1:4000&check={check}&later=thing"),
        ] {
            assert_eq!(variant.parse(), Ok(plain.clone()));
        }
        let six = invite("[2001:db8::1]:4000");
        assert_eq!(format!("musicdao:{KEY}?at=[2001:db8::1]:4000&check={}", six.check()).parse(), Ok(six));
    }

    #[test]
    fn what_is_wrong_is_named() {
        refused("https://example.org", InviteError::Scheme);
        refused("musicdao:abc", InviteError::Key("abc".into()));
        refused(&format!("musicdao:{KEY}?at=192.0.2.1:4000"), InviteError::Damaged);
        refused(
            &format!("musicdao:{KEY}?at=192.0.2.1:4001&check={}", invite("192.0.2.1:4000").check()),
            InviteError::Damaged,
        );
        refused(&format!("musicdao:{KEY}?at=here"), InviteError::Address("here".into()));
        refused(&format!("musicdao:{KEY}?at=0.0.0.0:1"), InviteError::Address("0.0.0.0:1".into()));
        refused(&format!("musicdao:{KEY}?relay=x"), InviteError::Key("x".into()));
        refused(&format!("musicdao:{KEY}?{}", "at=192.0.2.1:1&".repeat(17)), InviteError::TooMany);
        refused(&"musicdao:".repeat(200), InviteError::TooLong(1800));
    }
}
