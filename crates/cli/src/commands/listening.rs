//! Finding, playing and keeping music.

use std::{path::Path, time::Duration};

use node::api::{
    ApiError, Devices, Downloaded, Follows, Library, LibraryCommand, Lyrics, Peers, Play, Played,
    PlayerCommand, PlayerState, PlaylistCommand, Playlists, Queue, QueueEntry, QueueItem, ReleaseQuery,
    ReleaseRef, Releases, Request, SearchQuery, SearchResults, Tags,
};

use super::{Context, PAGE, absolute, same_name};
use crate::{
    args::{
        DownloadArgs, LibraryAction, PlayArgs, PlayerAction, PlaylistAction, ReleasesArgs, SearchArgs,
        Switch, TagAction,
    },
    failure::Failure,
    human::{self, ShownPlayer},
    id::{ArtistText, IdText, PlaylistText, TrackText},
    job::{self, Tell},
};

impl Context<'_> {
    pub(super) async fn search(&self, args: SearchArgs) -> Result<(), Failure> {
        let query = args.query.join(" ");
        if query.trim().is_empty() {
            let message = "say what to look for, such as `musicdao search night train`";
            return Err(ApiError::new("query_empty", message).into());
        }
        if args.remote {
            self.connected().await?;
        }
        let left = self.session.left().map(|left| left.as_millis() as u64);
        let request = Request::Search(SearchQuery {
            query,
            remote: args.remote,
            limit: Some(args.limit),
            wait_ms: left.filter(|_| args.remote),
        });
        let enough = |answer: &Result<SearchResults, ApiError>| {
            args.remote || !matches!(answer, Ok(found) if found.results.is_empty())
        };
        let found = self.session.ask_until(request, enough).await?;
        self.output.say_as(&found, || human::found(&found, args.remote))
    }

    pub(super) async fn releases(&self, args: ReleasesArgs) -> Result<(), Failure> {
        let similar_to = match &args.similar_to {
            Some(release) => Some(self.release(release).await?),
            None => None,
        };
        let by_tag = args.tag.is_some();
        let narrowed = by_tag || args.artist.is_some() || args.license.is_some() || args.followed;
        let narrowed = narrowed || args.liked || similar_to.is_some() || args.offset > 0;
        let request = Request::Releases(ReleaseQuery {
            tag: args.tag,
            artist: args.artist,
            license: args.license,
            followed: args.followed,
            liked: args.liked,
            similar_to,
            sort: args.sort.into(),
            limit: Some(args.limit),
            offset: args.offset,
        });
        let enough =
            |answer: &Result<Releases, ApiError>| !matches!(answer, Ok(list) if list.releases.is_empty());
        let list = self.session.ask_until(request, enough).await?;
        match narrowed && list.releases.is_empty() {
            true => self.output.say_as(&list, || human::none_fits(by_tag)),
            false => self.output.say(&list),
        }
    }

    pub(super) async fn show(&self, release: &IdText) -> Result<(), Failure> {
        let release = self.release_id(release).await?;
        self.output.say(&self.detail(release).await?)
    }

    pub(super) async fn play(&self, args: PlayArgs) -> Result<(), Failure> {
        let release = self.release_id(&args.track.release).await?;
        let output = output(args.output)?;
        let detail = self.detail(release).await?;
        let request = Request::Play(Play {
            release,
            track: args.track.track,
            output,
            from: args.from.as_ref().map(Duration::as_secs_f64),
            seconds: args.seconds.as_ref().map(Duration::as_secs_f64),
            job: Some(job::name()),
        });
        self.output.note(&human::playing(&detail, args.track.track));
        let played = job::run::<Played>(self.session, request, self.output, Tell::Programs).await?;
        self.output.say(&played)
    }

    pub(super) async fn download(&self, args: DownloadArgs) -> Result<(), Failure> {
        let release = self.release(&args.release).await?;
        let to = args.to.as_deref().map(absolute).transpose()?;
        let request = Request::Download { release, to, job: Some(job::name()) };
        let downloaded = job::run::<Downloaded>(self.session, request, self.output, Tell::People).await?;
        self.output.say(&downloaded)
    }

    pub(super) async fn lyrics(&self, track: &TrackText) -> Result<(), Failure> {
        let release = self.release(&track.release).await?;
        let item = QueueItem::Track { release, track: track.track.unwrap_or(1) };
        self.output.say(&self.ask::<Lyrics>(Request::Lyrics { item }).await?)
    }

    pub(super) async fn player(&self, action: PlayerAction) -> Result<(), Failure> {
        if matches!(action, PlayerAction::Devices) {
            return self.output.say(&self.ask::<Devices>(Request::Devices).await?);
        }
        let queue = matches!(action, PlayerAction::Queue);
        let command = self.player_command(action).await?;
        let state = self.ask::<PlayerState>(Request::Player(command)).await?;
        let shown = ShownPlayer { queue: self.queue().await?, state };
        if queue { self.output.say_as(&shown, || human::queue(&shown)) } else { self.output.say(&shown) }
    }

    /// Reads all of the queue.
    async fn queue(&self) -> Result<Vec<QueueEntry>, Failure> {
        let mut entries: Vec<QueueEntry> = Vec::new();
        loop {
            let request = Request::Queue { offset: entries.len() as u32, limit: Some(PAGE) };
            let page = self.ask::<Queue>(request).await?;
            let ended = page.entries.len() < PAGE as usize;
            entries.extend(page.entries);
            if ended {
                return Ok(entries);
            }
        }
    }

    async fn player_command(&self, action: PlayerAction) -> Result<PlayerCommand, Failure> {
        Ok(match action {
            PlayerAction::State | PlayerAction::Queue | PlayerAction::Devices => PlayerCommand::State,
            PlayerAction::Play { tracks } => {
                PlayerCommand::Play { items: self.items(&tracks).await?, start: 0 }
            }
            PlayerAction::Add { tracks, next } => {
                PlayerCommand::Enqueue { items: self.items(&tracks).await?, next }
            }
            PlayerAction::Jump { place } => PlayerCommand::Jump { index: place.index() as usize },
            PlayerAction::Move { from, to } => {
                PlayerCommand::Move { from: from.index() as usize, to: to.index() as usize }
            }
            PlayerAction::Remove { place } => PlayerCommand::Remove { index: place.index() as usize },
            PlayerAction::Clear => PlayerCommand::Clear,
            PlayerAction::Resume => PlayerCommand::Resume,
            PlayerAction::Pause => PlayerCommand::Pause,
            PlayerAction::Next => PlayerCommand::Next,
            PlayerAction::Previous => PlayerCommand::Previous,
            PlayerAction::Seek { seconds } => PlayerCommand::Seek { position_ms: seconds.as_millis() as u64 },
            PlayerAction::Volume { percent } => PlayerCommand::Volume { volume: f32::from(percent) / 100.0 },
            PlayerAction::Shuffle { switch } => PlayerCommand::Shuffle { on: matches!(switch, Switch::On) },
            PlayerAction::Repeat { repeat } => PlayerCommand::Repeat { repeat: repeat.into() },
            PlayerAction::Gain { mode } => PlayerCommand::ReplayGain { mode: mode.into() },
            PlayerAction::Crossfade { seconds } => {
                PlayerCommand::Crossfade { seconds: seconds.as_secs_f32() }
            }
            PlayerAction::Sleep { minutes } => PlayerCommand::Sleep { minutes: minutes.0 },
            PlayerAction::Output { device } => PlayerCommand::Output { device },
        })
    }

    pub(super) async fn library(&self, action: LibraryAction) -> Result<(), Failure> {
        let command = match action {
            LibraryAction::List => LibraryCommand::List,
            LibraryAction::Save { release } => {
                LibraryCommand::Save { release: self.release(&release).await? }
            }
            LibraryAction::Remove { release } => {
                LibraryCommand::Remove { release: self.release_id(&release).await? }
            }
            LibraryAction::AddFolder { folder } => return self.add_folder(&folder).await,
            LibraryAction::History { limit, offset } => {
                let request = Request::Library(LibraryCommand::History { offset, limit: Some(limit) });
                let library = self.ask::<Library>(request).await?;
                return self.output.say_as(&library, || human::history(&library));
            }
            LibraryAction::ClearHistory => {
                let library = self.ask::<Library>(Request::Library(LibraryCommand::ClearHistory)).await?;
                return self.output.say_as(&library, || "The history is forgotten.\n".to_owned());
            }
        };
        self.output.say(&self.ask::<Library>(Request::Library(command)).await?)
    }

    async fn add_folder(&self, folder: &Path) -> Result<(), Failure> {
        let folder = absolute(folder)?;
        let request = Request::Library(LibraryCommand::AddFolder { folder, job: Some(job::name()) });
        let library = job::run::<Library>(self.session, request, self.output, Tell::People).await?;
        self.output.say(&library)
    }

    pub(super) async fn playlist(&self, action: PlaylistAction) -> Result<(), Failure> {
        let command = match action {
            PlaylistAction::List { playlist: None } => PlaylistCommand::List { playlist: None },
            PlaylistAction::List { playlist: Some(playlist) } => {
                PlaylistCommand::List { playlist: Some(self.playlist_number(playlist).await?) }
            }
            PlaylistAction::Create { title } => PlaylistCommand::Create { title },
            PlaylistAction::Rename { playlist, title } => {
                PlaylistCommand::Rename { playlist: self.playlist_number(playlist).await?, title }
            }
            PlaylistAction::Add { playlist, tracks } => {
                let playlist = self.playlist_number(playlist).await?;
                PlaylistCommand::Add { playlist, items: self.items(&tracks).await?, at: None }
            }
            PlaylistAction::Move { playlist, from, to } => {
                let playlist = self.playlist_number(playlist).await?;
                PlaylistCommand::Move { playlist, from: from.index(), to: to.index() }
            }
            PlaylistAction::Remove { playlist, place } => {
                let playlist = self.playlist_number(playlist).await?;
                PlaylistCommand::Remove { playlist, index: place.index() }
            }
            PlaylistAction::Delete { playlist } => {
                PlaylistCommand::Delete { playlist: self.playlist_number(playlist).await? }
            }
        };
        self.output.say(&self.ask::<Playlists>(Request::Playlist(command)).await?)
    }

    /// Finds the one playlist of a title.
    async fn playlist_number(&self, playlist: PlaylistText) -> Result<i64, Failure> {
        let title = match playlist {
            PlaylistText::Number(number) => return Ok(number),
            PlaylistText::Title(title) => title,
        };
        let request = Request::Playlist(PlaylistCommand::List { playlist: None });
        let Playlists { playlists } = self.ask(request).await?;
        let called = playlists.iter().filter(|one| same_name(&one.title, &title)).map(|one| one.playlist);
        match called.collect::<Vec<_>>()[..] {
            [number] => Ok(number),
            [] => {
                Err(ApiError::new("playlist_unknown", format!("there is no playlist `{title:.80}`")).into())
            }
            ref several => {
                let numbers: Vec<String> = several.iter().map(i64::to_string).collect();
                let message = format!(
                    "several playlists are called so; name one by its number: {}",
                    numbers.join(", ")
                );
                Err(ApiError::new("playlist_ambiguous", message).into())
            }
        }
    }

    pub(super) async fn like(&self, like: &TrackText, remove: bool) -> Result<(), Failure> {
        let release = self.release(&like.release).await?;
        let request = Request::Like { release, track: like.track, remove };
        let liked = self.ask::<ReleaseRef>(request).await?;
        self.done(&liked, if remove { "No longer liked:" } else { "Liked:" })
    }

    pub(super) async fn follow(
        &self,
        artist: Option<ArtistText>,
        public: bool,
        remove: bool,
    ) -> Result<(), Failure> {
        let request = match artist {
            Some(artist) => Request::Follow { artist: self.artist(&artist).await?, public, remove },
            None => Request::Follows,
        };
        self.output.say(&self.ask::<Follows>(request).await?)
    }

    pub(super) async fn tag(&self, action: TagAction) -> Result<(), Failure> {
        let (args, remove) = match action {
            TagAction::Add(args) => (args, false),
            TagAction::Remove(args) => (args, true),
        };
        let release = self.release(&args.track.release).await?;
        let request = Request::Tag { release, track: args.track.track, tag: args.tag, remove };
        self.output.say(&self.ask::<Tags>(request).await?)
    }

    /// Waits with an embedded node until somebody is connected.
    pub(super) async fn connected(&self) -> Result<Peers, Failure> {
        let enough = |answer: &Result<Peers, ApiError>| !matches!(answer, Ok(list) if list.peers.is_empty());
        Ok(self.session.ask_until(Request::Peers, enough).await?)
    }
}

