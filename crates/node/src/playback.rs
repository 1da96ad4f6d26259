//! Playing: the player that has the queue, and plays of its own for the command line.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use audio::{
    Album, EntryId, FileSource, Gain, Opener, Output, Playback, Player, Queue, Sleep,
    keys::{MediaKeys, NowPlaying},
};
use domain::ReleaseId;
use store::{Item, ReleaseDetails, Shown, TrackRow};
use tokio::runtime::Handle;

use crate::{
    api::{self, ApiError, GainMode, PlaySource, Played, PlayerCommand, PlayerState, QueueEntry, QueueItem},
    catalogue,
    fetch::Fetch,
    jobs::Job,
    library,
    node::{Inner, unix_ms},
    resume::Resumed,
    stream::BlobSource,
};

/// How often a play looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// How long the sleep timer fades.
const FADE: Duration = Duration::from_secs(10);
/// Sound of a track that must have been heard before it counts as played.
const COUNTS: Duration = Duration::from_secs(5);
/// Entries of the queue that are shown where no limit is said.
const DEFAULT_ENTRIES: u32 = 100;
/// Steps in which the end of what can be played without waiting is looked for.
const BUFFER_STEPS: u64 = 64;

/// The player that has the queue, made when it is first needed.
#[derive(Default)]
pub(crate) struct Host(Mutex<Option<Running>>);

struct Running {
    node: Weak<Inner>,
    runtime: Handle,
    player: Arc<Player<QueueItem>>,
    chosen: Arc<Mutex<Chosen>>,
}

/// What the user chose for the player, and what is shown of it.
#[derive(Debug, Default)]
struct Chosen {
    replay_gain: GainMode,
    crossfade: f32,
    sleep: Option<u32>,
    device: Option<String>,
    error: Option<ApiError>,
    /// Where to go on with an entry that was left before the start.
    resting: Option<(EntryId, Duration)>,
    /// The queue's version, with the mark of its entries in their order.
    version: (u64, u64),
    /// The current entry as it is shown.
    current: Option<(EntryId, Option<Shown>)>,
}

/// Opens tracks for a player's threads.
struct TrackOpener {
    node: Weak<Inner>,
    runtime: Handle,
    /// The next track's download, kept going until it is opened.
    next: Mutex<Option<Fetch>>,
}

