//! Prints how releases spread and what catching up costs: `cargo run --release -p sim --example measure [members]`.

use std::time::Duration;

use sim::{Missing, catch_up, discovery};

fn main() {
    let members = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    for seed in 1..=5 {
        println!("{:?}", discovery(members, seed, (Duration::from_millis(10), Duration::from_millis(50))));
    }
    for which in [Missing::Newest, Missing::Random] {
        println!("100,000 records, 200 missing, {which:?}: {:?}", catch_up(100_000, 200, which));
    }
}
