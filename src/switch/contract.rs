//! The contract between the switch and the world: everything that can happen to it, everything it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::identity::{Pins, Suspect, Tally};
use crate::ids::{
    AnalystId, CallId, CommandId, ConnId, HospitalId, IncidentId, ModuleId, QueryId, Seq, SystemId, TicketNumber,
    TrunkId,
};
use crate::sip::Flow;
use crate::switch::refusals::TurnedDown;
use crate::switch::trunks::Health;
use crate::ticket::{AnalystStateRecord, Disposition, Passage, Record, Standing, Standings, Vouched};

use crate::call::media::{MediaCommand, MediaEvent};
use crate::registrar::Account;
use crate::routing::{Incident, Trouble};
use crate::sip::Transport;

/// Everything that can happen to the switch.
#[derive(Debug)]
pub enum Input {
    /// One SIP message: a datagram, or one framed message of a stream. A stream's bytes that cannot be framed come as
    /// they are, and are answered 400 and closed.
    Message {
        flow: Flow,
        bytes: Bytes,
    },
    /// An INVITE of a stream that waited too long in front of the switch: refused with 503.
    Overdue {
        flow: Flow,
        bytes: Bytes,
    },
    StreamClosed {
        conn: ConnId,
    },
    /// The peer of a connection has shown a certificate that we trust, with these names in it (RFC 5922 section 7.1).
    /// Comes before its first message.
    Certified {
        conn: ConnId,
        names: Vec<String>,
    },
    /// ICMP unreachable, connection refused or a write that failed.
    Unreachable {
        flow: Flow,
    },
    Media(MediaEvent),
    Answer {
        query: QueryId,
        answer: Answer,
    },
    /// Everything up to this record is durable in the journal: what waits for it may be called safe. Without it a caller
    /// is not promised to be called back.
    Stored(Seq),
    Command {
        id: CommandId,
        command: Command,
    },
    /// A newly published version, with the accounts of its phones. Calls in progress finish on theirs.
    Config {
        config: Arc<Config>,
        accounts: Vec<Account>,
        publication: Publication,
    },
    /// A password was set.
    Accounts(Vec<Account>),
    /// A PIN was set.
    Pins(Pins),
    /// What the runtime's clock says now; the wall clock may have been stepped.
    Wall(jiff::Timestamp),
    /// `now` has reached [`super::Switch::poll_timeout`].
    Timeout,
}

/// Whose version it is, and why: journaled in the batch in which it comes into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub actor: String,
    /// "publish", "rollback".
    pub action: String,
    /// "version 7 (3fa9c1d20b44)".
    pub object: String,
    pub reason: Option<String>,
}

/// Everything the switch asks of the runtime.
#[derive(Debug)]
pub enum Action {
    /// Comes out before the `Transmit` of the same batch, and must reach the journal before it.
    Record(Record),
    Transmit {
        flow: Flow,
        bytes: Bytes,
    },
    CloseStream {
        conn: ConnId,
    },
    /// Which names a peer's certificate must bear, one of them, by its address: for connections that we open. Replaces what
    /// was said before; whoever is not named must bear its address.
    PeerNames(BTreeMap<SocketAddr, Vec<String>>),
    Media(MediaCommand),
    Query {
        id: QueryId,
        query: Query,
    },
    Reply {
        id: CommandId,
        reply: Reply,
    },
    /// A line of the log.
    TurnedDown(Box<TurnedDown>),
}

/// What the switch asks of the world outside. Each is answered once, or times out in the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// RFC 3263: SRV, then A/AAAA.
    Resolve { host: String, port: Option<u16>, transport: Transport },
    /// Lease an analyst for a call. One node grants at once; a cluster asks the analyst's home node.
    Reserve { analyst: AnalystId, call: CallId },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Resolved(Result<Vec<SocketAddr>, String>),
    Reserved(bool),
}

