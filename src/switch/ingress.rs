//! What comes in from the network: bytes to messages, messages to their transaction, requests to whoever they are for.
//!
//! ```text
//!  bytes ─parse─▶ admitted? ─▶ transaction ─▶ in a dialog? ─▶ its leg
//!                   403, 401: few, stateless    INVITE ─▶ trunk or registered phone ─▶ a call
//!                                               REGISTER ─▶ registrar · OPTIONS ─▶ 200 · the rest ─▶ 4xx
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::call::{Call, Incoming, Refused};
use crate::config::{Hospital, Hotline, Trunk};
use crate::dialog::{ALLOW, LocalIdentity, SUPPORTED, hang_up_stray};
use crate::identity::{NumberRules, Signalled, is_public_emergency};
use crate::ids::{CallId, Extension, ServerKey, TicketNumber};
use crate::registrar::{Arrival, Auth};
use crate::sip::{Flow, Message, Method, NameAddr, Request, Response, Scheme, Status, Uri};
use crate::switch::carry::guarded;
use crate::switch::reach::advertised;
use crate::switch::{Action, ClientOwner, Count, Switch};
use crate::time::Instant;
use crate::transaction::{Peer, Received, stateless_response};

/// What a draining or full node tells streams and strangers; a trusted trunk is told nothing, as it would stop using
/// this node for everything (RFC 3261 section 21.5.4, line G93).
const RETRY_AFTER_S: u32 = 10;
/// Port pairs that must be free for a call to begin: the caller's, and two analysts' phones.
const PORTS_A_CALL: usize = 3;
/// Numbers read from Diversion and History-Info.
const MAX_DIVERSIONS: usize = 8;

