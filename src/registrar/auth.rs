//! Who sent a request: digest challenge and verification (RFC 3261 section 22, RFC 7616, RFC 8760).
//!
//! Known and unknown users get the same answers after the same work. A request is judged in this order: locks, whether
//! its nonce was given to its source, response digest, Request-URI, age and count of the nonce. So only somebody who knows
//! the password ever hears `stale=true`, and nobody is locked by what a forged source sends: it has heard no nonce.

use std::net::IpAddr;

use jiff::Timestamp;

use super::nonce::NonceKey;
use super::{Arrival, Change, Registrar};
use crate::sip::digest::{Algorithm, Authorization, Challenge};
use crate::sip::{Method, Request, Response, Status, Uri};
use crate::time::Instant;

const LOCKED: &str = "locked after wrong passwords";

/// Which digests an account is offered. An old phone may trip over a challenge that names SHA-256 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DigestPolicy {
    /// SHA-256 first, then MD5 (RFC 8760 section 2.3).
    #[default]
    Both,
    /// `digest = "md5"`.
    Md5Only,
}

/// A user that may register and call. The HA1s (RFC 7616 section 3.4.2, lower-case hexadecimal) are bound to the
/// registrar's realm; `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub ha1_md5: Option<String>,
    pub ha1_sha256: Option<String>,
    pub digest: DigestPolicy,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Account {
    fn ha1(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => self.ha1_md5.as_deref(),
            Algorithm::Sha256 => self.ha1_sha256.as_deref(),
        }
    }
}

/// Whether a request comes from a user of ours. The changes are to be journaled in both cases.
#[derive(Debug)]
pub enum Auth {
    Granted {
        user: String,
        changes: Vec<Change>,
    },
    /// `why`, for the log: what was wrong with the credentials; `None` where there were none, or they were of another time.
    Refused {
        response: Box<Response>,
        changes: Vec<Change>,
        why: Option<&'static str>,
    },
}

enum Verdict {
    Granted(String),
    Challenge {
        stale: bool,
    },
    /// Challenged again, and counted.
    Wrong,
    /// Locked, or credentials of another request.
    Refused(Status, &'static str),
}

impl Registrar {
    /// Verifies a REGISTER, an INVITE or another request out of dialog. Not for ACK and CANCEL, which nobody may
    /// challenge (RFC 3261 section 22.1).
    pub fn authenticate(&mut self, at: Arrival, request: &Request) -> Auth {
        let mut changes = Vec::new();
        let (response, why) = match self.judge(at, request, &mut changes) {
            Verdict::Granted(user) => return Auth::Granted { user, changes },
            Verdict::Challenge { stale } => (self.challenge(at, request, stale), None),
            Verdict::Wrong => (self.challenge(at, request, false), Some("a wrong password, or no such user")),
            Verdict::Refused(status, why) => (at.respond(request, status), Some(why)),
        };
        Auth::Refused { response: Box::new(response), changes, why }
    }

    /// Whether a REGISTER deserves a transaction: its nonce was given to its source and is live, so the source is not
    /// forged, and it is not locked. What else comes is answered just as well without one.
    pub fn expects(&self, now: Instant, wall: Timestamp, source: IpAddr, request: &Request) -> bool {
        self.credentials(request).is_some_and(|credentials| {
            self.nonces.is_live(wall, &credentials.nonce, source)
                && (!self.guard.source_locked(now, source) || self.is_home(source))
        })
    }

