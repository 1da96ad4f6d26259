//! Plays a queue.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    Control, Entry, EntryId, Error, Output, OutputError, Queue, ReplayGain, Track, engine::Engine,
    frames_to_time, gauge::Gauge,
};

/// Longest crossfade.
pub const LONGEST_CROSSFADE: Duration = Duration::from_secs(12);
/// Events kept for a reader that is late; later ones are dropped and counted.
pub const MOST_EVENTS: usize = 1024;
/// How often what is heard is looked at while playing.
const TICK: Duration = Duration::from_millis(20);
/// How often a playing position is told.
const POSITION_EVERY: Duration = Duration::from_millis(500);
/// A sound card that takes nothing for this long while there is sound for it is gone, also where its driver says nothing.
const STALL: Duration = Duration::from_secs(3);
/// What a sound card may still hold of the sound it has taken: the end is told this much later.
const TAIL: Duration = Duration::from_millis(300);
/// Marks between what is decoded and what is heard; the decoder waits at more.
pub(crate) const MOST_MARKS: usize = 64;

/// Gets at the bytes of an item. Called from the player's threads.
pub trait Opener<T>: Send + Sync + 'static {
    /// Returns the item's track without waiting for bytes: reads wait, and can be interrupted.
    ///
    /// # Errors
    /// Whatever makes the item unplayable; the player tells it and goes on.
    fn open(&self, item: &T) -> Result<Track, Error>;

    /// Hints that the item plays next.
    fn prefetch(&self, item: &T) {
        let _ = item;
    }
}

/// Whether there is sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Playback {
    /// Nothing is to be played.
    #[default]
    Stopped,
    /// Sound comes out.
    Playing,
    /// Somebody paused it.
    Paused,
    /// Sound is wanted, its bytes are awaited.
    Buffering,
}

/// When to fall silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sleep {
    /// Not by itself.
    #[default]
    Off,
    /// Pause when the current track ends.
    EndOfTrack,
    /// Pause after this much sound, growing quieter over the last part of it.
    After {
        /// Sound until then.
        sound: Duration,
        /// Part of it that fades.
        fade: Duration,
    },
}

/// Why a track or the sound stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// This item cannot be played, or not to its end.
    Track(Error),
    /// The output does not work.
    Output(OutputError),
}

impl Problem {
    /// Returns the stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Track(error) => error.code(),
            Self::Output(error) => error.code(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Track(error) => error.fmt(f),
            Self::Output(error) => error.fmt(f),
        }
    }
}

/// What happened, in the order in which it was heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<T> {
    /// Sound starts, stops or waits.
    Playback(Playback),
    /// A track begins to be heard, or is heard from another place.
    Track {
        /// What is heard.
        entry: Entry<T>,
        /// From where.
        position: Duration,
        /// How long it is.
        duration: Option<Duration>,
    },
    /// Where in the track the sound is, every half second.
    Position(Duration),
    /// Time from a command to its first sample.
    FirstSound(Duration),
    /// The queue or its settings changed.
    Queue,
    /// Something cannot be played. After a track's problem the queue goes on; after an output's the player pauses.
    Problem {
        /// The entry in question.
        entry: Option<Entry<T>>,
        /// What is wrong.
        problem: Problem,
    },
    /// The sleep timer paused the player.
    Slept,
    /// The last entry has been heard.
    Finished,
}

/// Everything about a player at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// Whether there is sound.
    pub playback: Playback,
    /// What is heard or would be.
    pub entry: Option<Entry<T>>,
    /// Where in it.
    pub position: Duration,
    /// How long it is.
    pub duration: Option<Duration>,
    /// From 0 to 1.
    pub volume: f32,
    /// Times the sound card found nothing to play in mid-track.
    pub underruns: u64,
    /// Time from the last play, jump or seek to its first sample.
    pub first_sound: Option<Duration>,
    /// Sound heard since the player was made.
    pub heard: Duration,
    /// Events that were dropped because nobody read them.
    pub lost_events: u64,
}

