//! A new kind of record from beginning to end: concert dates, published by one member and known by all.
//!
//! `cargo run -p sim --example concert_dates`

use std::time::Duration;

use domain::{Key, Kind, Kinds, RecordError};
use minicbor::{Decode, Encode};
use sim::{Settings, Swarm};

/// An artist plays somewhere. Later fields are optional, so that older readers pass over them.
#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Concert {
    /// The day, like 2026-12-31; an artist plays in one place a day.
    #[n(0)]
    day: String,
    /// The house and the town.
    #[n(1)]
    place: String,
    /// Where to get tickets.
    #[n(2)]
    tickets: Option<String>,
}

impl Kind for Concert {
    /// Numbers from 1024 on are for whoever extends the project.
    const ID: u16 = 1024;
    const NAME: &'static str = "concert";

    /// A later record of the same day replaces the earlier one: the place has changed.
    fn key(&self) -> Key {
        Key::of(&[self.day.as_bytes()])
    }

    /// What does not pass is neither stored nor relayed by anybody who knows the kind.
    fn check(&self) -> Result<(), RecordError> {
        let digits = self.day.bytes().filter(u8::is_ascii_digit).count();
        if self.day.len() != 10 || digits != 8 {
            return Err(RecordError::body("day", format!("`{}` is not like 2026-12-31", self.day)));
        }
        if self.place.is_empty() || self.place.len() > 200 {
            return Err(RecordError::body("place", "is empty or longer than 200 bytes"));
        }
        Ok(())
    }
}

fn main() {
    // The one line where a node is told of the kind.
    let kinds = Kinds::default().with::<Concert>();
    let mut swarm = Swarm::with(Settings { members: 50, seed: 7, kinds, ..Settings::default() }).join_all();

    let concert = Concert { day: "2026-12-31".into(), place: "Paradiso, Amsterdam".into(), tickets: None };
    let record = swarm.publish(3, &concert).expect("the concert passes its own check");
    assert!(swarm.run_until(Duration::from_secs(5), |swarm| swarm.all_hold(&record.id)));
    let last = swarm.arrivals(&record.id).last().copied().unwrap_or_default();
    println!("50 members know of {} within {} ms", concert.place, last.as_millis());

    let moved = Concert { place: "Melkweg, Amsterdam".into(), ..concert };
    let record = swarm.publish(3, &moved).expect("the concert passes its own check");
    assert!(swarm.run_until(Duration::from_secs(5), |swarm| swarm.all_hold(&record.id)));
    assert_eq!(record.read::<Concert>(), Ok(Some(moved)), "the later place took the day");

    let withdrawn = swarm.withdraw(3, &record).expect("it is the artist's own");
    assert!(swarm.run_until(Duration::from_secs(5), |swarm| swarm.all_hold(&withdrawn.id)));
    println!("moved, then withdrawn: everybody knows that too");
}

#[test]
fn it_runs() {
    main();
}