impl Host {
    /// Falls silent for good.
    pub(crate) async fn close(&self) {
        let running = self.0.lock().expect("no holder panics").take();
        let closing = tokio::task::spawn_blocking(move || {
            if let Some(running) = running {
                running.save();
            }
        });
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

    /// Shows a part of the player's queue.
    pub(crate) async fn queue(
        self: &Arc<Self>,
        offset: u32,
        limit: Option<u32>,
    ) -> Result<api::Queue, ApiError> {
        let limit = limit.unwrap_or(DEFAULT_ENTRIES).min(store::MAX_LIMIT);
        let (node, runtime) = (self.clone(), Handle::current());
        // Whoever holds the player may be waiting for the database.
        let looked = tokio::task::spawn_blocking(move || {
            let mut host = node.host.0.lock().expect("no holder panics");
            let running = host.get_or_insert_with(|| Running::start(&node, runtime));
            running.queue(offset as usize, limit as usize)
        });
        let looked = looked.await;
        let (mut queue, items) =
            looked.map_err(|_| ApiError::new("player_failed", "the player ended unexpectedly"))?;
        let items: Vec<Item> = items.into_iter().map(Item::from).collect();
        let listed = library::listed(&self.store, &items).await?;
        queue.entries.iter_mut().zip(listed).for_each(|(entry, listed)| entry.listed = listed);
        Ok(queue)
    }

    /// The releases that the queue has songs of; none before there is a player.
    pub(crate) async fn queued(self: &Arc<Self>) -> BTreeSet<ReleaseId> {
        let releases = |queue: &Queue<QueueItem>| {
            queue.entries().iter().filter_map(|entry| release_of(entry.item)).collect()
        };
        self.with_player(move |player| player.queue(releases)).await.unwrap_or_default()
    }

    /// Takes every song of these releases out of the queue; where one of them sounds, the next one follows.
    pub(crate) async fn unqueue(self: &Arc<Self>, releases: BTreeSet<ReleaseId>) {
        let unqueue = move |queue: &mut Queue<QueueItem>| {
            let named = |item| release_of(item).is_some_and(|release| releases.contains(&release));
            let gone: Vec<EntryId> =
                queue.entries().iter().filter(|entry| named(entry.item)).map(|entry| entry.id).collect();
            for id in gone {
                queue.remove(id);
            }
        };
        self.with_player(move |player| player.edit(unqueue)).await;
    }

    async fn with_player<R: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Player<QueueItem>) -> R + Send + 'static,
    ) -> Option<R> {
        let node = self.clone();
        // Whoever holds the player may be waiting for the database.
        let asked = tokio::task::spawn_blocking(move || {
            let host = node.host.0.lock().expect("no holder panics");
            host.as_ref().map(|running| ask(&running.player))
        });
        asked.await.ok().flatten()
    }

    /// Plays to an output of its own until the end, and reports.
    pub(crate) async fn play(self: &Arc<Self>, request: api::Play, job: &Job) -> Result<Played, ApiError> {
        let began = Instant::now();
        let details = catalogue::details(&self.store, &request.release).await?;
        let tracks = chosen(&details, request.track)?;
        let first = tracks.first().ok_or_else(|| not_a_track(&details, 0))?;
        let (codec, blob) = (first.track.codec.name().to_owned(), first.track.blob);
        let here = self.blobs.find(blob.hash).await.is_ok_and(|blob| blob.is_complete());
        let items: Vec<QueueItem> = tracks
            .iter()
            .map(|row| QueueItem::Track { release: request.release, track: row.number })
            .collect();
        let output: Output = request.output.parse().unwrap_or_default();
        if let Output::Wav(path) = &output
            && path.is_file()
        {
            let exists = audio::OutputError::Exists(path.clone());
            return Err(ApiError::new(exists.code(), exists.to_string()));
        }
        let opener = TrackOpener::new(self, Handle::current());
        let (player, events) = Player::new(opener, output);
        if let Some(seconds) = request.seconds {
            player.set_sleep(Sleep::After { sound: duration(seconds)?, fade: Duration::ZERO });
        }
        let from = request.from.map(duration).transpose()?.unwrap_or_default();
        within(millis(from), first.track.duration_ms.into())?;
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
            let item = Item::from(item);
            let played_ms = u32::try_from(position.as_millis()).unwrap_or(u32::MAX);
            let played = store::Played { item, at: unix_ms(), played_ms, finished };
            match node.store.played(&played).await {
                Ok(_) => node.hub.tell(&api::Event::LibraryChanged),
                Err(error) => tracing::warn!(%error, "the history could not be written"),
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
        let resumed = runtime.block_on(Resumed::load(&node.store));
        let mut chosen = Chosen::default();
        let opener = TrackOpener::new(node, runtime.clone());
        let (player, events) = Player::new(opener, Output::Default);
        if let Some(resumed) = resumed {
            chosen.take_up(&resumed, &player);
        }
        player.set_replay_gain(gain_mode(chosen.replay_gain));
        let player = Arc::new(player);
        let obeying = Arc::downgrade(&player);
        let keys = MediaKeys::new("MusicDAO", move |command| {
            if let Some(player) = obeying.upgrade() {
                command.apply(&player);
            }
        });
        let running =
            Self { node: Arc::downgrade(node), runtime, player, chosen: Arc::new(Mutex::new(chosen)) };
        let teller = running.teller();
        std::thread::Builder::new()
            .name("player-events".to_owned())
            .spawn(move || teller.tell(&keys, &events))
            .expect("a thread can be started");
        running
    }

    /// Goes on, after a restart from where it was left.
    fn resume(&self) {
        let state = self.player.state();
        let rested = self.chosen().resting.take();
        let rested = rested.filter(|(id, _)| state.entry.is_some_and(|entry| entry.id == *id));
        match rested {
            Some((_, position)) if state.playback == Playback::Stopped => self.player.play_from(position),
            _ => self.player.play(),
        }
    }

    /// Writes down what to go on with after a restart.
    fn save(&self) {
        if let Some(node) = self.node.upgrade() {
            self.chosen().save(&node, &self.runtime, &self.player);
        }
    }

    fn teller(&self) -> Teller {
        Teller {
            node: self.node.clone(),
            runtime: self.runtime.clone(),
            player: Arc::downgrade(&self.player),
            chosen: self.chosen.clone(),
        }
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
            PlayerCommand::Resume => self.resume(),
            PlayerCommand::Pause => player.pause(),
            PlayerCommand::Next => player.next(),
            PlayerCommand::Previous => player.previous(),
            PlayerCommand::Seek { position_ms } => {
                let length = player.state().duration.map_or(u64::MAX, millis);
                within(position_ms, length)?;
                player.seek(Duration::from_millis(position_ms));
            }
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
            PlayerCommand::Sleep { minutes } => {
                self.chosen().sleep = minutes;
                player.set_sleep(sleep(minutes));
            }
            PlayerCommand::Output { device } => {
                player.set_output(device.parse().unwrap_or_default());
                self.chosen().device = Some(device);
            }
        }
        Ok(())
    }

    fn state(&self) -> PlayerState {
        self.chosen().bump(&self.player);
        let Some(node) = self.node.upgrade() else { return state(&self.player, &self.chosen(), None, 0) };
        shown_state(&node, &self.runtime, &self.player, &mut self.chosen())
    }

    /// A part of the queue without what is shown of the entries, and their items.
    fn queue(&self, offset: usize, limit: usize) -> (api::Queue, Vec<QueueItem>) {
        let version = self.chosen().bump(&self.player);
        self.player.queue(|queue| {
            let part = || queue.entries().iter().skip(offset).take(limit);
            let entries = part().map(|entry| queue_entry(entry.id, entry.item)).collect();
            let index = place(queue).map(|index| index as u64);
            let (length, offset) = (queue.len() as u64, offset as u64);
            (api::Queue { version, length, index, offset, entries }, part().map(|entry| entry.item).collect())
        })
    }

    fn chosen(&self) -> MutexGuard<'_, Chosen> {
        self.chosen.lock().expect("no holder panics")
    }
}

