//! What to ask of whom, next: a pure state machine over one blob's missing groups and its providers.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use domain::PeerId;

use crate::{
    blobs::Groups,
    wire::{GROUP, MAX_REQUESTED},
};

/// Smallest useful request, in groups: 64 KiB.
const SMALLEST: u64 = 4;
/// Largest request, in groups.
const LARGEST: u64 = MAX_REQUESTED / GROUP;
/// One request should take about this long, so that an urgent one never waits long behind it.
const REQUEST_TIME: Duration = Duration::from_millis(100);
/// What one provider may owe: enough to keep a long path full.
const OWED_TIME: Duration = Duration::from_millis(400);
/// Most requests at one provider, and again as many that somebody waits for.
const FLIGHTS: usize = 8;
/// What is due within this time is waited for.
const URGENT: Duration = Duration::from_secs(1);
/// Assumed of a provider before it was measured: 2 MB/s.
const FIRST_RATE: f64 = 2e6;
/// Assumed round trip before it was measured.
const FIRST_LATENCY: Duration = Duration::from_millis(50);
/// Shortest time over which a rate is measured.
const MEASURE: Duration = Duration::from_millis(5);
/// Weight of a new measurement.
const NEWS: f64 = 0.3;
/// A request without news for this long, at least, may be asked elsewhere too.
const STALL: Duration = Duration::from_millis(300);
/// A request without news for this long is given up.
const GIVE_UP: Duration = Duration::from_secs(10);
/// First pause after a failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// Failures in a row after which a provider is dropped.
const FAILURES: u32 = 6;
/// How long a part's holes are believed before the provider is asked again.
const LACK: Duration = Duration::from_secs(1);

/// Names one who reads.
pub(crate) type ReaderId = u64;

/// Names one request.
pub(crate) type FlightId = u64;

/// One request to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) flight: FlightId,
    pub(crate) provider: PeerId,
    /// Which groups; none asks only whether the provider has the blob.
    pub(crate) groups: Range<u64>,
    /// The last group too, to prove the size.
    pub(crate) tail: bool,
    /// Somebody waits for it.
    pub(crate) urgent: bool,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What the provider has of it is here.
    Done {
        /// Groups that were asked for and are not at this provider.
        lacks: Vec<Range<u64>>,
    },
    /// The provider does not want to, does not have it, or is gone.
    Gone,
    /// The provider may be asked again later.
    Failed,
    /// The provider lied; it is never asked again.
    Lied,
}

/// The state of one download.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    held: Option<Groups>,
    proven: bool,
    wants: Vec<Want>,
    providers: BTreeMap<PeerId, Provider>,
    liars: Vec<PeerId>,
    flights: BTreeMap<FlightId, Flight>,
    last: FlightId,
    last_reader: ReaderId,
    cancelled: Vec<FlightId>,
}

#[derive(Clone, Debug)]
struct Want {
    groups: Range<u64>,
    due: Option<Instant>,
    /// Who alone wants it, if it is no longer wanted once that one reads elsewhere.
    reader: Option<ReaderId>,
}

#[derive(Debug)]
struct Provider {
    /// Its place in the order of adding.
    number: usize,
    /// It was asked whether it has the blob.
    asked: bool,
    /// It answered that it has it, in part at least.
    known: bool,
    rate: f64,
    latency: Duration,
    failures: u32,
    paused_until: Option<Instant>,
    /// Bytes since `measured_from`, for the next measurement.
    measured: u64,
    measured_from: Option<Instant>,
    lacks: Vec<(Range<u64>, Instant)>,
}

#[derive(Debug)]
struct Flight {
    provider: PeerId,
    groups: Range<u64>,
    tail: bool,
    urgent: bool,
    started: Instant,
    last_news: Instant,
    /// Without news until then it counts as stalled.
    stalls: Instant,
    hedged: bool,
}

impl Plan {
    /// Takes over what is on disk.
    pub(crate) fn set_held(&mut self, held: Groups, proven: bool) {
        self.held = Some(held);
        self.proven = proven;
    }

    /// Forgets a size that turned out wrong, and with it what seemed to be held.
    pub(crate) fn forget_size(&mut self) {
        self.held = None;
        self.proven = false;
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.held.as_ref().is_some_and(Groups::is_full)
    }

    pub(crate) fn providers(&self) -> usize {
        self.providers.len()
    }

