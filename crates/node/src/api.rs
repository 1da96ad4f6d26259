//! The one Api for every shell: what can be asked of a node, what it answers, and what it tells unasked.
//!
//! A shell in the same process calls [`crate::Api::call`]; the daemon's loopback socket carries the same types as JSON.
//! `crates/node/bindings/api.ts` is generated from them.

use std::path::PathBuf;

use derive_more::From;
use domain::{BlobHash, PeerId, ReleaseId, SlotId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod careful;
mod caution;
mod dao;
mod keeping;
mod money;
mod player;
mod studio;
mod wallet;

pub use careful::{
    Backup, Hidden, HiddenThing, HideCommand, HideTarget, IdentityRef, ReportInfo, ReportReason, Words,
};
pub use caution::Caution;
pub use dao::{
    Dao, DaoAudit, DaoCharter, DaoChoice, DaoCommand, DaoConstruction, DaoCreated, DaoIncident, DaoIntent,
    DaoMember, DaoMembership, DaoOutput, DaoPart, DaoPolicy, DaoProposal, DaoProposalState, DaoProposals,
    DaoRecovered, DaoRefund, DaoRefunds, DaoSigning, DaoStage, DaoStarted, DaoState, DaoSummary, DaoTurn,
    Daos,
};
pub use keeping::{
    HistoryEntry, Library, LibraryCommand, LibraryTotals, LocalFile, Playlist, PlaylistCommand, PlaylistItem,
    Playlists,
};
pub use money::{
    Audit, Example, Income, IncomeOf, Invested, MoneyCommand, Note, NoteStatus, Notes, Offer, Offers,
    PaidOut, Pay, Payment, Payments, PayoutLine, Reward, Split, Tipped,
};
pub use player::{
    Devices, GainMode, Listed, Lyrics, PlayerCommand, PlayerState, Queue, QueueEntry, QueueItem, Repeat,
};
pub use studio::{Draft, DraftCover, DraftTrack, Publish, PublishTrack, Skipped};
pub use wallet::{
    ChainStatus, Coin, Coins, Drill, Fee, Fees, Labels, NewWallet, PayTo, Receive, Recipient, Sent, Spend,
    TextFile, TransactionState, WalletCommand, WalletHistory, WalletStatus, WalletTransaction,
};

/// Names a long piece of work, so that its progress can be told and it can be cancelled. The caller chooses it.
pub type JobId = String;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
pub enum Request {
    /// How the node is.
    Status,
    /// A link that lets a friend in.
    Invite,
    /// A link that brings somebody to a release or an artist, and in.
    Share {
        /// Which release.
        #[ts(as = "Option<String>")]
        release: Option<ReleaseId>,
        /// Or which artist.
        #[ts(as = "Option<String>")]
        artist: Option<PeerId>,
    },
    /// Opens any `musicdao:` link: joins by it, and says what it leads to.
    Open {
        /// The link.
        link: String,
        /// How long a release that is not known yet is waited for; 10,000 where none is said.
        wait_ms: Option<u64>,
    },
    /// Who is connected.
    Peers,
    /// Joins by a friend's link.
    Join {
        /// A `musicdao:` link.
        invite: String,
    },
    /// Sets the own profile.
    ProfileSet(ProfileEdit),
    /// Shows a profile; the own one by default.
    ProfileShow {
        /// Whose.
        #[ts(as = "Option<String>")]
        peer: Option<PeerId>,
    },
    /// Looks into files, folders and archives before they are published.
    Inspect {
        /// Which.
        #[ts(as = "Vec<String>")]
        paths: Vec<PathBuf>,
        /// For progress and cancelling.
        job: Option<JobId>,
    },
    /// Deletes uploads and unpacked files that are not to be published after all; files elsewhere stay.
    Discard {
        /// Which.
        #[ts(as = "Vec<String>")]
        paths: Vec<PathBuf>,
    },
    /// Publishes files as one release, or an own release anew.
    Publish(Publish),
    /// Lists releases.
    Releases(ReleaseQuery),
    /// Searches releases, tracks, artists and tags.
    Search(SearchQuery),
    /// Lists the tags that are shown most.
    TagsTop {
        /// At most so many; 100 where none is said, 1,000 at most.
        limit: Option<u32>,
    },
    /// Shows one release.
    Show {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
    },
    /// Plays to an output of its own until the end, and reports.
    Play(Play),
    /// Gives the words of a track, where its file has some.
    Lyrics {
        /// Which.
        item: QueueItem,
    },
    /// Commands the player that has the queue.
    Player(PlayerCommand),
    /// Shows a part of the player's queue.
    Queue {
        /// After so many.
        offset: u32,
        /// At most so many; 100 where none is said, 1,000 at most.
        limit: Option<u32>,
    },
    /// Lists the sound devices that the player can be sent to.
    Devices,
    /// Saves a release's files into a folder.
    Download {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
        /// An existing or new folder; by default one of its own in the user's music folder.
        #[ts(as = "Option<String>")]
        to: Option<PathBuf>,
        /// For progress and cancelling.
        job: Option<JobId>,
    },
    /// Lists the releases that are kept whole on this disk, or are to be.
    Downloads,
    /// Puts a tag on a release or takes it off.
    Tag {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
        /// The track's number from 1, or the whole release.
        track: Option<u16>,
        /// The word.
        tag: String,
        /// Takes it off instead.
        remove: bool,
    },
    /// Likes a release in public, or takes it back.
    Like {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
        /// The track's number from 1, or the whole release.
        track: Option<u16>,
        /// Takes it back instead.
        remove: bool,
    },
    /// Withdraws one's own release.
    Withdraw {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
    },
    /// Blocks, unblocks, lists what is blocked.
    Block(BlockCommand),
    /// Keeps something out of one's own lists and searches; nobody learns of it.
    Hide(HideCommand),
    /// Tells one's followers that something is wrong with a release or an artist, or takes that back.
    Report {
        /// Which release.
        #[ts(as = "Option<String>")]
        release: Option<ReleaseId>,
        /// Or which artist.
        #[ts(as = "Option<String>")]
        artist: Option<PeerId>,
        /// What is wrong.
        reason: ReportReason,
        /// More of it in words, at most 280 characters.
        note: Option<String>,
        /// Takes the own report back instead.
        #[serde(default)]
        remove: bool,
    },
    /// Follows or unfollows an artist.
    Follow {
        /// Whom.
        #[ts(as = "String")]
        artist: PeerId,
        /// Tells everybody.
        public: bool,
        /// Unfollows instead.
        remove: bool,
    },
    /// Lists whom this node follows.
    Follows,
    /// What is saved, played and stored here.
    Library(LibraryCommand),
    /// The private playlists.
    Playlist(PlaylistCommand),
    /// Keeps a release's files and serves them, or stops doing so.
    Seed {
        /// Which; all that are seeded are listed where none is named.
        #[ts(as = "Option<String>")]
        release: Option<ReleaseId>,
        /// Stops instead.
        remove: bool,
        /// For progress and cancelling.
        job: Option<JobId>,
    },
    /// What this node served and fetched.
    Stats,
    /// Checks the node's surroundings and says what is wrong in words.
    Doctor,
    /// The own Bitcoin wallet.
    Wallet(WalletCommand),
    /// Tips, offers, investments, payouts and audits.
    Money(MoneyCommand),
    /// The DAOs and their treasuries.
    Dao(DaoCommand),
    /// Reads a setting, or all.
    ConfigGet {
        /// Which; all where none is named.
        key: Option<String>,
    },
    /// Writes a setting.
    ConfigSet {
        /// Which.
        key: String,
        /// Its new value.
        value: String,
    },
    /// Writes the identity to a file; encrypted where there is a passphrase.
    IdentityExport {
        /// A new file.
        #[ts(as = "String")]
        file: PathBuf,
        /// Encrypts the file.
        passphrase: Option<String>,
    },
    /// Replaces the identity by that of a file. The node starts anew with it.
    IdentityImport {
        /// A file that was exported.
        #[ts(as = "String")]
        file: PathBuf,
        /// Decrypts the file.
        passphrase: Option<String>,
    },
    /// Gives the identity as an encrypted text, for a shell that keeps it itself.
    IdentityBackup {
        /// Encrypts it.
        passphrase: String,
    },
    /// Gives the identity as words to write down. Whoever reads them can publish as this identity.
    IdentityWords,
    /// Replaces the identity by that of a text: a backup, an exported file's content, or the words. The node starts
    /// anew with it.
    IdentityRestore {
        /// The text.
        text: String,
        /// Decrypts it.
        passphrase: Option<String>,
    },
    /// Publishes with this identity again, after another node was seen to use it.
    IdentityTakeOver,
    /// Lists the long pieces of work that are under way.
    Jobs,
    /// Stops a long piece of work.
    Cancel {
        /// The job's name.
        job: JobId,
    },
    /// Ends the node.
    Shutdown,
}

/// What is answered, by the request it answers.
#[derive(Clone, Debug, Serialize, Deserialize, TS, From)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Invite`].
    Invite(Invite),
    /// To [`Request::Share`].
    Link(Link),
    /// To [`Request::Open`].
    Opened(Opened),
    /// To [`Request::Peers`].
    Peers(Peers),
    /// To [`Request::ProfileSet`] and [`Request::ProfileShow`].
    Profile(Profile),
    /// To [`Request::Inspect`].
    Draft(Draft),
    /// To [`Request::Publish`].
    Published(Published),
    /// To [`Request::Releases`].
    Releases(Releases),
    /// To [`Request::Search`].
    Search(SearchResults),
    /// To [`Request::TagsTop`].
    TagsTop(TagsTop),
    /// To [`Request::Show`].
    Release(ReleaseDetail),
    /// To [`Request::Play`].
    Played(Played),
    /// To [`Request::Player`].
    Player(PlayerState),
    /// To [`Request::Lyrics`].
    Lyrics(Lyrics),
    /// To [`Request::Queue`].
    Queue(Queue),
    /// To [`Request::Devices`].
    Devices(Devices),
    /// To [`Request::Download`].
    Downloaded(Downloaded),
    /// To [`Request::Downloads`].
    Downloads(Downloads),
    /// To [`Request::Tag`].
    Tags(Tags),
    /// To [`Request::Like`] and [`Request::Withdraw`].
    ReleaseRef(ReleaseRef),
    /// To [`Request::Block`].
    Blocked(Blocked),
    /// To [`Request::Hide`].
    Hidden(Hidden),
    /// To [`Request::Follow`] and [`Request::Follows`].
    Follows(Follows),
    /// To [`Request::Library`].
    Library(Library),
    /// To [`Request::Playlist`].
    Playlists(Playlists),
    /// To [`Request::Seed`].
    Seeds(Seeds),
    /// To [`Request::Stats`].
    Stats(Stats),
    /// To [`Request::Doctor`].
    Doctor(Doctor),
    /// To [`Request::ConfigGet`] and [`Request::ConfigSet`].
    Config(ConfigValues),
    /// To [`Request::IdentityExport`], [`Request::IdentityImport`], [`Request::IdentityRestore`] and
    /// [`Request::IdentityTakeOver`].
    Identity(IdentityRef),
    /// To [`Request::IdentityBackup`] and [`WalletCommand::Backup`].
    Backup(Backup),
    /// To [`Request::IdentityWords`] and [`WalletCommand::Words`].
    Words(Words),
    /// To [`WalletCommand::Status`] and all that changes no more than it shows.
    Wallet(WalletStatus),
    /// To [`WalletCommand::Create`].
    NewWallet(NewWallet),
    /// To [`WalletCommand::Drill`].
    Drill(Drill),
    /// To [`WalletCommand::Address`].
    Receive(Receive),
    /// To [`WalletCommand::Parse`].
    PayTo(PayTo),
    /// To [`WalletCommand::Send`], [`WalletCommand::Bump`] and [`DaoCommand::Bump`].
    Sent(Sent),
    /// To [`WalletCommand::History`].
    WalletHistory(WalletHistory),
    /// To [`WalletCommand::HistoryCsv`] and [`WalletCommand::LabelsExport`].
    File(TextFile),
    /// To [`WalletCommand::Coins`] and [`WalletCommand::Freeze`].
    Coins(Coins),
    /// To [`WalletCommand::LabelsImport`].
    Labels(Labels),
    /// To [`WalletCommand::Chain`].
    Chain(ChainStatus),
    /// To [`MoneyCommand::Tip`].
    Tipped(Tipped),
    /// To [`MoneyCommand::Payments`].
    Payments(Payments),
    /// To [`MoneyCommand::OfferCreate`] and [`MoneyCommand::OfferShow`].
    Offer(Offer),
    /// To [`MoneyCommand::Offers`].
    Offers(Offers),
    /// To [`MoneyCommand::Invest`].
    Invested(Invested),
    /// To [`MoneyCommand::Notes`].
    Notes(Notes),
    /// To [`MoneyCommand::Payout`] and [`MoneyCommand::Refund`].
    PaidOut(PaidOut),
    /// To [`MoneyCommand::Income`].
    Income(Income),
    /// To [`MoneyCommand::Audit`].
    Audit(Audit),
    /// To [`DaoCommand::Create`].
    DaoCreated(DaoCreated),
    /// To [`DaoCommand::List`].
    Daos(Daos),
    /// To [`DaoCommand::Show`] and [`DaoCommand::Delegate`].
    Dao(Box<Dao>),
    /// To [`DaoCommand::Join`], [`DaoCommand::Vouch`] and [`DaoCommand::Leave`].
    DaoMembership(DaoMembership),
    /// To [`DaoCommand::Start`].
    DaoStarted(DaoStarted),
    /// To [`DaoCommand::Propose`] and [`DaoCommand::Vote`].
    DaoProposal(DaoProposal),
    /// To [`DaoCommand::Proposals`].
    DaoProposals(DaoProposals),
    /// To [`DaoCommand::Refunds`].
    DaoRefunds(DaoRefunds),
    /// To [`DaoCommand::Recover`].
    DaoRecovered(DaoRecovered),
    /// To [`DaoCommand::Audit`].
    DaoAudit(DaoAudit),
    /// To [`Request::Jobs`].
    Jobs(Jobs),
    /// To [`Request::Join`], [`Request::Discard`], [`Request::Report`], [`Request::Cancel`], [`Request::Shutdown`],
    /// [`WalletCommand::Label`] and [`MoneyCommand::Thank`].
    Done(Done),
}

