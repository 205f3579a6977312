//! What the switch counts: one name for each thing, all of them shown from the start, so that whoever asks for the rise of
//! one sees its first.

use std::collections::BTreeMap;

/// Since the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    Invites,
    Calls,
    /// INVITEs answered with a refusal, but for want of room.
    CallsRefused,
    NoCapacity,
    /// INVITEs that waited too long, or found the journal full.
    Overload,
    Strangers,
    Malformed,
    Copies,
    Refused,
    Unreachable,
    RegistrationRefused,
    RegistrationLocked,
    RegistrationForeign,
    ResolveFailed,
    QueryRefused,
    LeaseLapsed,
    RefusalNotAcknowledged,
    Stray200,
    CallFault,
    CallbacksRefused,
}

impl Count {
    pub const ALL: [Count; 20] = [
        Count::Invites,
        Count::Calls,
        Count::CallsRefused,
        Count::NoCapacity,
        Count::Overload,
        Count::Strangers,
        Count::Malformed,
        Count::Copies,
        Count::Refused,
        Count::Unreachable,
        Count::RegistrationRefused,
        Count::RegistrationLocked,
        Count::RegistrationForeign,
        Count::ResolveFailed,
        Count::QueryRefused,
        Count::LeaseLapsed,
        Count::RefusalNotAcknowledged,
        Count::Stray200,
        Count::CallFault,
        Count::CallbacksRefused,
    ];

    /// The label that metrics give it.
    pub fn as_str(self) -> &'static str {
        match self {
            Count::Invites => "invites",
            Count::Calls => "calls",
            Count::CallsRefused => "calls_refused",
            Count::NoCapacity => "no_capacity",
            Count::Overload => "overload",
            Count::Strangers => "strangers",
            Count::Malformed => "malformed",
            Count::Copies => "copies",
            Count::Refused => "refused",
            Count::Unreachable => "unreachable",
            Count::RegistrationRefused => "registration_refused",
            Count::RegistrationLocked => "registration_locked",
            Count::RegistrationForeign => "registration_foreign",
            Count::ResolveFailed => "resolve_failed",
            Count::QueryRefused => "query_refused",
            Count::LeaseLapsed => "lease_lapsed",
            Count::RefusalNotAcknowledged => "refusal_not_acknowledged",
            Count::Stray200 => "stray_200",
            Count::CallFault => "call_fault",
            Count::CallbacksRefused => "callbacks_refused",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<Count, u64>);

impl Counts {
    pub fn add(&mut self, what: Count) {
        *self.0.entry(what).or_insert(0) += 1;
    }

    /// By name; what never happened is 0.
    pub fn all(&self) -> BTreeMap<String, u64> {
        let named = |what: Count| (what.as_str().to_owned(), self.0.get(&what).copied().unwrap_or(0));
        Count::ALL.into_iter().map(named).collect()
    }
}
