//! The registrar (RFC 3261 section 10): which phone is where, and who may say so.
//!
//! ```text
//! REGISTER ─► who are you ─► is this address yours ─► contacts ─► order (CSeq) ─► bound, refreshed or removed
//!              401 / 403        404 / 403           400 / 423       500              200 with all contacts
//! ```
//!
//! Each outcome carries the response and the changes that must reach the journal before it leaves. Timers run on
//! [`Instant`]; records carry wall time, from which a restart restores. `Path` (RFC 3327) is taken without use:
//! requests go back by the flow that the REGISTER came on, and the 200 repeats no Path, which tells the proxy so.
//!
//! What is not here: no GRUU, no outbound keep-alive of RFC 5626, no third-party registration.

mod auth;
mod bindings;
mod guard;
mod nonce;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

pub use auth::{Account, Auth, DigestPolicy};
pub use bindings::{Binding, BindingRecord};
pub use guard::{Locked, Suspect};
pub use nonce::{NonceKey, NonceRecord};

use crate::ids::ConnId;
use crate::sip::{Contacts, Flow, Host, NameAddr, Request, Response, Scheme, Status, Uri};
use crate::time::{Duration, Instant};
use bindings::{Bindings, Stamp, Wish};
use guard::Guard;
use nonce::Nonces;

/// Phones of one user at a time (line C47): desk, soft phone, mobile, and their ports before a restart.
pub const MAX_CONTACTS: usize = 10;
/// Longest Contact, with its parameters: it is repeated in every 200 and journaled.
const MAX_CONTACT: usize = 512;
/// Longest Call-ID that is kept.
const MAX_CALL_ID: usize = 256;
/// What of User-Agent is kept.
const MAX_USER_AGENT: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// The digest realm, and the domain of addresses of record.
    pub realm: String,
    /// Further hosts by which phones name us (addresses, aliases). Empty: any host will do.
    pub domains: Vec<Host>,
    /// Below it: 423.
    pub min_expires: Duration,
    /// Beyond it: cut to it. Also what is granted to who asks for nothing.
    pub max_expires: Duration,
    pub max_contacts: usize,
    /// How long a nonce may be used.
    pub nonce_life: Duration,
}

impl RegistrarConfig {
    pub fn new(realm: &str) -> RegistrarConfig {
        RegistrarConfig {
            realm: realm.to_owned(),
            domains: Vec::new(),
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            max_contacts: MAX_CONTACTS,
            nonce_life: Duration::from_secs(300),
        }
    }
}

/// When and how a request came, and what chance gives it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub now: Instant,
    pub wall: Timestamp,
    pub flow: Flow,
    /// Fresh for each request: goes into the nonce and the To tag.
    pub random: u64,
}

/// What is to be journaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    BindingSet(BindingRecord),
    BindingRemoved {
        aor: String,
        contact: String,
    },
    NonceUsed(NonceRecord),
    /// For the audit.
    Locked(Locked),
    /// For the audit: `user` tried to register `aor` with own credentials (line C46).
    ForeignAor {
        user: String,
        aor: String,
    },
}

/// The response to send once the changes are journaled.
#[derive(Debug)]
pub struct Outcome {
    pub response: Response,
    pub changes: Vec<Change>,
    /// For the log, in words of ours; `None`: accepted, or challenged as everybody is.
    pub why: Option<&'static str>,
}

pub struct Registrar {
    config: RegistrarConfig,
    accounts: BTreeMap<Arc<str>, Account>,
    /// How many of them are offered MD5 alone.
    md5_accounts: usize,
    nonces: Nonces,
    guard: Guard,
    bindings: Bindings,
}

impl Registrar {
    pub fn new(config: RegistrarConfig, accounts: impl IntoIterator<Item = Account>, key: NonceKey) -> Registrar {
        let nonces = Nonces::new(key, config.nonce_life);
        let accounts = by_user(accounts);
        let md5_accounts = md5_only(&accounts);
        Registrar { config, accounts, md5_accounts, nonces, guard: Guard::default(), bindings: Bindings::default() }
    }

    /// Takes the state of the process before. Bindings that have expired or lost their account come back as removed.
    pub fn restore(
        &mut self,
        bindings: Vec<BindingRecord>,
        nonces: Vec<NonceRecord>,
        now: Instant,
        wall: Timestamp,
    ) -> Vec<Change> {
        nonces.iter().for_each(|record| self.nonces.restore(record));
        let mut changes = Vec::new();
        for record in bindings {
            let user = self.user_of(&record.aor);
            let restored = user.is_some_and(|user| self.bindings.restore(&user, &record, now, wall));
            if !restored {
                changes.push(Change::BindingRemoved { aor: record.aor, contact: record.contact });
            }
        }
        changes
    }

