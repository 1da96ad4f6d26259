//! The daemon: a node that runs until it is told to end, and tells what happens line by line.

use std::{
    io::{self, Write},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use node::{
    Api, Config, Ended, Node, NodeHandle, Server, Web,
    api::{ApiError, Event, Invite, Path as PeerPath, Request, Response},
};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    args::DaemonArgs,
    commands::Caller,
    failure::{Failure, at},
    logs::Logs,
    output::Output,
    page,
    text::{clean, short},
};

/// Lines that wait for a slow reader before further ones are dropped and counted.
const BACKLOG: usize = 1024;
/// Longest that a clean end may take; a node that takes longer loses nothing by being cut off.
const ENDING: Duration = Duration::from_millis(4300);
/// Longest that the last lines may wait for their reader.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Standard output that never makes the daemon wait.
struct Lines {
    sender: mpsc::SyncSender<String>,
    written: mpsc::Receiver<()>,
    dropped: u64,
    json: bool,
}

/// Runs a node until a signal or a command ends it.
///
/// # Errors
/// Those of starting a node; `already_running` where one runs on this data folder.
pub(crate) async fn run(
    args: DaemonArgs,
    data: &Path,
    output: Output,
    caller: &Caller,
    verbose: u8,
) -> Result<(), Failure> {
    let _logs = Logs::start(data, verbose)?;
    let mut lines = Lines::start(output.json, io::stdout());
    let mut signals = Signals::listen()?;
    let web = args.web.map(|addr| Web { addr, page: page::find });
    let config = Config {
        data: data.to_owned(),
        listen: args.listen,
        peers: args.peer,
        no_dht: args.no_dht,
        no_mdns: args.no_mdns,
    };
    loop {
        let node = tokio::select! {
            node = Node::start(config.clone()) => node?,
            () = signals.any() => return Ok(()),
        };
        let server = Server::start(node.clone(), data, web).await.map_err(|error| at(data, error))?;
        let ready = ready(&node, data, lines.json, caller, server.link()).await?;
        let ended = serve(&node, ready, &mut lines, &mut signals).await;
        if timeout(ENDING, node.shutdown()).await.is_err() {
            tracing::warn!(after = ?ENDING, "the node did not end in time");
        }
        drop(server);
        match ended? {
            Ended::Restart => {}
            Ended::Shutdown => {
                lines.end();
                return Ok(());
            }
            Ended::Failed(error) => {
                lines.end();
                return Err(error.into());
            }
        }
    }
}

/// Tells that the node is ready and what happens, until it is to end.
async fn serve(
    node: &NodeHandle,
    ready: String,
    lines: &mut Lines,
    signals: &mut Signals,
) -> Result<Ended, Failure> {
    let mut events = node.events().await?;
    lines.tell(ready);
    let ended = node.ended();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            ended = &mut ended => return Ok(ended),
            () = signals.any() => return Ok(Ended::Shutdown),
            Some(event) = events.recv() => lines.event(&event),
        }
    }
}

async fn ready(
    node: &NodeHandle,
    data: &Path,
    json: bool,
    caller: &Caller,
    web: Option<&str>,
) -> Result<String, ApiError> {
    let Response::Invite(Invite { invite, .. }) = node.call(Request::Invite).await? else {
        unreachable!("the node answers what it was asked")
    };
    let (peer_id, pid) = (node.id(), std::process::id());
    if json {
        let ready = json!({ "event": "ready", "peer_id": peer_id, "invite": invite, "web": web, "pid": pid });
        return Ok(ready.to_string());
    }
    let data = data.display();
    let web = web.map_or_else(String::new, |link| format!("Open the app:      {link}\n"));
    Ok(format!(
        "MusicDAO runs as peer {} on {data}\n\n\
         {web}\
         Listen:            {caller} releases\n\
         Publish:           {caller} publish FILE...\n\
         A friend types:    musicdao join {invite}\n\
         See how it is:     {caller} status\n\
         End:               Ctrl-C, or {caller} stop\n",
        short(peer_id)
    ))
}

