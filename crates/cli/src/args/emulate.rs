//! The command that emulates a DAO.

use std::path::PathBuf;

use clap::Args;
use sim::dao::{Construction, Partition, Settings};

#[derive(Clone, Debug, Args)]
pub(crate) struct EmulateArgs {
    /// How many members; with `--all`, the most
    #[arg(long, value_name = "N", required_unless_present = "all", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) members: Option<u32>,
    /// Decides everything that happens
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// multi_a, sortedmulti, musig2, frost or committee; by default multi_a up to 100 members and a committee above
    #[arg(long, value_name = "C")]
    pub(crate) construction: Option<Construction>,
    /// How many join
    #[arg(long, value_name = "J", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub(crate) joins: u32,
    /// How many of them at the same time
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub(crate) together: u32,
    /// How many payments are proposed, all at the same time
    #[arg(long, value_name = "P", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=100))]
    pub(crate) payments: u32,
    /// The least and most milliseconds of a link
    #[arg(long, value_name = "MS..MS", default_value = "10..50", value_parser = latency)]
    pub(crate) latency: (u64, u64),
    /// The share of members that is offline at any time, such as 0.1
    #[arg(long, value_name = "F", default_value = "0", value_parser = churn)]
    pub(crate) churn: f64,
    /// A share of members that is split off for so many seconds, such as 0.3:60
    #[arg(long, value_name = "F:SECONDS", value_parser = partition)]
    pub(crate) partition: Option<Partition>,
    /// Emulates every size and construction of the report, two at a time, each in a process of its own
    #[arg(long)]
    pub(crate) all: bool,
    /// Writes `report.html`, `results.csv` and the graphs into a folder
    #[arg(long, value_name = "DIR", required_if_eq("all", "true"))]
    pub(crate) report: Option<PathBuf>,
}

impl EmulateArgs {
    /// Returns what one emulation is of.
    pub(crate) fn settings(&self) -> Settings {
        let count = |count: u32| usize::try_from(count).expect("a usize has 32 bits or more");
        let members = count(self.members.unwrap_or_default());
        Settings {
            members,
            seed: self.seed,
            construction: self.construction.unwrap_or_else(|| Construction::of(members)),
            joins: count(self.joins),
            together: count(self.together),
            payments: count(self.payments),
            latency: self.latency,
            churn: self.churn,
            partition: self.partition,
        }
    }
}

/// Most milliseconds of a link.
const MAX_LATENCY: u64 = 60_000;
/// Longest partition in seconds.
const MAX_PARTITION: u64 = 86_400;

fn latency(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("`{text}` is not a range of milliseconds such as 10..50");
    let (least, most) = text.split_once("..").ok_or_else(wrong)?;
    let (least, most) = (least.parse().map_err(|_| wrong())?, most.parse().map_err(|_| wrong())?);
    (least <= most && most <= MAX_LATENCY).then_some((least, most)).ok_or_else(wrong)
}

fn churn(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is not a share such as 0.1"))
}

fn partition(text: &str) -> Result<Partition, String> {
    let wrong = || format!("`{text}` is not a share and seconds such as 0.3:60");
    let (share, seconds) = text.split_once(':').ok_or_else(wrong)?;
    let share = churn(share).map_err(|_| wrong())?;
    let seconds = seconds.parse::<u64>().ok().filter(|seconds| *seconds <= MAX_PARTITION);
    Ok(Partition { share, millis: seconds.ok_or_else(wrong)? * 1_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_shares_are_what_they_say() {
        assert_eq!(latency("10..50"), Ok((10, 50)));
        assert_eq!(partition("0.3:60"), Ok(Partition { share: 0.3, millis: 60_000 }));
        assert_eq!(churn("0"), Ok(0.0));
        for wrong in ["50..10", "10", "a..b", "1..999999", ""] {
            assert!(latency(wrong).is_err(), "{wrong}");
        }
        for wrong in ["1", "-0.1", "NaN", "some"] {
            assert!(churn(wrong).is_err(), "{wrong}");
            assert!(partition(&format!("{wrong}:5")).is_err(), "{wrong}");
        }
        assert!(partition("0.3").is_err() && partition("0.3:999999").is_err());
    }
}
