//! Who gets what of a payment that comes in, in whole satoshis: nothing is lost, nothing is made.
//!
//! In this order: the network's fee, collaborators, the artist's floor, investors up to their caps, the artist. What
//! does not divide goes by largest remainder, among equal ones to whoever is first.

use domain::{bitcoin::Amount, kinds::WHOLE};

/// The terms of an offer that decide who gets what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is to be raised.
    pub goal: Amount,
    /// The investors' part in basis points, once the goal is reached.
    pub share: u16,
    /// Most that an investor gets back, in hundredths of the principal.
    pub cap: u16,
    /// What the artist keeps before investors earn.
    pub floor: Amount,
    /// The collaborators' parts in basis points.
    pub splits: Vec<u16>,
}

impl From<&domain::kinds::Offer> for Terms {
    fn from(offer: &domain::kinds::Offer) -> Self {
        Self {
            goal: offer.goal,
            share: offer.share,
            cap: offer.cap,
            floor: offer.floor,
            splits: offer.splits().iter().map(|split| split.share).collect(),
        }
    }
}

/// How one amount of income divides. The parts sum to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The network's.
    pub fee: Amount,
    /// The collaborators', in the order of the splits.
    pub splits: Vec<Amount>,
    /// The artist's, below the floor.
    pub floor: Amount,
    /// The investors', up to their caps.
    pub investors: Amount,
    /// The artist's, of what is left.
    pub artist: Amount,
}

impl Preview {
    /// Divides the income of a whole lifetime under an offer whose goal is reached.
    pub fn of(terms: &Terms, income: Amount, fee: Amount) -> Self {
        let fee = fee.min(income);
        let mut flow = Flow::new(terms);
        flow.invest(0, terms.goal.to_sat());
        let mut earned = 0;
        let mut splits = Vec::new();
        let gross = (income - fee).to_sat();
        let left = flow.pour(gross, |part| match part {
            Part::Split(_, sat) => splits.push(Amount::from_sat(sat)),
            Part::Note(_, sat) => earned += sat,
        });
        let net = gross - splits.iter().map(|it| it.to_sat()).sum::<u64>();
        let floor = terms.floor.to_sat().min(net);
        let sat = Amount::from_sat;
        Self { fee, splits, floor: sat(floor), investors: sat(earned), artist: sat(left - floor) }
    }
}

/// A part that somebody other than the artist gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A collaborator's, by number.
    Split(usize, u64),
    /// A note's, by the number it was invested under.
    Note(usize, u64),
}

/// The state of one offer's waterfall. All numbers are satoshis.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    splits: Vec<u128>,
    floor_left: u64,
    /// What stands for the whole income: share and goal as one denominator.
    whole: u128,
    share: u128,
    cap: u128,
    live: Vec<Live>,
    /// What the artist's part weighs: what no live note earns.
    rest: u128,
    parts: Parts,
}

/// A note that earns.
#[derive(Clone, Copy, Debug)]
struct Live {
    note: usize,
    weight: u128,
    room: u64,
}

impl Flow {
    pub(super) fn new(terms: &Terms) -> Self {
        let whole = u128::from(WHOLE) * u128::from(terms.goal.to_sat());
        Self {
            splits: terms.splits.iter().map(|share| u128::from(*share)).collect(),
            floor_left: terms.floor.to_sat(),
            whole,
            share: terms.share.into(),
            cap: terms.cap.into(),
            live: Vec::new(),
            rest: whole,
            parts: Parts::default(),
        }
    }

    /// Lets a note of this principal earn from now on. The principals of all sum to the goal at most. Returns its cap.
    pub(super) fn invest(&mut self, note: usize, principal: u64) -> u64 {
        let weight = self.share * u128::from(principal);
        let cap = u64::try_from(u128::from(principal) * self.cap / 100).unwrap_or(u64::MAX);
        self.rest = self.rest.saturating_sub(weight);
        self.live.push(Live { note, weight, room: cap });
        cap
    }

    /// Lets a note earn no more.
    pub(super) fn end(&mut self, note: usize) {
        let gone: u128 = self.live.iter().filter(|live| live.note == note).map(|live| live.weight).sum();
        self.rest += gone;
        self.live.retain(|live| live.note != note);
    }

    /// Divides what came in, tells each part but the artist's, and returns that one.
    pub(super) fn pour(&mut self, income: u64, mut part: impl FnMut(Part)) -> u64 {
        let mut left = income;
        if !self.splits.is_empty() {
            let kept = u128::from(WHOLE) - self.splits.iter().sum::<u128>();
            let weights = self.splits.iter().copied().chain([kept]);
            self.parts.divide(income, weights, WHOLE.into());
            for (number, sat) in self.parts.sats[..self.splits.len()].iter().enumerate() {
                left -= sat;
                part(Part::Split(number, *sat));
            }
        }
        let floor = self.floor_left.min(left);
        self.floor_left -= floor;
        if left == floor || self.live.is_empty() {
            return left;
        }
        left - self.earn(left - floor, part)
    }

    /// Gives the notes their parts up to their caps; returns the sum.
    fn earn(&mut self, base: u64, mut part: impl FnMut(Part)) -> u64 {
        let weights = self.live.iter().map(|live| live.weight).chain([self.rest]);
        self.parts.divide(base, weights, self.whole);
        let (mut sum, mut full) = (0, false);
        for (live, sat) in self.live.iter_mut().zip(&self.parts.sats) {
            let granted = live.room.min(*sat);
            live.room -= granted;
            sum += granted;
            full |= live.room == 0;
            part(Part::Note(live.note, granted));
        }
        if full {
            let gone: u128 = self.live.iter().filter(|live| live.room == 0).map(|live| live.weight).sum();
            self.rest += gone;
            self.live.retain(|live| live.room > 0);
        }
        sum
    }
}

/// Room to divide in, used again and again.
#[derive(Clone, Debug, Default)]
struct Parts {
    sats: Vec<u64>,
    remainders: Vec<(u128, usize)>,
}

impl Parts {
    /// Divides an amount by weights that sum to the whole, by largest remainder.
    fn divide(&mut self, amount: u64, weights: impl Iterator<Item = u128>, whole: u128) {
        self.sats.clear();
        self.remainders.clear();
        let mut given = 0;
        for (number, weight) in weights.enumerate() {
            // 21 million bitcoin times (one hundred per cent of a goal of as many) is below 2^128.
            let exact = u128::from(amount) * weight;
            let sat = u64::try_from(exact / whole).expect("a part is at most the amount");
            given += sat;
            self.sats.push(sat);
            self.remainders.push((whole - exact % whole, number));
        }
        let over = usize::try_from(amount - given).expect("each part is less than one satoshi short");
        if over > 0 && over < self.remainders.len() {
            self.remainders.select_nth_unstable(over - 1);
        }
        for (_, number) in self.remainders.iter().take(over) {
            self.sats[*number] += 1;
        }
    }
}

/// Divides an amount by weights, by largest remainder; nothing where there is no weight.
pub(super) fn pro_rata(amount: u64, weights: &[u64]) -> Vec<u64> {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if whole == 0 {
        return vec![0; weights.len()];
    }
    let mut parts = Parts::default();
    parts.divide(amount, weights.iter().map(|weight| u128::from(*weight)), whole);
    parts.sats
}