impl Lines {
    fn start(json: bool, mut stdout: impl Write + Send + 'static) -> Self {
        let (sender, lines) = mpsc::sync_channel::<String>(BACKLOG);
        let (done, written) = mpsc::sync_channel(0);
        thread::spawn(move || {
            // A daemon goes on when nobody reads it any more; later lines are dropped.
            while let Ok(line) = lines.recv() {
                if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
                    break;
                }
            }
            drop(done);
        });
        Self { sender, written, dropped: 0, json }
    }

    fn event(&mut self, event: &Event) {
        if self.json {
            self.tell(crate::output::json(event));
        } else if let Some(line) = words(event) {
            self.tell(line);
        }
    }

    /// Hands a line to the reader, or drops it and counts it.
    fn tell(&mut self, line: String) {
        if self.dropped > 0 {
            let missed = Event::Dropped { count: self.dropped };
            let missed = if self.json { Some(crate::output::json(&missed)) } else { words(&missed) };
            if missed.is_none_or(|missed| self.sender.try_send(missed).is_err()) {
                self.dropped += 1;
                return;
            }
            self.dropped = 0;
        }
        if self.sender.try_send(line).is_err() {
            self.dropped += 1;
        }
    }

    /// Waits a little for a reader to take the last lines.
    fn end(self) {
        drop(self.sender);
        // Disconnected when all is written; a reader that has stopped is left behind.
        let _ = self.written.recv_timeout(LAST_LINES);
    }
}

/// Tells people what happened; what is private is left out, as standard output may end in a system's journal.
fn words(event: &Event) -> Option<String> {
    match event {
        Event::Release { release_id, title, artist } => {
            Some(format!("release {}  {} by {}", short(release_id), clean(title), clean(artist)))
        }
        Event::ReleaseGone { release_id } => Some(format!("gone    {}", short(release_id))),
        Event::PeerUp { peer_id, path: PeerPath::Direct } => {
            Some(format!("peer    {} is here", short(peer_id)))
        }
        Event::PeerUp { peer_id, path: PeerPath::Relayed } => {
            Some(format!("peer    {} is here through another peer", short(peer_id)))
        }
        Event::PeerDown { peer_id } => Some(format!("peer    {} has gone", short(peer_id))),
        Event::IdentityInUseElsewhere => Some(
            "warning this identity publishes elsewhere, too: this node only reads from now on".to_owned(),
        ),
        Event::Warning(warning) => Some(format!("warning {} [{}]", clean(&warning.message), warning.code)),
        Event::Dropped { count } => Some(format!("missed  {count} events")),
        Event::WalletChanged
        | Event::DaoChanged { .. }
        | Event::Payment { .. }
        | Event::Chain { .. }
        | Event::CatalogueChanged
        | Event::LibraryChanged
        | Event::Progress(_)
        | Event::JobEnded { .. }
        | Event::Found { .. }
        | Event::Player(_)
        | Event::Position { .. }
        | Event::Queue { .. } => None,
    }
}

/// The signals that end a daemon.
struct Signals {
    #[cfg(unix)]
    unix: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind| signal(kind);
        Ok(Self {
            unix: [on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?],
        })
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for any of them.
    #[cfg(unix)]
    async fn any(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.unix;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn any(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that takes nothing until it is let.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_costs_counted_lines_and_no_waiting() {
        let (free, stuck) = mpsc::channel();
        let (sender, taken) = mpsc::channel();
        let mut lines = Lines::start(true, Stuck(stuck, sender));
        let mut told = 0;
        while told < BACKLOG * 2 {
            lines.event(&Event::CatalogueChanged);
            told += 1;
        }
        assert!(lines.dropped > 0);
        drop(free);
        // The reader goes on: from then on the count comes before the next line.
        while lines.dropped > 0 {
            lines.event(&Event::CatalogueChanged);
            told += 1;
        }
        drop(lines);
        let text = taken.into_iter().flatten().collect::<Vec<_>>();
        let (mut read, mut missed) = (0, 0);
        for line in String::from_utf8(text).unwrap().lines() {
            match serde_json::from_str(line).unwrap() {
                Event::Dropped { count } => missed += count as usize,
                event => read += usize::from(event == Event::CatalogueChanged),
            }
        }
        assert_eq!(read + missed, told);
        assert!(missed > 0);
    }

    #[test]
    fn what_is_private_stays_out_of_words_for_people() {
        let progress = Event::Progress(node::api::Progress {
            job: "j".into(),
            stage: "reading".into(),
            item: "secret".into(),
            unit: node::api::Unit::Bytes,
            done: 0,
            total: 1,
        });
        assert_eq!(words(&progress), None);
        let warning = Event::Warning(ApiError::new("disk_full", "no room\u{1b}[2J"));
        assert_eq!(words(&warning).unwrap(), "warning no room�[2J [disk_full]");
    }
}
