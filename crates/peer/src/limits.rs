//! Every bound on what others can make this node do or keep.

use std::time::Duration;

/// How much a peer keeps. The defaults suit a desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most records of all authors.
    pub records: usize,
    /// Most bytes of all records.
    pub bytes: u64,
    /// Most records of one author.
    pub author_records: usize,
    /// Most bytes of one author's records.
    pub author_bytes: u64,
    /// Most records of one author whose kinds this version does not know.
    pub unknown_records: usize,
    /// How many times more an author gets whom the user follows.
    pub followed_factor: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records: 1_000_000,
            bytes: 2_000_000_000,
            author_records: 5_000,
            author_bytes: 4 << 20,
            unknown_records: 64,
            followed_factor: 10,
        }
    }
}

/// What others rely on, such as notes, is the last to go while it is at most one in so many of the records kept.
pub(crate) const PERMANENT_PART: usize = 4;

/// Longest message in bytes. One of records fits many, one gossip frame fits any record.
pub const MAX_MESSAGE_LEN: usize = 64 * 1024;
/// Most bytes of records in one message, so that it stays below [`MAX_MESSAGE_LEN`] with its envelope.
pub(crate) const MAX_RECORDS_LEN: usize = 60 * 1024;

/// Peers a swarm member talks to all the time (HyParView's active view).
pub(crate) const ACTIVE_VIEW: usize = 8;
/// Peers it knows as replacements (HyParView's passive view).
pub(crate) const PASSIVE_VIEW: usize = 48;
/// How often replacements are exchanged with a random neighbour.
pub(crate) const SHUFFLE_INTERVAL: Duration = Duration::from_secs(20);
/// With fewer neighbours than this a member looks for more: a handful that know only each other would stay alone.
pub(crate) const FEW_NEIGHBORS: usize = ACTIVE_VIEW / 2;
/// How often a member with few neighbours looks for more.
pub(crate) const MINGLE_INTERVAL: Duration = Duration::from_secs(5);
/// One in so many times when it compares, a member also joins anew through a random acquaintance: islands that were
/// parted find each other again.
pub(crate) const MINGLE_ONE_IN: u32 = 4;
/// How long a peer may take to accept becoming a neighbour, connecting included.
pub(crate) const NEIGHBOR_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest gossip frame: a record and PlumTree's header.
pub(crate) const MAX_GOSSIP_LEN: usize = domain::MAX_RECORD_LEN + 256;
/// PlumTree's hops above which a frame is nonsense: even a chain of ten thousand members is shorter by far.
pub(crate) const MAX_HOPS: u16 = 1024;
/// Peers whose contact data the membership protocol may hold; older ones are forgotten.
pub(crate) const MAX_INTRODUCED: usize = 256;
/// Most peers in one introduction.
pub(crate) const MAX_SHUFFLED: usize = 32;
/// Most bytes of one peer's contact data.
pub(crate) const MAX_PEER_DATA: usize = 256;
/// Most addresses of one peer.
pub(crate) const MAX_ADDRS: usize = 8;
/// Most ids in one PlumTree announcement.
pub(crate) const MAX_ANNOUNCED: usize = 128;
/// How long PlumTree answers requests for a record from its own memory.
pub(crate) const GOSSIP_CACHE: Duration = Duration::from_secs(30);
/// How long PlumTree knows that it had a record.
pub(crate) const GOSSIP_MEMORY: Duration = Duration::from_secs(90);
/// Most records that are known as checked lately, so that a second copy costs no signature check.
pub(crate) const MAX_CHECKED: usize = 8_192;

/// Most connections that a peer keeps state for.
pub(crate) const MAX_CONNECTIONS: usize = 512;
/// Most peers that messages wait for while they are being connected.
pub(crate) const MAX_DIALS: usize = 64;
/// Most messages that wait for one peer.
pub(crate) const MAX_WAITING: usize = 16;

/// What one peer may cost, as (per second, at once).
pub(crate) const MESSAGES: (u32, u32) = (200, 2_000);
/// Bytes of messages.
pub(crate) const BYTES: (u32, u32) = (2 << 20, 16 << 20);
/// Records that nobody asked for and that must be checked: gossip, and what comes outside of this node's own comparison.
pub(crate) const GOSSIPED: (u32, u32) = (50, 500);
/// Records in answer to a comparison that this node began with the peer.
pub(crate) const TAUGHT: (u32, u32) = (2_000, 100_000);
/// Authors that this node has nothing of yet: identities are free.
pub(crate) const NEW_AUTHORS: (u32, u32) = (50, 20_000);
/// Proofs against authors that are taken of it, or that its records make; at once, what a new neighbour may ask for.
pub(crate) const PROOFS: (u32, u32) = (1, 512);
/// Ids in PlumTree's announcements.
pub(crate) const ANNOUNCED: (u32, u32) = (100, 1_000);
/// Peers it introduces.
pub(crate) const INTRODUCED: (u32, u32) = (20, 400);
/// Comparisons, searches and questions for providers, each of which costs far more than it is long.
pub(crate) const EXPENSIVE: (u32, u32) = (5, 100);
/// Bytes of records that it is sent because it lacks them.
pub(crate) const SERVED: (u32, u32) = (4 << 20, 64 << 20);