    /// Adds a provider, unless it lied before.
    pub(crate) fn add_provider(&mut self, peer: PeerId) {
        if self.liars.contains(&peer) {
            return;
        }
        let number = self.providers.values().map(|provider| provider.number + 1).max().unwrap_or(0);
        let provider = self.providers.entry(peer).or_insert_with(|| Provider::new(number));
        provider.paused_until = None;
        provider.failures = 0;
    }

    /// Notes the round trip to a provider.
    pub(crate) fn set_latency(&mut self, peer: PeerId, latency: Duration) {
        if let Some(provider) = self.providers.get_mut(&peer) {
            provider.latency = latency;
        }
    }

    /// Wants groups by a time; `None` is whenever nothing else is due.
    pub(crate) fn want(&mut self, groups: Range<u64>, due: Option<Instant>) {
        self.want_for(None, groups, due);
    }

    /// Wants groups for as long as a reader does.
    pub(crate) fn want_for(&mut self, reader: Option<ReaderId>, groups: Range<u64>, due: Option<Instant>) {
        let same = self.wants.iter_mut().find(|want| want.groups == groups && want.reader == reader);
        if let Some(same) = same {
            same.due = match (same.due, due) {
                (Some(old), Some(new)) => Some(old.min(new)),
                (old, new) => old.or(new),
            };
            return;
        }
        self.wants.push(Want { groups, due, reader });
    }

    /// Names a new reader.
    pub(crate) fn reader(&mut self) -> ReaderId {
        self.last_reader += 1;
        self.last_reader
    }

    /// Forgets what a reader wanted; requests on the way go on.
    pub(crate) fn forget_reader(&mut self, reader: ReaderId) {
        self.wants.retain(|want| want.reader != Some(reader));
    }