impl Chosen {
    /// Goes on as the player was left.
    fn take_up(&mut self, resumed: &Resumed, player: &Player<QueueItem>) {
        self.resting = resumed.restore(player);
        (self.replay_gain, self.crossfade) = (resumed.replay_gain, resumed.crossfade);
        player.set_crossfade(duration(resumed.crossfade.into()).unwrap_or_default());
        if let Some(device) = &resumed.device {
            player.set_output(device.parse().unwrap_or_default());
        }
        self.device = resumed.device.clone();
    }

    /// Not for the runtime's own threads: it waits for the database.
    fn save(&self, node: &Inner, runtime: &Handle, player: &Player<QueueItem>) {
        let chosen = (self.replay_gain, self.crossfade, self.device.clone());
        let resumed = Resumed::of(player, self.resting, node.settings().private_session, chosen);
        if let Err(error) = runtime.block_on(resumed.save(&node.store)) {
            tracing::warn!(code = error.code, "the player's queue could not be kept");
        }
    }

    /// Brings the queue's version up to date.
    fn bump(&mut self, player: &Player<QueueItem>) -> u64 {
        let mark = player.queue(|queue| {
            let mut hasher = DefaultHasher::new();
            queue.entries().iter().for_each(|entry| entry.id.0.hash(&mut hasher));
            hasher.finish()
        });
        let (version, before) = self.version;
        if mark != before {
            self.version = (version + 1, mark);
        }
        self.version.0
    }
}

/// Tells what a player does.
struct Teller {
    node: Weak<Inner>,
    runtime: Handle,
    player: Weak<Player<QueueItem>>,
    chosen: Arc<Mutex<Chosen>>,
}