/// What went wrong: a code that never changes for programs, words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Stable, snake_case.
    pub code: String,
    /// One sentence that says what happened and what to do.
    pub message: String,
}

/// What the node tells unasked. A reader that stops reading misses events; it never stalls the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A release is new here, or has changed.
    Release {
        /// Which.
        #[ts(as = "String")]
        release_id: ReleaseId,
        /// Its title.
        title: String,
        /// Its artist.
        artist: String,
    },
    /// A release is gone: withdrawn, blocked or forgotten.
    ReleaseGone {
        /// Which.
        #[ts(as = "String")]
        release_id: ReleaseId,
    },
    /// Tags, likes or profiles have changed.
    CatalogueChanged,
    /// What is saved, listed, followed, hidden, blocked, kept or played here has changed.
    LibraryChanged,
    /// Somebody connected.
    PeerUp {
        /// Who.
        #[ts(as = "String")]
        peer_id: PeerId,
        /// How.
        path: Path,
    },
    /// Somebody went.
    PeerDown {
        /// Who.
        #[ts(as = "String")]
        peer_id: PeerId,
    },
    /// A long piece of work went on.
    Progress(Progress),
    /// A remote result of a search that is under way.
    Found {
        /// The search's text.
        query: String,
        /// What was found.
        result: SearchResult,
    },
    /// A long piece of work is over.
    JobEnded {
        /// The job's name.
        job: JobId,
        /// The release that came of it, where one was published.
        #[ts(as = "Option<String>")]
        release_id: Option<ReleaseId>,
        /// Why it came to nothing.
        error: Option<ApiError>,
    },
    /// The player changed, in anything but the place in the track.
    Player(PlayerState),
    /// The sound went on; told twice a second while it does.
    Position {
        /// Where in the current track.
        position_ms: u64,
        /// Up to where it can be played without waiting.
        buffered_ms: u64,
    },
    /// The queue changed: [`Request::Queue`] shows it.
    Queue {
        /// Grows with every change.
        version: u64,
        /// How many entries it has.
        length: u64,
    },
    /// Somebody else publishes with this identity: this node only reads from now on.
    IdentityInUseElsewhere,
    /// The wallet was made, locked or unlocked, or its balance, history or labels have changed.
    WalletChanged,
    /// Somebody pays this wallet.
    Payment {
        /// Names the payment.
        txid: String,
        /// How much it brings.
        amount_sat: u64,
        /// What it is: a tip, an investment, a payout; none for others.
        purpose: Option<String>,
        /// Blocks on it: told when it is first seen, and again with its first block.
        confirmations: u32,
    },
    /// A DAO changed: its members, its coin, a proposal or the signatures of a transaction.
    DaoChanged {
        /// Which.
        #[ts(as = "String")]
        dao_id: SlotId,
    },
    /// The Bitcoin network went on; told at most once a second.
    Chain {
        /// The newest block.
        height: u32,
        /// Whether that is the newest that the peers know.
        synced: bool,
        /// How many Bitcoin nodes are connected.
        peers: u32,
    },
    /// Something the user should know, in words.
    Warning(ApiError),
    /// So many events were dropped because the reader was slow.
    Dropped {
        /// How many.
        count: u64,
    },
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Progress {
    /// The job's name.
    pub job: JobId,
    /// What is being done: `reading`, `storing` or `fetching`.
    pub stage: String,
    /// The file or track at hand.
    pub item: String,
    /// What `done` and `total` count.
    pub unit: Unit,
    /// Done so far.
    pub done: u64,
    /// The whole.
    pub total: u64,
}

