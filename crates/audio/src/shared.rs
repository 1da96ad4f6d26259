//! What the player's threads share: orders to the decoder, and what is heard of what it made.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

use crate::{
    Control, Entry, Event, Output, OutputError, Playback, Problem, Queue, ReplayGain, Sleep, State,
    frames_to_time, gauge::Gauge,
};

/// How often what is heard is looked at while playing.
const TICK: Duration = Duration::from_millis(20);
/// How often a playing position is told.
const POSITION_EVERY: Duration = Duration::from_millis(500);
/// A sound card that takes nothing for this long while there is sound for it is gone, also where its driver says nothing.
const STALL: Duration = Duration::from_secs(3);
/// What a sound card may still hold of the sound it has taken: the end is told this much later.
const TAIL: Duration = Duration::from_millis(300);
/// Marks between what is decoded and what is heard; the decoder waits at more.
const MOST_MARKS: usize = 64;
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
    pub(crate) fn to(position: Option<Duration>, play: bool) -> Self {
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
    pub(crate) active: AtomicBool,
    /// The decoder put out all it will until told to go on.
    pub(crate) silent: AtomicBool,
    pub(crate) decoding: AtomicU64,
    pub(crate) closed: AtomicBool,
    pub(crate) watcher: OnceLock<Thread>,
    events: SyncSender<Event<T>>,
    lost_events: AtomicU64,
}

impl<T> Shared<T> {
    pub(crate) fn new(events: SyncSender<Event<T>>, output: Output) -> Self {
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
            watcher: OnceLock::new(),
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

    pub(crate) fn interrupt(&self) {
        if let Some(control) = &*lock(&self.control) {
            control.interrupt(true);
        }
        self.gauge.wake_decoder();
        self.wake_watcher();
    }

    pub(crate) fn go(&self, goto: Goto) {
        self.silent.store(false, Ordering::Release);
        let mut pending = lock(&self.goto);
        *pending = Some(goto.after(*pending));
        drop(pending);
        self.interrupt();
    }

    pub(crate) fn set_playing(&self, playing: bool) {
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

    pub(crate) fn wants_sound(&self) -> bool {
        let pending = matches!(*lock(&self.goto), Some(Goto::Current { play: true, .. }));
        pending || self.gauge.playing.load(Ordering::Acquire)
    }

    pub(crate) fn emit(&self, event: Event<T>) {
        if self.events.try_send(event).is_err() {
            self.lost_events.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<T: Clone> Shared<T> {
    /// Tells what is heard, until the player is closed.
    pub(crate) fn watch(&self) {
        while !self.is_closed() {
            self.advance();
            let busy = self.gauge.playing.load(Ordering::Acquire) || !lock(&self.timeline).marks.is_empty();
            std::thread::park_timeout(if busy { TICK } else { Duration::from_secs(1) });
        }
        self.advance();
    }

    /// Makes true what has been heard by now, and tells it.
    pub(crate) fn advance(&self) {
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

    pub(crate) fn state(&self) -> State<T> {
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