/// Plays a queue of items through an [`Opener`]. Cheap to call from any thread; dropping it ends the sound.
pub struct Player<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Clone + Send + 'static> Player<T> {
    /// Makes a player and the stream of its events. The output is opened when the first sound is wanted.
    pub fn new(opener: impl Opener<T>, output: Output) -> (Self, Receiver<Event<T>>) {
        let (events, receiver) = mpsc::sync_channel(MOST_EVENTS);
        let shared = Arc::new(Shared::new(events, output));
        let engine = Engine::new(shared.clone(), Arc::new(opener));
        let decoder = spawn("audio-decoder", move || engine.run());
        let watcher = spawn("audio-watcher", {
            let shared = shared.clone();
            move || shared.watch()
        });
        let _ = shared.gauge.decoder.set(decoder.thread().clone());
        let _ = shared.watcher.set(watcher.thread().clone());
        (Self { shared, threads: vec![decoder, watcher] }, receiver)
    }

    /// Changes the queue and returns what `edit` returns. Sound follows: if the current entry is gone, what is
    /// current now plays; if another one follows, it will.
    pub fn edit<R>(&self, edit: impl FnOnce(&mut Queue<T>) -> R) -> R {
        let mut queue = self.shared.queue();
        let before = queue.current().map(|entry| entry.id);
        let result = edit(&mut queue);
        let after = queue.current().map(|entry| entry.id);
        drop(queue);
        self.shared.emit(Event::Queue);
        let active = self.shared.active.load(Ordering::Acquire);
        match after {
            _ if !active => {}
            None => self.stop(),
            Some(_) if after != before => self.shared.go(Goto::to(Some(Duration::ZERO), false)),
            Some(current) => self.recheck(current),
        }
        result
    }

    /// Looks at the queue.
    pub fn queue<R>(&self, look: impl FnOnce(&Queue<T>) -> R) -> R {
        look(&self.shared.queue())
    }

    /// Replaces the queue and plays from `start`.
    pub fn play_all(&self, items: impl IntoIterator<Item = T>, start: usize) {
        self.shared.queue().replace(items, start);
        self.shared.emit(Event::Queue);
        self.play_from(Duration::ZERO);
    }

    /// Plays, or goes on after a pause; from the first entry where none is current.
    pub fn play(&self) {
        if !self.shared.active.load(Ordering::Acquire) {
            self.play_from(Duration::ZERO);
        } else if self.shared.silent.load(Ordering::Acquire) {
            self.begin(None);
        } else {
            self.shared.set_playing(true);
        }
    }

    /// Plays the current entry from this place.
    pub fn play_from(&self, position: Duration) {
        self.begin(Some(position));
    }

    fn begin(&self, position: Option<Duration>) {
        if self.shared.queue().begin().is_some() {
            self.shared.active.store(true, Ordering::Release);
            self.shared.go(Goto::to(position, true));
        }
    }

    /// Plays another entry of the queue. Says whether it is there.
    pub fn jump(&self, id: EntryId) -> bool {
        let found = self.shared.queue().select(id);
        if found {
            self.play_from(Duration::ZERO);
        }
        found
    }

    /// Falls silent and stays where it is.
    pub fn pause(&self) {
        self.shared.set_playing(false);
    }

    /// Pauses or plays.
    pub fn toggle(&self) {
        if self.shared.wants_sound() { self.pause() } else { self.play() }
    }

    /// Ends playing; [`Player::play`] begins the current entry anew.
    pub fn stop(&self) {
        self.shared.active.store(false, Ordering::Release);
        self.shared.set_playing(false);
        self.shared.go(Goto::Stop);
    }

    /// Goes to another place of the current entry. Does not change whether it plays.
    pub fn seek(&self, position: Duration) {
        if self.shared.active.load(Ordering::Acquire) {
            self.shared.go(Goto::to(Some(position), false));
        }
    }

    /// Goes to the next entry, or stops behind the last.
    pub fn next(&self) {
        let there = self.shared.queue().forward().is_some();
        self.shared.emit(Event::Queue);
        if there { self.play_from(Duration::ZERO) } else { self.stop() }
    }

    /// Goes to the entry before.
    pub fn previous(&self) {
        let there = self.shared.queue().back().is_some();
        self.shared.emit(Event::Queue);
        if there {
            self.play_from(Duration::ZERO);
        }
    }

    /// Sets the volume, 0 to 1, linear.
    pub fn set_volume(&self, volume: f32) {
        self.shared.gauge.set_volume(volume);
    }

    /// Chooses the loudness correction.
    pub fn set_replay_gain(&self, mode: ReplayGain) {
        self.shared.settings().replay_gain = mode;
    }

    /// Sets how long tracks overlap, at most [`LONGEST_CROSSFADE`]; consecutive tracks of one album never do.
    pub fn set_crossfade(&self, time: Duration) {
        self.shared.settings().crossfade = time.min(LONGEST_CROSSFADE);
    }

    /// Sets the sleep timer.
    pub fn set_sleep(&self, sleep: Sleep) {
        self.shared.settings().sleep = Some(sleep);
        self.shared.gauge.wake_decoder();
    }

    /// Moves the sound to another output, without a gap in the music.
    pub fn set_output(&self, output: Output) {
        self.shared.settings().output = output;
        self.shared.settings().reopen = true;
        if self.shared.active.load(Ordering::Acquire) {
            self.shared.go(Goto::to(None, false));
        }
    }

    /// Returns everything about the player now.
    pub fn state(&self) -> State<T> {
        self.shared.advance();
        self.shared.state()
    }

    /// Ends the sound and waits until the output is complete.
    pub fn close(mut self) -> State<T> {
        let state = self.state();
        self.shut();
        state
    }
}

