//! Playing: the player that has the queue, and plays of its own for the command line.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use audio::{
    Album, Gain, Opener, Output, Playback, Player, Queue, Sleep,
    keys::{MediaKeys, NowPlaying},
};
use store::{Item, ReleaseDetails, TrackRow};
use tokio::runtime::Handle;

use crate::{
    api::{self, ApiError, GainMode, PlaySource, Played, PlayerCommand, PlayerState, QueueItem},
    catalogue,
    fetch::Fetch,
    jobs::Job,
    node::{Inner, unix_ms},
    stream::BlobSource,
};

/// How often a play looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// How long the sleep timer fades.
const FADE: Duration = Duration::from_secs(10);
/// Sound of a track that must have been heard before it counts as played.
const COUNTS: Duration = Duration::from_secs(5);
/// Names of opened tracks that are remembered.
const MAX_NAMES: usize = 10_000;

/// The player that has the queue, made when it is first needed.
#[derive(Default)]
pub(crate) struct Host(Mutex<Option<Running>>);

struct Running {
    player: Arc<Player<QueueItem>>,
    chosen: Arc<Mutex<Chosen>>,
}

/// What the user chose for the player.
#[derive(Debug, Default)]
struct Chosen {
    replay_gain: GainMode,
    crossfade: f32,
    error: Option<ApiError>,
    names: Names,
}

/// Titles and artists of the tracks that a player has opened.
type Names = Arc<Mutex<HashMap<QueueItem, (String, String)>>>;

/// Opens tracks for a player's threads.
struct TrackOpener {
    node: Weak<Inner>,
    runtime: Handle,
    /// The next track's download, kept going until it is opened.
    next: Mutex<Option<Fetch>>,
    names: Names,
}

impl Host {
    /// Falls silent for good.
    pub(crate) async fn close(&self) {
        let running = self.0.lock().expect("no holder panics").take();
        let closing = tokio::task::spawn_blocking(move || drop(running));
        // A panic in the player's end is no reason to keep the node from ending.
        let _ = closing.await;
    }
}

impl Inner {
    /// Carries out a command on the player that has the queue.
    pub(crate) async fn command(self: &Arc<Self>, command: PlayerCommand) -> Result<PlayerState, ApiError> {
        let node = self.clone();
        let runtime = Handle::current();
        let done = tokio::task::spawn_blocking(move || {
            let mut host = node.host.0.lock().expect("no holder panics");
            let running = host.get_or_insert_with(|| Running::start(&node, runtime));
            running.apply(command)?;
            Ok::<_, ApiError>(running.state())
        });
        done.await.map_err(|_| ApiError::new("player_failed", "the player ended unexpectedly"))?
    }

    /// Plays to an output of its own until the end, and reports.
    pub(crate) async fn play(self: &Arc<Self>, request: api::Play, job: &Job) -> Result<Played, ApiError> {
        let began = Instant::now();
        let details = catalogue::details(&self.store, &request.release).await?;
        let tracks = chosen(&details, request.track)?;
        let first = tracks.first().ok_or_else(|| not_a_track(&details, 0))?;
        let (codec, blob) = (first.track.codec.name().to_owned(), first.track.blob);
        let here = self.blobs.find(blob.hash).await.is_ok_and(|blob| blob.is_complete());
        let items: Vec<QueueItem> =
            tracks.iter().map(|track| QueueItem { release: request.release, track: track.number }).collect();
        let output: Output = request.output.parse().unwrap_or_default();
        let opener = TrackOpener::new(self, Handle::current(), Names::default());
        let (player, events) = Player::new(opener, output);
        if let Some(seconds) = request.seconds {
            player.set_sleep(Sleep::After { sound: duration(seconds)?, fade: Duration::ZERO });
        }
        let from = request.from.map(duration).transpose()?.unwrap_or_default();
        let before = began.elapsed();
        player.edit(|queue| queue.replace(items, 0));
        player.play_from(from);
        let run = Run { node: self.clone(), events, token: job.token(), title: details.row.title.clone() };
        let ended = tokio::task::spawn_blocking(move || run.until_end(player));
        let state =
            ended.await.map_err(|_| ApiError::new("player_failed", "the player ended unexpectedly"))??;
        job.check()?;
        Ok(Played {
            first_sound_ms: (before + state.first_sound.unwrap_or_default()).as_secs_f64() * 1000.0,
            played_ms: millis(state.heard),
            underruns: state.underruns,
            source: if here { PlaySource::Local } else { PlaySource::Network },
            codec,
        })
    }

