//! The decoder thread: keeps the ring full of what the queue says.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    Control, Entry, EntryId, Error, Opener, OutputError, Problem, Sleep,
    deck::Deck,
    output::Line,
    shared::{Goto, Mark, NO_ENTRY, Shared, lock, spawn},
    time_to_frames,
};

/// Frames mixed at a time.
const BLOCK: usize = 1024;
/// Sound kept ready in the ring.
const RING: Duration = Duration::from_secs(1);
/// The next track is opened when this much of the current one is left.
const AHEAD: Duration = Duration::from_secs(20);
/// A fade shorter than this is none.
const SHORTEST_FADE: Duration = Duration::from_millis(50);
/// Longest sleep of the thread, should a wake-up get lost.
const NAP: Duration = Duration::from_millis(500);
/// A sound card is released after this much time with nothing to play.
const RELEASE: Duration = Duration::from_secs(10);

pub(crate) struct Engine<T> {
    shared: Arc<Shared<T>>,
    opener: Arc<dyn Opener<T>>,
    line: Option<(Line, rtrb::Producer<f32>)>,
    deck: Option<Deck<T>>,
    /// The track that fades out under the current one.
    fade: Option<Fade<T>>,
    ahead: Option<Ahead<T>>,
    /// What follows is looked for behind this entry, which failed.
    skip: Option<EntryId>,
    failures: usize,
    /// Set when a read was interrupted in the middle of a packet.
    tainted: bool,
    again: Option<Goto>,
    sleep: Timer,
    block: Vec<f32>,
    /// Mixed, but not yet in the ring.
    backlog: Vec<f32>,
    idle_since: Instant,
}

struct Fade<T> {
    deck: Deck<T>,
    total: usize,
    done: usize,
}

#[derive(Default)]
struct Timer {
    at_end: bool,
    left: Option<u64>,
    fade: u64,
}

/// Whether there is more to do at once.
#[derive(PartialEq, Eq)]
enum Step {
    Done,
    Wait,
}