/// What progress is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files.
    Files,
}

/// What is under way.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Jobs {
    /// In the order in which they began.
    pub jobs: Vec<JobInfo>,
}

/// One long piece of work.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobInfo {
    /// Its name.
    pub job: JobId,
    /// What is done: the method that was asked for, such as `publish`.
    pub kind: String,
    /// How long it has been under way.
    pub running_ms: u64,
    /// How far it is, where it has told.
    pub progress: Option<Progress>,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// Without anybody in between.
    Direct,
    /// Through a peer that carries sealed packets.
    Relayed,
}

/// How the node is.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Status {
    /// Who this node is.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// The own name, where set.
    pub name: Option<String>,
    /// The program's version.
    pub version: String,
    /// The data folder.
    pub data: String,
    /// Addresses this node listens on.
    pub listen: Vec<String>,
    /// Connected peers.
    pub peers: u64,
    /// Of them those in the same building: at a private or a link-local address.
    pub nearby: u64,
    /// Of them those reached without anybody in between.
    pub direct: u64,
    /// Of them those reached through another peer.
    pub relayed: u64,
    /// Whether anybody is connected.
    pub online: bool,
    /// Whether nobody is connected and some are looked for.
    pub searching: bool,
    /// Whether the network costs by volume, as the setting says.
    pub metered: bool,
    /// Whether neither history nor cache remember what is played, as the setting says.
    pub private_session: bool,
    /// Whether nothing was done here yet: no profile, nothing published, saved or added.
    pub fresh: bool,
    /// Known releases.
    pub releases: u64,
    /// Signed records kept.
    pub records: u64,
    /// Bytes of music stored.
    pub stored_bytes: u64,
    /// Since the start.
    pub uptime_ms: u64,
    /// False while an import waits for the swarm, or the identity is used elsewhere.
    pub can_publish: bool,
    /// Events dropped because a reader was slow.
    pub dropped_events: u64,
}