    /// Takes the accounts of a newly published version; bindings of those that are gone are removed. A new password lifts the
    /// lock that the old one brought about.
    pub fn set_accounts(&mut self, accounts: impl IntoIterator<Item = Account>) -> Vec<Change> {
        let before = std::mem::replace(&mut self.accounts, by_user(accounts));
        for (user, account) in &self.accounts {
            if before.get(user) != Some(account) {
                self.guard.pardon(user);
            }
        }
        self.md5_accounts = md5_only(&self.accounts);
        let gone: Vec<Arc<str>> =
            self.bindings.users().filter(|user| !self.accounts.contains_key(*user)).cloned().collect();
        gone.iter().flat_map(|user| self.bindings.clear(user, &self.aor(user))).collect()
    }

    /// Takes new limits. The realm stays, as all HA1s are bound to it.
    pub fn set_config(&mut self, config: RegistrarConfig) {
        self.config = RegistrarConfig { realm: std::mem::take(&mut self.config.realm), ..config };
    }

    /// Serves a REGISTER.
    pub fn register(&mut self, at: Arrival, request: &Request) -> Outcome {
        let (user, mut changes) = match self.authenticate(at, request) {
            Auth::Granted { user, changes } => (user, changes),
            Auth::Refused { response, changes, why } => return Outcome { response: *response, changes, why },
        };
        match self.bind(at, request, &user, &mut changes) {
            Ok(()) => Outcome { response: self.accepted(at, request, &user), changes, why: None },
            Err(refusal) => {
                let why = Some(refusal.why());
                Outcome { response: self.refused(at, request, refusal), changes, why }
            }
        }
    }

    /// The phones of a user, the most wanted first.
    pub fn bindings(&self, user: &str, now: Instant) -> Vec<&Binding> {
        self.bindings.of(user, now)
    }

    /// Whether a phone of anybody is registered from this address.
    pub fn is_home(&self, source: IpAddr) -> bool {
        self.bindings.is_home(source)
    }

    /// The address of record of a user.
    pub fn aor(&self, user: &str) -> String {
        aor(&realm_host(&self.config.realm), user)
    }

    /// How long this user cannot register yet for wrong passwords; `None`: not locked.
    pub fn locked_for(&self, now: Instant, user: &str) -> Option<Duration> {
        self.guard.locked_for(now, user)
    }