    /// Notes that a track was heard.
    fn heard(self: &Arc<Self>, item: QueueItem, position: Duration, finished: bool) {
        if self.settings().private_session || position < COUNTS && !finished {
            return;
        }
        let node = self.clone();
        let writing = async move {
            let item = Item::Track { release: item.release, number: item.track };
            let played_ms = u32::try_from(position.as_millis()).unwrap_or(u32::MAX);
            let played = store::Played { item, at: unix_ms(), played_ms, finished };
            if let Err(error) = node.store.played(&played).await {
                tracing::warn!(%error, "the history could not be written");
            }
        };
        // Called from the player's threads, which are not the runtime's.
        self.tasks.spawn_on(writing, &self.runtime);
    }
}

/// A play of its own.
struct Run {
    node: Arc<Inner>,
    events: Receiver<audio::Event<QueueItem>>,
    token: tokio_util::sync::CancellationToken,
    title: String,
}

impl Run {
    /// Follows a player to its end and closes it.
    fn until_end(self, player: Player<QueueItem>) -> Result<audio::State<QueueItem>, ApiError> {
        let (mut problem, mut heard_any) = (None, false);
        loop {
            let event = match self.events.recv_timeout(LOOK) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) if !self.token.is_cancelled() => continue,
                Err(_) => break,
            };
            match event {
                audio::Event::Finished | audio::Event::Slept => break,
                audio::Event::FirstSound(_) => heard_any = true,
                audio::Event::Problem { problem: what, .. } => {
                    let stops = matches!(what, audio::Problem::Output(_));
                    problem = Some(ApiError::new(what.code(), format!("{}: {what}", self.title)));
                    if stops {
                        break;
                    }
                }
                _ => {}
            }
        }
        let state = player.close();
        if let Some(entry) = &state.entry {
            self.node.heard(entry.item, state.position, !heard_any);
        }
        match problem {
            Some(problem) if !self.token.is_cancelled() => Err(problem),
            _ => Ok(state),
        }
    }
}

impl Running {
    fn start(node: &Arc<Inner>, runtime: Handle) -> Self {
        let chosen = Chosen::default();
        let opener = TrackOpener::new(node, runtime, chosen.names.clone());
        let (player, events) = Player::new(opener, Output::Default);
        player.set_replay_gain(gain_mode(chosen.replay_gain));
        let (player, chosen) = (Arc::new(player), Arc::new(Mutex::new(chosen)));
        let obeying = Arc::downgrade(&player);
        let keys = MediaKeys::new("MusicDAO", move |command| {
            if let Some(player) = obeying.upgrade() {
                command.apply(&player);
            }
        });
        let (weak, told, shared) = (Arc::downgrade(node), Arc::downgrade(&player), chosen.clone());
        std::thread::Builder::new()
            .name("player-events".to_owned())
            .spawn(move || tell(&weak, &told, &shared, &keys, &events))
            .expect("a thread can be started");
        Self { player, chosen }
    }

    fn apply(&self, command: PlayerCommand) -> Result<(), ApiError> {
        let player = &self.player;
        match command {
            PlayerCommand::State => {}
            PlayerCommand::Play { items, start } => player.play_all(items, start),
            PlayerCommand::Enqueue { items, next } => player.edit(|queue| match next {
                true => queue.play_next(items),
                false => queue.play_later(items),
            }),
            PlayerCommand::Move { from, to } => {
                player.edit(|queue| at(queue, from).map(|id| queue.reorder(id, to)))?;
            }
            PlayerCommand::Remove { index } => {
                player.edit(|queue| at(queue, index).map(|id| queue.remove(id)))?;
            }
            PlayerCommand::Clear => player.edit(Queue::clear),
            PlayerCommand::Jump { index } => {
                let id = player.queue(|queue| at(queue, index))?;
                player.jump(id);
            }
            PlayerCommand::Resume => player.play(),
            PlayerCommand::Pause => player.pause(),
            PlayerCommand::Next => player.next(),
            PlayerCommand::Previous => player.previous(),
            PlayerCommand::Seek { position_ms } => player.seek(Duration::from_millis(position_ms)),
            PlayerCommand::Volume { volume } => player.set_volume(volume.clamp(0.0, 1.0)),
            PlayerCommand::Shuffle { on } => {
                let seed = crate::node::random()?;
                player.edit(|queue| if on { queue.shuffle(seed) } else { queue.unshuffle() });
            }
            PlayerCommand::Repeat { repeat } => player.edit(|queue| queue.set_repeat(repeat.into())),
            PlayerCommand::ReplayGain { mode } => {
                self.chosen().replay_gain = mode;
                player.set_replay_gain(gain_mode(mode));
            }
            PlayerCommand::Crossfade { seconds } => {
                let time = duration(seconds.into())?.min(audio::LONGEST_CROSSFADE);
                self.chosen().crossfade = time.as_secs_f32();
                player.set_crossfade(time);
            }
            PlayerCommand::Sleep { minutes } => player.set_sleep(match minutes {
                None => Sleep::Off,
                Some(0) => Sleep::EndOfTrack,
                Some(minutes) => {
                    Sleep::After { sound: Duration::from_secs(u64::from(minutes) * 60), fade: FADE }
                }
            }),
            PlayerCommand::Output { device } => player.set_output(device.parse().unwrap_or_default()),
        }
        Ok(())
    }