impl Teller {
    /// Tells the player's events until the player is gone.
    fn tell(&self, keys: &MediaKeys, events: &Receiver<audio::Event<QueueItem>>) {
        let (mut last, mut told) = (None, 0);
        for event in events {
            let (Some(node), Some(player)) = (self.node.upgrade(), self.player.upgrade()) else { return };
            let mut chosen = self.chosen.lock().expect("no holder panics");
            remember(&node, &event, &mut last, &mut chosen);
            if matches!(event, audio::Event::Queue) && chosen.bump(&player) != told {
                told = chosen.version.0;
                let length = player.queue(Queue::len) as u64;
                node.hub.tell(&api::Event::Queue { version: told, length });
            }
            if matches!(
                event,
                audio::Event::Queue | audio::Event::Track { .. } | audio::Event::Playback(Playback::Paused)
            ) {
                chosen.save(&node, &self.runtime, &player);
            }
            let shown = shown_state(&node, &self.runtime, &player, &mut chosen);
            keys.show(&now_playing(&player, &shown));
            node.hub.tell(&match event {
                audio::Event::Position(_) => {
                    api::Event::Position { position_ms: shown.position_ms, buffered_ms: shown.buffered_ms }
                }
                _ => api::Event::Player(shown),
            });
        }
    }
}

/// Notes what was heard and what went wrong.
fn remember(
    node: &Arc<Inner>,
    event: &audio::Event<QueueItem>,
    last: &mut Option<(QueueItem, Duration)>,
    chosen: &mut Chosen,
) {
    match event {
        audio::Event::Track { entry, .. } => {
            if let Some((item, position)) = last.replace((entry.item, Duration::ZERO)) {
                node.heard(item, position, true);
            }
            (chosen.error, chosen.resting) = (None, None);
        }
        audio::Event::Position(position) => *last = last.map(|(item, _)| (item, *position)),
        audio::Event::Finished => {
            if let Some((item, position)) = last.take() {
                node.heard(item, position, true);
            }
        }
        audio::Event::Slept => chosen.sleep = None,
        audio::Event::Problem { problem, .. } => {
            chosen.error = Some(ApiError::new(problem.code(), problem.to_string()));
        }
        _ => {}
    }
}

/// What the desktop shows of the player.
fn now_playing(player: &Player<QueueItem>, shown: &PlayerState) -> NowPlaying {
    let state = player.state();
    NowPlaying {
        entry: state.entry.map_or(0, |entry| entry.id.0),
        title: shown.title.clone().unwrap_or_default(),
        artist: shown.artist.clone().unwrap_or_default(),
        duration: state.duration,
        playback: state.playback,
        position: state.position,
        volume: state.volume,
        repeat: player.queue(Queue::repeat),
        ..NowPlaying::default()
    }
}

/// The player's state with what is known of the current entry. Not for the runtime's own threads: it waits for the
/// database.
fn shown_state(
    node: &Arc<Inner>,
    runtime: &Handle,
    player: &Player<QueueItem>,
    chosen: &mut Chosen,
) -> PlayerState {
    let state = player.state();
    let Some(entry) = &state.entry else { return self::state(player, chosen, None, 0) };
    let known = chosen.current.take().filter(|(id, shown)| *id == entry.id && shown.is_some());
    let shown = match known {
        Some((_, shown)) => shown,
        None => runtime
            .block_on(node.store.shown_items(&[entry.item.into()]))
            .ok()
            .and_then(|mut one| one.pop()?),
    };
    let buffered = runtime.block_on(node.buffered(shown.as_ref(), state.position, state.duration));
    chosen.current = Some((entry.id, shown.clone()));
    self::state(player, chosen, shown, millis(buffered))
}