/// A link that lets a friend in.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Invite {
    /// A `musicdao:` link.
    pub invite: String,
    /// How many addresses of other machines' reach and how many helpers it names. With none it leads here only on this
    /// machine, or where the friend finds this node by itself: in the same network, or by the DHT.
    pub ways: u64,
}

/// A link to share.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Link {
    /// A `musicdao:` link.
    pub link: String,
}

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Opened {
    /// `joined`, `release` or `artist`.
    pub kind: String,
    /// The release or the artist; the peer for a plain invite.
    pub id: String,
    /// Whether the release or the artist is known here by now.
    pub known: bool,
    /// Why whoever gave the link could not be reached.
    pub unreachable: Option<ApiError>,
}

/// Who is connected.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Peers {
    /// In order of id.
    pub peers: Vec<PeerInfo>,
}

/// One connected peer.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct PeerInfo {
    /// Who.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// The name of its profile, where known.
    pub name: Option<String>,
    /// How it is reached.
    pub path: Path,
    /// Round trip.
    pub rtt_ms: f64,
}

/// What to change of the own profile; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct ProfileEdit {
    /// The name to show.
    pub name: Option<String>,
    /// A few words; empty removes them.
    pub bio: Option<String>,
    /// Web addresses.
    pub links: Option<Vec<String>>,
    /// An image file.
    #[ts(as = "Option<String>")]
    pub avatar: Option<PathBuf>,
}

