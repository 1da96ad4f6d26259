//! Events in the order of the chain, though blocks are fetched side by side.

use std::collections::VecDeque;
use std::future;
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash};
use tokio::sync::mpsc;

use crate::event::{BlockId, Connected, Event};
use crate::session::{Fetched, Session};

/// Blocks that are fetched or held at once, 4 MB each at most.
const FETCHES: usize = 8;

/// Events that wait for their turn, and for their block.
#[derive(Default)]
pub(crate) struct Order {
    waiting: VecDeque<Waiting>,
    /// Wanted blocks that nobody was asked for, so that the queue is not searched in vain.
    unasked: usize,
    asked: usize,
}

enum Waiting {
    Connected { id: BlockId, header: Header, block: Wanted, watches: u64 },
    Disconnected(BlockId),
    Synced(BlockId),
}

enum Wanted {
    No,
    Yes,
    Asked(Fetched),
    Here(Arc<Block>),
}

/// What came of waiting for the next event.
pub(crate) enum Turn {
    /// It went to the consumer.
    Sent(Event),
    /// The block did not come: it has to be asked for again.
    Missed,
    /// The consumer is gone.
    Unwanted,
}

impl Order {
    pub(crate) fn connect(&mut self, id: BlockId, header: Header, wanted: bool, watches: u64) {
        let block = if wanted { Wanted::Yes } else { Wanted::No };
        self.unasked += usize::from(wanted);
        self.waiting.push_back(Waiting::Connected { id, header, block, watches });
    }

    pub(crate) fn disconnect(&mut self, id: BlockId) {
        self.waiting.push_back(Waiting::Disconnected(id));
    }

    pub(crate) fn synced(&mut self, id: BlockId) {
        self.waiting.push_back(Waiting::Synced(id));
    }

    /// Drops the blocks above a height that nobody has been told of yet.
    pub(crate) fn forget_above(&mut self, height: u32) {
        self.waiting.retain(|it| match it {
            Waiting::Connected { id, .. } => id.height <= height,
            Waiting::Disconnected(_) => true,
            Waiting::Synced(_) => false,
        });
        self.count();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Asks for the next blocks that are wanted.
    pub(crate) fn fetch(&mut self, session: &Session) {
        let room = FETCHES.saturating_sub(self.asked).min(self.unasked);
        if room == 0 {
            return;
        }
        let unasked = self.waiting.iter_mut().filter_map(|it| match it {
            Waiting::Connected { id, block, .. } if matches!(block, Wanted::Yes) => Some((id.hash, block)),
            _ => None,
        });
        for (hash, block) in unasked.take(room) {
            let Some(fetched) = session.fetch(hash) else { return };
            *block = Wanted::Asked(fetched);
            self.unasked -= 1;
            self.asked += 1;
        }
    }

    /// Forgets what was asked of a client that is gone.
    pub(crate) fn ask_again(&mut self) {
        for it in &mut self.waiting {
            if let Waiting::Connected { block, .. } = it
                && matches!(block, Wanted::Asked(_))
            {
                *block = Wanted::Yes;
            }
        }
        self.count();
    }

    fn count(&mut self) {
        let blocks = self.waiting.iter().filter_map(|it| match it {
            Waiting::Connected { block, .. } => Some(block),
            _ => None,
        });
        (self.unasked, self.asked) = blocks.fold((0, 0), |(unasked, asked), it| match it {
            Wanted::Yes => (unasked + 1, asked),
            // A block that is here takes up its 4 MB until it is sent.
            Wanted::Asked(_) | Wanted::Here(_) => (unasked, asked + 1),
            Wanted::No => (unasked, asked),
        });
    }

    /// Sends the next event when its block is there and the consumer has room. Nothing is lost where this is cancelled.
    pub(crate) async fn turn(&mut self, events: &mpsc::Sender<Event>) -> Turn {
        match self.waiting.front_mut() {
            None | Some(Waiting::Connected { block: Wanted::Yes, .. }) => return future::pending().await,
            Some(Waiting::Connected { id, block, .. }) => {
                if let Wanted::Asked(fetched) = block {
                    *block = match received(fetched, id.hash).await {
                        Some(whole) => Wanted::Here(whole),
                        None => Wanted::Yes,
                    };
                    if matches!(block, Wanted::Yes) {
                        self.count();
                        return Turn::Missed;
                    }
                }
            }
            Some(Waiting::Disconnected(_) | Waiting::Synced(_)) => (),
        }
        let Ok(room) = events.reserve().await else { return Turn::Unwanted };
        let Some(event) = self.waiting.pop_front().map(Waiting::event) else { return Turn::Missed };
        self.asked -= usize::from(matches!(&event, Event::Connected(it) if it.block.is_some()));
        room.send(event.clone());
        Turn::Sent(event)
    }
}

impl Waiting {
    fn event(self) -> Event {
        match self {
            Self::Connected { id, header, block, watches } => {
                let block = if let Wanted::Here(block) = block { Some(block) } else { None };
                Event::Connected(Connected { id, header, block, watches })
            }
            Self::Disconnected(id) => Event::Disconnected(id),
            Self::Synced(id) => Event::Synced(id),
        }
    }
}

/// A block that a peer gave, where it is the one that was meant, down to its witnesses.
pub(crate) async fn received(fetched: &mut Fetched, hash: BlockHash) -> Option<Arc<Block>> {
    let block = fetched.await.ok()?.ok()?.block;
    let is_meant =
        block.block_hash() == hash && block.check_merkle_root() && block.check_witness_commitment();
    is_meant.then(|| Arc::new(block))
}

#[cfg(test)]
mod tests {
    use bitcoin::constants::genesis_block;
    use bitcoin::hashes::Hash;