fn state(player: &Player<QueueItem>, chosen: &Chosen, shown: Option<Shown>, buffered_ms: u64) -> PlayerState {
    let state = player.state();
    let (length, index, shuffle, repeat) =
        player.queue(|queue| (queue.len(), place(queue), queue.is_shuffled(), queue.repeat()));
    let listed = shown.map(api::Listed::from);
    let (title, artist) =
        (listed.as_ref().map(|it| it.title.clone()), listed.as_ref().map(|it| it.artist.clone()));
    let current = state
        .entry
        .map(|entry| QueueEntry { listed: listed.unwrap_or_default(), ..queue_entry(entry.id, entry.item) });
    let rested = chosen.resting.filter(|(id, _)| {
        state.playback == Playback::Stopped && current.as_ref().is_some_and(|entry| entry.entry == id.0)
    });
    let position = rested.map_or(state.position, |(_, position)| position);
    let known = current.as_ref().map_or(0, |entry| entry.listed.duration_ms);
    PlayerState {
        status: match state.playback {
            Playback::Stopped => "stopped",
            Playback::Playing => "playing",
            Playback::Paused => "paused",
            Playback::Buffering => "buffering",
        }
        .to_owned(),
        queue_version: chosen.version.0,
        queue_length: length as u64,
        index,
        title,
        artist,
        current,
        position_ms: millis(position),
        duration_ms: state.duration.map_or(known, millis),
        buffered_ms,
        volume: state.volume,
        shuffle,
        repeat: repeat.into(),
        replay_gain: chosen.replay_gain,
        crossfade: chosen.crossfade,
        sleep: chosen.sleep,
        device: chosen.device.clone().unwrap_or_else(|| "default".to_owned()),
        error: chosen.error.clone(),
    }
}

impl Inner {
    /// Up to where a track can be played without waiting, by the bytes of it that are here.
    async fn buffered(
        &self,
        shown: Option<&Shown>,
        position: Duration,
        length: Option<Duration>,
    ) -> Duration {
        let length =
            length.unwrap_or_else(|| Duration::from_millis(shown.map_or(0, |it| it.duration_ms.into())));
        // A private file is whole.
        let Some(track) = shown.and_then(|shown| shown.blob) else { return length };
        let Ok(blob) = self.blobs.find(track.hash).await else { return Duration::ZERO };
        if blob.is_complete() || length.is_zero() {
            return length;
        }
        let part = position.as_secs_f64() / length.as_secs_f64();
        let head = (track.size as f64 * part) as u64;
        let step = (track.size / BUFFER_STEPS).max(1);
        let mut end = head;
        while end < track.size && blob.holds(&(end..(end + step).min(track.size))) {
            end += step;
        }
        if end == head { position } else { length.mul_f64(end.min(track.size) as f64 / track.size as f64) }
    }
}

fn queue_entry(id: EntryId, item: QueueItem) -> QueueEntry {
    let (release, track, file) = library::parts(&item.into());
    QueueEntry { entry: id.0, release, track, file, listed: api::Listed::default() }
}

fn release_of(item: QueueItem) -> Option<ReleaseId> {
    library::parts(&item.into()).0
}

fn place(queue: &Queue<QueueItem>) -> Option<usize> {
    let current = queue.current()?.id;
    queue.entries().iter().position(|entry| entry.id == current)
}

fn sleep(minutes: Option<u32>) -> Sleep {
    match minutes {
        None => Sleep::Off,
        Some(0) => Sleep::EndOfTrack,
        Some(minutes) => Sleep::After { sound: Duration::from_secs(u64::from(minutes) * 60), fade: FADE },
    }
}

impl TrackOpener {
    fn new(node: &Arc<Inner>, runtime: Handle) -> Self {
        Self { node: Arc::downgrade(node), runtime, next: Mutex::default() }
    }

    fn node(&self) -> Result<Arc<Inner>, ApiError> {
        self.node.upgrade().ok_or_else(|| ApiError::new("node_ending", "the node is ending"))
    }

    fn fetch(
        &self,
        release: &domain::ReleaseId,
        number: u16,
    ) -> Result<(ReleaseDetails, TrackRow, Fetch), ApiError> {
        let node = self.node()?;
        self.runtime.block_on(async {
            let details = catalogue::details(&node.store, release).await?;
            node.want_tracks(&details);
            let track = chosen(&details, Some(number))?.remove(0);
            let artist = details.row.artist_id;
            let fetch = node.fetch(track.track.blob, store::Reason::Played, Some(artist)).await?;
            Ok((details, track, fetch))
        })
    }