impl Switch {
    pub(super) fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if Message::is_keep_alive(&bytes) {
            return;
        }
        let message = match Message::parse(&bytes) {
            Ok(message) => message,
            Err(error) => return self.malformed(now, flow, error.reply.map(|reply| *reply)),
        };
        let peer = match &message {
            Message::Response(_) => Peer::Trusted,
            Message::Request(request) => match self.admit(now, flow, request) {
                Admission::Admitted(peer) => peer,
                Admission::Challenged => return self.challenge(now, flow, request),
                Admission::TurnedAway => return self.turn_away(now, flow, request),
            },
        };
        match self.transactions.receive(now, flow, peer, message) {
            Received::Request { server, request } => self.request(now, flow, server, &request),
            Received::Ack { request } => {
                if let Some(leg) = self.leg_of(&request) {
                    self.give_leg(now, leg, |call, ctx| call.ack(ctx, leg, &request));
                }
            }
            Received::Cancel { invite, request, .. } => self.cancel(now, invite, &request),
            Received::Response { client, response } => self.response(now, flow, client, &response),
            Received::Stray { response } => self.end_stray(now, flow, &response),
            Received::Absorbed => self.count(Count::Copies),
            Received::Refused(_) => self.count(Count::Refused),
        }
    }

    /// A message that cannot be understood: answered where enough was understood to do so.
    fn malformed(&mut self, now: Instant, flow: Flow, reply: Option<Response>) {
        self.count(Count::Malformed);
        let known = self.trunks.of(&self.config, flow).is_some();
        if let Some(reply) = reply
            && (known || self.strangers.answer(now, flow.remote.ip()))
        {
            self.actions.push_back(Action::Transmit { flow, bytes: reply.to_bytes() });
        }
        // The framing of a stream is lost with its first malformed message (RFC 3261 section 18.3).
        if let Some(conn) = flow.conn {
            self.actions.push_back(Action::CloseStream { conn });
        }
    }

    /// What a request may take. A source over UDP can be forged, so a REGISTER gets a transaction only when it answers a
    /// challenge of ours; what names a dialog of ours has heard our tag.
    fn admit(&self, now: Instant, flow: Flow, request: &Request) -> Admission {
        if self.trunks.of(&self.config, flow).is_some() || self.leg_of(request).is_some() {
            return Admission::Admitted(Peer::Trusted);
        }
        // A copy of what was answered, though its dialog may be gone by now.
        if self.transactions.knows(request) {
            return Admission::Admitted(Peer::Other);
        }
        let register = request.method == Method::Register;
        let admitted = match register {
            true => self.registrar.expects(now, self.clock.wall(now), flow.remote.ip(), request),
            false => self.is_phone_of_ours(flow),
        };
        match (admitted, register) {
            (true, _) => Admission::Admitted(Peer::Other),
            (false, true) => Admission::Challenged,
            (false, false) => Admission::TurnedAway,
        }
    }

    /// Whether a phone has registered from this address, or is declared to be there.
    fn is_phone_of_ours(&self, flow: Flow) -> bool {
        let source = flow.remote.ip();
        self.registrar.is_home(source) || self.fixed_phones.contains(&source)
    }

    /// A REGISTER that answers no live challenge of ours: challenged or refused without keeping any state (RFC 3261
    /// sections 8.2.7 and 26.3.2.4). Strangers hear so within a bound for each source and for all, so that a flood takes
    /// neither memory nor transactions; phones that are registered do not share it.
    fn challenge(&mut self, now: Instant, flow: Flow, request: &Request) {
        if !self.is_phone_of_ours(flow) && !self.strangers.challenge(now, flow.remote.ip()) {
            return self.count(Count::Strangers);
        }
        let arrival = self.arrival_now(now, flow);
        let outcome = self.registrar.register(arrival, request);
        if !outcome.changes.is_empty() {
            self.registrations_changed(now, outcome.changes);
        }
        self.register_refused(now, flow, outcome.response.status, outcome.why);
        self.transactions.respond_stateless(flow, request, outcome.response);
    }

    /// Strangers get nothing useful: a few 403s, counted (RFC 3261 section 21.4.4). ACK is never answered.
    fn turn_away(&mut self, now: Instant, flow: Flow, request: &Request) {
        self.count(Count::Strangers);
        if request.method != Method::Ack && self.strangers.answer(now, flow.remote.ip()) {
            let response = stateless_response(request, Status::FORBIDDEN);
            self.actions.push_back(Action::Transmit { flow, bytes: response.to_bytes() });
            let reason = "its address is no trunk's and no phone's".to_owned();
            self.tell_refused(now, flow, &request.method, Status::FORBIDDEN, reason);
        }
    }

    /// An INVITE of a stream that waited too long in front of us.
    pub(super) fn refuse_overdue(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        self.count(Count::Overload);
        if let Ok(Message::Request(request)) = Message::parse(&bytes) {
            let response = stateless_response(&request, Status::SERVICE_UNAVAILABLE);
            self.actions.push_back(Action::Transmit { flow, bytes: response.to_bytes() });
            let reason = "it waited too long, or the journal is full".to_owned();
            self.tell_refused(now, flow, &request.method, Status::SERVICE_UNAVAILABLE, reason);
        }
    }

    // -- Requests ----------------------------------------------------------------------------------------------------

    fn request(&mut self, now: Instant, flow: Flow, server: ServerKey, request: &Request) {
        let in_dialog = request.headers.to().is_ok_and(|to| to.tag().is_some());
        if in_dialog {
            return self.in_dialog(now, flow, server, request);
        }
        if let Some(refusal) = refuse_form(request) {
            return self.transactions.respond(now, &server, refusal);
        }
        match &request.method {
            Method::Invite => self.invite(now, flow, server, request),
            Method::Register => self.register(now, flow, server, request),
            Method::Options => self.options(now, server, request),
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => {
                self.refuse(now, &server, request, Status::NO_SUCH_TRANSACTION);
            }
            Method::Subscribe => self.refuse(now, &server, request, Status::BAD_EVENT),
            Method::Refer | Method::Message | Method::Publish => {
                self.refuse_method(now, &server, request, Status::METHOD_NOT_ALLOWED);
            }
            Method::Ack | Method::Cancel => {}
            Method::Other(_) => self.refuse_method(now, &server, request, Status::NOT_IMPLEMENTED),
        }
    }

    fn in_dialog(&mut self, now: Instant, flow: Flow, server: ServerKey, request: &Request) {
        let Some(leg) = self.leg_of(request) else {
            // The method is judged before the dialog (RFC 3261 section 8.2.1).
            if let Method::Other(_) = request.method {
                return self.refuse_method(now, &server, request, Status::NOT_IMPLEMENTED);
            }
            return self.refuse(now, &server, request, Status::NO_SUCH_TRANSACTION);
        };
        let unknown: Vec<&str> = request.headers.list("Require").filter(|tag| !is_understood(tag)).collect();
        if !unknown.is_empty() {
            let response = stateless_response(request, Status::BAD_EXTENSION);
            return self.transactions.respond(now, &server, response.with_header("Unsupported", unknown.join(", ")));
        }
        if request.method == Method::Invite {
            self.note_server(leg, server);
        }
        if !self.give_leg(now, leg, |call, ctx| call.request(ctx, leg, server, request, flow)) {
            // Does nothing where it was answered before the call broke.
            self.refuse(now, &server, request, Status::SERVER_INTERNAL_ERROR);
        }
    }

    fn cancel(&mut self, now: Instant, invite: Option<ServerKey>, cancel: &Request) {
        let Some(invite) = invite else { return };
        if let Some(leg) = self.servers.get(&invite).copied() {
            self.give_leg(now, leg, |call, ctx| call.cancelled(ctx, leg, invite, cancel));
        }
    }

    /// Keep-alive and probe (RFC 3261 section 11). While draining, the PBX should choose another node.
    fn options(&mut self, now: Instant, server: ServerKey, request: &Request) {
        let response = if self.draining {
            stateless_response(request, Status::SERVICE_UNAVAILABLE).with_header("Retry-After", RETRY_AFTER_S)
        } else {
            stateless_response(request, Status::OK)
                .with_header("Allow", ALLOW)
                .with_header("Accept", "application/sdp")
                .with_header("Accept-Encoding", "identity")
                .with_header("Accept-Language", "en")
                .with_header("Supported", SUPPORTED)
        };
        self.transactions.respond(now, &server, response);
    }

    fn register(&mut self, now: Instant, flow: Flow, server: ServerKey, request: &Request) {
        let arrival = self.arrival_now(now, flow);
        let outcome = self.registrar.register(arrival, request);
        self.registrations_changed(now, outcome.changes);
        self.register_refused(now, flow, outcome.response.status, outcome.why);
        self.transactions.respond(now, &server, outcome.response);
    }

    fn register_refused(&mut self, now: Instant, flow: Flow, status: Status, why: Option<&'static str>) {
        if let Some(why) = why {
            self.count(Count::RegistrationRefused);
            self.tell_refused(now, flow, &Method::Register, status, why.to_owned());
        }
    }

    fn refuse(&mut self, now: Instant, server: &ServerKey, request: &Request, status: Status) {
        self.transactions.respond(now, server, stateless_response(request, status));
    }

    fn refuse_method(&mut self, now: Instant, server: &ServerKey, request: &Request, status: Status) {
        let response = stateless_response(request, status).with_header("Allow", ALLOW);
        self.transactions.respond(now, server, response);
    }

    // -- A new call --------------------------------------------------------------------------------------------------

    fn invite(&mut self, now: Instant, flow: Flow, server: ServerKey, request: &Request) {
        self.count(Count::Invites);
        let config = Arc::clone(&self.config);
        let trunk = self.trunks.of(&config, flow).cloned();
        if let Some(why) = self.no_room(now, trunk.as_ref()) {
            let status = Status::SERVICE_UNAVAILABLE;
            let mut response = stateless_response(request, status);
            if trunk.is_none() || self.draining {
                response = response.with_header("Retry-After", RETRY_AFTER_S);
            }
            self.count(Count::NoCapacity);
            self.tell_refused(now, flow, &Method::Invite, status, why.to_owned());
            return self.transactions.respond(now, &server, response);
        }
        match trunk {
            Some(trunk) => {
                let dialled = Dialled::read(request);
                let signalled = signalled(request, trunk.trusted, None);
                let found = config.hotline(&trunk, &dialled.number);
                let from = Source { signalled, rules: &trunk.numbers, pinned: false, trunk: Some(&trunk) };
                self.open_call(now, flow, server, request, found, from, dialled);
            }
            None => self.invite_of_user(now, flow, server, request),
        }
    }

    /// A registered phone calls: its password says who it is, whatever its headers claim (line C51). It has no PBX behind it:
    /// whoever dials an emergency number at it is given the hospital's operator, as by key 9.
    fn invite_of_user(&mut self, now: Instant, flow: Flow, server: ServerKey, request: &Request) {
        let arrival = self.arrival_now(now, flow);
        let (user, changes) = match self.registrar.authenticate(arrival, request) {
            Auth::Granted { user, changes } => (user, changes),
            Auth::Refused { response, changes, why } => {
                self.registrations_changed(now, changes);
                if let Some(why) = why {
                    self.call_refused(now, flow, response.status, why.to_owned());
                }
                return self.transactions.respond(now, &server, *response);
            }
        };
        self.registrations_changed(now, changes);
        if request.headers.from().ok().and_then(|from| from.uri.user().map(|name| name != user.as_str())) == Some(true)
        {
            self.call_refused(now, flow, Status::FORBIDDEN, "its From is not whose password it has".to_owned());
            return self.refuse(now, &server, request, Status::FORBIDDEN);
        }
        let config = Arc::clone(&self.config);
        let mut dialled = Dialled::read(request);
        let number = Extension::new(&dialled.number);
        let hospitals = config.staff.by_user(&user).map(|analyst| analyst.hospitals.clone()).unwrap_or_default();
        let hospitals: Vec<&Hospital> = hospitals.iter().filter_map(|id| config.hospital(id)).collect();
        let of_hotline = hospitals.iter().find_map(|hospital| Some((*hospital, hospital.hotlines.get(&number)?)));
        dialled.emergency = of_hotline.is_none()
            && is_public_emergency(&dialled.number)
            && hospitals.iter().all(|hospital| hospital.directory.phone(&number).is_none());
        let found = match dialled.emergency {
            true => hospitals.iter().find_map(|hospital| Some((*hospital, self.hotline_for_people(hospital)?))),
            false => of_hotline,
        };
        let rules = NumberRules::default();
        let signalled = signalled(request, false, Some(Extension::new(&user)));
        let from = Source { signalled, rules: &rules, pinned: true, trunk: None };
        self.open_call(now, flow, server, request, found, from, dialled);
    }

    #[expect(clippy::too_many_arguments, reason = "everything that is known of one INVITE, gathered once")]
    fn open_call(
        &mut self,
        now: Instant,
        flow: Flow,
        server: ServerKey,
        request: &Request,
        found: Option<(&Hospital, &Hotline)>,
        from: Source<'_>,
        dialled: Dialled,
    ) {
        let plan = found.and_then(|(_, hotline)| self.config.plans.get(&hotline.plan).cloned());
        let (Some((hospital, hotline)), Some(plan)) = (found, plan) else {
            let reason = "the dialled number is no hotline of its hospital".to_owned();
            self.call_refused(now, flow, Status::NOT_FOUND, reason);
            return self.refuse(now, &server, request, Status::NOT_FOUND);
        };
        let identity = self.identity(flow, &request.uri, from.trunk);
        let id = self.numbers.call_id(self.clock.wall(now));
        let ticket = self.next_ticket;
        let language = hotline.language.clone().unwrap_or_else(|| hospital.language());
        let incoming = Incoming {
            call: id,
            ticket,
            server,
            request,
            flow,
            pinned: from.pinned,
            trunk: from.trunk.map(|trunk| trunk.id.clone()),
            hospital,
            plan,
            language,
            signalled: from.signalled,
            rules: from.rules,
            dialled: dialled.number,
            digits: dialled.digits,
            emergency: dialled.emergency,
            identity,
            test: self.is_canary(hospital, hotline),
            rehearsal: self.standings.of(&hospital.id).is_rehearsal(),
        };
        let (opened, effects) = self.in_context(now, id, |ctx| guarded(|| Call::incoming(ctx, incoming)));
        match opened.unwrap_or_else(|| Err(self.opening_broke(now, id))) {
            Ok(call) => {
                self.next_ticket = TicketNumber(ticket.0 + 1);
                self.count(Count::Calls);
                self.carry(now, id, effects);
                if let Some(leg) = self.leg_of_call(id) {
                    self.note_server(leg, server);
                }
                self.keep(now, call);
            }
            Err(refused) => {
                self.call_refused(now, flow, refused.status, refused.reason);
                let mut response = stateless_response(request, refused.status);
                if let Some((name, value)) = &refused.header {
                    response = response.with_header(name, value);
                }
                self.transactions.respond(now, &server, response);
            }
        }
    }

    fn call_refused(&mut self, now: Instant, flow: Flow, status: Status, reason: String) {
        self.count(Count::CallsRefused);
        self.tell_refused(now, flow, &Method::Invite, status, reason);
    }

    /// Refused like any other that opens no call: what it took is given back, and there is no ticket.
    fn opening_broke(&mut self, now: Instant, call: CallId) -> Refused {
        self.count(Count::CallFault);
        self.forget_call(now, call);
        let reason = "a fault of ours while the call was opened".to_owned();
        Refused { status: Status::SERVER_INTERNAL_ERROR, header: None, reason }
    }

    /// Who we are towards a phone that calls.
    fn identity(&mut self, flow: Flow, dialled: &Uri, trunk: Option<&Trunk>) -> LocalIdentity {
        let mut contact = flow.transport.mark(Uri::at(Some("wardline"), advertised(&self.config, flow.local)));
        // Who came by `sips:` is to come back by it (RFC 5630 section 5.1.1).
        if dialled.scheme == Scheme::Sips {
            contact.scheme = Scheme::Sips;
        }
        let session = Some(self.config.node.session_timer(trunk.map(|trunk| &trunk.id)));
        LocalIdentity { contact, tag: self.numbers.token(), seed: self.numbers.bits(), session }
    }

    /// The canary's own number: such calls are left out of every figure.
    fn is_canary(&self, hospital: &Hospital, hotline: &Hotline) -> bool {
        let canary = self.config.node.canary.as_ref();
        canary.is_some_and(|canary| canary.hospital == hospital.id && canary.number == hotline.number)
    }

    /// The first that people dial.
    fn hotline_for_people<'a>(&self, hospital: &'a Hospital) -> Option<&'a Hotline> {
        hospital.hotlines.values().find(|hotline| !self.is_canary(hospital, hotline))
    }

    /// Why no other call fits: draining, or a declared limit.
    fn no_room(&self, now: Instant, trunk: Option<&Trunk>) -> Option<&'static str> {
        let of_trunk = |trunk: &Trunk| self.calls.values().filter(|call| call.trunk() == Some(&trunk.id)).count();
        let trunk_is_full = || trunk.is_some_and(|trunk| trunk.max_calls.is_some_and(|most| of_trunk(trunk) >= most));
        if self.draining {
            Some("draining")
        // Who calls has room whatever is owed to others: an attempt to call back takes none before its ward is on the line.
        } else if self.callers() >= self.config.node.max_calls {
            Some("max_calls of the node are up")
        } else if trunk_is_full() {
            Some("max_calls of the trunk are up")
        } else if !self.ports.has(now, PORTS_A_CALL) {
            Some("too few media ports are free")
        } else {
            None
        }
    }

    // -- Responses ---------------------------------------------------------------------------------------------------

    fn response(&mut self, now: Instant, flow: Flow, client: crate::ids::ClientKey, response: &Response) {
        match self.clients.get(&client) {
            Some(ClientOwner::Leg(leg)) if self.legs.contains_key(leg) => {
                let leg = *leg;
                self.give_leg(now, leg, |call, ctx| call.response(ctx, leg, response, flow));
            }
            Some(ClientOwner::Leg(_)) => self.response_of_nobodys(now, flow, client, response),
            Some(ClientOwner::Probe(trunk, remote)) if response.status.is_final() => {
                let (trunk, remote) = (trunk.clone(), *remote);
                self.probed(now, &trunk, remote, true);
            }
            Some(ClientOwner::Probe(..) | ClientOwner::Nobody) | None => {}
        }
    }

    /// A phone answers or rings for a leg that broke: it is let go.
    fn response_of_nobodys(&mut self, now: Instant, flow: Flow, client: crate::ids::ClientKey, response: &Response) {
        if response.headers.cseq().is_ok_and(|cseq| cseq.method == Method::Invite) {
            if response.status.is_success() {
                self.end_stray(now, flow, response);
            } else if !response.status.is_final()
                && let Some(cancel) = self.transactions.cancel(now, &client, None)
            {
                self.clients.insert(cancel, ClientOwner::Nobody);
            }
        }
    }

    /// A 200 to an INVITE of before a restart: its phone is off the hook and must be let go (ACK, then BYE). Both go to
    /// where the 200 came from, whatever its Contact says: nobody else can have a call of ours. One whose Via is not ours
    /// is discarded (RFC 3261 section 18.1.2), and one of a source that we never call: the BYE is sent many times.
    fn end_stray(&mut self, now: Instant, flow: Flow, response: &Response) {
        let us = advertised(&self.config, flow.local);
        let ours = response
            .headers
            .top_via()
            .is_ok_and(|via| via.host.ip() == Some(us.ip()) && via.port.unwrap_or(flow.transport.port()) == us.port());
        let known = self.trunks.of(&self.config, flow).is_some() || self.is_phone_of_ours(flow);
        if !ours || !known {
            return self.count(Count::Refused);
        }
        self.count(Count::Stray200);
        let Some((ack, bye, _)) = hang_up_stray(response) else { return };
        let branch = self.numbers.branch();
        self.transactions.send_ack(flow, ack, &branch);
        let branch = self.numbers.branch();
        let client = self.transactions.request(now, flow, bye, &branch);
        self.clients.insert(client, ClientOwner::Nobody);
    }

    // -- Look-ups ----------------------------------------------------------------------------------------------------

    /// The leg whose dialog a request names: Call-ID and our tag.
    fn leg_of(&self, request: &Request) -> Option<crate::ids::LegId> {
        let to = request.headers.to().ok()?;
        let dialog = (request.headers.call_id().to_owned(), to.tag()?.to_owned());
        self.dialogs.get(&dialog).copied()
    }

    fn leg_of_call(&self, call: crate::ids::CallId) -> Option<crate::ids::LegId> {
        self.legs.iter().find(|(_, index)| index.call == call).map(|(leg, _)| *leg)
    }

    fn give_leg(
        &mut self,
        now: Instant,
        leg: crate::ids::LegId,
        step: impl FnOnce(&mut Call, &mut crate::call::Context<'_>),
    ) -> bool {
        let Some(index) = self.legs.get(&leg) else { return true };
        self.with_call(now, index.call, step)
    }

    fn arrival_now(&mut self, now: Instant, flow: Flow) -> Arrival {
        Arrival { now, wall: self.clock.wall(now), flow, random: self.numbers.bits() }
    }

    /// OPTIONS of our own to a trunk.
    pub(super) fn options_to(&mut self, flow: Flow) -> Request {
        let us = flow.transport.mark(Uri::at(Some("wardline"), advertised(&self.config, flow.local)));
        let them = flow.transport.mark(Uri::at(None, flow.remote));
        let mut request = Request::new(Method::Options, them.clone());
        let tag = self.numbers.token();
        request.headers.push("From", NameAddr::new(us.clone()).with_tag(&tag));
        request.headers.push("To", NameAddr::new(them));
        request.headers.push("Call-ID", self.numbers.token());
        request.headers.push("CSeq", "1 OPTIONS");
        request.headers.push("Contact", NameAddr::new(us));
        request.headers.push("Accept", "application/sdp");
        request
    }
}