    /// Returns the next request to make now, if any. Before anybody is known to have the blob, the first
    /// provider gets the first request and all are asked, so that the next ones go to those who have it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Order> {
        self.forget_held_wants();
        self.hedge(now);
        let mut wants: Vec<Want> = self.wants.clone();
        wants.sort_by_key(urgency);
        let order = wants.iter().find_map(|want| self.order(want, now));
        if wants.is_empty() { None } else { order.or_else(|| self.ask(now)) }
    }

    /// Notes groups that arrived and were verified.
    pub(crate) fn arrived(&mut self, flight: FlightId, groups: &[Range<u64>], now: Instant) {
        if let Some(held) = &mut self.held {
            groups.iter().for_each(|range| held.insert(range.clone()));
            self.proven |= held.has(held.len() - 1);
        }
        let Some(flight) = self.flights.get_mut(&flight) else { return };
        let bytes: u64 = groups.iter().map(|range| (range.end - range.start) * GROUP).sum();
        flight.last_news = now;
        flight.stalls = now + (flight.stalls - flight.started).max(STALL);
        if let Some(provider) = self.providers.get_mut(&flight.provider) {
            provider.measure(bytes, now);
        }
        self.cancel_overtaken();
    }

    /// Notes the end of a request.
    pub(crate) fn ended(&mut self, flight: FlightId, outcome: Outcome, now: Instant) {
        let Some(Flight { provider: peer, .. }) = self.flights.remove(&flight) else { return };
        let Some(provider) = self.providers.get_mut(&peer) else { return };
        match outcome {
            Outcome::Done { lacks } => {
                provider.failures = 0;
                provider.known = true;
                provider.lacks.extend(lacks.into_iter().map(|groups| (groups, now + LACK)));
            }
            Outcome::Failed if provider.failures + 1 < FAILURES => {
                provider.paused_until = Some(now + PAUSE * 2u32.pow(provider.failures));
                provider.failures += 1;
            }
            Outcome::Gone | Outcome::Failed => drop(self.providers.remove(&peer)),
            Outcome::Lied => {
                self.providers.remove(&peer);
                self.liars.push(peer);
            }
        }
    }

    /// Takes the requests that are no longer needed.
    pub(crate) fn take_cancelled(&mut self) -> Vec<FlightId> {
        std::mem::take(&mut self.cancelled)
    }

    /// Returns when [`Self::next`] may say something else without any news.
    pub(crate) fn wake(&self, now: Instant) -> Option<Instant> {
        let stalls = self
            .flights
            .values()
            .map(|flight| if flight.hedged { flight.last_news + GIVE_UP } else { flight.stalls });
        let pauses = self.providers.values().filter_map(|provider| provider.paused_until);
        let lacks =
            self.providers.values().flat_map(|provider| provider.lacks.iter().map(|(_, until)| *until));
        stalls.chain(pauses).chain(lacks).filter(|at| *at > now).min()
    }

    fn forget_held_wants(&mut self) {
        let Some(held) = &self.held else { return };
        self.wants.retain(|want| !held.has_all(want.groups.clone()));
    }

    /// Lets the groups of stalled requests be asked elsewhere, and gives up the hopeless.
    fn hedge(&mut self, now: Instant) {
        let mut hopeless = Vec::new();
        for (id, flight) in &mut self.flights {
            flight.hedged |= now >= flight.stalls;
            if now >= flight.last_news + GIVE_UP {
                hopeless.push(*id);
            }
        }
        for id in hopeless {
            self.cancelled.push(id);
            self.ended(id, Outcome::Failed, now);
        }
    }

    fn order(&mut self, want: &Want, now: Instant) -> Option<Order> {
        if !self.proven && self.held.is_none() && self.flights.values().any(Flight::is_first) {
            return None;
        }
        let missing: Vec<Range<u64>> = match &self.held {
            Some(held) => held.missing(want.groups.clone()).collect(),
            None => vec![want.groups.clone()],
        };
        let urgent = want.due.is_some_and(|due| due <= now + URGENT);
        missing.into_iter().find_map(|run| self.order_in(run, urgent, now))
    }

    /// Finds the first part of a run that is not on its way, and who shall bring it.
    fn order_in(&mut self, mut run: Range<u64>, urgent: bool, now: Instant) -> Option<Order> {
        while run.start < run.end {
            let (free, avoid) = self.first_free(&run);
            if free.is_empty() {
                return None;
            }
            if let Some(provider) = self.fastest(&free, avoid, urgent, now) {
                return Some(self.launch(provider, free, urgent, now));
            }
            run.start = free.end;
        }
        None
    }

    /// Returns the first stretch without an unhedged flight, and the provider that stalls on it.
    fn first_free(&self, run: &Range<u64>) -> (Range<u64>, Option<PeerId>) {
        let mut start = run.start;
        while let Some(flight) = self.flights.values().find(|f| !f.hedged && f.groups.contains(&start)) {
            start = flight.groups.end;
        }
        if start >= run.end {
            return (run.end..run.end, None);
        }
        let next = self.flights.values().map(|f| f.groups.start).filter(|at| *at > start).min();
        let stalled = self.flights.values().filter(|f| f.hedged && f.groups.contains(&start));
        let (mut end, mut avoid) = (run.end.min(next.unwrap_or(run.end)), None);
        for flight in stalled {
            end = end.min(flight.groups.end);
            avoid = Some(flight.provider);
        }
        (start..end, avoid)
    }

    /// Returns the provider that would have the first request of this stretch here first; before one is known
    /// to have the blob, the one that was added first.
    fn fastest(
        &self,
        groups: &Range<u64>,
        avoid: Option<PeerId>,
        urgent: bool,
        now: Instant,
    ) -> Option<PeerId> {
        let anybody = self.providers.values().any(|provider| provider.known);
        let able = self.providers.iter().filter(|(peer, provider)| {
            let able = Some(**peer) != avoid && provider.is_able(groups.start, now);
            able && (provider.known || !anybody) && self.has_room(peer, provider, urgent)
        });
        let finish = |(peer, provider): &(&PeerId, &Provider)| {
            let bytes = self.owed(peer, urgent) + provider.request_groups(groups) * GROUP;
            provider.latency.as_secs_f64() + bytes as f64 / provider.rate
        };
        let fastest = if anybody {
            able.min_by(|a, b| finish(a).partial_cmp(&finish(b)).unwrap_or(Ordering::Equal))
        } else {
            able.min_by_key(|(_, provider)| provider.number)
        };
        fastest.map(|(peer, _)| *peer)
    }

    /// Asks a provider whether it has the blob, where that is not known yet.
    fn ask(&mut self, now: Instant) -> Option<Order> {
        let (peer, provider) =
            self.providers.iter_mut().find(|(_, provider)| !provider.asked && !provider.known)?;
        provider.asked = true;
        self.last += 1;
        let (flight, provider) = (self.last, *peer);
        let stalls = now + GIVE_UP;
        let (groups, tail, urgent) = (0..0, false, true);
        let question = Flight {
            provider,
            groups: groups.clone(),
            tail,
            urgent,
            started: now,
            last_news: now,
            stalls,
            hedged: false,
        };
        self.flights.insert(flight, question);
        Some(Order { flight, provider, groups, tail, urgent })
    }

    /// What somebody waits for finds room beside what nobody waits for.
    fn has_room(&self, peer: &PeerId, provider: &Provider, urgent: bool) -> bool {
        let flights = self.flights_of(peer, urgent).count();
        let most = (provider.rate * OWED_TIME.as_secs_f64()) as u64;
        flights == 0 || flights < FLIGHTS && self.owed(peer, urgent) < most
    }

    fn owed(&self, peer: &PeerId, urgent: bool) -> u64 {
        self.flights_of(peer, urgent).map(|flight| (flight.groups.end - flight.groups.start) * GROUP).sum()
    }

    /// Returns a provider's requests for bytes that one of this urgency waits behind.
    fn flights_of(&self, peer: &PeerId, urgent: bool) -> impl Iterator<Item = &Flight> {
        let of = *peer;
        let asking =
            self.flights.values().filter(move |flight| flight.provider == of && !flight.groups.is_empty());
        asking.filter(move |flight| flight.urgent || !urgent)
    }

    fn launch(&mut self, peer: PeerId, free: Range<u64>, urgent: bool, now: Instant) -> Order {
        let owed = self.owed(&peer, urgent);
        let idle = self.owed(&peer, false) == 0;
        let tail = !self.proven && !self.flights.values().any(|flight| flight.tail && !flight.hedged);
        let provider = self.providers.get_mut(&peer).expect("the fastest is one of them");
        if idle {
            provider.measured = 0;
            provider.measured_from = Some(now + provider.latency);
        }
        provider.lacks.retain(|(_, until)| now < *until);
        let groups = free.start..free.start + provider.request_groups(&free);
        let bytes = owed + (groups.end - groups.start) * GROUP;
        let expected = provider.latency * 4 + Duration::from_secs_f64(2.0 * bytes as f64 / provider.rate);
        self.last += 1;
        let stalls = now + expected.max(STALL);
        let flight = Flight {
            provider: peer,
            groups: groups.clone(),
            tail,
            urgent,
            started: now,
            last_news: now,
            stalls,
            hedged: false,
        };
        self.flights.insert(self.last, flight);
        Order { flight: self.last, provider: peer, groups, tail, urgent }
    }

    /// Cancels requests all of whose groups came from elsewhere.
    fn cancel_overtaken(&mut self) {
        let Some(held) = &self.held else { return };
        let overtaken =
            self.flights.iter().filter(|(_, flight)| flight.hedged && held.has_all(flight.groups.clone()));
        let overtaken: Vec<FlightId> = overtaken.map(|(id, _)| *id).collect();
        for id in overtaken {
            self.flights.remove(&id);
            self.cancelled.push(id);
        }
    }
}

