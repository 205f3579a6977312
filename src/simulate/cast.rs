//! Who is who in a simulated call: which address and number is whose phone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use thiserror::Error;

use crate::call::{EndedTicket, KnownTicket, Owner};
use crate::config::{Config, Hospital, NextHop, Trunk};
use crate::diagnostic::nearest;
use crate::identity::{PIN_DIGITS, Pins};
use crate::ids::{
    AnalystId, CallId, ClinicianId, ConnId, Extension, HospitalId, IncidentId, PromptId, SystemId, TargetId,
    TicketNumber,
};
use crate::registrar::BindingRecord;
use crate::routing::{Analyst, Earlier, Incident, PhoneKind, Presence, Trouble};
use crate::simulate::Scene;
use crate::sip::{Flow, Host, Request, Transport, Uri};
use crate::time::Duration;

/// Where phones live that register, and trunks whose host is only a name.
const PHONES: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const SIP_PORT: u16 = 5060;
/// Longest idle first: by the order of the ids, so that a simulation gives the same every time.
const IDLE_STEP: Duration = Duration::from_secs(60);
const BOUND_FOR_HOURS: i64 = 24;

/// Somebody with a phone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Caller,
    Analyst(AnalystId),
    Target(TargetId),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Caller => f.write_str("caller"),
            Who::Analyst(id) => write!(f, "{id}"),
            Who::Target(id) => write!(f, "{id}"),
        }
    }
}

/// How somebody is when the call comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Available,
    Paused,
    SignedOut,
    /// Talks on another call.
    Busy,
    /// Signed in, but the phone gives no sign: its cable is out.
    Silent,
}

/// What a scene names and the configuration does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SceneError {
    #[error("there is no hospital `{0}`; known are {1}")]
    NoHospital(HospitalId, String),
    #[error("{hospital} has no hotline {number}; it has {known}")]
    NoHotline { hospital: HospitalId, number: Extension, known: String },
    #[error("there is no analyst `{0}`{1}")]
    NoAnalyst(AnalystId, String),
    #[error("{0} has no person `{1}`")]
    NoPerson(HospitalId, ClinicianId),
    #[error("{0} has no system `{1}`")]
    NoSystem(HospitalId, SystemId),
    #[error("there is no prompt `{0}` that could tell of an incident")]
    NoPrompt(PromptId),
    #[error("no trunk of {0} says where its calls come from")]
    NoTrunk(HospitalId),
    #[error("the node has no listener")]
    NoListener,
}

/// The addresses of one simulation.
pub(super) struct Cast {
    local: SocketAddr,
    transport: Transport,
    /// The trunk's media is.
    secured: bool,
    /// Where the hospital's calls come from, and where ours to it go.
    caller_address: SocketAddr,
    trunk_address: SocketAddr,
    /// By address and number (or user).
    phones: BTreeMap<(SocketAddr, String), Who>,
    registered: Vec<(String, SocketAddr)>,
    realm: String,
    silent: BTreeSet<AnalystId>,
    caller: String,
}

impl Cast {
    pub fn of(config: &Config, scene: &Scene) -> Result<Cast, SceneError> {
        let hospital = hospital(config, scene)?;
        let had = scene.tickets.iter().map(|(_, analyst)| analyst);
        let named = scene.standing.keys().chain(scene.helped.iter().map(|(_, analyst)| analyst)).chain(had);
        if let Some(unknown) = { named }.find(|id| config.staff.get(id).is_none()) {
            let known: Vec<&str> = config.staff.iter().map(|analyst| analyst.id.as_str()).collect();
            let near = nearest(unknown.as_str(), known).map(|near| format!("; did you mean `{near}`?"));
            return Err(SceneError::NoAnalyst(unknown.clone(), near.unwrap_or_default()));
        }
        if let Some((unknown, _)) = scene.pins.iter().find(|(id, _)| hospital.directory.clinician(id).is_none()) {
            return Err(SceneError::NoPerson(hospital.id.clone(), unknown.clone()));
        }
        known_troubles(config, hospital, scene)?;
        let trunk = config.trunk(&hospital.trunk).ok_or_else(|| SceneError::NoTrunk(hospital.id.clone()))?;
        let listener = match &trunk.listener {
            Some(id) => config.node.listeners.get(id),
            None => config.node.listeners.values().find(|listener| listener.transports.contains(&trunk.transport)),
        };
        let listener = listener.ok_or(SceneError::NoListener)?;
        let caller_address = caller_address(trunk).ok_or_else(|| SceneError::NoTrunk(hospital.id.clone()))?;
        let trunk_address = address_of(trunk).unwrap_or(caller_address);
        let silent = scene.standing.iter().filter(|(_, standing)| **standing == Standing::Silent);
        let mut cast = Cast {
            local: listener.bind,
            transport: trunk.transport,
            secured: trunk.srtp,
            caller_address,
            trunk_address,
            phones: BTreeMap::new(),
            registered: Vec::new(),
            realm: config.node.registration.realm.clone(),
            silent: silent.map(|(id, _)| id.clone()).collect(),
            caller: scene.from.clone(),
        };
        for (place, analyst) in config.staff.iter().enumerate() {
            cast.add_analyst(config, place, analyst);
        }
        for target in hospital.targets.values() {
            if let Some(trunk) = config.trunk(&target.trunk) {
                let at = address_of(trunk).unwrap_or(cast.trunk_address);
                let number = trunk.dial(&target.number, target.outside);
                cast.phones.insert((at, number), Who::Target(target.id.clone()));
            }
        }
        Ok(cast)
    }

