//! The node of a data folder for a shell that is not its daemon: the daemon where one runs, else a node in this process.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    api::{ApiError, PlayerCommand, Request, Response},
    config::Config,
    node::{Node, NodeHandle},
    remote::Remote,
    shell::Api,
};

/// What the node answers where another process has the data folder.
const ALREADY_RUNNING: &str = "already_running";
/// Longest that a command may have the data folder before that is told.
const BUSY: Duration = Duration::from_secs(10);
/// How often a busy data folder is tried again: its lock tells nobody when it is free.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);
/// How a player is called that makes sound, or is about to.
const SOUNDS: [&str; 2] = ["playing", "buffering"];

/// A data folder's node.
#[derive(Clone)]
pub enum Attached {
    /// The daemon, which goes on without this process.
    Daemon(Arc<Remote>),
    /// A node that ends with this process.
    Here(Arc<NodeHandle>),
}

impl Attached {
    /// Finds the data folder's daemon, else starts a node on the folder; waits a while for a command that has it.
    ///
    /// # Errors
    /// Those of starting a node.
    pub async fn to(config: &Config) -> Result<Self, ApiError> {
        let deadline = Instant::now() + BUSY;
        loop {
            if let Some(daemon) = Remote::connect(&config.data).await {
                return Ok(Self::Daemon(Arc::new(daemon)));
            }
            match Box::pin(Node::start(config.clone())).await {
                Ok(node) => return Ok(Self::Here(node)),
                Err(error) if error.code == ALREADY_RUNNING && Instant::now() < deadline => {
                    sleep(BUSY_INTERVAL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the way to ask it.
    pub fn api(&self) -> Arc<dyn Api> {
        match self {
            Self::Daemon(daemon) => daemon.clone(),
            Self::Here(node) => node.clone(),
        }
    }

    /// Says whether it goes on without this process.
    pub fn is_daemon(&self) -> bool {
        matches!(self, Self::Daemon(_))
    }

    /// Says whether something would stop if this process ended: sound, or a long piece of work.
    pub async fn is_busy(&self) -> bool {
        let Self::Here(node) = self else { return false };
        let player = node.call(Request::Player(PlayerCommand::State)).await;
        let sounds = matches!(player, Ok(Response::Player(state)) if SOUNDS.contains(&&*state.status));
        sounds || matches!(node.call(Request::Jobs).await, Ok(Response::Jobs(jobs)) if !jobs.jobs.is_empty())
    }
}