impl<T> Player<T> {
    fn shut(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.interrupt();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

impl<T: Clone + Send + 'static> Player<T> {
    /// Where the decoder is already in a track that does not follow any more, it starts over from what is heard.
    fn recheck(&self, current: EntryId) {
        let decoding = EntryId(self.shared.decoding.load(Ordering::Acquire));
        let follows = self.shared.queue().following(current).map(|entry| entry.id);
        if decoding.0 != NO_ENTRY && decoding != current && Some(decoding) != follows {
            self.shared.go(Goto::to(None, false));
        }
    }
}

impl<T> Drop for Player<T> {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Stands for "no entry" in [`Shared::decoding`].
pub(crate) const NO_ENTRY: u64 = u64::MAX;

/// Where the decoder shall go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goto {
    /// To a place of the queue's current entry; without one to where the sound is.
    Current {
        position: Option<Duration>,
        since: Instant,
        play: bool,
    },
    Stop,
}

impl Goto {
    fn to(position: Option<Duration>, play: bool) -> Self {
        Self::Current { position, since: Instant::now(), play }
    }

    /// Joins an order with an older one that was not carried out yet.
    fn after(self, older: Option<Self>) -> Self {
        match (older, self) {
            (
                Some(Self::Current { position: place, play: resume, .. }),
                Self::Current { position, since, play },
            ) => Self::Current { position: position.or(place), since, play: play || resume },
            (_, newer) => newer,
        }
    }
}

/// Something that becomes true when its frame is heard.
pub(crate) enum Mark<T> {
    Track { entry: Entry<T>, position: Duration, duration: Option<Duration> },
    Problem { entry: Option<Entry<T>>, problem: Problem },
    Slept,
    End,
}

#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) replay_gain: ReplayGain,
    pub(crate) crossfade: Duration,
    /// A new setting of the sleep timer.
    pub(crate) sleep: Option<Sleep>,
    pub(crate) output: Output,
    pub(crate) reopen: bool,
}

/// What is heard now, and what will be.
struct Timeline<T> {
    marks: VecDeque<(u64, Mark<T>)>,
    entry: Option<Entry<T>>,
    duration: Option<Duration>,
    /// Position in the entry at `frame`.
    position: Duration,
    frame: u64,
    playback: Playback,
    /// What was heard when it last moved, or needed not to.
    moved: (u64, Instant),
    /// When the first mark that is due became so.
    ending: Option<Instant>,
    told_position: Option<Duration>,
    told_first_sound: bool,
}

