//! What travels over the control socket, for both of its ends.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::ReloadKind;
use crate::golive::Checklist;
use crate::identity::{Suspect, Tally};
use crate::ids::{AnalystId, HospitalId, ModuleId, SystemId};
use crate::routing::{Incident, Trouble};
use crate::switch::Status;
use crate::ticket::{AnalystStateRecord, DispositionCode, Passage, Vouched};

/// The header that says in whose name the command line works: a claim, kept in the audit beside the system's user.
pub const ON_BEHALF_OF: &str = "wardline-for";

/// `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    pub version: String,
    pub process: u32,
    pub ready: bool,
    pub uptime_s: u64,
    /// "healthy", "degraded" or "full".
    pub journal: String,
    /// Why the journal is not healthy, or the store does not follow it.
    pub trouble: Vec<String>,
    /// Records that are in the journal and not in the store yet.
    pub store_behind: u64,
    pub published: PublishedStatus,
    /// What is wrong with the canary, in words.
    #[serde(default)]
    pub canary: Option<String>,
    /// Where the node listens.
    #[serde(default)]
    pub listeners: Vec<ListenerStatus>,
    pub switch: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    pub address: SocketAddr,
    /// "udp", "tcp" or "tls".
    pub transport: String,
}

/// Which version runs, and what does not agree with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedStatus {
    pub version: u32,
    pub digest: String,
    pub author: String,
    pub at: Timestamp,
    pub message: String,
    /// A later version that runs from the next start.
    pub waiting: Option<u32>,
    /// Files of the node's folder that are not as the version has them.
    pub differs: Vec<String>,
    /// Versions that are damaged or cannot run, in words.
    pub faults: Vec<String>,
}

/// `POST /v1/publish`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Absolute; absent: the node's own.
    pub folder: Option<PathBuf>,
    pub message: String,
    /// The version that the files are based on, whatever the folder says.
    pub onto: Option<u32>,
    pub at_restart: bool,
}

/// `POST /v1/rollback`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    pub to: u32,
    pub message: String,
    pub at_restart: bool,
}

/// The answer to both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// What changed, in words.
    pub done: String,
    /// The newest version now.
    pub version: u32,
    /// It was made by this request.
    pub new: bool,
}

/// `POST /v1/analysts/{id}/state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetState {
    pub state: AnalystStateRecord,
    pub reason: Option<String>,
    /// Who wants it so.
    #[serde(default)]
    pub by: Option<String>,
}

/// `POST /v1/analysts/{id}/attest`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// Absent: the only one that can be meant.
    #[serde(default)]
    pub hospital: Option<HospitalId>,
    pub system: SystemId,
    /// Absent: all that the analyst holds of it.
    pub modules: Option<BTreeSet<ModuleId>>,
    pub release: String,
    pub evidence: String,
    pub by: String,
}

/// `POST /v1/analysts/{id}/withdraw`: what was attested by mistake, named as it was attested.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Absent: the only one that can be meant.
    #[serde(default)]
    pub hospital: Option<HospitalId>,
    pub system: SystemId,
    pub modules: Option<BTreeSet<ModuleId>>,
    pub release: String,
    pub reason: String,
    pub by: String,
}

/// `POST /v1/tickets/{number}/disposition`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetDisposition {
    pub by: AnalystId,
    pub code: DispositionCode,
    pub solved: Option<bool>,
    pub note: Option<String>,
}

/// `POST /v1/incidents`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenIncident {
    pub by: String,
    #[serde(flatten)]
    pub what: Trouble,
}

/// `POST /v1/incidents/{id}/resolve`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveIncident {
    pub by: String,
}

/// `GET /v1/incidents`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IncidentList {
    pub incidents: Vec<Incident>,
}

/// `GET /v1/golive`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GoLive {
    pub hospitals: Vec<Checklist>,
}

/// `POST /v1/golive/{hospital}/confirm`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    pub item: Vouched,
    pub by: String,
    /// How it was seen.
    pub note: String,
}

/// `POST /v1/golive/{hospital}/standing`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetStanding {
    pub by: String,
    #[serde(flatten)]
    pub passage: Passage,
}

/// `GET /v1/tallies`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TallyList {
    pub tallies: Vec<Tally>,
}

/// `POST /v1/tallies/clear`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearTally {
    pub hospital: HospitalId,
    pub suspect: Suspect,
}

/// `POST /v1/reload`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    pub what: ReloadKind,
}

/// The answer to a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// What changed, in words.
    pub done: String,
}

/// The answer to a refusal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
}