    fn state(&self) -> PlayerState {
        state(&self.player, &self.chosen())
    }

    fn chosen(&self) -> std::sync::MutexGuard<'_, Chosen> {
        self.chosen.lock().expect("no holder panics")
    }
}

/// Tells the player's events until the player is gone.
fn tell(
    node: &Weak<Inner>,
    player: &Weak<Player<QueueItem>>,
    chosen: &Mutex<Chosen>,
    keys: &MediaKeys,
    events: &Receiver<audio::Event<QueueItem>>,
) {
    let mut last: Option<(QueueItem, Duration)> = None;
    for event in events {
        let (Some(node), Some(player)) = (node.upgrade(), player.upgrade()) else { return };
        let mut chosen = chosen.lock().expect("no holder panics");
        match event {
            audio::Event::Track { entry, .. } => {
                if let Some((item, position)) = last.replace((entry.item, Duration::ZERO)) {
                    node.heard(item, position, true);
                }
                chosen.error = None;
            }
            audio::Event::Position(position) => last = last.map(|(item, _)| (item, position)),
            audio::Event::Finished => {
                if let Some((item, position)) = last.take() {
                    node.heard(item, position, true);
                }
            }
            audio::Event::Problem { problem, .. } => {
                chosen.error = Some(ApiError::new(problem.code(), problem.to_string()));
            }
            _ => {}
        }
        keys.show(&now_playing(&player, &chosen));
        node.hub.tell(&api::Event::Player(state(&player, &chosen)));
    }
}

/// What the desktop shows of the player.
fn now_playing(player: &Player<QueueItem>, chosen: &Chosen) -> NowPlaying {
    let state = player.state();
    let names = chosen.names.lock().expect("no holder panics");
    let named = state.entry.as_ref().and_then(|entry| names.get(&entry.item)).cloned();
    let (title, artist) = named.unwrap_or_default();
    NowPlaying {
        entry: state.entry.map_or(0, |entry| entry.id.0),
        title,
        artist,
        duration: state.duration,
        playback: state.playback,
        position: state.position,
        volume: state.volume,
        repeat: player.queue(Queue::repeat),
        ..NowPlaying::default()
    }
}

fn state(player: &Player<QueueItem>, chosen: &Chosen) -> PlayerState {
    let state = player.state();
    let (queue, index, shuffle, repeat) = player.queue(|queue| {
        let items: Vec<QueueItem> = queue.entries().iter().map(|entry| entry.item).collect();
        let current = queue.current().map(|entry| entry.id);
        let index = queue.entries().iter().position(|entry| Some(entry.id) == current);
        (items, index, queue.is_shuffled(), queue.repeat())
    });
    let names = chosen.names.lock().expect("no holder panics");
    let named = state.entry.as_ref().and_then(|entry| names.get(&entry.item)).cloned();
    PlayerState {
        status: match state.playback {
            Playback::Stopped => "stopped",
            Playback::Playing => "playing",
            Playback::Paused => "paused",
            Playback::Buffering => "buffering",
        }
        .to_owned(),
        queue,
        index,
        title: named.as_ref().map(|(title, _)| title.clone()),
        artist: named.map(|(_, artist)| artist),
        position_ms: millis(state.position),
        duration_ms: millis(state.duration.unwrap_or_default()),
        volume: state.volume,
        shuffle,
        repeat: repeat.into(),
        replay_gain: chosen.replay_gain,
        crossfade: chosen.crossfade,
        devices: audio::devices().into_iter().map(|device| device.name).collect(),
        error: chosen.error.clone(),
    }
}

impl TrackOpener {
    fn new(node: &Arc<Inner>, runtime: Handle, names: Names) -> Self {
        Self { node: Arc::downgrade(node), runtime, next: Mutex::default(), names }
    }

    fn name(&self, item: QueueItem, details: &ReleaseDetails, track: &TrackRow) {
        let mut names = self.names.lock().expect("no holder panics");
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        let artist = track.track.artist.as_ref().unwrap_or(&details.row.artist);
        names.insert(item, (track.track.title.clone(), artist.clone()));
    }

