//! Plays a queue.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Receiver},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    Entry, EntryId, Error, Output, OutputError, Queue, ReplayGain, Track,
    engine::Engine,
    shared::{Goto, NO_ENTRY, Shared, spawn},
};

/// Longest crossfade.
pub const LONGEST_CROSSFADE: Duration = Duration::from_secs(12);
/// Events kept for a reader that is late; later ones are dropped and counted.
pub const MOST_EVENTS: usize = 1024;

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
    /// The volume changed.
    Volume(f32),
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

    /// Changes the queue and returns what `edit` returns. Sound follows: if another entry is current now, that is
    /// heard from its start; if another one follows, it will. Does not start a player that is stopped or paused.
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
        self.shared.emit(Event::Volume(self.shared.gauge.volume()));
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
