//! How long it takes to follow an artist's whole income through the offers: `cargo bench -p treasury` prints a table.
#![expect(clippy::disallowed_methods, reason = "this measures the machine")]

use std::time::{Duration, Instant};

use treasury::{
    bench::{NETWORK, artist, world},
    paying::{Audit, Book, Ledger, Series, Watch, receipts},
};

const PAYMENTS: u32 = 100_000;
const RUNS: usize = 5;

fn main() {
    println!("{:32} {:>8} {:>10} {:>10}", "what", "notes", "p50", "worst");
    for notes in [1, 10, 100, 1_000] {
        let (records, facts) = world(PAYMENTS, notes);
        let book = Book::read(artist().id(), NETWORK, &records);
        let mut watch = Watch::default();
        watch.follow(&book, &facts);
        let ledger = Ledger::of(&book, &watch, &facts);
        assert_eq!((ledger.notes.len(), ledger.is_complete()), (notes as usize, true));
        row("waterfall over 100,000 payments", notes, || drop(Ledger::of(&book, &watch, &facts)));
        row("the same with reading records", notes, || {
            let book = Book::read(artist().id(), NETWORK, &records);
            let audit = Audit::of(&Ledger::of(&book, &watch, &facts)).to_json();
            assert!(audit.len() > 100);
        });
        if notes == 1 {
            row("income by day and supporter", notes, || {
                drop(Series::of(&book, &receipts(&book, &watch, &facts)));
            });
            row("2,000 addresses of a window", notes, || {
                assert!(Watch::default().follow(&book, &facts).is_some());
            });
        }
    }
    println!(
        "\n{RUNS} runs each; {PAYMENTS} outputs, each a transaction with a signed payment; one offer, all notes live."
    );
}

fn row(what: &str, notes: u32, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{what:32} {notes:>8} {:>10.1?} {:>10.1?}", times[RUNS / 2], times[RUNS - 1]);
}

fn now() -> Instant {
    Instant::now()
}