/// Who somebody is.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Profile {
    /// Who.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// The name to show; null where nobody has seen a profile.
    pub name: Option<String>,
    /// A few words.
    pub bio: Option<String>,
    /// Web addresses.
    pub links: Vec<String>,
    /// Image.
    #[ts(as = "Option<String>")]
    pub avatar: Option<BlobHash>,
    /// How many releases of theirs are known.
    pub releases: u64,
    /// How many people follow them in public.
    pub followers: u64,
    /// Whether this node follows them.
    pub followed: bool,
    /// Whether it is this node's own.
    pub mine: bool,
    /// What people one follows find wrong with them.
    pub reports: Vec<ReportInfo>,
}

/// What was published.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Published {
    /// Keeps through all edits.
    #[ts(as = "String")]
    pub release_id: ReleaseId,
    /// In playing order.
    pub tracks: Vec<TrackInfo>,
    /// What was odd about the files, in words.
    pub warnings: Vec<String>,
}

/// One track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct TrackInfo {
    /// From 1.
    pub number: u16,
    /// The track's title.
    pub title: String,
    /// The track's artist, where it is not the release's.
    pub artist: Option<String>,
    /// BLAKE3 of the file.
    #[ts(as = "String")]
    pub blob: BlobHash,
    /// Bytes.
    pub size: u64,
    /// Exact length.
    pub duration_ms: u64,
    /// `mp3`, `flac`, `vorbis`, `opus`, `wav` or `aac`.
    pub codec: String,
    /// Integrated loudness in LUFS.
    pub loudness: Option<f32>,
    /// Bytes of it that are here.
    pub have: u64,
    /// How many like it.
    pub likes: u64,
    /// Whether one likes it oneself, in public.
    pub liked: bool,
}

