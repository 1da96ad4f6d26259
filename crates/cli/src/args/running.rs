//! The commands to publish and to run a node.

use std::{net::SocketAddr, path::PathBuf};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use node::api::ReportReason;

use crate::id::{IdText, TrackText};

#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    /// UDP address for peers, such as 0.0.0.0:4433; a free port where none is said
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Joins by a friend's link; can be said several times
    #[arg(long, value_name = "INVITE")]
    pub(crate) peer: Vec<String>,
    /// Stays out of the Mainline DHT
    #[arg(long)]
    pub(crate) no_dht: bool,
    /// Neither looks for peers on the LAN nor is found there
    #[arg(long)]
    pub(crate) no_mdns: bool,
    /// Serves the app to browsers on this machine, at a loopback address; the link has the key
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) web: Option<SocketAddr>,
}

/// Parses an address that only this machine reaches.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let addr: SocketAddr =
        text.parse().map_err(|_| format!("`{text}` is not an address such as 127.0.0.1:0"))?;
    match addr.ip().is_loopback() {
        true => Ok(addr),
        false => {
            Err(format!("{addr} can be reached from elsewhere; the app is served at a loopback address only"))
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileAction {
    /// Sets your profile; what is not said stays
    #[command(group(ArgGroup::new("change").args(["name", "bio", "links", "avatar"]).required(true).multiple(true)))]
    Set {
        /// The name to show
        #[arg(long)]
        name: Option<String>,
        /// A few words; empty removes them
        #[arg(long)]
        bio: Option<String>,
        /// A web address; can be said several times
        #[arg(long = "link", value_name = "URL")]
        links: Option<Vec<String>>,
        /// An image file
        #[arg(long, value_name = "FILE")]
        avatar: Option<PathBuf>,
    },
    /// Shows a profile, your own by default
    Show {
        /// Whose: an id, or eight or more of its first digits
        #[arg(value_name = "PEER")]
        peer: Option<IdText>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Files, and folders whose files are taken in order
    #[arg(value_name = "PATH", required_unless_present = "replaces")]
    pub(crate) paths: Vec<PathBuf>,
    /// Your own release that this is a new version of; what is not said stays as it was
    #[arg(long, value_name = "RELEASE")]
    pub(crate) replaces: Option<IdText>,
    /// By default the files' album, else the folder's name, else the first title
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// By default the files' artist, else your name
    #[arg(long)]
    pub(crate) artist: Option<String>,
    /// By default what all files name in their tags, else CC-BY-4.0
    #[arg(long, value_name = "SPDX")]
    pub(crate) license: Option<String>,
    /// YYYY, YYYY-MM or YYYY-MM-DD; by default the files'
    #[arg(long)]
    pub(crate) date: Option<String>,
    /// A tag; can be said several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Liner notes; empty removes them
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// An image file; by default the files' cover
    #[arg(long, value_name = "FILE")]
    pub(crate) cover: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TagAction {
    /// Puts a tag on a release or a track
    Add(TagArgs),
    /// Takes your tag off
    Remove(TagArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// An id, with the number of a track where only that is meant
    #[arg(value_name = "RELEASE[/N]")]
    pub(crate) track: TrackText,
    /// 2 to 50 characters
    pub(crate) tag: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockAction {
    /// Blocks an artist, a release or a file
    Add {
        /// Its id
        id: IdText,
    },
    /// Unblocks
    Remove {
        /// Its id
        id: IdText,
    },
    /// Lists what is blocked
    List,
    /// Offers your list to others, in public
    Share {
        /// The list's name
        name: String,
    },
    /// Blocks what another's list names, now and as it changes
    Subscribe {
        /// The list's id
        list: IdText,
    },
    /// Ends that; what only this list named is not blocked any more
    Unsubscribe {
        /// The list's id
        list: IdText,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HideAction {
    /// Hides
    Add(HideArgs),
    /// Shows again
    Remove(HideArgs),
    /// Lists what is hidden
    List,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct HideArgs {
    /// A release, by its id
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release: Option<IdText>,
    /// An artist, by their id
    #[arg(long, value_name = "ARTIST")]
    pub(crate) artist: Option<IdText>,
    /// A tag
    #[arg(long)]
    pub(crate) tag: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A release's id, or an artist's
    pub(crate) id: IdText,
    /// What is wrong
    #[arg(value_enum, default_value_t = Reason::Other)]
    pub(crate) reason: Reason,
    /// More of it, at most 280 characters
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Takes your report back
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Reason {
    /// Something else; the note says what
    Other,
    /// It is not theirs to publish
    NotTheirs,
    /// It is not what it says it is, or the licence is not right
    Mislabelled,
    /// It only wants attention
    Spam,
    /// It is meant to hurt people
    Harmful,
}

impl From<Reason> for ReportReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Other => Self::Other,
            Reason::NotTheirs => Self::NotTheirs,
            Reason::Mislabelled => Self::Mislabelled,
            Reason::Spam => Self::Spam,
            Reason::Harmful => Self::Harmful,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What is measured
    #[arg(value_name = "BENCH")]
    pub(crate) bench: Bench,
    /// Writes the figures into a folder, as JSON and Markdown
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// What `blob` moves
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) size: u64,
    /// What the process that `blob` starts serves
    #[arg(long, hide = true, required_if_eq("bench", "source"))]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Bench {
    /// From the click to the sound, seeking, finding the LAN, and what an idle daemon costs
    Listen,
    /// From the request to the first sample, in every format, over loopback and over a home's link
    Stream,
    /// How fast verified bytes move, beside BitTorrent
    Blob,
    /// How fast new releases spread, and what catching up costs
    Discovery,
    /// How fast a million tracks are searched while somebody types
    Search,
    /// How fast the app starts, answers and scrolls; in the project's folder, after `make bench-app` built what it needs
    App,
    /// How soon money is seen, how fast a wallet is restored, and what a large one costs, on a Bitcoin chain of its own
    Money,
    /// The part of `listen` that runs in a network of its own
    #[value(hide = true)]
    Lan,
    /// The process that `blob` fetches from
    #[value(hide = true)]
    Source,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Shows the settings
    Get {
        /// Which; all where none is named
        key: Option<String>,
    },
    /// Changes a setting
    Set {
        /// Which
        key: String,
        /// Its new value
        value: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityAction {
    /// Writes your identity to a new file, encrypted with a passphrase
    Export {
        /// A new file
        file: PathBuf,
        /// Reads the passphrase from the first line of a file instead of the terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Does not encrypt: whoever reads the file can publish as you
        #[arg(long, conflicts_with = "passphrase_file")]
        plain: bool,
    },
    /// Publishes as you again, after another node was seen to do so: stop that one first
    TakeOver,
    /// Replaces your identity by that of a file; the node starts anew with it
    Import {
        /// A file that was exported
        file: PathBuf,
        /// Reads the passphrase from the first line of a file instead of the terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}
