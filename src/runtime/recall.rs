//! From what the store kept to what the switch wants to know at a start.

use jiff::Timestamp;

use crate::config::Config;
use crate::registrar::{Account, DigestPolicy, NonceKey, NonceRecord};
use crate::routing::{Earlier, PhoneKind, Presence};
use crate::store::{Credential, Restored};
use crate::switch::{CutCall, Memory, OwedCallback};
use crate::ticket::AnalystStateRecord;
use crate::time::Duration;

/// The store's memory as the switch's pure values.
pub fn memory(config: &Config, restored: &Restored, wall: Timestamp) -> Memory {
    let idle = |analyst: &crate::ids::AnalystId| {
        let since = restored.idle_since.iter().find(|(id, _)| id == analyst).map(|(_, since)| *since);
        since.and_then(|since| Duration::try_from(wall.duration_since(since)).ok()).unwrap_or_default()
    };
    Memory {
        next_seq: restored.next_seq,
        next_ticket: restored.next_ticket,
        nonce_key: NonceKey::new(restored.nonce_key.0),
        accounts: accounts(config, &restored.credentials),
        bindings: restored.bindings.clone(),
        nonces: restored
            .nonces
            .iter()
            .map(|used| NonceRecord { nonce: used.nonce.clone(), count: used.count, expires: used.expires })
            .collect(),
        elsewhere: Vec::new(),
        analysts: restored
            .analyst_states
            .iter()
            .map(|at| {
                let presence = match at.state {
                    AnalystStateRecord::SignedOut => Presence::SignedOut,
                    AnalystStateRecord::Available => Presence::Available,
                    AnalystStateRecord::Paused => Presence::Paused { reason: at.reason.clone() },
                };
                (at.analyst.clone(), presence, idle(&at.analyst))
            })
            .collect(),
        cut: restored.open_calls.iter().map(cut).collect(),
        callbacks: restored.callbacks_due.iter().map(owed).collect(),
        attested: restored.attested.clone(),
        incidents: restored.incidents.clone(),
        next_incident: restored.next_incident,
        standings: restored.standings.clone(),
        tickets: restored.tickets.clone(),
        known_tickets: restored.known_tickets.clone(),
        tallies: restored.tallies.clone(),
        pins: restored.pins.clone(),
        continuity: restored.continuity.iter().rev().map(earlier_call).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The phones that may register: named in the files, with a password in the store.
pub fn accounts(config: &Config, credentials: &[Credential]) -> Vec<Account> {
    let realm = &config.node.registration.realm;
    let users = config.staff.iter().flat_map(|analyst| &analyst.phones).filter_map(|phone| match &phone.kind {
        PhoneKind::Registered { user } => Some(user),
        PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => None,
    });
    users
        .filter_map(|user| {
            let found = credentials.iter().find(|one| one.account == *user && one.realm == *realm)?;
            Some(Account {
                user: user.clone(),
                ha1_md5: Some(found.ha1_md5.clone()),
                ha1_sha256: Some(found.ha1_sha256.clone()),
                digest: if config.md5_phones.contains(user) { DigestPolicy::Md5Only } else { DigestPolicy::Both },
            })
        })
        .collect()
}

fn cut(open: &crate::store::OpenCall) -> CutCall {
    CutCall {
        call: open.call,
        ticket: open.ticket,
        hospital: open.hospital.clone(),
        plan: open.plan.clone(),
        language: open.language.clone(),
        dialled: open.dialled.clone(),
        caller: open.caller.clone(),
        need: open.need.clone(),
        test: open.test,
        attempt_after: open.calling_back.then_some(open.attempts),
    }
}

fn owed(owed: &crate::store::CallbackOwed) -> OwedCallback {
    OwedCallback {
        call: owed.call,
        ticket: owed.ticket,
        hospital: owed.hospital.clone(),
        plan: owed.plan.clone(),
        language: owed.language.clone(),
        dialled: owed.dialled.clone(),
        number: owed.number.clone(),
        waits_for: owed.waits_for,
        booked: owed.booked,
        due: owed.due,
        attempts: owed.attempts,
        failed: owed.failed,
        caller: owed.caller.clone(),
        need: owed.need.clone(),
        test: owed.test,
    }
}

fn earlier_call(earlier: &crate::store::Continuity) -> Earlier {
    Earlier {
        call: crate::ids::CallId(ulid::Ulid::nil()),
        at: earlier.at,
        analyst: earlier.analyst.clone(),
        hospital: earlier.hospital.clone(),
        caller: Some(earlier.calling.clone()).filter(|calling| !calling.is_empty()),
        unit: earlier.unit.clone(),
        system: earlier.system.clone(),
        module: earlier.module.clone(),
    }
}