    fn judge(&mut self, at: Arrival, request: &Request, changes: &mut Vec<Change>) -> Verdict {
        let source = at.flow.remote.ip();
        let source_locked = self.guard.source_locked(at.now, source);
        let Some(credentials) = self.credentials(request) else {
            return match source_locked && !self.is_home(source) {
                true => Verdict::Refused(Status::FORBIDDEN, LOCKED),
                false => Verdict::Challenge { stale: false },
            };
        };
        let user = credentials.username.as_str();
        let dummy = dummy_ha1(self.nonces.key(), user, credentials.algorithm);
        let known = self.accounts.get(user).and_then(|account| account.ha1(credentials.algorithm));
        let proved = credentials.proves(known.unwrap_or(&dummy), &request.method) && known.is_some();

        // A phone that is registered from here goes on, so nobody can lock it out by guessing, not even at its address.
        let at_home = || self.bindings(user, at.now).iter().any(|binding| binding.flow.remote.ip() == source);
        if (source_locked || self.guard.user_locked(at.now, user)) && !at_home() {
            return Verdict::Refused(Status::FORBIDDEN, LOCKED);
        }
        // Says nothing of the password: whoever makes up nonces could guess without being counted.
        if !self.nonces.gave(&credentials.nonce, source) {
            return Verdict::Challenge { stale: false };
        }
        if !proved {
            changes.extend(self.guard.failed(at.now, user, source).into_iter().map(Change::Locked));
            return Verdict::Wrong;
        }
        if !same_resource(&credentials.uri, &request.uri) {
            return Verdict::Refused(Status::BAD_REQUEST, "credentials of another request");
        }
        // Without qop there is no count, and a replay could not be told (RFC 7616 section 3.4.5).
        let Some(count) = credentials.count() else { return Verdict::Challenge { stale: false } };
        match self.nonces.spend(at.wall, &credentials.nonce, source, count) {
            Some(record) => {
                changes.push(Change::NonceUsed(record));
                self.guard.succeeded(user);
                Verdict::Granted(credentials.username)
            }
            None => Verdict::Challenge { stale: true },
        }
    }

    /// The first credentials for our realm that can be read; others are for somebody else on the way.
    fn credentials(&self, request: &Request) -> Option<Authorization> {
        let mut all = request.headers.all("Authorization").filter_map(|value| Authorization::parse(value).ok());
        all.find(|credentials| credentials.realm == self.config.realm)
    }

    /// 401 with a fresh nonce (RFC 3261 section 22.2).
    pub fn challenge(&self, at: Arrival, request: &Request, stale: bool) -> Response {
        let nonce = self.nonces.issue(at.wall, at.random, at.flow.remote.ip());
        let mut response = at.respond(request, Status::UNAUTHORIZED);
        let algorithms: &[Algorithm] = match self.policy_for(request) {
            DigestPolicy::Both => &[Algorithm::Sha256, Algorithm::Md5],
            DigestPolicy::Md5Only => &[Algorithm::Md5],
        };
        for algorithm in algorithms {
            let mut challenge = Challenge::new(*algorithm, &self.config.realm, &nonce);
            challenge.stale = stale;
            response = response.with_header("WWW-Authenticate", challenge);
        }
        response
    }

    /// By the user that the request speaks of: To of a REGISTER, From of the others. Of names that nobody has, the same share
    /// is offered MD5 alone as of those that somebody has, always the same ones: so an offer tells nobody who exists.
    fn policy_for(&self, request: &Request) -> DigestPolicy {
        let address = match request.method == Method::Register {
            true => request.headers.to(),
            false => request.headers.from(),
        };
        let user =
            address.ok().and_then(|address| address.uri.user().map(|user| user.into_owned())).unwrap_or_default();
        let dummy = self.dummy_policy(&user);
        self.accounts.get(user.as_str()).map_or(dummy, |account| account.digest)
    }

    fn dummy_policy(&self, user: &str) -> DigestPolicy {
        let mac = self.nonces.key().mac("policy of an unknown user", &[user.as_bytes()]);
        let place = mac.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let all = self.accounts.len().max(1) as u64;
        if place % all < self.md5_accounts as u64 { DigestPolicy::Md5Only } else { DigestPolicy::Both }
    }
}

/// What stands for the HA1 of a user who does not exist.
fn dummy_ha1(key: &NonceKey, user: &str, algorithm: Algorithm) -> String {
    let hex: String = key.mac("unknown user", &[user.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    match algorithm {
        Algorithm::Md5 => hex.chars().take(32).collect(),
        Algorithm::Sha256 => hex,
    }
}

/// Whether the URI in the credentials is the request's (RFC 7616 section 3.4.6). Parameters and port are left out, as
/// some phones print them in one place and not in the other.
fn same_resource(hashed: &str, requested: &Uri) -> bool {
    Uri::parse(hashed).is_ok_and(|hashed| {
        hashed.scheme == requested.scheme && hashed.user() == requested.user() && hashed.host.same_as(&requested.host)
    })
}

impl Arrival {
    /// A response with a tag of ours in To (RFC 3261 section 8.2.6.2).
    pub(super) fn respond(&self, request: &Request, status: Status) -> Response {
        Response::to_request(request, status).with_to_tag(&format!("{:016x}", self.random))
    }
}
