//! Commands that are questions to a node.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use node::{
    api::{
        ApiError, Downloads, Follows, Peers, QueueItem, ReleaseDetail, ReleaseInfo, ReleaseQuery, ReleaseRef,
        Releases, Request, Stats, Status,
    },
    domain::{PeerId, ReleaseId},
};

use crate::{
    args::{Command, Globals},
    failure::{Failure, at},
    id::{ArtistText, IdText, TrackText},
    output::Output,
    session::{Answer, RELEASE_UNKNOWN, Session},
};

mod dao;
mod listening;
mod money;
mod running;
mod wallet;

/// Releases asked for at once while an id's beginning is looked up: as many as one answer may have.
const PAGE: u32 = 1000;

/// What a command works with.
pub(crate) struct Context<'a> {
    pub(crate) session: &'a Session,
    pub(crate) output: Output,
    pub(crate) caller: Caller,
}

/// How to begin a command line that means the same data folder.
#[derive(Clone, Debug)]
pub(crate) struct Caller(String);

impl Caller {
    /// Repeats what was said of the data folder.
    pub(crate) fn new(globals: &Globals) -> Self {
        let data = globals.named_data();
        Self(data.map_or_else(|| "musicdao".to_owned(), |data| format!("musicdao --data {}", data.display())))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Context<'_> {
    /// Does what the command says.
    ///
    /// # Errors
    /// What the node says, and those of files and standard output.
    pub(crate) async fn run(&self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Search(args) => self.search(args).await,
            Command::Releases(args) => self.releases(args).await,
            Command::Show { release } => self.show(&release).await,
            Command::Play(args) => self.play(args).await,
            Command::Download(args) => self.download(args).await,
            Command::Downloads => self.output.say(&self.ask::<Downloads>(Request::Downloads).await?),
            Command::Lyrics { track } => self.lyrics(&track).await,
            Command::Player(action) => self.player(action).await,
            Command::Library(action) => self.library(action).await,
            Command::Playlist(action) => self.playlist(action).await,
            Command::Like { track, remove } => self.like(&track, remove).await,
            Command::Unlike { track } => self.like(&track, true).await,
            Command::Follow { artist, public, remove, .. } => self.follow(artist, public, remove).await,
            Command::Tag(action) => self.tag(action).await,
            Command::Profile(action) => self.profile(action).await,
            Command::Publish(args) => self.publish(args).await,
            Command::Withdraw { release } => self.withdraw(&release).await,
            Command::Seed { release, remove, .. } => self.seed(release, remove).await,
            Command::Invite { qr } => self.invite(qr).await,
            Command::Share { id } => self.share(&id).await,
            Command::Open { link } => self.open(link).await,
            Command::Join { invite } => self.join(invite).await,
            Command::Peers => self.peers().await,
            Command::Hide(action) => self.hide(action).await,
            Command::Report(args) => self.report(args).await,
            Command::Block(action) => self.block(action).await,
            Command::Status => self.output.say(&self.session.ask::<Status>(Request::Status).await?),
            Command::Stats => self.output.say(&self.session.ask::<Stats>(Request::Stats).await?),
            Command::Identity(action) => self.identity(action).await,
            Command::Wallet(action) => self.wallet(action).await,
            Command::Tip(args) => self.tip(args).await,
            Command::Tips { limit, offset } => self.tips(limit, offset).await,
            Command::Thank { payment, text } => self.thank(payment, text).await,
            Command::Offer(action) => self.offer(action).await,
            Command::Invest(args) => self.invest(args).await,
            Command::Notes => self.notes().await,
            Command::Payout(args) => self.payout(args).await,
            Command::Refund(args) => self.refund(args).await,
            Command::Income => self.income().await,
            Command::Audit { artist } => self.audit(&artist).await,
            Command::Dao(action) => self.dao(action).await,
            Command::Chain(action) => self.chain(action).await,
            Command::Daemon(_)
            | Command::Stop
            | Command::Config(_)
            | Command::Doctor { .. }
            | Command::Bench(_)
            | Command::Emulate(_)
            | Command::Completions { .. }
            | Command::Man { .. } => unreachable!("these do without a node, or with one of their own"),
        }
    }

    async fn ask<T: Answer>(&self, request: Request) -> Result<T, Failure> {
        Ok(self.session.ask(request).await?)
    }

    /// Finds the release that is meant, and waits with an embedded node until it is known with its tracks.
    async fn release(&self, id: &IdText) -> Result<ReleaseId, Failure> {
        let release = self.release_id(id).await?;
        if self.session.is_embedded() {
            self.detail(release).await?;
        }
        Ok(release)
    }

