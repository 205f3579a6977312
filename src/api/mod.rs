//! How others look at a running node and command it: the control socket for the command line, and /healthz, /readyz and
//! /metrics for machines. Both ask the switch through its inbox, as everything else does; neither is on a call's way.
//!
//! | control socket (HTTP on a Unix socket) | |
//! |---|---|
//! | `GET /v1/status` | figures of the switch, readiness, version |
//! | `GET /v1/calls`, `GET /v1/analysts` | what is true now |
//! | `POST /v1/analysts/{id}/state` | `{"state": "available" \| "paused" \| "signed-out", "reason", "by"}` |
//! | `POST /v1/analysts/{id}/attest` | `{"hospital", "system", "modules", "release", "evidence", "by"}`: it counts for a release |
//! | `POST /v1/analysts/{id}/withdraw` | `{"hospital", "system", "modules", "release", "reason", "by"}`: that attestation counts no more |
//! | `POST /v1/tickets/{number}/disposition` | `{"by", "code", "solved", "note"}` |
//! | `GET /v1/incidents` | known problems that callers are told of |
//! | `POST /v1/incidents` | `{"by", "hospital", "system", "module", "sites", "prompt", "note", "down"}`: opens one |
//! | `POST /v1/incidents/{id}/resolve` | `{"by"}` |
//! | `GET /v1/golive` | each hospital's standing, and its list of what must be shown before it goes live |
//! | `POST /v1/golive/{hospital}/confirm` | `{"item": "places" \| "code-number" \| "911" \| "rota", "by", "note"}` |
//! | `POST /v1/golive/{hospital}/standing` | `{"by", "to": "declare" \| "override" \| "rehearse", "reason"}` |
//! | `POST /v1/publish` | `{"folder", "message", "onto", "at_restart"}`: the files of a folder as the next version |
//! | `POST /v1/rollback` | `{"to", "message", "at_restart"}`: an earlier version's files as the next one |
//! | `POST /v1/reload` | `{"what": "config" \| "accounts"}`: publishes the node's own folder, or reads passwords |
//! | `POST /v1/drain` | new calls are refused from now on |
//!
//! Answers are JSON; a refusal is 409 or 422 with `{"error": "in words"}`. Whoever may open the socket may do all of it:
//! it is the owner's (mode 0600), and the name of the peer's user goes into the audit, with whom it says to work for
//! (`by`, or the header `wardline-for`).

#![allow(clippy::wildcard_enum_match_arm)] // Edge: the socket answers what it did not expect with one error.
#![allow(clippy::disallowed_methods)] // An edge module: it keeps answers for a moment.

mod control;
mod golive;
mod health;
mod metrics;
pub mod text;
pub mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Config;
use crate::ids::Seq;
use crate::media::Counters;
use crate::runtime::carrier::Replies;
use crate::runtime::inbox::Inbox;
use crate::store::journal::Trouble;
use crate::store::{JournalState, Projected};
use crate::switch::{Command, Reply, Status};
use crate::time::Duration;

pub use control::control;
pub use health::public;

/// A switch that does not answer a command within this time is not well.
const SWITCH_PATIENCE: Duration = Duration::from_secs(1);

/// What the API may ask of the node.
pub struct ApiState {
    pub inbox: Arc<Inbox>,
    pub desk: Arc<Replies>,
    pub data_dir: PathBuf,
    /// `false` before the node serves, and while it stops.
    pub ready: watch::Receiver<bool>,
    pub changes: mpsc::Sender<ChangeRequest>,
    /// Reads which version runs and how the files differ; blocks for it.
    pub published: Arc<dyn Fn() -> wire::PublishedStatus + Send + Sync>,
    /// The version that is in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Reads every figure that the switch does not know.
    pub gauges: Arc<dyn Fn() -> Gauges + Send + Sync>,
}

/// A change of what runs, that somebody waits for.
pub struct ChangeRequest {
    pub actor: String,
    pub change: Change,
    /// What changed, in words; or what is wrong, rendered for people.
    pub reply: oneshot::Sender<Result<Applied, String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The passwords of analysts' phones.
    Accounts,
    /// `folder`: `None` for the node's own.
    Publish {
        folder: Option<PathBuf>,
        message: String,
        onto: Option<u32>,
        at_restart: bool,
    },
    Rollback {
        to: u32,
        message: String,
        at_restart: bool,
    },
}

impl Change {
    /// The node's own folder, as it is.
    pub fn reload(actor: &str) -> Change {
        Change::Publish { folder: None, message: format!("reload by {actor}"), onto: None, at_restart: false }
    }
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// In words.
    pub done: String,
    /// The version that is newest now.
    pub version: Option<u32>,
    pub new: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadKind {
    /// The files of sip-config/.
    Config,
    /// The passwords of analysts' phones.
    Accounts,
}

/// Figures of the process beside the switch's own. Counts are since the start.
#[derive(Clone, Debug)]
pub struct Gauges {
    pub uptime: Duration,
    pub journal: JournalState,
    /// Why the journal is not healthy.
    pub trouble: Option<Trouble>,
    /// The last record written to the journal.
    pub written: Seq,
    pub projected: Projected,
    pub media: Counters,
    pub inbox_dropped: u64,
    pub inbox_stale: u64,
    pub tcp_connections: usize,
    pub tcp_refused: u64,
    pub udp_send_errors: u64,
    /// `None` while it is off.
    pub canary: Option<CanaryGauge>,
}

/// The canary's own figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanaryGauge {
    pub every: Duration,
    /// Since its last call that went well; `None`: none did yet.
    pub succeeded_ago: Option<Duration>,
}

impl ApiState {
    /// Asks the switch.
    ///
    /// # Errors
    /// When it does not answer within a second, or takes no commands.
    async fn ask(&self, command: Command) -> anyhow::Result<Reply> {
        let answer = tokio::time::timeout(SWITCH_PATIENCE, self.desk.ask(&self.inbox, command)).await;
        answer.map_err(|_| anyhow::anyhow!("the switch did not answer within {} s", SWITCH_PATIENCE.as_secs()))?
    }

    async fn status(&self) -> anyhow::Result<Status> {
        match self.ask(Command::Status).await? {
            Reply::Status(status) => Ok(*status),
            Reply::Done
            | Reply::Refused { .. }
            | Reply::Calls { .. }
            | Reply::Analysts { .. }
            | Reply::Incidents { .. }
            | Reply::Standings(_)
            | Reply::Tallies { .. }
            | Reply::Attested { .. }
            | Reply::Opened { .. } => {
                anyhow::bail!("the switch answered something else than its status")
            }
        }
    }
}

#[cfg(test)]
mod tests;