/// Which releases to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ReleaseQuery {
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only by this artist: an id or a name.
    pub artist: Option<String>,
    /// Only under this licence (SPDX).
    pub license: Option<String>,
    /// Only by artists whom one follows.
    pub followed: bool,
    /// Only what one likes.
    pub liked: bool,
    /// Only what shares tags with this release, the most similar first; nothing else of the query counts then but its
    /// limit.
    #[ts(as = "Option<String>")]
    pub similar_to: Option<ReleaseId>,
    /// In which order.
    pub sort: Sort,
    /// At most so many; 100 where none is said, 1,000 at most.
    pub limit: Option<u32>,
    /// After so many.
    pub offset: u32,
}

/// Orders of releases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Newest first.
    #[default]
    New,
    /// Most liked and tagged lately.
    Trending,
    /// By title.
    Title,
}

/// Releases.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Releases {
    /// In the order that was asked for.
    pub releases: Vec<ReleaseInfo>,
    /// How many there are, on whatever page.
    pub total: u64,
}

/// One release in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ReleaseInfo {
    /// Which.
    #[ts(as = "String")]
    pub release_id: ReleaseId,
    /// Its title.
    pub title: String,
    /// Its artists as they want to be named.
    pub artist: String,
    /// Who signed it.
    #[ts(as = "String")]
    pub artist_id: PeerId,
    /// SPDX.
    pub license: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub date: Option<String>,
    /// How many tracks.
    pub track_count: u16,
    /// The artist's, one's own, and those with two or more independent authors.
    pub tags: Vec<String>,
    /// Image.
    #[ts(as = "Option<String>")]
    pub cover: Option<BlobHash>,
    /// How many like it.
    pub likes: u64,
    /// Whether it is in the library.
    pub saved: bool,
    /// Whether one likes it oneself, in public.
    pub liked: bool,
    /// Whether this node published it.
    pub mine: bool,
    /// The cover's most vivid colour as a number, `0xRRGGBB`.
    pub accent: Option<u32>,
    /// Length of all its tracks.
    pub duration_ms: u64,
    /// The part of it that is on this disk, 0 to 1.
    pub have: f32,
    /// When it was published, by its artist's clock, in Unix milliseconds.
    pub published_at: u64,
}

