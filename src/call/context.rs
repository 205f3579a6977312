//! What a call may touch while it handles one input, and what it wants done afterwards.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::bridge::{MediaPort, OurKeys};
use crate::call::known_tickets::KnownTickets;
use crate::call::media::MediaCommand;
use crate::call::open_tickets::OpenTickets;
use crate::call::ports::Ports;
use crate::config::Config;
use crate::identity::{Lockouts, Pins};
use crate::ids::{AnalystId, CallId, LegId, OfferId, PlayId, ServerKey, TrunkId};
use crate::routing::{Continuity, Desk, Incidents, PhoneKind, Staff, WaitingLine};
use crate::sip::sdp::{KEY_BYTES, MAX_SALT_BYTES, MasterKey, Suite};
use crate::sip::{Flow, Request, Response, Uri};
use crate::ticket::Event;
use crate::time::Instant;

/// One thing a call wants done; carried out by the switch in this order.
#[derive(Debug)]
pub enum Effect {
    Record(Event),
    Media(MediaCommand),
    /// Begins a client transaction for a leg.
    Request {
        leg: LegId,
        request: Request,
        flow: Flow,
    },
    /// CANCEL of the leg's INVITE: rides on that INVITE's own transaction (RFC 3261 section 9.1).
    Cancel {
        leg: LegId,
        reason: Option<String>,
    },
    /// An ACK for a 2xx: no transaction of its own (section 13.2.2.4). A copy of it has the same branch.
    Ack {
        request: Request,
        flow: Flow,
        branch: String,
    },
    Respond {
        server: ServerKey,
        response: Response,
    },
    /// Ask for the lease of an analyst; [`super::Call::reserved`] brings the answer.
    Reserve {
        analyst: AnalystId,
    },
    /// A leg exists: in-dialog requests with this Call-ID and local tag are its.
    LegOpened {
        leg: LegId,
        sip_call_id: String,
        local_tag: String,
    },
    LegClosed {
        leg: LegId,
    },
}

/// Where a phone can be reached now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub request_uri: Uri,
    /// What the To header says.
    pub to: Uri,
    pub flow: Flow,
    /// How our listener's address reads from there.
    pub advertised: SocketAddr,
    /// A registered phone is spoken to on the flow it registered from, whatever its Contact says (NAT).
    pub pinned: bool,
    /// Which trunk carries it, with its media rules.
    pub trunk: Option<TrunkId>,
    /// The same number at the trunk's other addresses, in the order to try when nobody is at this one.
    pub others: Vec<Target>,
}

/// Looks up where phones are: bindings and trunks, as the switch knows them at this instant.
pub trait Reach {
    /// One target for each phone that would ring: a registered user may have several.
    fn phone(&self, phone: &PhoneKind, outside: bool) -> Vec<Target>;
    /// A number behind a trunk.
    fn number(&self, trunk: &TrunkId, number: &str, outside: bool) -> Option<Target>;
    /// Whether this trunk's peer is at the other end: nobody else's challenge is answered with its password (line C49).
    fn serves(&self, trunk: &TrunkId, flow: Flow) -> bool;
    /// Whether `address` is one of our own listeners: nothing is sent there (line D59).
    fn is_us(&self, address: SocketAddr) -> bool;
}

/// Counters and the one generator of randomness.
#[derive(Debug)]
pub struct Numbers {
    rng: ChaCha12Rng,
    legs: u64,
    plays: u64,
    offers: u64,
}

impl Numbers {
    pub fn new(seed: [u8; 32]) -> Numbers {
        Numbers { rng: ChaCha12Rng::from_seed(seed), legs: 0, plays: 0, offers: 0 }
    }

    pub fn leg(&mut self) -> LegId {
        self.legs += 1;
        LegId(self.legs)
    }

    pub fn play(&mut self) -> PlayId {
        self.plays += 1;
        PlayId(self.plays)
    }

    pub fn offer(&mut self) -> OfferId {
        self.offers += 1;
        OfferId(self.offers)
    }

    /// 64 random bits in hex: a tag or half a branch (RFC 3261 section 19.3 asks for 32).
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    /// A branch with the magic cookie (RFC 3261 section 8.1.1.7).
    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token())
    }

    /// A session id for `o=`: numeric, 62 bits (RFC 8866 section 5.2).
    pub fn session(&mut self) -> u64 {
        self.rng.next_u64() >> 2
    }

    pub fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// What a leg seals its media with: a key for each suite.
    pub fn media_keys(&mut self) -> OurKeys {
        Suite::ALL.map(|suite| {
            let mut random = [0; KEY_BYTES + MAX_SALT_BYTES];
            self.rng.fill_bytes(&mut random);
            MasterKey::new(suite, random)
        })
    }

    /// A ULID's random part with the time of `wall`.
    pub fn call_id(&mut self, wall: Timestamp) -> CallId {
        let millis = u64::try_from(wall.as_millisecond()).unwrap_or(0);
        let random = u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64());
        CallId(ulid::Ulid::from_parts(millis, random))
    }
}

/// Everything around one call for the length of one input.
pub struct Context<'a> {
    pub call: CallId,
    pub now: Instant,
    pub wall: Timestamp,
    /// The configuration in force. A call keeps its own plan, but people and desk are today's.
    pub config: &'a Arc<Config>,
    /// Its people, with what was attested since.
    pub staff: &'a Staff,
    pub desk: &'a mut Desk,
    pub line: &'a mut WaitingLine,
    pub continuity: &'a mut Continuity,
    pub incidents: &'a Incidents,
    pub open_tickets: &'a OpenTickets,
    pub tickets: &'a KnownTickets,
    pub pins: &'a Pins,
    pub lockouts: &'a mut Lockouts,
    pub numbers: &'a mut Numbers,
    pub ports: &'a mut Ports,
    pub reach: &'a dyn Reach,
    pub effects: Vec<Effect>,
}

impl Context<'_> {
    pub fn want(&mut self, effect: Effect) {
        #[cfg(test)]
        fault::point();
        self.effects.push(effect);
    }

    pub fn record(&mut self, event: Event) {
        self.want(Effect::Record(event));
    }

    pub fn media(&mut self, command: MediaCommand) {
        self.want(Effect::Media(command));
    }

    pub fn take_port(&mut self) -> Option<MediaPort> {
        self.ports.take(self.now, self.call)
    }
}

/// For tests of what a step that breaks leaves behind: it breaks where it wants one thing too many.
#[cfg(test)]
pub mod fault {
    use std::cell::Cell;

    thread_local! { static LEFT: Cell<Option<usize>> = const { Cell::new(None) } }

    /// The next step of a call on this thread breaks, once, after so many effects.
    pub fn after(effects: usize) {
        LEFT.set(Some(effects));
    }

    /// Whether it still waits to happen; it does not any more.
    pub fn withdrawn() -> bool {
        LEFT.take().is_some()
    }

    pub(super) fn point() {
        match LEFT.get() {
            Some(0) => {
                LEFT.set(None);
                std::panic::resume_unwind(Box::new("a fault made on purpose"));
            }
            Some(left) => LEFT.set(Some(left - 1)),
            None => {}
        }
    }
}