    fn fetch(&self, item: &QueueItem) -> Result<(ReleaseDetails, TrackRow, Fetch), ApiError> {
        let node = self.node.upgrade().ok_or_else(|| ApiError::new("node_ending", "the node is ending"))?;
        self.runtime.block_on(async {
            let details = catalogue::details(&node.store, &item.release).await?;
            node.want_tracks(&details);
            let track = chosen(&details, Some(item.track))?.remove(0);
            let artist = details.row.artist_id;
            let fetch = node.fetch(track.track.blob, store::Reason::Played, Some(artist)).await?;
            Ok((details, track, fetch))
        })
    }
}

impl Opener<QueueItem> for TrackOpener {
    fn open(&self, item: &QueueItem) -> Result<audio::Track, audio::Error> {
        let (details, track, fetch) = self.fetch(item).map_err(|error| {
            tracing::debug!(code = error.code, "a track cannot be opened");
            audio::Error::NotFound
        })?;
        self.next.lock().expect("no holder panics").take();
        self.name(*item, &details, &track);
        Ok(audio::Track {
            source: Box::new(BlobSource::new(fetch, self.runtime.clone())),
            gain: gain(&details, &track),
            album: Some(Album { id: item.release.to_string(), number: item.track.into() }),
            duration: Some(Duration::from_millis(track.track.duration_ms.into())),
        })
    }

    fn prefetch(&self, item: &QueueItem) {
        if let Ok((_, _, fetch)) = self.fetch(item) {
            fetch.want_to_play();
            *self.next.lock().expect("no holder panics") = Some(fetch);
        }
    }
}

/// The tracks of a release, or one of them.
pub(crate) fn chosen(details: &ReleaseDetails, number: Option<u16>) -> Result<Vec<TrackRow>, ApiError> {
    if details.tracks.is_empty() && details.row.track_count > 0 {
        return Err(ApiError::new("tracks_pending", "the list of tracks is still being fetched; try again"));
    }
    let Some(number) = number else { return Ok(details.tracks.clone()) };
    let track = details.tracks.iter().find(|track| track.number == number);
    track.map(|track| vec![track.clone()]).ok_or_else(|| not_a_track(details, number))
}

fn not_a_track(details: &ReleaseDetails, number: u16) -> ApiError {
    let message = format!("{} has {} tracks, no number {number}", details.row.title, details.row.track_count);
    ApiError::new("track_unknown", message)
}

/// Corrections by the measured loudness; the album's is the mean power of its tracks by their length.
fn gain(details: &ReleaseDetails, track: &TrackRow) -> Gain {
    let measured = |track: &domain::kinds::Track| {
        let loudness = f64::from(track.loudness?) / 100.0;
        let peak = track.peak.map_or(1.0, |peak| 10_f64.powf(f64::from(peak) / 2000.0));
        Some((loudness, peak, f64::from(track.duration_ms)))
    };
    let Some((loudness, peak, _)) = measured(&track.track) else { return Gain::default() };
    let all: Vec<_> = details.tracks.iter().filter_map(|track| measured(&track.track)).collect();
    let length: f64 = all.iter().map(|(_, _, length)| length).sum();
    let power: f64 = all.iter().map(|(loudness, _, length)| length * 10_f64.powf(loudness / 10.0)).sum();
    let album = 10.0 * (power / length.max(1.0)).log10();
    let highest = all.iter().fold(0.0, |highest: f64, (_, peak, _)| highest.max(*peak));
    let album = Gain::from_loudness(album, highest);
    Gain { album_db: album.track_db, album_peak: album.track_peak, ..Gain::from_loudness(loudness, peak) }
}

fn at(queue: &Queue<QueueItem>, index: usize) -> Result<audio::EntryId, ApiError> {
    let entry = queue.entries().get(index).map(|entry| entry.id);
    entry.ok_or_else(|| ApiError::new("queue_index", format!("the queue has no place {index}")))
}

fn duration(seconds: f64) -> Result<Duration, ApiError> {
    let wrong = |_| ApiError::new("bad_time", format!("{seconds} seconds is not a time"));
    Duration::try_from_secs_f64(seconds).map_err(wrong)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn gain_mode(mode: GainMode) -> audio::ReplayGain {
    match mode {
        GainMode::Off => audio::ReplayGain::Off,
        GainMode::Track => audio::ReplayGain::Track,
        GainMode::Album => audio::ReplayGain::Album,
    }
}

impl From<api::Repeat> for audio::Repeat {
    fn from(repeat: api::Repeat) -> Self {
        match repeat {
            api::Repeat::Off => Self::Off,
            api::Repeat::One => Self::One,
            api::Repeat::All => Self::All,
        }
    }
}

impl From<audio::Repeat> for api::Repeat {
    fn from(repeat: audio::Repeat) -> Self {
        match repeat {
            audio::Repeat::Off => Self::Off,
            audio::Repeat::One => Self::One,
            audio::Repeat::All => Self::All,
        }
    }
}
