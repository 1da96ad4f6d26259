//! Messages of the swarm: total over all bytes, and what is accepted is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peer::wire::Message;

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
});