/// Signature checks of all peers' records together, as (per second, at once), beside what each neighbour has for itself.
pub(crate) const CHECKS: (u32, u32) = (3_000, 60_000);
/// Signature checks that are kept for each neighbour, whatever the others use up.
pub(crate) const OWN_CHECKS: (u32, u32) = (250, 5_000);
/// Comparisons answered for all peers together, beside what each neighbour has for itself; each may read the whole
/// catalogue's index.
pub(crate) const COMPARISONS: (u32, u32) = (24, 240);
/// Comparisons that are kept for each neighbour, whatever the others use up.
pub(crate) const OWN_COMPARISONS: (u32, u32) = (2, 20);

/// Faults that end a connection. A fault is what no honest peer does, a full bucket is none.
pub(crate) const MAX_STRIKES: u32 = 3;
/// How often a bucket may overflow in a row before that counts as a fault.
pub(crate) const MAX_OVERFLOWS: u32 = 1_000;
/// How long a peer that broke the rules is refused.
pub(crate) const REFUSE_FOR: Duration = Duration::from_secs(15 * 60);

/// Ids of records that are not wanted again: evicted, or refused. The oldest are forgotten first.
pub(crate) const MAX_DECLINED: usize = 100_000;
/// Authors known to equivocate, the newest.
pub(crate) const MAX_EQUIVOCATORS: usize = 10_000;
/// Authors of proofs that are told to a new neighbour, and that are remembered of one until their records are here.
pub(crate) const MAX_CAUGHT: usize = 256;

/// Newest record ids in the first message of a comparison.
pub(crate) const TAIL: usize = 16;
/// Most records that one comparison sends; a further one continues where it ended.
pub(crate) const MAX_PUSHED: usize = 4_096;
/// Most ids that a comparison lists when it continues; with more it begins at the newest again.
pub(crate) const MAX_LISTED: usize = 512;
/// Most bytes of records that one comparison sends.
pub(crate) const MAX_PUSHED_BYTES: usize = 2 << 20;
/// Most ids in one request.
pub(crate) const MAX_WANT: usize = 1_024;
/// Bytes of one frame of a comparison.
pub(crate) const FRAME_LEN: u64 = 60 * 1024;
/// Most round trips of one comparison.
pub(crate) const MAX_ROUNDS: u32 = 40;
/// How long a comparison may go without a sign of life.
pub(crate) const SYNC_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a comparison may take in all; the next one continues.
pub(crate) const SYNC_DEADLINE: Duration = Duration::from_secs(5 * 60);
/// Most ids that one comparison asks for.
pub(crate) const MAX_NEEDED: usize = 65_536;
/// How often a node compares with some neighbour when nothing else asks for it.
pub(crate) const RECONCILE_INTERVAL: Duration = Duration::from_secs(60);
/// Comparisons with one peer are at least this far apart, unless one said that there is more.
pub(crate) const RECONCILE_PAUSE: Duration = Duration::from_secs(2);

/// Hops of a question for providers.
pub(crate) const FIND_HOPS: u8 = 3;
/// Most neighbours that a question for providers goes to, per hop.
pub(crate) const FIND_FANOUT: usize = 8;
/// How long a question and its way back are remembered.
pub(crate) const FIND_MEMORY: Duration = Duration::from_secs(10);
/// Most questions remembered at a time.
pub(crate) const MAX_FINDS: usize = 1_024;
/// Most answers that travel back for one question.
pub(crate) const MAX_PROVIDERS: usize = 20;

/// Peers asked in a remote search.
pub(crate) const SEARCH_PEERS: usize = 20;
/// Longest text of a search in bytes.
pub(crate) const MAX_QUERY_LEN: usize = 256;
/// Most records in one answer.
pub(crate) const MAX_FOUND: usize = 50;
/// Most searches that wait for answers.
pub(crate) const MAX_SEARCHES: usize = 64;
/// How long answers to a search are taken.
pub(crate) const SEARCH_MEMORY: Duration = Duration::from_secs(30);

/// How often out-of-date state is dropped.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// A token bucket: refills steadily, allows a burst.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    burst: u32,
    /// Thousandths of a token.
    level: u64,
    at: Duration,
}

impl Bucket {
    pub(crate) fn new((per_second, burst): (u32, u32), now: Duration) -> Self {
        Self { per_second, burst, level: u64::from(burst) * 1000, at: now }
    }

    /// Takes tokens, or nothing and says no.
    pub(crate) fn take(&mut self, tokens: usize, now: Duration) -> bool {
        let passed = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        self.at = self.at.max(now);
        let refill = passed.saturating_mul(u64::from(self.per_second));
        self.level = self.level.saturating_add(refill).min(u64::from(self.burst) * 1000);
        let cost = (tokens as u64).saturating_mul(1000);
        let enough = self.level >= cost;
        if enough {
            self.level -= cost;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_allows_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::new((10, 20), Duration::ZERO);
        assert!(bucket.take(20, Duration::ZERO));
        assert!(!bucket.take(1, Duration::from_millis(99)));
        assert!(bucket.take(1, Duration::from_millis(100)));
        assert!(bucket.take(20, Duration::from_secs(3600)));
        assert!(!bucket.take(1, Duration::from_secs(3600)));
    }

    #[test]
    fn time_that_runs_backwards_refills_nothing() {
        let mut bucket = Bucket::new((10, 1), Duration::from_secs(5));
        assert!(bucket.take(1, Duration::from_secs(5)));
        assert!(!bucket.take(1, Duration::from_secs(1)));
    }
}