/// One release with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ReleaseDetail {
    /// As in lists.
    #[serde(flatten)]
    pub release: ReleaseInfo,
    /// In playing order; empty while a long list is still being fetched.
    pub tracks: Vec<TrackInfo>,
    /// Liner notes.
    pub description: Option<String>,
    /// Who else made it.
    pub collaborators: Vec<Credit>,
    /// The waveform of every track, 200 bytes each.
    #[ts(as = "Option<String>")]
    pub waveforms: Option<BlobHash>,
    /// All shown tags with who gave them, also those of single tracks.
    pub tag_details: Vec<TagInfo>,
    /// What people one follows find wrong with it, or with its artist.
    pub reports: Vec<ReportInfo>,
}

/// One tag of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TagInfo {
    /// The word.
    pub tag: String,
    /// The track's number from 1, or the whole release.
    pub track: Option<u16>,
    /// How many people gave it.
    pub count: u64,
    /// Whether one gave it oneself.
    pub own: bool,
}

/// The tags that are shown most.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct TagsTop {
    /// The most used first.
    pub tags: Vec<TagCount>,
}

/// How often a tag is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TagCount {
    /// The word.
    pub tag: String,
    /// On how many releases and tracks.
    pub count: u64,
}

/// Somebody who made a release with its artist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Credit {
    /// Name.
    pub name: String,
    /// What they did.
    pub role: String,
    /// Their identity, where they have one.
    #[ts(as = "Option<String>")]
    pub peer_id: Option<PeerId>,
}

/// What to look for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct SearchQuery {
    /// Words, or beginnings of words.
    pub query: String,
    /// Asks connected peers too; their results also come as events while they arrive.
    pub remote: bool,
    /// At most so many; 50 where none is said, 500 at most.
    pub limit: Option<u32>,
    /// How long to wait for peers; 3,000 where none is said.
    pub wait_ms: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SearchResults {
    /// Best first.
    pub results: Vec<SearchResult>,
}

/// One find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SearchResult {
    /// `release`, `track`, `artist` or `tag`.
    pub kind: String,
    /// The release, where it is one or is part of one.
    #[ts(as = "Option<String>")]
    pub release_id: Option<ReleaseId>,
    /// The track's number from 1.
    pub track: Option<u16>,
    /// The title, or the tag.
    pub title: String,
    /// The artist's name.
    pub artist: String,
    /// The artist.
    #[ts(as = "Option<String>")]
    pub artist_id: Option<PeerId>,
    /// The title of the track's release.
    pub release_title: Option<String>,
    /// The release's cover, or the artist's image.
    #[ts(as = "Option<String>")]
    pub cover: Option<BlobHash>,
    /// The cover's colour, `0xRRGGBB`.
    pub accent: Option<u32>,
    /// The track's length.
    pub duration_ms: Option<u64>,
    /// Where it was found.
    pub source: Source,
}

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Here.
    Local,
    /// At a peer.
    Remote,
}

/// What to play, and where to.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Play {
    /// Which.
    #[ts(as = "String")]
    pub release: ReleaseId,
    /// The track's number from 1, or all.
    pub track: Option<u16>,
    /// `default`, `null`, the path of a new `.wav` file, or a device's name.
    pub output: String,
    /// Start within the first track, in seconds.
    pub from: Option<f64>,
    /// Stop after so many seconds.
    pub seconds: Option<f64>,
    /// For progress and cancelling.
    pub job: Option<JobId>,
}

/// How playing went.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Played {
    /// From the request to the first sample.
    pub first_sound_ms: f64,
    /// Sound that came out.
    pub played_ms: u64,
    /// Times that the sound had to wait for data.
    pub underruns: u64,
    /// Where the first track's bytes were.
    pub source: PlaySource,
    /// How the first track is encoded.
    pub codec: String,
}

/// Where a track's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PlaySource {
    /// All of it was here.
    Local,
    /// Some of it came from peers.
    Network,
}

/// What was saved where.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Downloaded {
    /// In playing order.
    pub files: Vec<SavedFile>,
}

/// One saved file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SavedFile {
    /// Where.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the content.
    #[ts(as = "String")]
    pub blake3: BlobHash,
}

/// What is kept whole on this disk.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Downloads {
    /// Latest first.
    pub downloads: Vec<DownloadInfo>,
}