    fn open_track(&self, release: &domain::ReleaseId, number: u16) -> Result<audio::Track, audio::Error> {
        let (details, track, fetch) =
            self.fetch(release, number).map_err(|error| match error.code.as_str() {
                "blob_not_found" | "release_unknown" => audio::Error::NotFound,
                _ => audio::Error::Unopened(error.message),
            })?;
        self.next.lock().expect("no holder panics").take();
        Ok(audio::Track {
            source: Box::new(BlobSource::new(fetch, self.runtime.clone())),
            gain: gain(&details, &track),
            album: Some(Album { id: release.to_string(), number: number.into() }),
            duration: Some(Duration::from_millis(track.track.duration_ms.into())),
        })
    }

    fn open_file(&self, file: i64) -> Result<audio::Track, audio::Error> {
        let node = self.node().map_err(|_| audio::Error::Cancelled)?;
        let known = self.runtime.block_on(node.store.local_file(file));
        let known = known.ok().flatten().ok_or(audio::Error::Vanished)?;
        let peak = known.peak.map_or(1.0, linear);
        let album = Path::new(&known.path).parent().map(|folder| folder.display().to_string());
        Ok(audio::Track {
            source: Box::new(FileSource::open(Path::new(&known.path))?),
            gain: known.loudness.map_or_else(Gain::default, |loudness| {
                Gain::from_loudness(f64::from(loudness) / 100.0, peak)
            }),
            album: album.zip(known.number).map(|(id, number)| Album { id, number: number.into() }),
            duration: Some(Duration::from_millis(known.duration_ms.into())),
        })
    }
}

impl Opener<QueueItem> for TrackOpener {
    fn open(&self, item: &QueueItem) -> Result<audio::Track, audio::Error> {
        match item {
            QueueItem::Track { release, track } => self.open_track(release, *track),
            QueueItem::File { file } => self.open_file(*file),
        }
    }

    fn prefetch(&self, item: &QueueItem) {
        let QueueItem::Track { release, track } = item else { return };
        if let Ok((_, _, fetch)) = self.fetch(release, *track) {
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

/// Refuses a track that the release does not have, also where its list has not come yet.
pub(crate) fn has_track(details: &ReleaseDetails, track: Option<u16>) -> Result<(), ApiError> {
    let count = details.row.track_count;
    match track.filter(|number| !(1..=count).contains(number)) {
        Some(number) => Err(not_a_track(details, number)),
        None => Ok(()),
    }
}

fn not_a_track(details: &ReleaseDetails, number: u16) -> ApiError {
    let message = format!("{} has {} tracks, no number {number}", details.row.title, details.row.track_count);
    ApiError::new("track_unknown", message)
}

/// Corrections by the measured loudness; the album's is the mean power of its tracks by their length.
fn gain(details: &ReleaseDetails, track: &TrackRow) -> Gain {
    let measured = |track: &domain::kinds::Track| {
        let loudness = f64::from(track.loudness?) / 100.0;
        let peak = track.peak.map_or(1.0, linear);
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

/// A peak in hundredths of dBTP, 1.0 being full scale.
fn linear(peak: i16) -> f64 {
    10_f64.powf(f64::from(peak) / 2000.0)
}

fn at(queue: &Queue<QueueItem>, index: usize) -> Result<EntryId, ApiError> {
    let entry = queue.entries().get(index).map(|entry| entry.id);
    entry.ok_or_else(|| {
        let (place, length) = (index.saturating_add(1), queue.len());
        ApiError::new("queue_index", format!("the queue has no place {place}; it has {length}"))
    })
}

/// Refuses a place behind the end of a track; the end itself is one.
fn within(position_ms: u64, length_ms: u64) -> Result<(), ApiError> {
    if position_ms <= length_ms {
        return Ok(());
    }
    let seconds = |ms: u64| ms / 1000;
    let message = format!(
        "second {} is behind the end: the track has {} seconds",
        seconds(position_ms),
        seconds(length_ms)
    );
    Err(ApiError::new("seek_past_end", message))
}

fn duration(seconds: f64) -> Result<Duration, ApiError> {
    let wrong = |_| ApiError::new("bad_time", format!("{seconds} seconds is not a time"));
    Duration::try_from_secs_f64(seconds).map_err(wrong)
}

pub(crate) fn millis(time: Duration) -> u64 {
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