/// What becomes of a request before it has a transaction.
enum Admission {
    Admitted(Peer),
    /// A REGISTER: answered without a transaction.
    Challenged,
    /// A stranger's.
    TurnedAway,
}

/// Who calls, as far as signalling says.
struct Source<'a> {
    signalled: Signalled,
    rules: &'a NumberRules,
    pinned: bool,
    trunk: Option<&'a Trunk>,
}

/// What every request outside a dialog must satisfy before anybody looks at it (RFC 3261 section 8.2).
fn refuse_form(request: &Request) -> Option<Response> {
    if !request.uri.is_sip() && request.method != Method::Register {
        return Some(stateless_response(request, Status::UNSUPPORTED_URI_SCHEME));
    }
    // Section 8.2.2.3; Proxy-Require is nobody's business but a proxy's, and we forward nothing, so we say so too.
    let required = request.headers.list("Require").filter(|tag| !is_understood(tag));
    let unknown: Vec<&str> = required.chain(request.headers.list("Proxy-Require")).collect();
    if !unknown.is_empty() {
        let response = stateless_response(request, Status::BAD_EXTENSION);
        return Some(response.with_header("Unsupported", unknown.join(", ")));
    }
    None
}

/// Whether an option tag is one of ours.
fn is_understood(tag: &str) -> bool {
    SUPPORTED.split(", ").any(|known| known.eq_ignore_ascii_case(tag))
}

