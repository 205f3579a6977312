//! Requests that were refused, told to the log: the PBX that dials a wrong number, the phone with a wrong password. Within
//! a bound, and nothing of who called or whom.

use std::net::SocketAddr;

use crate::ids::TrunkId;
use crate::sip::{Flow, Method, Status};
use crate::switch::strangers::PerWindow;
use crate::switch::{Action, Switch};
use crate::time::{Duration, Instant};

/// Lines in a [`WINDOW`] for trunks, and as many for everybody else: a scanner hides nothing of a trunk.
const LINES: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedDown {
    pub method: Method,
    pub status: Status,
    /// In words of ours.
    pub reason: String,
    /// `None`: a phone of ours, or a stranger.
    pub trunk: Option<TrunkId>,
    pub remote: SocketAddr,
    /// Others that were refused before it and found no room for a line.
    pub untold: u64,
}

#[derive(Debug)]
pub(super) struct Refusals {
    of_trunks: PerWindow,
    of_others: PerWindow,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals { of_trunks: PerWindow::new(LINES, WINDOW), of_others: PerWindow::new(LINES, WINDOW) }
    }
}

impl Switch {
    pub(super) fn tell_refused(&mut self, now: Instant, flow: Flow, method: &Method, status: Status, reason: String) {
        let trunk = self.trunks.of(&self.config, flow).map(|trunk| trunk.id.clone());
        let lines = if trunk.is_some() { &mut self.refusals.of_trunks } else { &mut self.refusals.of_others };
        if let Some(untold) = lines.takes(now) {
            let (method, remote) = (method.clone(), flow.remote);
            let told = TurnedDown { method, status, reason, trunk, remote, untold };
            self.actions.push_back(Action::TurnedDown(Box::new(told)));
        }
    }
}
