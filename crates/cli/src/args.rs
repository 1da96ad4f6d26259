//! What can be typed: the commands, their arguments and the one sentence that explains each.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use node::domain::{Network, SlotId};

use crate::id::{ArtistText, IdText, TrackText};

mod dao;
mod emulate;
mod listening;
mod money;
mod running;
mod wallet;

pub(crate) use dao::{BumpArgs, CharterArgs, DaoAction, IntentAction, JoinArgs, ParameterText, ProposalArgs};
pub(crate) use emulate::EmulateArgs;
pub(crate) use listening::{
    DownloadArgs, LibraryAction, PlayArgs, PlayerAction, PlaylistAction, ReleasesArgs, SearchArgs, Switch,
};
pub(crate) use money::{InvestArgs, OfferAction, OfferArgs, PayoutArgs, RefundArgs, TipArgs};
pub(crate) use running::{
    Bench, BenchArgs, BlockAction, ConfigAction, DaemonArgs, HideAction, HideArgs, IdentityAction,
    ProfileAction, PublishArgs, ReportArgs, TagAction,
};
pub(crate) use wallet::{AmountText, ChainAction, PassphraseArgs, PayArgs, SendArgs, WalletAction};

/// Music between strangers: publish, discover, stream and play, with nothing in between.
#[derive(Debug, Parser)]
#[command(name = "musicdao", version, propagate_version = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be said with every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Globals {
    /// The data folder; each holds one identity and its own library
    #[arg(long, global = true, value_name = "DIR", env = "MUSICDAO_DATA", hide_env_values = true)]
    data: Option<PathBuf>,
    /// Prints JSON, one value on one line, and errors as JSON too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Tells on standard error what goes on inside; said twice, in the libraries, too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Without a daemon: how long to wait for the network
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) wait: Duration,
    /// Which Bitcoin: mainnet, signet, testnet4 or regtest; kept in the data folder
    #[arg(long, global = true, value_name = "NET")]
    pub(crate) network: Option<Network>,
    /// A Bitcoin node to use, and no others but those named; can be said several times; kept in the data folder
    #[arg(long = "bitcoin-peer", global = true, value_name = "ADDR")]
    pub(crate) bitcoin_peers: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Searches releases, tracks, artists and tags
    #[command(after_help = "Examples:\n  musicdao search night train\n  musicdao search --remote 'night tr'")]
    Search(SearchArgs),
    /// Lists releases
    #[command(after_help = "Examples:\n  musicdao releases --tag jazz --sort trending\n  \
                            musicdao releases --artist 'Ada L.' --limit 10")]
    Releases(ReleasesArgs),
    /// Shows a release with its tracks
    Show {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "RELEASE")]
        release: IdText,
    },
    /// Plays a release, or one track of it, while it arrives
    #[command(
        after_help = "Examples:\n  musicdao play 3f9a01c2d4\n  musicdao play 3f9a01c2d4/2 --from 60\n  \
                            musicdao play 3f9a01c2d4/1 --output song.wav --seconds 30"
    )]
    Play(PlayArgs),
    /// Saves the files of a release into a folder, and shares them on
    Download(DownloadArgs),
    /// Lists the releases that are kept whole on this disk, or are to be
    Downloads,
    /// Shows the words of a track, where its file has some
    Lyrics {
        /// A release's id with the number of a track
        #[arg(value_name = "RELEASE/N")]
        track: TrackText,
    },
    /// Commands the daemon's player
    #[command(subcommand)]
    Player(PlayerAction),

    /// Keeps what you saved, your own files and your history
    #[command(subcommand)]
    Library(LibraryAction),
    /// Keeps private lists of tracks
    #[command(subcommand)]
    Playlist(PlaylistAction),
    /// Likes a release or a track, in public
    Like {
        /// An id, with the number of a track where only that is meant
        #[arg(value_name = "RELEASE[/N]")]
        track: TrackText,
        /// Takes the like back
        #[arg(long)]
        remove: bool,
    },
    /// Takes a like back
    Unlike {
        /// An id, with the number of a track where only that is meant
        #[arg(value_name = "RELEASE[/N]")]
        track: TrackText,
    },
    /// Follows an artist, or lists whom you follow
    Follow {
        /// The artist's id or name; none lists whom you follow
        #[arg(value_name = "ARTIST", conflicts_with = "list")]
        artist: Option<ArtistText>,
        /// Tells everybody; otherwise nobody learns of it
        #[arg(long, requires = "artist")]
        public: bool,
        /// Unfollows
        #[arg(long, requires = "artist", conflicts_with = "public")]
        remove: bool,
        /// Lists whom you follow
        #[arg(long)]
        list: bool,
    },
    /// Tags a release or a track, in public
    #[command(subcommand)]
    Tag(TagAction),

    /// Sets and shows who you are to others
    #[command(subcommand)]
    Profile(ProfileAction),
    /// Publishes audio files as one release; you declare that you have the right to
    #[command(after_help = "Examples:\n  musicdao publish ~/album --tag jazz --license CC-BY-SA-4.0\n  \
                            musicdao publish song.flac --title 'A song' --artist Ada --cover front.jpg")]
    Publish(PublishArgs),
    /// Withdraws your own release everywhere
    Withdraw {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "RELEASE")]
        release: IdText,
    },
    /// Keeps a release complete and serves it, or lists what you seed
    Seed {
        /// The release's id; none lists what you seed
        #[arg(value_name = "RELEASE", conflicts_with = "list")]
        release: Option<IdText>,
        /// Stops seeding it
        #[arg(long, requires = "release")]
        remove: bool,
        /// Lists what you seed
        #[arg(long)]
        list: bool,
    },

    /// Keeps your own money: Bitcoin
    #[command(subcommand)]
    Wallet(WalletAction),
    /// Pays an artist, who need not be there
    #[command(after_help = "Examples:\n  musicdao tip 3f9a01c2d4 5000 --memo 'for the last song'\n  \
                            musicdao tip 3f9a01c2d4 0.0001btc --dry-run\n  musicdao tip --waiting")]
    Tip(TipArgs),
    /// Lists the tips you gave and were given
    Tips {
        /// At most so many
        #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// After so many
        #[arg(long, value_name = "N", default_value = "0")]
        offset: u32,
    },
    /// Answers a tip or an investment, in public
    Thank {
        /// The tip's or note's id
        #[arg(value_name = "PAYMENT")]
        payment: SlotId,
        /// At most 280 characters
        text: String,
    },
    /// Offers a part of your income to investors, and shows what others offer
    #[command(subcommand)]
    Offer(OfferAction),
    /// Invests in an offer; all of it can be lost
    Invest(InvestArgs),
    /// Lists your investments and what came back
    Notes,
    /// Pays investors, collaborators and fans with one payment
    #[command(after_help = "Examples:\n  musicdao payout 3f9a01c2d4 --dry-run\n  \
                            musicdao payout 3f9a01c2d4 --amount 0.001btc")]
    Payout(PayoutArgs),
    /// Gives an investment back
    Refund(RefundArgs),
    /// Shows what came in, by day, release and supporter
    Income,
    /// Recomputes what an artist owes to whom, from signed records and the chain alone
    Audit {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "ARTIST")]
        artist: IdText,
    },
    /// Shares one treasury with others: found, join, propose, vote, leave
    #[command(subcommand)]
    Dao(DaoAction),
    /// Tells of the Bitcoin network
    #[command(subcommand)]
    Chain(ChainAction),

    /// Runs a node until it is stopped; all other commands then talk to it
    #[command(after_help = "Examples:\n  musicdao daemon\n  \
                            musicdao --data /srv/seed daemon --listen 0.0.0.0:4433 --no-mdns")]
    Daemon(DaemonArgs),
    /// Ends the daemon
    Stop,
    /// Prints a link that lets a friend in
    Invite {
        /// Draws the link as a QR code, too
        #[arg(long)]
        qr: bool,
    },
    /// Prints a link that leads to a release or an artist
    Share {
        /// A release's id, or an artist's
        id: IdText,
    },
    /// Opens a link to a release or an artist, and joins by it
    Open {
        /// A link that begins with `musicdao:`
        link: String,
    },
    /// Joins by a friend's link
    Join {
        /// A link that begins with `musicdao:`
        invite: String,
    },
    /// Lists who is connected
    Peers,
    /// Keeps artists, releases and tags out of your lists and searches; nobody learns of it
    #[command(subcommand)]
    Hide(HideAction),
    /// Tells those who follow you that something is wrong with a release or an artist
    #[command(
        after_help = "Examples:\n  musicdao report 3f9a01c2d4 not-theirs --note 'published by Ada in 2019'\n  \
                            musicdao report 3f9a01c2d4 --remove"
    )]
    Report(ReportArgs),
    /// Blocks artists, releases and files: not shown, stored or passed on
    #[command(subcommand)]
    Block(BlockAction),

    /// Shows how the node is
    Status,
    /// Shows what this node served and fetched; only you are told
    Stats,
    /// Reads and writes settings
    #[command(subcommand)]
    Config(ConfigAction),
    /// Moves your identity to another machine, or keeps it safe
    #[command(subcommand)]
    Identity(IdentityAction),
    /// Checks the surroundings and says what is wrong; then it ends with 1
    Doctor {
        /// Writes checks, settings and logs into a `.tar.gz` for you to read before you share it
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
        /// Renames a database that is damaged, so that the next start begins with an empty one; daemon stopped
        #[arg(long, conflicts_with = "bundle")]
        set_aside_database: bool,
    },
    /// Measures, and tells each figure with how it was taken and what it has to beat
    Bench(BenchArgs),
    /// Runs a DAO of many members in this process, over a simulated network, and reports what it costs
    #[command(after_help = "Examples:\n  musicdao emulate --members 20 --seed 7 --report scaling\n  \
                            musicdao emulate --members 100 --construction musig2 --churn 0.1 --partition 0.3:60 \
                            --report scaling\n  musicdao emulate --all --report scaling")]
    Emulate(EmulateArgs),
    /// Prints completions for a shell
    #[command(
        after_help = "Example:\n  musicdao completions bash > ~/.local/share/bash-completion/completions/musicdao"
    )]
    Completions {
        /// Which
        shell: Shell,
    },
    /// Prints the manual page, or writes the pages of all commands into a folder
    Man {
        /// An existing or new folder
        #[arg(value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

impl Globals {
    /// Returns the data folder that was named, else the user's own.
    pub(crate) fn data(&self) -> PathBuf {
        let own =
            || directories::ProjectDirs::from("", "", "musicdao").map(|dirs| dirs.data_dir().to_owned());
        let data = self.data.clone().or_else(own).unwrap_or_else(|| PathBuf::from(".musicdao"));
        // Without a current folder it still means what it says.
        std::path::absolute(&data).unwrap_or(data)
    }

    /// Returns the data folder where only the command line names it.
    pub(crate) fn named_data(&self) -> Option<PathBuf> {
        let named = self
            .data
            .as_ref()
            .filter(|data| std::env::var_os("MUSICDAO_DATA").as_deref() != Some(data.as_os_str()));
        named.map(|_| self.data())
    }
}

impl Command {
    /// Says whether the command makes no sense without a daemon: the player's queue lives as long as its node.
    pub(crate) fn needs_daemon(&self) -> bool {
        match self {
            Self::Player(action) => !matches!(action, PlayerAction::Devices),
            // The key is forgotten when its node ends.
            Self::Wallet(action) => matches!(action, WalletAction::Unlock { .. } | WalletAction::Lock),
            _ => false,
        }
    }
}

/// Parses a span of time in seconds, at most a year.
fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=YEAR).contains(seconds));
    let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    span.ok_or_else(|| format!("`{text}` is not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["-1", "inf", "NaN", "1e300", "soon", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