    /// Live and not yet expired bindings.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn stream_closed(&mut self, conn: ConnId) {
        self.bindings.stream_closed(conn);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.bindings.poll_timeout()
    }

    /// Removes what has expired.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Change> {
        let host = realm_host(&self.config.realm);
        self.bindings.expire(now, |user| aor(&host, user))
    }

    fn user_of(&self, aor: &str) -> Option<Arc<str>> {
        let uri = Uri::parse(aor).ok()?;
        self.accounts.get_key_value(uri.user()?.as_ref()).map(|(user, _)| Arc::clone(user))
    }

    /// Steps 4 to 7 of RFC 3261 section 10.3.
    fn bind(
        &mut self,
        at: Arrival,
        request: &Request,
        user: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(), RegisterRefusal> {
        let to = request.headers.to().map_err(|_| RegisterRefusal::Malformed("To cannot be read"))?.uri;
        if to.scheme != Scheme::Sip {
            return Err(RegisterRefusal::Malformed("To is no SIP address"));
        }
        if to.user().as_deref() != Some(user) {
            let aor = to.to_string().chars().take(MAX_CONTACT).collect();
            changes.push(Change::ForeignAor { user: user.to_owned(), aor });
            return Err(RegisterRefusal::Foreign);
        }
        if !self.serves(&to.host) {
            return Err(RegisterRefusal::NotFound);
        }
        let stamp = stamp(at, request)?;
        let contacts = request.headers.contacts().map_err(|_| RegisterRefusal::Malformed("Contact cannot be read"))?;
        let wishes = match contacts {
            Contacts::Star if request.headers.expires() != Some(0) => {
                return Err(RegisterRefusal::Malformed("Contact: * needs Expires: 0"));
            }
            Contacts::Star => None,
            Contacts::List(list) => Some(self.wishes(request, list)?),
        };
        if self.bindings.out_of_order(user, wishes.as_deref(), &stamp) {
            return Err(RegisterRefusal::OutOfOrder);
        }
        let aor = self.aor(user);
        changes.extend(match wishes {
            None => self.bindings.clear(user, &aor),
            Some(wishes) => self.bindings.apply(&Arc::from(user), &aor, wishes, &stamp, self.config.max_contacts),
        });
        Ok(())
    }

    fn serves(&self, host: &Host) -> bool {
        self.config.domains.is_empty()
            || self.config.domains.iter().any(|domain| domain.same_as(host))
            || realm_host(&self.config.realm).same_as(host)
    }

    fn wishes(&self, request: &Request, contacts: Vec<NameAddr>) -> Result<Vec<Wish>, RegisterRefusal> {
        if contacts.len() > self.config.max_contacts {
            return Err(RegisterRefusal::TooManyContacts);
        }
        contacts.into_iter().map(|contact| self.wish(request, contact)).collect()
    }

    fn wish(&self, request: &Request, mut contact: NameAddr) -> Result<Wish, RegisterRefusal> {
        let own = contact.params.get("expires");
        let asked = own.or(request.headers.get("Expires"));
        // RFC 3261 section 10.3 takes what is no number for an hour; less than nothing is refused.
        if asked.is_some_and(|text| text.trim().starts_with('-')) {
            return Err(RegisterRefusal::Malformed("negative expiry"));
        }
        let seconds = contact.expires().or(request.headers.expires());
        let lasts = seconds.map_or(self.config.max_expires, |seconds| Duration::from_secs(u64::from(seconds)));
        if !lasts.is_zero() && lasts < self.config.min_expires {
            return Err(RegisterRefusal::TooBrief);
        }
        if contact.uri.scheme != Scheme::Sip {
            return Err(RegisterRefusal::Malformed("Contact is no SIP address"));
        }
        contact.display = None;
        contact.params.remove("expires");
        if contact.to_string().len() > MAX_CONTACT {
            return Err(RegisterRefusal::Malformed("Contact is too long"));
        }
        Ok(Wish { contact, lasts: lasts.min(self.config.max_expires) })
    }

    /// 200 with every binding there is (RFC 3261 section 10.3 step 8).
    fn accepted(&self, at: Arrival, request: &Request, user: &str) -> Response {
        let mut response = at.respond(request, Status::OK);
        for binding in self.bindings(user, at.now) {
            let mut contact = binding.contact.clone();
            // Rounded up, so that who refreshes on time never finds it gone.
            let left = binding.expires.since(at.now).as_millis().div_ceil(1000).to_string();
            contact.params.set("expires", Some(&left));
            response = response.with_header("Contact", contact);
        }
        response
    }

    fn refused(&self, at: Arrival, request: &Request, refusal: RegisterRefusal) -> Response {
        let response = |status| at.respond(request, status);
        match refusal {
            RegisterRefusal::Malformed(what) => response(Status::BAD_REQUEST).with_reason(what),
            RegisterRefusal::Foreign => response(Status::FORBIDDEN),
            RegisterRefusal::NotFound => response(Status::NOT_FOUND),
            RegisterRefusal::TooManyContacts => response(Status::FORBIDDEN).with_reason("Too Many Contacts"),
            RegisterRefusal::TooBrief => {
                response(Status::INTERVAL_TOO_BRIEF).with_header("Min-Expires", self.config.min_expires.as_secs())
            }
            RegisterRefusal::OutOfOrder => response(Status::SERVER_INTERNAL_ERROR).with_reason("CSeq Out Of Order"),
        }
    }
}

/// Why an authenticated REGISTER is refused. Nothing has changed then.
enum RegisterRefusal {
    Malformed(&'static str),
    /// Somebody else's address of record.
    Foreign,
    NotFound,
    TooManyContacts,
    TooBrief,
    OutOfOrder,
}

impl RegisterRefusal {
    fn why(&self) -> &'static str {
        match self {
            RegisterRefusal::Malformed(what) => what,
            RegisterRefusal::Foreign => "somebody else's address",
            RegisterRefusal::NotFound => "an address of another domain",
            RegisterRefusal::TooManyContacts => "too many contacts",
            RegisterRefusal::TooBrief => "it asks for less than min_expires",
            RegisterRefusal::OutOfOrder => "its CSeq is older than one before",
        }
    }
}

fn aor(host: &Host, user: &str) -> String {
    Uri::sip(Some(user), host.clone(), None).to_string()
}

/// A realm is free text by RFC 7616; ours is a domain or an address.
fn realm_host(realm: &str) -> Host {
    Host::parse(realm).unwrap_or_else(|_| Host::Name(realm.to_owned()))
}

fn by_user(accounts: impl IntoIterator<Item = Account>) -> BTreeMap<Arc<str>, Account> {
    accounts.into_iter().map(|account| (Arc::from(account.user.as_str()), account)).collect()
}

fn md5_only(accounts: &BTreeMap<Arc<str>, Account>) -> usize {
    accounts.values().filter(|account| account.digest == DigestPolicy::Md5Only).count()
}

fn stamp(at: Arrival, request: &Request) -> Result<Stamp<'_>, RegisterRefusal> {
    let call_id = request.headers.call_id();
    if call_id.len() > MAX_CALL_ID {
        return Err(RegisterRefusal::Malformed("Call-ID is too long"));
    }
    let cseq = request.headers.cseq().map_err(|_| RegisterRefusal::Malformed("CSeq cannot be read"))?.number;
    let user_agent = request.headers.get("User-Agent").map(|text| text.chars().take(MAX_USER_AGENT).collect());
    Ok(Stamp { now: at.now, wall: at.wall, flow: at.flow, call_id, cseq, user_agent })
}