    fn add_analyst(&mut self, config: &Config, place: usize, analyst: &Analyst) {
        let who = Who::Analyst(analyst.id.clone());
        for phone in &analyst.phones {
            let at = match &phone.kind {
                PhoneKind::Registered { user } => {
                    let address = SocketAddr::new(nth_phone(place), SIP_PORT);
                    self.registered.push((user.clone(), address));
                    Some((address, user.clone()))
                }
                PhoneKind::Sip { uri } => Uri::parse(uri).ok().and_then(|uri| {
                    let user = uri.user()?.into_owned();
                    let ip = match uri.host {
                        Host::V4(ip) => IpAddr::V4(ip),
                        Host::V6(ip) => IpAddr::V6(ip),
                        Host::Name(_) | Host::Absent => return None,
                    };
                    Some((SocketAddr::new(ip, uri.port.unwrap_or(SIP_PORT)), user))
                }),
                PhoneKind::Trunk { trunk, number } => config.trunk(trunk).map(|trunk| {
                    let number = trunk.dial(&Extension::new(number), phone.outside);
                    (address_of(trunk).unwrap_or(self.trunk_address), number)
                }),
            };
            if let Some(at) = at {
                self.phones.insert(at, who.clone());
            }
        }
    }

    // -- What the switch begins with ---------------------------------------------------------------------------------

    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.registered.iter().map(|(user, _)| user.as_str())
    }

    /// Every phone that registers has done so.
    pub fn bindings(&self, at: Timestamp) -> Vec<BindingRecord> {
        let expires = at + jiff::SignedDuration::from_hours(BOUND_FOR_HOURS);
        let binding = |(user, address): &(String, SocketAddr)| BindingRecord {
            aor: format!("sip:{user}@{}", self.realm),
            contact: format!("<sip:{user}@{address}>"),
            flow: Flow { transport: Transport::Udp, local: self.local, remote: *address, conn: None },
            expires,
            call_id: format!("simulated-{user}"),
            cseq: 1,
            user_agent: None,
        };
        self.registered.iter().map(binding).collect()
    }

    pub fn presences(&self, config: &Config, scene: &Scene) -> Vec<(AnalystId, Presence, Duration)> {
        let count = u32::try_from(config.staff.len()).unwrap_or(u32::MAX);
        let presence = |analyst: &Analyst| match scene.standing.get(&analyst.id) {
            Some(Standing::Available | Standing::Busy | Standing::Silent) => Presence::Available,
            Some(Standing::Paused) => Presence::Paused { reason: None },
            Some(Standing::SignedOut) => Presence::SignedOut,
            None if analyst.on_shift(scene.at) && !analyst.supervisor => Presence::Available,
            None => Presence::SignedOut,
        };
        let idle = |place: u32| IDLE_STEP * count.saturating_sub(place);
        (0..).zip(config.staff.iter()).map(|(place, one)| (one.id.clone(), presence(one), idle(place))).collect()
    }

    pub fn elsewhere(&self, scene: &Scene) -> Vec<AnalystId> {
        let busy = scene.standing.iter().filter(|(_, standing)| **standing == Standing::Busy);
        busy.map(|(id, _)| id.clone()).collect()
    }

    // -- Addresses ---------------------------------------------------------------------------------------------------

    pub fn caller_flow(&self) -> Flow {
        self.flow_from(self.caller_address)
    }

    pub fn flow_from(&self, remote: SocketAddr) -> Flow {
        let trunk = [self.trunk_address, self.caller_address].contains(&remote);
        let transport = if trunk { self.transport } else { Transport::Udp };
        let conn = transport.is_stream().then_some(ConnId(1));
        Flow { transport, local: self.local, remote, conn }
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn secured(&self) -> bool {
        self.secured
    }

    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Whatever a host is called: its phones are simulated at one address.
    pub fn resolve(&self, _host: &str) -> SocketAddr {
        self.trunk_address
    }

    /// Whose phone an INVITE of the desk is for; `None` for a probe, or a number of nobody's.
    pub fn who(&self, address: SocketAddr, request: &Request) -> Option<Who> {
        let user = request.uri.user()?;
        if let Some(who) = self.phones.get(&(address, user.as_ref().to_owned())) {
            return Some(who.clone());
        }
        (address == self.trunk_address && user.ends_with(&self.caller) && !self.caller.is_empty())
            .then_some(Who::Caller)
    }

    pub fn is_silent(&self, who: &Who) -> bool {
        matches!(who, Who::Analyst(id) if self.silent.contains(id))
    }
}