    async fn detail(&self, release: ReleaseId) -> Result<ReleaseDetail, Failure> {
        let enough = |answer: &Result<ReleaseDetail, ApiError>| match answer {
            Ok(detail) => !detail.tracks.is_empty(),
            Err(error) => error.code != RELEASE_UNKNOWN,
        };
        Ok(self.session.ask_until(Request::Show { release }, enough).await?)
    }

    async fn release_id(&self, id: &IdText) -> Result<ReleaseId, Failure> {
        match id.whole() {
            Some(release) => Ok(release),
            None => Ok(id.pick(self.beginning(id, |release| vec![release.release_id]).await?)?),
        }
    }

    async fn artist_id(&self, id: &IdText) -> Result<PeerId, Failure> {
        if let Some(artist) = id.whole() {
            return Ok(artist);
        }
        let peers = self.ask::<Peers>(Request::Peers).await?.peers.into_iter().map(|peer| peer.peer_id);
        let mut ids = self.beginning(id, |release| vec![release.artist_id]).await?;
        ids.extend(peers.filter(|peer| id.begins(peer)));
        Ok(id.pick(ids)?)
    }

    /// Finds an artist by id, else the one of that name among those known here.
    async fn artist(&self, artist: &ArtistText) -> Result<PeerId, Failure> {
        let name = match artist {
            ArtistText::Id(id) => return self.artist_id(id).await,
            ArtistText::Name(name) => name,
        };
        let query = ReleaseQuery { artist: Some(name.clone()), limit: Some(PAGE), ..ReleaseQuery::default() };
        let Releases { releases, .. } = self.ask(Request::Releases(query)).await?;
        let Peers { peers } = self.ask(Request::Peers).await?;
        let Follows { follows } = self.ask(Request::Follows).await?;
        let peers = peers.into_iter().map(|peer| (peer.peer_id, peer.name));
        let named = peers.chain(follows.into_iter().map(|one| (one.artist_id, one.name)));
        let named = named.filter(|(_, other)| other.as_ref().is_some_and(|other| same_name(other, name)));
        let artists = releases.iter().map(|release| release.artist_id).chain(named.map(|(id, _)| id));
        let artists: Vec<PeerId> = artists.collect::<BTreeSet<_>>().into_iter().collect();
        match artists[..] {
            [artist] => Ok(artist),
            [] => {
                let message = format!("nobody known here is called `{name:.80}`; name them by their id");
                Err(ApiError::new("artist_unknown", message).into())
            }
            ref several => {
                let ids: Vec<String> = several.iter().map(crate::text::short).collect();
                let message = format!("several are called so; name one by the id: {}", ids.join(", "));
                Err(ApiError::new("artist_ambiguous", message).into())
            }
        }
    }

    /// Collects the ids of known releases that begin so.
    async fn beginning<T: ToString>(
        &self,
        id: &IdText,
        ids: impl Fn(&ReleaseInfo) -> Vec<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut found = Vec::new();
        for page in 0.. {
            let query = ReleaseQuery { limit: Some(PAGE), offset: page * PAGE, ..ReleaseQuery::default() };
            let Releases { releases, .. } = self.ask(Request::Releases(query)).await?;
            found.extend(releases.iter().flat_map(&ids).filter(|other| id.begins(other)));
            if releases.len() < PAGE as usize {
                break;
            }
        }
        Ok(found)
    }

    /// Lists the tracks that are meant; a release stands for all of its own.
    async fn items(&self, tracks: &[TrackText]) -> Result<Vec<QueueItem>, Failure> {
        let mut items = Vec::new();
        for TrackText { release, track } in tracks {
            let release = self.release_id(release).await?;
            let numbers = match track {
                Some(track) => *track..=*track,
                None => 1..=self.detail(release).await?.release.track_count,
            };
            items.extend(numbers.map(|track| QueueItem::Track { release, track }));
        }
        Ok(items)
    }

    /// Tells which release it was done to.
    fn done(&self, answer: &ReleaseRef, words: &str) -> Result<(), Failure> {
        self.output.say_as(answer, || format!("{words} {}\n", answer.release_id))
    }
}

/// Compares names as people do.
fn same_name(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Makes a path mean the same to a daemon that runs in another folder.
fn absolute(path: &Path) -> Result<PathBuf, ApiError> {
    std::path::absolute(path).map_err(|error| at(path, error))
}
