//! Typed ids. Every id in the program is one of these, never a `String` or a bare number.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Declares an id that admins write in sip-config/: cheap to clone, ordered, printed as written.
macro_rules! name_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: &str) -> $name {
                $name(Arc::from(name))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> $name {
                $name::new(name)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

/// Declares an id that the switch counts up by itself.
macro_rules! counted_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

name_id! {
    /// A named calendar of a hospital's file.
    CalendarId;
    /// A hospital: the unit of isolation. Calls, people and plans belong to exactly one.
    HospitalId;
    /// A building or campus of a hospital.
    SiteId;
    /// A nursing unit or department at a site ("4-west").
    UnitId;
    /// One running EHR installation of a hospital ("epic-prod"): product, instance and environment.
    SystemId;
    /// A part of a system that has its own experts ("charting", "orders", "sign-in").
    ModuleId;
    /// A dialable internal number, as the PBX sends it ("4710").
    Extension;
    /// The person who takes calls. Never a phone.
    AnalystId;
    /// A person of the directory who calls: nurse, physician, registrar.
    ClinicianId;
    /// A peer towards carrier or PBX.
    TrunkId;
    /// A listening socket of ours.
    ListenerId;
    /// A dial plan.
    PlanId;
    /// A named step of a dial plan.
    StepId;
    /// A prompt of `prompts/<lang>/manifest.toml`, without language.
    PromptId;
    /// A language folder of prompts/ ("en").
    Language;
    /// A rung of a dial plan: one declared step of who is alerted and for how long.
    RungId;
    /// A declared transfer target of a hospital ("operator", "pharmacy").
    TargetId;
}

counted_id! {
    /// One party's side of a call, unique within the process.
    LegId;
    /// One playback order. Events that carry a stale one are dropped.
    PlayId;
    /// One question the switch asked the edge.
    QueryId;
    /// One command from the control socket.
    CommandId;
    /// One open stream connection (TCP).
    ConnId;
    /// One analyst being alerted for one call.
    OfferId;
    /// One known problem, as people name it: "incident 7".
    IncidentId;
    /// Position in the journal. Grows by one a record.
    Seq;
    /// A request of a peer, with its copies and our responses (RFC 3261 section 17.2).
    ServerKey;
    /// A request of ours, with its copies and the responses to it (RFC 3261 section 17.1).
    ClientKey;
}

/// One caller's whole contact, and its ticket's lasting name. A ULID: sorts by time, safe to print.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub Ulid);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The short number of a ticket that can be read over the phone. Counts up from 1000, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketNumber(pub u64);

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
