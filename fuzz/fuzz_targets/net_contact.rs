//! Invites, and contacts as the DHT stores them: total, and what is accepted is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use net::{Contact, Invite, MAX_INVITE, MAX_RELAYS, wire::MAX_ADDRESSES};

fuzz_target!(|data: &[u8]| {
    if let Ok(contact) = Contact::decode(data) {
        within_limits(&contact);
        assert_eq!(Contact::decode(&contact.encode()), Ok(contact));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(invite) = text.parse::<Invite>()
    {
        within_limits(&invite.contact);
        let written = invite.to_string();
        if written.len() <= MAX_INVITE {
            assert_eq!(written.parse(), Ok(invite));
        }
    }
});

fn within_limits(contact: &Contact) {
    assert!(contact.addrs.len() <= MAX_ADDRESSES && contact.relays.len() <= MAX_RELAYS);
}