impl Flight {
    /// It asks for bytes and may still bring them in time.
    fn is_first(&self) -> bool {
        !self.hedged && !self.groups.is_empty()
    }
}

impl Provider {
    fn new(number: usize) -> Self {
        Self {
            number,
            asked: false,
            known: false,
            rate: FIRST_RATE,
            latency: FIRST_LATENCY,
            failures: 0,
            paused_until: None,
            measured: 0,
            measured_from: None,
            lacks: Vec::new(),
        }
    }

    fn is_able(&self, group: u64, now: Instant) -> bool {
        let paused = self.paused_until.is_some_and(|until| now < until);
        let lacks = self.lacks.iter().any(|(groups, until)| now < *until && groups.contains(&group));
        !paused && !lacks
    }

    fn request_groups(&self, free: &Range<u64>) -> u64 {
        let bytes = (self.rate * REQUEST_TIME.as_secs_f64()) as u64;
        (bytes / GROUP).clamp(SMALLEST, LARGEST).min(free.end - free.start)
    }

    /// Measures what all of a provider's requests bring together, over stretches long enough to mean it.
    fn measure(&mut self, bytes: u64, now: Instant) {
        self.measured += bytes;
        let Some(from) = self.measured_from else { return };
        let spent = now.saturating_duration_since(from);
        if spent < MEASURE {
            return;
        }
        let rate = self.measured as f64 / spent.as_secs_f64();
        self.rate += (rate - self.rate) * NEWS;
        self.measured = 0;
        self.measured_from = Some(now);
    }
}

