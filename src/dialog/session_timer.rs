//! The session timer of one leg (RFC 4028): both sides know that the other still has the session.
//!
//! ```text
//!            a 2xx with Session-Expires, either way
//!   Off ────────────────────────────────────────────▶ Running ◀──┐
//!    ▲                                                  │ │ │     │ a 2xx to a refresh, whoever sent it
//!    └── a 2xx to INVITE or UPDATE without one ─────────┘ │ └─────┘
//!                     half of it, when we refresh: UPDATE, or re-INVITE
//!                     expiry - min(32 s, 1/3) without a refresh: BYE (section 10)
//! ```
//! Where the choice is ours we refresh ourselves: then no call ends because a phone forgets to. A refresh that gets no answer is
//! tried again at half of what is left (line F74).

use crate::sip::Headers;
use crate::time::{Duration, Instant};

/// The smallest interval (section 5), and the one that we ask for as Min-SE.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(90);
/// The same in a header.
pub(super) const MIN_SE: &str = "90";
/// The BYE comes so long before the expiry, or a third of the interval if that is less (section 10).
const MARGIN: Duration = Duration::from_secs(32);
/// Between two refreshes that got no answer, at least.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A Min-SE that a peer may make us ask for: a day. More would be no timer any more.
const MAX_INTERVAL: Duration = Duration::from_secs(86_400);
/// INVITEs and UPDATEs in a row that are sent anew for a 422 (section 7.4): a proxy and the phone may each want more.
const MAX_RETRIES: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresher {
    Us,
    Peer,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    interval: Duration,
    refresher: Refresher,
    refresh_at: Option<Instant>,
    bye_at: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Refresh,
    Expired,
}

#[derive(Debug)]
pub(super) struct SessionTimer {
    /// What we ask for; `None`: no timer on this leg, whatever the peer says of it.
    wish: Option<Duration>,
    /// The largest Min-SE that came with a 422.
    least: Duration,
    retries: u8,
    running: Option<Running>,
    /// The peer's latest Allow names UPDATE.
    updates: bool,
}

impl SessionTimer {
    pub fn new(wish: Option<Duration>) -> SessionTimer {
        let wish = wish.map(|wish| wish.clamp(MIN_INTERVAL, MAX_INTERVAL));
        SessionTimer { wish, least: MIN_INTERVAL, retries: 0, running: None, updates: false }
    }