/// What the control socket may ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    Status,
    Calls,
    Analysts,
    SetAnalystState {
        analyst: AnalystId,
        state: AnalystStateRecord,
        actor: String,
        reason: Option<String>,
    },
    /// `ticket` and `hospital` are the call's, as the store has them: the switch forgets calls that are over.
    SetDisposition {
        call: CallId,
        ticket: TicketNumber,
        hospital: HospitalId,
        by: AnalystId,
        disposition: Disposition,
        actor: String,
    },
    Incidents,
    /// Callers whom it concerns are told from now on.
    OpenIncident {
        what: Trouble,
        by: String,
        actor: String,
    },
    /// Nobody is told any more, and who waits for it is called.
    ResolveIncident {
        incident: IncidentId,
        by: String,
        actor: String,
    },
    /// A qualification counts for a release from now on.
    Attest {
        analyst: AnalystId,
        /// `None`: the only one that can be meant.
        hospital: Option<HospitalId>,
        system: SystemId,
        /// `None`: all that the analyst holds of it.
        modules: Option<BTreeSet<ModuleId>>,
        release: String,
        evidence: String,
        by: String,
        actor: String,
    },
    /// What was attested by mistake counts no more.
    Withdraw {
        analyst: AnalystId,
        /// `None`: the only one that can be meant.
        hospital: Option<HospitalId>,
        system: SystemId,
        /// As it was attested.
        modules: Option<BTreeSet<ModuleId>>,
        release: String,
        reason: String,
        by: String,
        actor: String,
    },
    /// Which hospitals are live, and what people have confirmed.
    Standings,
    /// Whether it may go live was judged before: by the list of [`crate::golive`].
    SetStanding {
        hospital: HospitalId,
        passage: Passage,
        by: String,
        actor: String,
    },
    Confirm {
        hospital: HospitalId,
        item: Vouched,
        by: String,
        note: String,
        actor: String,
    },
    /// Wrong PINs and badges that are counted, and locks.
    Tallies,
    /// Forgets a count and lifts its lock.
    ClearTally {
        hospital: HospitalId,
        suspect: Suspect,
        actor: String,
    },
    /// New INVITEs get 503; calls up finish.
    Drain {
        actor: String,
    },
    /// The last record of this process: nothing was cut.
    Stop,
    /// Ends every call with BYE.
    HangUpAll {
        actor: String,
    },
    /// An audited change made elsewhere (a new password), journaled with its author.
    Audit {
        actor: String,
        action: String,
        object: String,
        reason: Option<String>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    Done,
    Refused {
        reason: String,
    },
    Status(Box<Status>),
    Calls {
        calls: Vec<serde_json::Value>,
    },
    Analysts {
        analysts: Vec<serde_json::Value>,
    },
    Incidents {
        incidents: Vec<Incident>,
    },
    Standings(Box<Standings>),
    Tallies {
        tallies: Vec<Tally>,
    },
    /// Its number.
    Opened {
        incident: IncidentId,
    },
    /// Whose system the attestation is of.
    Attested {
        hospital: HospitalId,
    },
}

/// Counters and gauges, all of the process since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Calls with somebody on the line who called, or was called back.
    pub calls: usize,
    /// Attempts to call back under way that have not reached the ward.
    #[serde(default)]
    pub calling_back: usize,
    pub legs: usize,
    pub dialogs: usize,
    pub transactions: usize,
    pub timers: usize,
    pub ports_free: usize,
    pub ports_used: usize,
    pub ports_resting: usize,
    pub bindings: usize,
    /// Callers who wait for an analyst.
    pub waiting: usize,
    /// Known problems that callers are told of.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// Of each hospital: in rehearsal or live, since when and by whom.
    #[serde(default)]
    pub standings: BTreeMap<HospitalId, Standing>,
    /// Callbacks that wait for their time, or for a known problem to be fixed.
    pub callbacks: usize,
    /// Callbacks that are tried no more: a person must call.
    pub callbacks_failed: usize,
    /// By trunk: "unknown" (not probed), "up", "down".
    pub trunks: BTreeMap<TrunkId, Health>,
    /// The trunks that go unencrypted, each with why that is so.
    #[serde(default)]
    pub plain: BTreeMap<TrunkId, String>,
    pub draining: bool,
    pub counters: BTreeMap<String, u64>,
}