impl<T: Clone + Send + 'static> Engine<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>, opener: Arc<dyn Opener<T>>) -> Self {
        Self {
            shared,
            opener,
            line: None,
            deck: None,
            fade: None,
            ahead: None,
            skip: None,
            failures: 0,
            tainted: false,
            again: None,
            sleep: Timer::default(),
            block: Vec::new(),
            backlog: Vec::new(),
            idle_since: Instant::now(),
        }
    }

    pub(crate) fn run(mut self) {
        while !self.shared.is_closed() {
            let goto = self.shared.take_goto();
            let again = self.again.take();
            match goto.or(again) {
                Some(Goto::Stop) => self.stop(),
                Some(Goto::Current { position, since, .. }) => self.play(position, since),
                None if self.step() == Step::Wait => self.rest(),
                None => self.idle_since = Instant::now(),
            }
        }
    }

    fn rest(&mut self) {
        let idle = self.deck.is_none() && self.shared.gauge.is_dry() && self.idle_since.elapsed() > RELEASE;
        if idle && self.line.as_ref().is_some_and(|(line, _)| line.is_realtime()) {
            self.close_line();
        }
        std::thread::park_timeout(NAP);
    }

    fn stop(&mut self) {
        self.flush();
        (self.deck, self.ahead) = (None, None);
        self.shared.set_control(None);
        self.shared.decoding.store(NO_ENTRY, Ordering::Release);
        self.shared.gauge.ended.store(true, Ordering::Release);
    }

    /// Plays the queue's current entry from here.
    fn play(&mut self, position: Option<Duration>, since: Instant) {
        if self.shared.settings().reopen {
            self.close_line();
        }
        let position = position.unwrap_or_else(|| self.shared.resting_position());
        self.flush();
        self.shared.gauge.ended.store(false, Ordering::Release);
        let Some(entry) = self.shared.queue().current().cloned() else { return };
        let deck = match self.deck.take().filter(|deck| deck.entry.id == entry.id) {
            Some(mut deck) => deck.seek(position).map(|()| deck),
            None => self.open(&entry, position),
        };
        match deck {
            Ok(deck) => self.begin(deck, position, since),
            Err(Error::Cancelled) => {
                self.again = Some(Goto::Current { position: Some(position), since, play: false })
            }
            Err(error) => self.pass_over(entry, error, since),
        }
    }

    fn begin(&mut self, deck: Deck<T>, position: Duration, since: Instant) {
        if let Err(error) = self.open_line(deck.track_rate()) {
            self.deck = Some(deck);
            return self.mute(Problem::Output(error));
        }
        self.start(deck, position);
        self.shared.arm(since);
    }

    fn mute(&mut self, problem: Problem) {
        let entry = self.deck.as_ref().map(|deck| deck.entry.clone());
        self.shared.silence();
        self.shared.gauge.ended.store(true, Ordering::Release);
        self.shared.mark(Mark::Problem { entry, problem });
    }

    fn open(&mut self, entry: &Entry<T>, position: Duration) -> Result<Deck<T>, Error> {
        let track = self.opener.open(&entry.item)?;
        let control = track.source.control();
        self.shared.set_control(Some(control.clone()));
        control.interrupt(false);
        if self.shared.is_called_away() {
            return Err(Error::Cancelled);
        }
        Deck::open(entry.clone(), track, position)
    }

    /// The current entry cannot be played at all: the one behind it becomes current.
    fn pass_over(&mut self, entry: Entry<T>, error: Error, since: Instant) {
        let id = entry.id;
        self.shared.mark(Mark::Problem { entry: Some(entry), problem: Problem::Track(error) });
        self.failures += 1;
        let mut queue = self.shared.queue();
        let next = queue.beyond(id).map(|next| next.id).filter(|_| self.failures <= queue.len());
        match next {
            Some(next) => {
                queue.select(next);
                self.again = Some(Goto::Current { position: Some(Duration::ZERO), since, play: false });
            }
            None => {
                drop(queue);
                self.end();
            }
        }
    }

    fn end(&mut self) {
        (self.deck, self.ahead, self.skip, self.failures) = (None, None, None, 0);
        self.shared.set_control(None);
        self.shared.decoding.store(NO_ENTRY, Ordering::Release);
        self.shared.gauge.ended.store(true, Ordering::Release);
        self.shared.mark(Mark::End);
    }

    /// Makes a deck the current one.
    fn start(&mut self, mut deck: Deck<T>, position: Duration) {
        if let Some((line, _)) = &self.line {
            deck.set_rate(line.rate);
        }
        let entry = deck.entry.clone();
        self.shared.decoding.store(entry.id.0, Ordering::Release);
        self.shared.set_control(Some(deck.control()));
        self.shared.mark(Mark::Track { entry, position, duration: deck.duration() });
        self.deck = Some(deck);
        (self.skip, self.tainted, self.ahead) = (None, false, None);
        if let Some(next) = self.following() {
            self.opener.prefetch(&next.item);
        }
    }

    fn following(&self) -> Option<Entry<T>> {
        let queue = self.shared.queue();
        let next = match self.skip {
            Some(id) => queue.beyond(id),
            None => queue.following(self.deck.as_ref()?.entry.id),
        };
        next.filter(|_| self.failures <= queue.len()).cloned()
    }

    /// Ends the output: nothing more is heard from here on.
    fn close_line(&mut self) {
        self.shared.set_pump(None);
        self.line = None;
    }

    fn open_line(&mut self, track_rate: u32) -> Result<(), OutputError> {
        let (output, reopen) = {
            let mut settings = self.shared.settings();
            (settings.output.clone(), std::mem::take(&mut settings.reopen))
        };
        if self.line.is_some() && !reopen {
            return Ok(());
        }
        self.close_line();
        self.shared.gauge.renew();
        // The ring is made before the output tells its rate; a second at 48 kHz does for the usual ones.
        let (producer, consumer) =
            rtrb::RingBuffer::new(time_to_frames(RING, track_rate.max(48_000)) as usize * 2);
        let opened = Line::open(&output, track_rate, consumer, &self.shared.gauge);
        let line = opened.inspect_err(|_| self.shared.settings().reopen = true)?;
        self.shared.rate.store(line.rate.into(), Ordering::Release);
        self.shared.realtime.store(line.is_realtime(), Ordering::Release);
        self.shared.set_pump(line.waker());
        self.line = Some((line, producer));
        Ok(())
    }

    /// Drops what was decoded and not heard.
    fn flush(&mut self) {
        let gauge = &self.shared.gauge;
        gauge.written.fetch_sub(self.backlog.len() as u64 / 2, Ordering::AcqRel);
        let unheard = gauge.written.load(Ordering::Acquire).saturating_sub(gauge.heard());
        self.sleep.left = self.sleep.left.map(|left| left + unheard + self.backlog.len() as u64 / 2);
        self.backlog.clear();
        self.fade = None;
        self.shared.flush();
    }

    /// Decodes and mixes one block.
    fn step(&mut self) -> Step {
        self.push();
        let blocked = !self.backlog.is_empty() || self.shared.is_marked_full();
        if blocked || self.deck.is_none() || self.shared.silent.load(Ordering::Acquire) || self.line.is_none()
        {
            return Step::Wait;
        }
        self.set_timer();
        self.look_ahead();
        if self.fade_awaits_its_track() {
            return Step::Wait;
        }
        self.cross_fade();
        self.block.clear();
        let step = self.mix();
        self.apply_timer();
        self.failures = if self.block.is_empty() { self.failures } else { 0 };
        self.shared.gauge.written.fetch_add(self.block.len() as u64 / 2, Ordering::AcqRel);
        self.backlog.append(&mut self.block);
        self.push();
        if self.sleep.left == Some(0) {
            self.sleep.left = None;
            self.fall_asleep();
        }
        step
    }

    fn push(&mut self) {
        let Some((_, ring)) = &mut self.line else { return };
        let (pushed, _) = ring.push_partial_slice(&self.backlog);
        let pushed = pushed.len();
        if pushed > 0 {
            self.backlog.drain(..pushed);
            self.shared.wake_pump();
        }
    }

    /// Puts the next frames of the current track into `block`, with what fades out under it.
    fn mix(&mut self) -> Step {
        let frames = self.frames_before_fade();
        let Some(deck) = &mut self.deck else { return Step::Wait };
        if std::mem::take(&mut self.tainted) && deck.resume().is_err_and(|error| error == Error::Cancelled) {
            self.tainted = true;
            return Step::Done;
        }
        let read = deck.read(frames, &mut self.block);
        let gain = deck.gain.factor(self.shared.settings().replay_gain);
        amplify(&mut self.block, gain);
        self.mix_fade();
        match read {
            Ok(read) if read == frames => Step::Done,
            Ok(_) => self.turn(gain),
            Err(Error::Cancelled) => {
                self.tainted = true;
                Step::Done
            }
            Err(error) => self.cut(error),
        }
    }

    /// The current track fails in the middle: it ends here.
    fn cut(&mut self, error: Error) -> Step {
        let Some(deck) = &mut self.deck else { return Step::Wait };
        let entry = deck.entry.clone();
        deck.cut();
        self.skip = Some(entry.id);
        self.shared.mark(Mark::Problem { entry: Some(entry), problem: Problem::Track(error) });
        Step::Done
    }

    /// Goes from the ended track to the one that follows, once that is open.
    fn turn(&mut self, gain: f32) -> Step {
        let Some(next) = self.following() else { return self.finish(gain) };
        self.prepare(&next);
        let Some(opened) = self.ahead.as_ref().and_then(Ahead::take) else { return Step::Wait };
        match opened {
            Ok(mut next) => {
                self.take_tail(Some(&mut next), gain);
                self.hand_out();
                self.start(next, Duration::ZERO);
                if std::mem::take(&mut self.sleep.at_end) {
                    self.fall_asleep();
                }
            }
            Err(error) => {
                self.failures += 1;
                self.skip = Some(next.id);
                self.ahead = None;
                self.shared.mark(Mark::Problem { entry: Some(next), problem: Problem::Track(error) });
            }
        }
        Step::Done
    }

    fn finish(&mut self, gain: f32) -> Step {
        self.take_tail(None, gain);
        self.hand_out();
        self.end();
        Step::Done
    }

    /// What the resampler still holds of the ended track goes into the next one, or out.
    fn take_tail(&mut self, next: Option<&mut Deck<T>>, gain: f32) {
        let Some(deck) = &mut self.deck else { return };
        let mut tail = Vec::new();
        deck.hand_over(next, &mut tail);
        amplify(&mut tail, gain);
        self.block.append(&mut tail);
    }

    /// Counts the block as written, so that the mark that follows stands behind it.
    fn hand_out(&mut self) {
        self.apply_timer();
        self.shared.gauge.written.fetch_add(self.block.len() as u64 / 2, Ordering::AcqRel);
        self.backlog.append(&mut self.block);
    }

    fn look_ahead(&mut self) {
        let Some(deck) = &self.deck else { return };
        let crossfade = self.shared.settings().crossfade;
        if deck.remaining().is_none_or(|remaining| remaining <= AHEAD + crossfade)
            && let Some(next) = self.following()
        {
            self.prepare(&next);
        }
    }

    /// Begins to open an entry on a thread of its own, so that the current track does not wait for it.
    fn prepare(&mut self, next: &Entry<T>) {
        if self.ahead.as_ref().is_none_or(|ahead| ahead.entry.id != next.id) {
            self.ahead = Some(Ahead::open(next.clone(), self.opener.clone(), self.shared.clone()));
        }
    }

    /// Says whether a fade is due whose track is still being opened. A file is written faster than sound plays and would be
    /// past the place; for ears the sound goes on.
    fn fade_awaits_its_track(&self) -> bool {
        let (Some(deck), Some(ahead), Some((line, _))) = (&self.deck, &self.ahead, &self.line) else {
            return false;
        };
        let wanted = self.shared.settings().crossfade;
        let is_due = !wanted.is_zero() && deck.remaining().is_some_and(|remaining| remaining <= wanted);
        is_due && !line.is_realtime() && self.fade.is_none() && !ahead.is_open()
    }

    /// Starts the next track over the end of this one, when it is time.
    fn cross_fade(&mut self) {
        let (Some(deck), Some(ahead), Some((line, _))) = (&self.deck, &self.ahead, &self.line) else {
            return;
        };
        let wanted = self.shared.settings().crossfade;
        let Some(remaining) = deck.remaining().filter(|remaining| *remaining <= wanted) else { return };
        if wanted.is_zero() || self.fade.is_some() || self.sleep.at_end || self.skip.is_some() {
            return;
        }
        let Some(next) = ahead.take_if(|next| !deck.leads_into(next)) else { return };
        let time = next.duration().map_or(remaining, |duration| remaining.min(duration / 2));
        let total = time_to_frames(time, line.rate) as usize;
        if time < SHORTEST_FADE {
            return ahead.give_back(next);
        }
        let old = self.deck.take();
        self.start(next, Duration::ZERO);
        self.fade = old.map(|deck| Fade { deck, total, done: 0 });
    }

    /// Returns how many frames to mix so that a fade that is near starts at its own frame.
    fn frames_before_fade(&self) -> usize {
        let (Some(deck), Some((line, _))) = (&self.deck, &self.line) else { return BLOCK };
        let wanted = self.shared.settings().crossfade;
        let left = deck.remaining().and_then(|remaining| remaining.checked_sub(wanted));
        match left.map(|left| time_to_frames(left, line.rate)) {
            Some(left) if left > 0 && !wanted.is_zero() => BLOCK.min(usize::try_from(left).unwrap_or(BLOCK)),
            _ => BLOCK,
        }
    }

    /// Adds the track that fades out, with equal power.
    fn mix_fade(&mut self) {
        let Some(fade) = &mut self.fade else { return };
        let mut under = Vec::with_capacity(self.block.len());
        // Where the old track fails it is over a little early.
        let _ = fade.deck.read(self.block.len() / 2, &mut under);
        amplify(&mut under, fade.deck.gain.factor(self.shared.settings().replay_gain));
        under.resize(self.block.len(), 0.0);
        for (frame, under) in self.block.chunks_exact_mut(2).zip(under.chunks_exact(2)) {
            let phase = (fade.done as f32 / fade.total as f32).min(1.0) * std::f32::consts::FRAC_PI_2;
            frame[0] = frame[0] * phase.sin() + under[0] * phase.cos();
            frame[1] = frame[1] * phase.sin() + under[1] * phase.cos();
            fade.done += 1;
        }
        if fade.done >= fade.total {
            self.fade = None;
        }
    }

    fn set_timer(&mut self) {
        let Some(sleep) = self.shared.settings().sleep.take() else { return };
        let rate = self.line.as_ref().map_or(48_000, |(line, _)| line.rate);
        self.sleep = match sleep {
            Sleep::Off => Timer::default(),
            Sleep::EndOfTrack => Timer { at_end: true, ..Timer::default() },
            Sleep::After { sound, fade } => Timer {
                at_end: false,
                left: Some(time_to_frames(sound, rate)),
                fade: time_to_frames(fade, rate),
            },
        };
    }

    /// Fades and cuts the block as the sleep timer says.
    fn apply_timer(&mut self) {
        let Some(left) = &mut self.sleep.left else { return };
        self.block.truncate(usize::try_from(*left * 2).unwrap_or(usize::MAX));
        for frame in self.block.chunks_exact_mut(2) {
            if *left < self.sleep.fade {
                amplify(frame, *left as f32 / self.sleep.fade as f32);
            }
            *left -= 1;
        }
    }

    fn fall_asleep(&mut self) {
        self.shared.silent.store(true, Ordering::Release);
        self.shared.gauge.ended.store(true, Ordering::Release);
        self.shared.mark(Mark::Slept);
    }
}