    /// What we say that we understand.
    pub fn supported(&self) -> &'static str {
        if self.wish.is_some() { super::SUPPORTED } else { super::WITHOUT_TIMER }
    }

    /// What the peer allows, from any message of it that says so.
    pub fn note_allow(&mut self, headers: &Headers) {
        if headers.has("Allow") {
            self.updates = headers.lists("Allow", "UPDATE");
        }
    }

    /// Whether a refresh can be an UPDATE, which needs no session description.
    pub fn by_update(&self) -> bool {
        self.updates
    }

    /// The peer has refused UPDATE as a method.
    pub fn no_update(&mut self) {
        self.updates = false;
    }

    /// Whether we are the ones who refresh a session that is timed.
    pub fn is_ours(&self) -> bool {
        self.running.is_some_and(|running| running.refresher == Refresher::Us)
    }

    // As server.

    /// The interval is smaller than we bear (section 9). Only who understands 422 gets it.
    pub fn refuses(&self, headers: &Headers) -> bool {
        self.wish.is_some() && asks_too_little(headers)
    }

    /// Sets the timer by an INVITE or UPDATE that gets its 2xx now. Returns that 2xx's headers (section 9, table 2).
    pub fn answer(&mut self, now: Instant, request: &Headers) -> Vec<(&'static str, String)> {
        let before = self.running.take();
        let Some(wish) = self.wish else { return Vec::new() };
        let (interval, refresher) = match (session_expires(request), supports(request)) {
            (Some((asked, named)), true) => {
                // We may shorten it, yet not below what the peer and its proxies bear.
                let interval = asked.min(wish.max(min_se(request).unwrap_or_default()));
                (interval, if named == Some(Role::Client) { Refresher::Peer } else { Refresher::Us })
            }
            // A proxy asks on behalf of a phone that knows nothing of it: the refreshes are ours.
            (Some((asked, _)), false) if asked >= MIN_INTERVAL => (asked, Refresher::Us),
            (None, true) => (before.map_or(wish, |before| before.interval), Refresher::Us),
            (None, false) if before.is_some_and(|before| before.refresher == Refresher::Us) => {
                (before.map_or(wish, |before| before.interval), Refresher::Us)
            }
            (Some(_) | None, false) => return Vec::new(),
        };
        let interval = interval.max(MIN_INTERVAL);
        self.start(now, interval, refresher);
        let seconds = interval.as_secs();
        match refresher {
            Refresher::Us => vec![("Session-Expires", format!("{seconds};refresher=uas"))],
            Refresher::Peer => {
                vec![("Session-Expires", format!("{seconds};refresher=uac")), ("Require", super::TIMER.to_owned())]
            }
        }
    }

    // As client.

    /// What an INVITE or UPDATE of ours says (section 7.1, 7.4). The first leaves the refresher to the peer.
    pub fn ask(&self) -> Vec<(&'static str, String)> {
        let Some(wish) = self.wish else { return Vec::new() };
        let interval = self.running.map_or(wish, |running| running.interval).max(self.least).as_secs();
        let value = match self.running.map(|running| running.refresher) {
            None => interval.to_string(),
            Some(Refresher::Us) => format!("{interval};refresher=uac"),
            Some(Refresher::Peer) => format!("{interval};refresher=uas"),
        };
        vec![("Session-Expires", value), ("Min-SE", self.least.as_secs().to_string())]
    }

    /// The 2xx to an INVITE or UPDATE of ours (section 7.2).
    pub fn accepted(&mut self, now: Instant, response: &Headers) {
        self.note_allow(response);
        self.running = None;
        self.retries = 0;
        if let Some((interval, named)) = session_expires(response).filter(|_| self.wish.is_some()) {
            let refresher = if named == Some(Role::Server) { Refresher::Peer } else { Refresher::Us };
            self.start(now, interval.clamp(MIN_INTERVAL, MAX_INTERVAL), refresher);
        }
    }

    /// A 422 came: whether to send the request again, with an interval that will do.
    pub fn too_brief(&mut self, response: &Headers) -> bool {
        let wanted = min_se(response).filter(|wanted| (self.least..=MAX_INTERVAL).contains(wanted));
        let (Some(wanted), true) = (wanted, self.wish.is_some() && self.retries < MAX_RETRIES) else { return false };
        self.retries += 1;
        self.least = wanted;
        true
    }

    // Time.

    fn start(&mut self, now: Instant, interval: Duration, refresher: Refresher) {
        let refresh_at = (refresher == Refresher::Us).then(|| now + interval / 2);
        let bye_at = now + (interval - MARGIN.min(interval / 3));
        self.running = Some(Running { interval, refresher, refresh_at, bye_at });
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.running.map(|running| running.refresh_at.map_or(running.bye_at, |at| at.min(running.bye_at)))
    }

    /// A refresh that is due is due again at half of what is left: only a 2xx to it stops that.
    pub fn timeout(&mut self, now: Instant) -> Due {
        let Some(running) = &mut self.running else { return Due::Nothing };
        if running.bye_at <= now {
            self.running = None;
            return Due::Expired;
        }
        if running.refresh_at.is_none_or(|at| now < at) {
            return Due::Nothing;
        }
        let left = running.bye_at.since(now);
        running.refresh_at = Some(now + (left / 2).max(AGAIN_AFTER));
        Due::Refresh
    }

    /// The refresh shall be tried again then, and not later.
    pub fn refresh_in(&mut self, now: Instant, pause: Duration) {
        if let Some(running) = &mut self.running
            && let Some(at) = &mut running.refresh_at
        {
            *at = now + pause;
        }
    }
}

/// Who refreshes, in the words of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

fn session_expires(headers: &Headers) -> Option<(Duration, Option<Role>)> {
    let (value, params) = headers.with_params("Session-Expires")?.ok()?;
    let role = params.text("refresher").and_then(|role| match role.to_ascii_lowercase().as_str() {
        "uac" => Some(Role::Client),
        "uas" => Some(Role::Server),
        _ => None,
    });
    Some((seconds(value)?, role))
}

/// Whether this INVITE or UPDATE asks for less than [`MIN_INTERVAL`] and would understand a 422.
pub(super) fn asks_too_little(headers: &Headers) -> bool {
    supports(headers) && session_expires(headers).is_some_and(|(interval, _)| interval < MIN_INTERVAL)
}

fn min_se(headers: &Headers) -> Option<Duration> {
    seconds(headers.with_params("Min-SE")?.ok()?.0)
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse::<u32>().ok().map(|seconds| Duration::from_secs(u64::from(seconds)))
}

fn supports(headers: &Headers) -> bool {
    headers.lists("Supported", super::TIMER) || headers.lists("Require", super::TIMER)
}