/// One release that is kept, or is to be.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DownloadInfo {
    /// Which.
    pub release: ReleaseInfo,
    /// Bytes of it that are here.
    pub have_bytes: u64,
    /// All its bytes.
    pub total_bytes: u64,
    /// Whether some of it is on its way.
    pub active: bool,
    /// Whether it is kept and served until one says otherwise.
    pub seeded: bool,
    /// Where its files were last saved to.
    pub folder: Option<String>,
}

/// The tags of a release.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Tags {
    /// Which.
    #[ts(as = "String")]
    pub release_id: ReleaseId,
    /// As shown here.
    pub tags: Vec<String>,
}

/// One release by its id.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ReleaseRef {
    /// Which.
    #[ts(as = "String")]
    pub release_id: ReleaseId,
}

/// What to block.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum BlockCommand {
    /// Blocks an artist, a release or a blob by its id.
    Add {
        /// 64 hexadecimal digits.
        id: String,
    },
    /// Unblocks.
    Remove {
        /// 64 hexadecimal digits.
        id: String,
    },
    /// Lists.
    List,
    /// Offers the own list to others as a signed record.
    Share {
        /// The list's name.
        name: String,
    },
    /// Blocks whatever another's list names, now and as it changes.
    Subscribe {
        /// The list's slot.
        #[ts(as = "String")]
        list: SlotId,
    },
    /// Ends that; what only this list named is not blocked any more.
    Unsubscribe {
        /// The list's slot.
        #[ts(as = "String")]
        list: SlotId,
    },
}

/// What is blocked.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Blocked {
    /// In order of id.
    pub blocked: Vec<BlockedId>,
    /// The lists of others that are subscribed to.
    #[serde(default)]
    pub lists: Vec<FollowedList>,
    /// After sharing: the slot of the list, by which others subscribe to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
}

/// Somebody's list, of which everything is blocked here, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FollowedList {
    /// The list's slot.
    pub list: String,
    /// Its name; none where it was withdrawn or is not known any more.
    pub name: Option<String>,
    /// Who keeps it.
    #[ts(as = "Option<String>")]
    pub author_id: Option<PeerId>,
    /// The name of their profile.
    pub author: Option<String>,
    /// How many things it names.
    pub count: u64,
}

/// One blocked thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BlockedId {
    /// `artist`, `release` or `blob`.
    pub kind: String,
    /// 64 hexadecimal digits.
    pub id: String,
}

/// Whom this node follows.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Follows {
    /// In order of name.
    pub follows: Vec<Followed>,
}

/// One followed artist.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Followed {
    /// Who.
    #[ts(as = "String")]
    pub artist_id: PeerId,
    /// The name of their profile.
    pub name: Option<String>,
    /// Whether everybody may know.
    pub public: bool,
}

/// What is seeded.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Seeds {
    /// Latest first.
    pub seeds: Vec<SeedInfo>,
}

/// A release that is seeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SeedInfo {
    /// Which.
    #[ts(as = "String")]
    pub release_id: ReleaseId,
    /// Its title; none where it is not known here any more.
    pub title: Option<String>,
    /// Its artist.
    pub artist: Option<String>,
}

/// What this node served and fetched; it is told to nobody but its owner.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct Stats {
    /// Bytes of music sent to peers.
    pub served_bytes: u64,
    /// Bytes of music taken from peers.
    pub fetched_bytes: u64,
    /// By day, latest first.
    pub days: Vec<DayStats>,
    /// By file, most served first.
    pub blobs: Vec<BlobStats>,
}

/// One day.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DayStats {
    /// `YYYY-MM-DD` in UTC.
    pub day: String,
    /// Bytes.
    pub served_bytes: u64,
    /// Bytes.
    pub fetched_bytes: u64,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct BlobStats {
    /// Which.
    #[ts(as = "String")]
    pub blob: BlobHash,
    /// Bytes.
    pub served_bytes: u64,
    /// Bytes.
    pub fetched_bytes: u64,
}

/// What a check of the surroundings found.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Doctor {
    /// In the order they were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was found, and what to do about it.
    pub message: String,
}

/// Settings.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ConfigValues {
    /// By key.
    #[ts(type = "Record<string, unknown>")]
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// It is done, and there is nothing to say of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct Done {}