/// Endings of sound files that are not written.
const SOUND_FILES: [&str; 8] = ["mp3", "flac", "ogg", "oga", "opus", "m4a", "mp4", "aac"];

/// Makes the path of a sound file absolute; other outputs are names.
fn output(output: String) -> Result<String, ApiError> {
    let ends =
        |ending: &&str| Path::new(&output).extension().is_some_and(|end| end.eq_ignore_ascii_case(ending));
    if SOUND_FILES.iter().any(&ends) {
        let message =
            format!("sound is written as it is heard, to a file that ends in .wav, not to `{output:.80}`");
        return Err(ApiError::new("output_format", message));
    }
    if !ends(&"wav") {
        return Ok(output);
    }
    let path = absolute(Path::new(&output))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| ApiError::new("path_not_text", format!("{path:?} is not UTF-8; choose another name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_files_get_absolute_paths_and_devices_keep_their_names() {
        for name in ["default", "null", "Front speakers / HDMI"] {
            assert_eq!(output(name.to_owned()).unwrap(), name);
        }
        assert_eq!(output("song.Mp3".to_owned()).unwrap_err().code, "output_format");
        let file = output("a/song.WAV".to_owned()).unwrap();
        assert!(Path::new(&file).is_absolute() && file.ends_with("a/song.WAV"), "{file}");
    }
}
