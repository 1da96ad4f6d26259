//! Tells events to whoever listens, and never waits for anybody.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{api::Event, shell::EVENT_BACKLOG};

#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<Vec<Listener>>,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Listener {
    sender: mpsc::Sender<Event>,
    dropped: u64,
}

impl Hub {
    pub(crate) fn listen(&self) -> mpsc::Receiver<Event> {
        let (sender, events) = mpsc::channel(EVENT_BACKLOG);
        self.listeners.lock().expect("no holder panics").push(Listener { sender, dropped: 0 });
        events
    }

    /// Tells every listener; one that is full misses it and is told how many it missed once it reads again.
    pub(crate) fn tell(&self, event: &Event) {
        let mut listeners = self.listeners.lock().expect("no holder panics");
        listeners.retain_mut(|listener| match listener.tell(event) {
            Told::Yes => true,
            Told::Gone => false,
            Told::Full => {
                listener.dropped += 1;
                self.dropped.fetch_add(1, Ordering::Relaxed);
                true
            }
        });
    }

    /// Says how many events readers have missed since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Ends all listening.
    pub(crate) fn close(&self) {
        self.listeners.lock().expect("no holder panics").clear();
    }
}

impl Listener {
    fn tell(&mut self, event: &Event) -> Told {
        if self.dropped > 0 {
            match self.send(Event::Dropped { count: self.dropped }) {
                Told::Yes => self.dropped = 0,
                not => return not,
            }
        }
        self.send(event.clone())
    }

    fn send(&self, event: Event) -> Told {
        match self.sender.try_send(event) {
            Ok(()) => Told::Yes,
            Err(TrySendError::Closed(_)) => Told::Gone,
            Err(TrySendError::Full(_)) => Told::Full,
        }
    }
}

enum Told {
    Yes,
    Gone,
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stops_stalls_nobody_and_learns_what_it_missed() {
        let hub = Hub::default();
        let (mut slow, mut quick) = (hub.listen(), hub.listen());
        for _ in 0..EVENT_BACKLOG + 5 {
            hub.tell(&Event::CatalogueChanged);
            assert_eq!(quick.try_recv(), Ok(Event::CatalogueChanged));
        }
        assert_eq!(hub.dropped(), 5);
        while slow.try_recv().is_ok() {}
        hub.tell(&Event::CatalogueChanged);
        assert_eq!(slow.try_recv(), Ok(Event::Dropped { count: 5 }));
        assert_eq!(slow.try_recv(), Ok(Event::CatalogueChanged));
    }

    #[test]
    fn a_reader_that_left_is_forgotten() {
        let hub = Hub::default();
        drop(hub.listen());
        hub.tell(&Event::CatalogueChanged);
        assert!(hub.listeners.lock().unwrap().is_empty());
    }
}