fn hospital<'a>(config: &'a Config, scene: &Scene) -> Result<&'a Hospital, SceneError> {
    let known = |names: Vec<String>| names.join(", ");
    let Some(hospital) = config.hospital(&scene.hospital) else {
        let names = config.hospitals.keys().map(ToString::to_string).collect();
        return Err(SceneError::NoHospital(scene.hospital.clone(), known(names)));
    };
    if !hospital.hotlines.contains_key(&scene.dial) {
        let names = hospital.hotlines.keys().map(ToString::to_string).collect();
        let (hospital, number) = (hospital.id.clone(), scene.dial.clone());
        return Err(SceneError::NoHotline { hospital, number, known: known(names) });
    }
    Ok(hospital)
}

fn known_troubles(config: &Config, hospital: &Hospital, scene: &Scene) -> Result<(), SceneError> {
    for trouble in &scene.incidents {
        if hospital.directory.system(&trouble.system).is_none() {
            return Err(SceneError::NoSystem(hospital.id.clone(), trouble.system.clone()));
        }
        if !config.prompts.contains(&hospital.language(), &trouble.prompt) {
            return Err(SceneError::NoPrompt(trouble.prompt.clone()));
        }
    }
    Ok(())
}

/// Calls before this one have ids of their own.
fn earlier_call(number: u128) -> CallId {
    CallId(ulid::Ulid::from(number))
}

pub(super) fn tickets(scene: &Scene) -> Vec<EndedTicket> {
    let owner = Owner { number: Some(scene.from.clone()), ..Owner::default() };
    let ticket = EndedTicket { call: earlier_call(1), hospital: scene.hospital.clone(), owner, open: true };
    scene.open_ticket.then_some(ticket).into_iter().collect()
}

pub(super) fn known_tickets(scene: &Scene) -> Vec<KnownTicket> {
    let ticket = |(number, analyst): &(TicketNumber, AnalystId)| KnownTicket {
        number: *number,
        hospital: scene.hospital.clone(),
        analyst: Some(analyst.clone()),
    };
    scene.tickets.iter().map(ticket).collect()
}

pub(super) fn pins(scene: &Scene) -> Pins {
    let mut pins = Pins::default();
    for (person, pin) in &scene.pins {
        pins.set(&scene.hospital, person, pin);
    }
    pins
}

/// "anika-rao 274913".
pub fn read_pin(text: &str) -> Option<(ClinicianId, String)> {
    let (person, pin) = text.trim().split_once(' ')?;
    let pin = pin.trim();
    let digits = PIN_DIGITS.contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| (ClinicianId::new(person), pin.to_owned()))
}

/// "1042 amara-osei".
pub fn read_ticket(text: &str) -> Option<(TicketNumber, AnalystId)> {
    let (number, analyst) = text.trim().split_once(' ')?;
    Some((TicketNumber(number.parse().ok()?), AnalystId::new(analyst.trim())))
}

pub(super) fn helped(scene: &Scene) -> Vec<Earlier> {
    let earlier = |(ago, analyst): &(Duration, AnalystId)| Earlier {
        call: earlier_call(2),
        at: scene.at.checked_sub(*ago).unwrap_or(scene.at),
        analyst: analyst.clone(),
        hospital: scene.hospital.clone(),
        caller: Some(scene.from.clone()),
        unit: None,
        system: None,
        module: None,
    };
    scene.helped.iter().map(earlier).collect()
}

/// As opened by hand just before.
pub(super) fn incidents(scene: &Scene) -> Vec<Incident> {
    let incident = |(id, what): (u64, &Trouble)| Incident {
        id: IncidentId(id),
        what: what.clone(),
        by: "the scene".to_owned(),
        opened: scene.at,
    };
    (1..).zip(&scene.incidents).map(incident).collect()
}

/// Where our calls over a trunk go; `None`: it only brings calls.
fn address_of(trunk: &Trunk) -> Option<SocketAddr> {
    match trunk.next_hop.as_ref()? {
        NextHop::Address(address) => Some(*address),
        NextHop::Host { .. } => Some(SocketAddr::new(IpAddr::V4(PHONES), SIP_PORT)),
    }
}

/// Where a trunk's calls come from: where ours go to, if that may call too, else the first of its peers.
fn caller_address(trunk: &Trunk) -> Option<SocketAddr> {
    let may_call = |address: &SocketAddr| {
        let by_name = matches!(trunk.next_hop, Some(NextHop::Host { .. }));
        by_name || trunk.peers.iter().any(|net| net.contains(&address.ip()))
    };
    let first_peer = || trunk.peers.first().map(|net| SocketAddr::new(net.addr(), SIP_PORT));
    address_of(trunk).filter(may_call).or_else(first_peer)
}

/// An address of its own for each phone that registers (RFC 2544's block for benchmarks: nobody's).
fn nth_phone(place: usize) -> IpAddr {
    let place = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
    IpAddr::V4(Ipv4Addr::from(u32::from(PHONES).saturating_add(place)))
}