fn amplify(samples: &mut [f32], factor: f32) {
    if factor != 1.0 {
        samples.iter_mut().for_each(|sample| *sample *= factor);
    }
}

/// A track that is being opened while another one plays.
struct Ahead<T> {
    entry: Entry<T>,
    slot: Arc<Mutex<Slot<T>>>,
}

struct Slot<T> {
    opened: Option<Result<Deck<T>, Error>>,
    control: Option<Arc<dyn Control>>,
    dropped: bool,
}

impl<T: Clone + Send + 'static> Ahead<T> {
    fn open(entry: Entry<T>, opener: Arc<dyn Opener<T>>, shared: Arc<Shared<T>>) -> Self {
        let slot = Arc::new(Mutex::new(Slot { opened: None, control: None, dropped: false }));
        let ahead = Self { entry: entry.clone(), slot: slot.clone() };
        // The thread ends by itself: its reads wait for a bounded time, and dropping `Ahead` interrupts them.
        drop(spawn("audio-ahead", move || {
            let opened = open(&slot, entry, &*opener);
            lock(&slot).opened = Some(opened);
            shared.gauge.wake_decoder();
        }));
        ahead
    }

    fn is_open(&self) -> bool {
        lock(&self.slot).opened.is_some()
    }

    fn take(&self) -> Option<Result<Deck<T>, Error>> {
        lock(&self.slot).opened.take()
    }

    fn take_if(&self, fits: impl FnOnce(&Deck<T>) -> bool) -> Option<Deck<T>> {
        let opened = &mut lock(&self.slot).opened;
        match opened.take() {
            Some(Ok(deck)) if fits(&deck) => Some(deck),
            other => {
                *opened = other;
                None
            }
        }
    }

    fn give_back(&self, deck: Deck<T>) {
        lock(&self.slot).opened = Some(Ok(deck));
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        let mut slot = lock(&self.slot);
        slot.dropped = true;
        if let (None, Some(control)) = (&slot.opened, &slot.control) {
            control.interrupt(true);
        }
    }
}

fn open<T: 'static>(
    slot: &Mutex<Slot<T>>,
    entry: Entry<T>,
    opener: &dyn Opener<T>,
) -> Result<Deck<T>, Error> {
    let track = opener.open(&entry.item)?;
    {
        let mut slot = lock(slot);
        if slot.dropped {
            return Err(Error::Cancelled);
        }
        let control = track.source.control();
        control.interrupt(false);
        slot.control = Some(control);
    }
    Deck::open(entry, track, Duration::ZERO)
}