    use super::*;

    fn id(height: u32) -> BlockId {
        BlockId { height, hash: BlockHash::hash(&height.to_le_bytes()) }
    }

    fn connect(order: &mut Order, heights: impl IntoIterator<Item = u32>) {
        let header = genesis_block(bitcoin::Network::Regtest).header;
        for height in heights {
            order.connect(id(height), header, false, 0);
        }
    }

    /// The events that are ready, as their heights; what leaves is negative.
    async fn told(mut order: Order) -> Vec<i64> {
        let (sender, mut receiver) = mpsc::channel(100);
        while !order.is_empty() {
            order.turn(&sender).await;
        }
        drop(sender);
        let mut heights = Vec::new();
        while let Some(event) = receiver.recv().await {
            heights.push(match event {
                Event::Connected(it) => i64::from(it.id.height),
                Event::Disconnected(it) => -i64::from(it.height),
                Event::Synced(it) => i64::from(it.height) * 1_000,
                Event::Unconfirmed(_) => 0,
            });
        }
        heights
    }

    #[tokio::test]
    async fn what_a_reorganisation_overtakes_is_never_told() {
        let mut order = Order::default();
        connect(&mut order, 1..=4);
        order.synced(id(4));
        order.forget_above(2);
        order.disconnect(id(9));
        connect(&mut order, [3]);
        order.synced(id(3));
        assert_eq!(told(order).await, [1, 2, -9, 3, 3_000]);
    }

    #[tokio::test]
    async fn a_turn_that_is_cancelled_loses_nothing() {
        let mut order = Order::default();
        connect(&mut order, 1..=2);
        let (sender, mut receiver) = mpsc::channel(1);
        assert!(matches!(order.turn(&sender).await, Turn::Sent(_)));
        // The consumer has no room, so this one waits until it is dropped.
        let is_cancelled = tokio::select! {
            biased;
            _ = order.turn(&sender) => false,
            () = future::ready(()) => true,
        };
        assert!(is_cancelled);
        receiver.recv().await.unwrap();
        assert!(matches!(order.turn(&sender).await, Turn::Sent(Event::Connected(it)) if it.id == id(2)));
    }

    #[tokio::test]
    async fn a_block_that_does_not_come_is_asked_for_again_and_holds_back_what_follows() {
        let mut order = Order::default();
        order.connect(id(1), genesis_block(bitcoin::Network::Regtest).header, true, 0);
        connect(&mut order, [2]);
        let (_, fetched) = tokio::sync::oneshot::channel();
        if let Some(Waiting::Connected { block, .. }) = order.waiting.front_mut() {
            *block = Wanted::Asked(fetched);
        }
        order.count();
        assert_eq!((order.unasked, order.asked), (0, 1));
        let (sender, _receiver) = mpsc::channel(9);
        assert!(matches!(order.turn(&sender).await, Turn::Missed));
        assert_eq!((order.unasked, order.asked, order.waiting.len()), (1, 0, 2));
    }
}