/// What the player's threads share.
pub(crate) struct Shared<T> {
    pub(crate) gauge: Arc<Gauge>,
    queue: Mutex<Queue<T>>,
    settings: Mutex<Settings>,
    timeline: Mutex<Timeline<T>>,
    goto: Mutex<Option<Goto>>,
    /// Control of the source that the decoder reads.
    control: Mutex<Option<Arc<dyn Control>>>,
    /// Wakes an output that has no clock.
    pump: Mutex<Option<Thread>>,
    pub(crate) rate: AtomicU64,
    pub(crate) realtime: AtomicBool,
    /// Whether there is something to play or to go on with.
    active: AtomicBool,
    /// The decoder put out all it will until told to go on.
    pub(crate) silent: AtomicBool,
    pub(crate) decoding: AtomicU64,
    closed: AtomicBool,
    watcher: std::sync::OnceLock<Thread>,
    events: SyncSender<Event<T>>,
    lost_events: AtomicU64,
}

impl<T> Shared<T> {
    fn new(events: SyncSender<Event<T>>, output: Output) -> Self {
        let timeline = Timeline {
            marks: VecDeque::new(),
            entry: None,
            duration: None,
            position: Duration::ZERO,
            frame: 0,
            playback: Playback::Stopped,
            moved: (0, Instant::now()),
            ending: None,
            told_position: None,
            told_first_sound: true,
        };
        Self {
            gauge: Arc::new(Gauge::new()),
            queue: Mutex::new(Queue::default()),
            settings: Mutex::new(Settings { output, ..Settings::default() }),
            timeline: Mutex::new(timeline),
            goto: Mutex::new(None),
            control: Mutex::new(None),
            pump: Mutex::new(None),
            rate: AtomicU64::new(48_000),
            realtime: AtomicBool::new(true),
            active: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            decoding: AtomicU64::new(NO_ENTRY),
            closed: AtomicBool::new(false),
            watcher: std::sync::OnceLock::new(),
            events,
            lost_events: AtomicU64::new(0),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        lock(&self.queue)
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes the order to go elsewhere and lets reads wait again.
    pub(crate) fn take_goto(&self) -> Option<Goto> {
        if let Some(control) = &*lock(&self.control) {
            control.interrupt(false);
        }
        let mut pending = lock(&self.goto);
        if let Some(Goto::Current { play: true, .. }) = *pending {
            self.gauge.playing.store(true, Ordering::Release);
        }
        pending.take()
    }

    /// The next frame to be heard answers a command given at this time.
    pub(crate) fn arm(&self, since: Instant) {
        let mut timeline = lock(&self.timeline);
        self.gauge.arm(since);
        timeline.told_first_sound = false;
    }

    pub(crate) fn is_called_away(&self) -> bool {
        self.is_closed() || lock(&self.goto).is_some()
    }

    /// Makes the source's control known, so that a read can be interrupted.
    pub(crate) fn set_control(&self, control: Option<Arc<dyn Control>>) {
        *lock(&self.control) = control;
    }

    pub(crate) fn set_pump(&self, pump: Option<Thread>) {
        *lock(&self.pump) = pump;
    }

    pub(crate) fn wake_pump(&self) {
        if let Some(pump) = &*lock(&self.pump) {
            pump.unpark();
        }
    }

    pub(crate) fn wake_watcher(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher.unpark();
        }
    }

    pub(crate) fn mark(&self, mark: Mark<T>) {
        let frame = self.gauge.written.load(Ordering::Acquire);
        lock(&self.timeline).marks.push_back((frame, mark));
        self.wake_watcher();
    }

    pub(crate) fn is_marked_full(&self) -> bool {
        lock(&self.timeline).marks.len() >= MOST_MARKS
    }

    /// Drops all that was decoded and not heard yet.
    pub(crate) fn flush(&self) {
        let mut timeline = lock(&self.timeline);
        let heard = self.gauge.heard();
        timeline.ending = None;
        timeline.marks.retain(|(frame, mark)| *frame <= heard || matches!(mark, Mark::Problem { .. }));
        self.gauge.flush();
        drop(timeline);
        self.wake_pump();
    }

    fn interrupt(&self) {
        if let Some(control) = &*lock(&self.control) {
            control.interrupt(true);
        }
        self.gauge.wake_decoder();
        self.wake_watcher();
    }

    fn go(&self, goto: Goto) {
        self.silent.store(false, Ordering::Release);
        let mut pending = lock(&self.goto);
        *pending = Some(goto.after(*pending));
        drop(pending);
        self.interrupt();
    }

    fn set_playing(&self, playing: bool) {
        let mut pending = lock(&self.goto);
        if let Some(Goto::Current { play, .. }) = &mut *pending {
            *play = playing;
        }
        self.gauge.playing.store(playing, Ordering::Release);
        drop(pending);
        self.wake_pump();
        self.gauge.wake_decoder();
        self.wake_watcher();
    }

    fn wants_sound(&self) -> bool {
        let pending = matches!(*lock(&self.goto), Some(Goto::Current { play: true, .. }));
        pending || self.gauge.playing.load(Ordering::Acquire)
    }

    fn emit(&self, event: Event<T>) {
        if self.events.try_send(event).is_err() {
            self.lost_events.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<T: Clone> Shared<T> {
    /// Tells what is heard, until the player is closed.
    fn watch(&self) {
        while !self.is_closed() {
            self.advance();
            let busy = self.gauge.playing.load(Ordering::Acquire) || !lock(&self.timeline).marks.is_empty();
            std::thread::park_timeout(if busy { TICK } else { Duration::from_secs(1) });
        }
        self.advance();
    }

    /// Makes true what has been heard by now, and tells it.
    fn advance(&self) {
        let mut timeline = lock(&self.timeline);
        self.check_output(&mut timeline);
        let heard = self.gauge.heard();
        self.tell_first_sound(&mut timeline);
        while let Some((frame, mark)) = self.next_mark(&mut timeline, heard) {
            self.apply(&mut timeline, frame, mark);
            self.gauge.wake_decoder();
        }
        let playback = self.playback();
        if playback != timeline.playback {
            timeline.playback = playback;
            self.emit(Event::Playback(playback));
        }
        self.tell_position(&mut timeline);
    }

    /// Takes the next mark that has been reached. Those that end the sound wait until the sound card is through.
    fn next_mark(&self, timeline: &mut Timeline<T>, heard: u64) -> Option<(u64, Mark<T>)> {
        let (frame, mark) = timeline.marks.front()?;
        let ends = matches!(mark, Mark::End | Mark::Slept) && self.realtime.load(Ordering::Acquire);
        let since = (*frame <= heard).then(|| *timeline.ending.get_or_insert_with(Instant::now))?;
        if ends && since.elapsed() < TAIL {
            return None;
        }
        timeline.ending = None;
        timeline.marks.pop_front()
    }

    fn apply(&self, timeline: &mut Timeline<T>, frame: u64, mark: Mark<T>) {
        match mark {
            Mark::Track { entry, position, duration } => {
                (timeline.entry, timeline.duration) = (Some(entry.clone()), duration);
                (timeline.position, timeline.frame) = (position, frame);
                timeline.told_position = Some(position);
                self.queue().select(entry.id);
                self.emit(Event::Track { entry, position, duration });
            }
            Mark::Problem { entry, problem } => self.emit(Event::Problem { entry, problem }),
            Mark::Slept => {
                self.gauge.playing.store(false, Ordering::Release);
                self.emit(Event::Slept);
            }
            Mark::End => {
                self.active.store(false, Ordering::Release);
                self.gauge.playing.store(false, Ordering::Release);
                self.queue().rewind();
                (timeline.entry, timeline.duration, timeline.told_position) = (None, None, None);
                self.emit(Event::Finished);
            }
        }
    }

    /// An output that failed pauses the player; the next play opens it again.
    fn check_output(&self, timeline: &mut Timeline<T>) {
        self.check_progress(timeline);
        let Some(error) = self.gauge.take_fault() else { return };
        timeline.position = self.position(timeline);
        timeline.frame = self.gauge.heard();
        self.settings().reopen = true;
        self.silence();
        self.emit(Event::Problem { entry: timeline.entry.clone(), problem: Problem::Output(error) });
    }

    fn check_progress(&self, timeline: &mut Timeline<T>) {
        let heard = self.gauge.heard();
        let due = self.realtime.load(Ordering::Acquire)
            && self.gauge.playing.load(Ordering::Acquire)
            && !self.gauge.is_dry();
        if !due || heard != timeline.moved.0 {
            timeline.moved = (heard, Instant::now());
        } else if timeline.moved.1.elapsed() > STALL {
            timeline.moved.1 = Instant::now();
            self.gauge.fail(OutputError::Lost("it takes no more sound".to_owned()));
        }
    }

    /// Pauses because the output cannot go on.
    pub(crate) fn silence(&self) {
        self.gauge.playing.store(false, Ordering::Release);
        self.silent.store(true, Ordering::Release);
    }

    fn playback(&self) -> Playback {
        let starved = self.gauge.is_dry() && !self.gauge.ended.load(Ordering::Acquire);
        let waiting = || lock(&self.control).as_ref().is_some_and(|control| control.is_waiting());
        if !self.active.load(Ordering::Acquire) {
            Playback::Stopped
        } else if !self.wants_sound() {
            Playback::Paused
        } else if starved && (self.realtime.load(Ordering::Acquire) || waiting()) {
            Playback::Buffering
        } else {
            Playback::Playing
        }
    }

    fn tell_first_sound(&self, timeline: &mut Timeline<T>) {
        if let (false, Some(time)) = (timeline.told_first_sound, self.gauge.first_sound()) {
            timeline.told_first_sound = true;
            self.emit(Event::FirstSound(time));
        }
    }

    fn tell_position(&self, timeline: &mut Timeline<T>) {
        let position = self.position(timeline);
        if timeline.told_position.is_some_and(|told| position.abs_diff(told) >= POSITION_EVERY) {
            timeline.told_position = Some(position);
            self.emit(Event::Position(position));
        }
    }

    fn position(&self, timeline: &Timeline<T>) -> Duration {
        if timeline.entry.is_none() {
            return Duration::ZERO;
        }
        let played = self.gauge.heard().saturating_sub(timeline.frame);
        let position = timeline.position + frames_to_time(played, self.rate.load(Ordering::Acquire) as u32);
        timeline.duration.map_or(position, |duration| position.min(duration))
    }

    /// Returns where the current entry goes on.
    pub(crate) fn resting_position(&self) -> Duration {
        let current = self.queue().current().map(|entry| entry.id);
        let timeline = lock(&self.timeline);
        match &timeline.entry {
            Some(entry) if Some(entry.id) == current && self.active.load(Ordering::Acquire) => {
                self.position(&timeline)
            }
            _ => Duration::ZERO,
        }
    }

    fn state(&self) -> State<T> {
        let entry = self.queue().current().cloned();
        let timeline = lock(&self.timeline);
        let heard_one = entry.as_ref().map(|entry| entry.id) == timeline.entry.as_ref().map(|entry| entry.id);
        State {
            playback: timeline.playback,
            position: if heard_one { self.position(&timeline) } else { Duration::ZERO },
            duration: timeline.duration.filter(|_| heard_one),
            entry,
            volume: self.gauge.volume(),
            underruns: self.gauge.underruns.load(Ordering::Relaxed),
            first_sound: self.gauge.first_sound(),
            heard: frames_to_time(self.gauge.sounded(), self.rate.load(Ordering::Acquire) as u32),
            lost_events: self.lost_events.load(Ordering::Relaxed),
        }
    }
}

pub(crate) fn lock<V: ?Sized>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).expect("the system can start a thread")
}