/// The headers that name a caller. Whether they count is decided by `identity` (line C51).
fn signalled(request: &Request, trusted: bool, registered: Option<Extension>) -> Signalled {
    let first = |name: &str| {
        let addresses = request.headers.addresses(name).unwrap_or_default();
        addresses.iter().find_map(number_of)
    };
    let diversion = ["Diversion", "History-Info"]
        .into_iter()
        .flat_map(|name| request.headers.addresses(name).unwrap_or_default())
        .filter_map(|address| number_of(&address))
        .take(MAX_DIVERSIONS)
        .collect();
    Signalled {
        asserted: first("P-Asserted-Identity"),
        remote_party: first("Remote-Party-ID"),
        from: request.headers.from().ok().as_ref().and_then(number_of),
        diversion,
        trusted,
        registered,
    }
}

/// The user part of a sip or tel URI.
fn number_of(address: &NameAddr) -> Option<String> {
    match address.uri.user() {
        Some(user) => Some(user.into_owned()),
        None => Some(address.uri.to_string()).filter(|uri| uri.starts_with("tel:")),
    }
}

/// What was dialled. A PBX may send the digits of a speed dial behind the number, after one comma for each pause: they are
/// the caller's keys, and none of the number.
struct Dialled {
    number: String,
    digits: Option<String>,
    /// A public emergency number, and none of the hospital's own.
    emergency: bool,
}

impl Dialled {
    fn read(request: &Request) -> Dialled {
        let user = request.uri.user().map(|user| user.into_owned()).unwrap_or_default();
        let Some((number, behind)) = user.split_once(',') else {
            return Dialled { number: user, digits: None, emergency: false };
        };
        let keys: String = behind.chars().filter(|key| key.is_ascii_digit() || matches!(key, '*' | '#')).collect();
        Dialled { number: number.to_owned(), digits: (!keys.is_empty()).then_some(keys), emergency: false }
    }
}