/// What is due first comes first; what is never due comes last, from its beginning.
fn urgency(want: &Want) -> (bool, Option<Instant>, u64) {
    (want.due.is_none(), want.due, want.groups.start)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "ranges of groups are the data")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Time of the tests: it stands still unless a test moves it.
    fn begin() -> Instant {
        Instant::now()
    }

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn plan(groups: u64, providers: u8) -> Plan {
        let mut plan = Plan::default();
        plan.set_held(Groups::new(groups), true);
        (1..=providers).for_each(|number| add(&mut plan, number));
        plan
    }

    /// Adds a provider that is known to have the blob.
    fn add(plan: &mut Plan, number: u8) {
        plan.add_provider(peer(number));
        if let Some(provider) = plan.providers.get_mut(&peer(number)) {
            provider.known = true;
        }
    }

    fn orders(plan: &mut Plan, now: Instant) -> Vec<Order> {
        std::iter::from_fn(|| plan.next(now)).collect()
    }

    fn arrive(plan: &mut Plan, order: &Order, now: Instant) {
        plan.arrived(order.flight, std::slice::from_ref(&order.groups), now);
        plan.ended(order.flight, Outcome::Done { lacks: Vec::new() }, now);
    }

    /// Makes providers known: each brought so many bytes per second.
    fn with_rates(plan: &mut Plan, rates: &[f64]) {
        for (number, rate) in rates.iter().enumerate() {
            let provider = plan.providers.get_mut(&peer(number as u8 + 1)).unwrap();
            provider.rate = *rate;
            provider.latency = Duration::from_millis(10);
        }
    }

    #[test]
    fn what_is_due_first_is_asked_first() {
        let (mut plan, now) = (plan(1000, 1), begin());
        plan.want(0..1000, None);
        plan.want(500..504, Some(now + Duration::from_secs(5)));
        plan.want(900..904, Some(now));
        let starts: Vec<u64> = orders(&mut plan, now).iter().map(|order| order.groups.start).collect();
        assert_eq!(starts[..3], [900, 500, 0]);
    }

    #[test]
    fn what_a_reader_left_behind_does_not_come_before_where_it_reads_now() {
        let (mut plan, now) = (plan(1000, 1), begin());
        let (one, other) = (plan.reader(), plan.reader());
        plan.want_for(Some(one), 100..164, Some(now));
        plan.want_for(Some(other), 700..704, Some(now));
        plan.want(990..994, Some(now));
        plan.forget_reader(one);
        plan.want_for(Some(one), 500..504, Some(now + Duration::from_secs(2)));
        let starts: Vec<u64> = orders(&mut plan, now).iter().map(|order| order.groups.start).collect();
        assert_eq!(starts, [700, 990, 500]);
    }

    #[test]
    fn the_most_urgent_goes_to_the_fastest() {
        let (mut plan, now) = (plan(1000, 3), begin());
        with_rates(&mut plan, &[1e5, 1e8, 1e6]);
        plan.want(0..4, Some(now));
        assert_eq!(plan.next(now).unwrap().provider, peer(2));
    }

    #[test]
    fn a_fast_provider_far_away_is_passed_over_for_small_urgent_things() {
        let (mut plan, now) = (plan(1000, 2), begin());
        with_rates(&mut plan, &[1e8, 1e7]);
        plan.set_latency(peer(1), Duration::from_millis(300));
        plan.want(0..4, Some(now));
        assert_eq!(plan.next(now).unwrap().provider, peer(2));
    }

    #[test]
    fn bulk_is_shared_by_all_and_bounded_for_each() {
        let (mut plan, now) = (plan(100_000, 2), begin());
        with_rates(&mut plan, &[1e8, 1e8]);
        plan.want(0..100_000, None);
        let orders = orders(&mut plan, now);
        for number in [1, 2] {
            assert_eq!(orders.iter().filter(|order| order.provider == peer(number)).count(), FLIGHTS);
        }
        assert!(orders.iter().all(|order| order.groups.end - order.groups.start == LARGEST));
    }

    #[test]
    fn a_slow_provider_is_asked_for_little_at_a_time() {
        let (mut plan, now) = (plan(1000, 1), begin());
        with_rates(&mut plan, &[1e5]);
        plan.want(0..1000, None);
        let orders = orders(&mut plan, now);
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0].groups, 0..SMALLEST);
    }

    #[test]
    fn a_stalled_request_is_asked_elsewhere_and_cancelled_when_overtaken() {
        let (mut plan, now) = (plan(4, 1), begin());
        plan.want(0..4, Some(now));
        let stalled = plan.next(now).unwrap();
        add(&mut plan, 2);
        assert_eq!(plan.next(now), None);
        let later = plan.wake(now).unwrap();
        let hedge = plan.next(later).unwrap();
        assert_eq!((hedge.provider, hedge.groups.clone()), (peer(2), 0..4));
        assert_eq!(plan.next(later), None);
        arrive(&mut plan, &hedge, later);
        assert_eq!(plan.take_cancelled(), [stalled.flight]);
        assert!(plan.is_complete());
    }

    #[test]
    fn a_request_with_news_does_not_stall() {
        let (mut plan, now) = (plan(64, 2), begin());
        with_rates(&mut plan, &[1e7, 1e2]);
        plan.want(0..64, None);
        let first = plan.next(now).unwrap();
        let mut at = now;
        for group in first.groups.clone().take(5) {
            at = plan.flights[&first.flight].stalls - Duration::from_millis(1);
            plan.arrived(first.flight, &[group..group + 1], at);
        }
        assert!(plan.flights[&first.flight].stalls > at);
        assert!(!plan.flights[&first.flight].hedged);
    }

    #[test]
    fn the_only_provider_is_given_up_and_asked_again() {
        let (mut plan, now) = (plan(4, 1), begin());
        plan.want(0..4, Some(now));
        let first = plan.next(now).unwrap();
        let gave_up = now + GIVE_UP;
        assert_eq!(plan.next(gave_up), None);
        assert_eq!(plan.take_cancelled(), [first.flight]);
        let again = plan.wake(gave_up).unwrap();
        assert_eq!(plan.next(again).unwrap().provider, peer(1));
    }

    #[test]
    fn a_liar_is_never_asked_again() {
        let (mut plan, now) = (plan(4, 1), begin());
        plan.want(0..4, Some(now));
        let order = plan.next(now).unwrap();
        plan.ended(order.flight, Outcome::Lied, now);
        plan.add_provider(peer(1));
        assert_eq!((plan.providers(), plan.next(now)), (0, None));
    }

    #[test]
    fn failures_pause_longer_and_longer_and_then_end_it() {
        let (mut plan, mut now) = (plan(4, 1), begin());
        plan.want(0..4, Some(now));
        let mut pauses = Vec::new();
        while let Some(order) = plan.next(now) {
            plan.ended(order.flight, Outcome::Failed, now);
            let Some(wake) = plan.wake(now) else { break };
            pauses.push((wake - now).as_millis());
            now = wake;
        }
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000]);
        assert_eq!(plan.providers(), 0);
    }

    #[test]
    fn the_holes_of_a_part_are_asked_elsewhere_first() {
        let (mut plan, now) = (plan(8, 1), begin());
        plan.want(0..8, Some(now));
        let order = plan.next(now).unwrap();
        plan.arrived(order.flight, &[0..2, 6..8], now);
        plan.ended(order.flight, Outcome::Done { lacks: vec![2..6] }, now);
        assert_eq!(plan.next(now), None);
        add(&mut plan, 2);
        let other = plan.next(now).unwrap();
        assert_eq!((other.provider, other.groups.clone()), (peer(2), 2..6));
        plan.ended(other.flight, Outcome::Gone, now);
        assert_eq!(plan.next(now + LACK).unwrap().provider, peer(1));
    }

    #[test]
    fn all_are_asked_at_once_and_who_has_it_is_preferred() {
        let (mut plan, now) = (Plan::default(), begin());
        plan.set_held(Groups::new(1000), true);
        for number in [7, 1, 2, 3] {
            plan.add_provider(peer(number));
        }
        plan.want(0..4, Some(now));
        let orders = orders(&mut plan, now);
        assert_eq!((orders[0].provider, orders[0].groups.clone()), (peer(7), 0..4));
        let asked: Vec<PeerId> = orders[1..].iter().map(|order| order.provider).collect();
        assert_eq!(asked, [1, 2, 3, 7].map(peer));
        plan.ended(orders[0].flight, Outcome::Gone, now);
        plan.ended(orders[1].flight, Outcome::Gone, now);
        plan.ended(orders[3].flight, Outcome::Done { lacks: vec![] }, now);
        assert_eq!(plan.next(now).unwrap().provider, peer(3));
    }

    #[test]
    fn what_is_waited_for_finds_room_beside_bulk() {
        let (mut plan, now) = (plan(100_000, 1), begin());
        plan.want(0..100_000, None);
        assert!(!orders(&mut plan, now).is_empty());
        plan.want(50_000..50_004, Some(now));
        let urgent = plan.next(now).unwrap();
        assert!(urgent.urgent);
        assert_eq!(urgent.groups, 50_000..50_004);
    }

    #[test]
    fn an_unknown_size_is_proven_before_anything_else() {
        let (mut plan, now) = (Plan::default(), begin());
        add(&mut plan, 1);
        plan.want(0..u64::MAX, None);
        let first = plan.next(now).unwrap();
        assert!(first.tail);
        assert_eq!(plan.next(now), None);
        plan.set_held(Groups::new(1000), false);
        plan.arrived(first.flight, &[0..4, 999..1000], now);
        assert!(!plan.next(now).unwrap().tail);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Arrive,
        Fail,
        Lie,
        Wait(u64),
        Want(u64, u64, bool),
        Join(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Arrive),
            1 => Just(Step::Fail),
            1 => Just(Step::Lie),
            2 => (1u64..3000).prop_map(Step::Wait),
            2 => (0u64..300, 1u64..90, any::<bool>()).prop_map(|(start, len, due)| Step::Want(start, len, due)),
            1 => (1u8..9).prop_map(Step::Join),
        ]
    }

    proptest! {
        /// Whatever happens, no group is on its way twice without a stall, only missing groups are asked for,
        /// each provider's share is bounded, and one honest provider completes it.
        #[test]
        fn any_course_of_events_stays_sound_and_ends_well(steps in proptest::collection::vec(step(), 0..120)) {
            let (mut plan, mut now) = (plan(300, 2), begin());
            let mut pending: Vec<Order> = Vec::new();
            for step in steps {
                match (step, pending.is_empty()) {
                    (Step::Arrive, false) => arrive(&mut plan, &pending.remove(0), now),
                    (Step::Fail, false) => plan.ended(pending.remove(0).flight, Outcome::Failed, now),
                    (Step::Lie, false) => plan.ended(pending.remove(0).flight, Outcome::Lied, now),
                    (Step::Wait(millis), _) => now += Duration::from_millis(millis),
                    (Step::Want(start, len, due), _) => plan.want(start..start + len, due.then_some(now)),
                    (Step::Join(number), _) => add(&mut plan, number),
                    _ => {}
                }
                pending.extend(orders(&mut plan, now));
                let cancelled = plan.take_cancelled();
                pending.retain(|order| !cancelled.contains(&order.flight));
                check(&plan, &pending);
            }
            add(&mut plan, 99);
            plan.want(0..300, None);
            for _ in 0..2000 {
                pending.extend(orders(&mut plan, now));
                let cancelled = plan.take_cancelled();
                pending.retain(|order| !cancelled.contains(&order.flight));
                match pending.iter().position(|order| order.provider == peer(99)) {
                    Some(honest) => arrive(&mut plan, &pending.remove(honest), now),
                    None => now = plan.wake(now).unwrap_or(now + GIVE_UP),
                }
            }
            prop_assert!(plan.is_complete());
        }
    }

    fn check(plan: &Plan, pending: &[Order]) {
        let held = plan.held.as_ref().unwrap();
        let unhedged: Vec<&Flight> = plan.flights.values().filter(|flight| !flight.hedged).collect();
        for (at, flight) in unhedged.iter().enumerate() {
            assert!(!held.has_all(flight.groups.clone()) || !pending.is_empty());
            for other in &unhedged[at + 1..] {
                let apart =
                    flight.groups.end <= other.groups.start || other.groups.end <= flight.groups.start;
                assert!(apart, "{:?} and {:?}", flight.groups, other.groups);
            }
        }
        for peer in plan.providers.keys() {
            assert!(plan.flights.values().filter(|flight| flight.provider == *peer).count() <= 2 * FLIGHTS);
        }
    }
}
