//! Which contacts each user has, in which order they are rung, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::ids::ConnId;
use crate::sip::{Flow, NameAddr, Uri};
use crate::time::{Duration, Instant};

/// A registered contact (RFC 3261 section 10), enough to call the phone after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRecord {
    /// Address of record, "sip:user@realm".
    pub aor: String,
    /// The Contact as the phone wrote it, with its parameters save `expires`. Names the binding within its `aor`.
    pub contact: String,
    pub flow: Flow,
    pub expires: Timestamp,
    pub call_id: String,
    pub cseq: u32,
    pub user_agent: Option<String>,
}

/// One phone that can be rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What the phone called itself, without `expires`.
    pub contact: NameAddr,
    /// The path its REGISTER came by: requests go back the same way, so they pass its NAT (RFC 3581, RFC 5626).
    pub flow: Flow,
    pub expires: Instant,
    pub call_id: String,
    pub cseq: u32,
    pub user_agent: Option<String>,
    refreshed: Instant,
}

impl Binding {
    /// The Request-URI of a call to this phone: its Contact, without what may not stand there (RFC 3261 section
    /// 19.1.1, table 1).
    pub fn request_uri(&self) -> Uri {
        let mut uri = self.contact.uri.clone();
        uri.headers.clear();
        uri.params.remove("method");
        uri
    }

    fn name(&self) -> String {
        self.contact.to_string()
    }

    /// The same phone: an equivalent URI, or one device under a new address (RFC 5626 section 4.1).
    fn is(&self, contact: &NameAddr) -> bool {
        let device = |name: &str| (self.contact.params.get(name), contact.params.get(name));
        let (ours, theirs) = device("+sip.instance");
        let (our_flow, their_flow) = device("reg-id");
        self.contact.uri.equivalent(&contact.uri) || (ours.is_some() && ours == theirs && our_flow == their_flow)
    }
}

/// One Contact of a REGISTER, checked.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Without `expires` and display name.
    pub contact: NameAddr,
    /// Zero removes.
    pub lasts: Duration,
}

/// What all bindings of one REGISTER share.
pub(super) struct Stamp<'a> {
    pub now: Instant,
    pub wall: Timestamp,
    pub flow: Flow,
    pub call_id: &'a str,
    pub cseq: u32,
    pub user_agent: Option<String>,
}

#[derive(Default)]
pub(super) struct Bindings {
    by_user: BTreeMap<Arc<str>, Vec<Binding>>,
    /// One entry for each binding: so expiry costs what expires, not what is there.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// How many bindings came from each address: asked for every packet of a stranger.
    homes: BTreeMap<IpAddr, usize>,
}

impl Bindings {
    pub fn len(&self) -> usize {
        self.by_user.values().map(Vec::len).sum()
    }

    pub fn is_home(&self, source: IpAddr) -> bool {
        self.homes.contains_key(&source)
    }

    /// Those that live, the most wanted first (`q`), then the one heard of last.
    pub fn of(&self, user: &str, now: Instant) -> Vec<&Binding> {
        let all = self.by_user.get(user).map(Vec::as_slice).unwrap_or_default();
        let mut live: Vec<&Binding> = all.iter().filter(|binding| now < binding.expires).collect();
        live.sort_by_key(|binding| std::cmp::Reverse((binding.contact.q_millis(), binding.refreshed)));
        live
    }

    /// Whether a contact of the request was last set by the same Call-ID with this CSeq or a higher one: then nothing of
    /// the request may be done (RFC 3261 section 10.3 step 7). `None` stands for `Contact: *`.
    pub fn out_of_order(&self, user: &str, wishes: Option<&[Wish]>, stamp: &Stamp<'_>) -> bool {
        let touched =
            |binding: &Binding| wishes.is_none_or(|wishes| wishes.iter().any(|wish| binding.is(&wish.contact)));
        self.of(user, stamp.now)
            .into_iter()
            .any(|binding| touched(binding) && binding.call_id == stamp.call_id && stamp.cseq <= binding.cseq)
    }

    /// Carries out one REGISTER. Beyond `most` contacts the one that was refreshed longest ago gives way: it is the
    /// user's own, as a phone that restarts comes back under another port (line C47).
    pub fn apply(
        &mut self,
        user: &Arc<str>,
        aor: &str,
        wishes: Vec<Wish>,
        stamp: &Stamp<'_>,
        most: usize,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for wish in wishes {
            let name = wish.contact.to_string();
            let gone = self.take(user, |binding| binding.is(&wish.contact));
            let keeps = !wish.lasts.is_zero();
            // A record with the same name replaces the old one by itself.
            let renamed = gone.iter().filter(|binding| !keeps || binding.name() != name);
            changes.extend(renamed.map(|binding| removed(aor, binding)));
            if !keeps {
                continue;
            }
            changes.extend(self.make_room(user, most).iter().map(|binding| removed(aor, binding)));
            let binding = Binding {
                contact: wish.contact,
                flow: stamp.flow,
                expires: stamp.now + wish.lasts,
                call_id: stamp.call_id.to_owned(),
                cseq: stamp.cseq,
                user_agent: stamp.user_agent.clone(),
                refreshed: stamp.now,
            };
            changes.push(Change::BindingSet(BindingRecord {
                aor: aor.to_owned(),
                contact: name,
                flow: binding.flow,
                expires: stamp.wall.checked_add(wish.lasts).unwrap_or(Timestamp::MAX),
                call_id: binding.call_id.clone(),
                cseq: binding.cseq,
                user_agent: binding.user_agent.clone(),
            }));
            self.put(user, binding);
        }
        changes
    }

    /// Removes all bindings of a user.
    pub fn clear(&mut self, user: &str, aor: &str) -> Vec<Change> {
        self.take(user, |_| true).iter().map(|binding| removed(aor, binding)).collect()
    }

    /// Takes a record from the journal; `false` when it has expired meanwhile or cannot be read.
    pub fn restore(&mut self, user: &Arc<str>, record: &BindingRecord, now: Instant, wall: Timestamp) -> bool {
        let left = Duration::try_from(record.expires.duration_since(wall)).unwrap_or_default();
        let Ok(contact) = NameAddr::parse(&record.contact) else { return false };
        if left.is_zero() {
            return false;
        }
        let binding = Binding {
            contact,
            // Connections did not outlive the process.
            flow: Flow { conn: None, ..record.flow },
            expires: now + left,
            call_id: record.call_id.clone(),
            cseq: record.cseq,
            user_agent: record.user_agent.clone(),
            refreshed: now,
        };
        self.take(user, |old| old.is(&binding.contact));
        self.put(user, binding);
        true
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub fn expire(&mut self, now: Instant, aor: impl Fn(&str) -> String) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((at, user)) = self.deadlines.first().cloned() {
            if now < at {
                break;
            }
            let gone = self.take(&user, |binding| binding.expires <= now);
            changes.extend(gone.iter().map(|binding| removed(&aor(&user), binding)));
            self.deadlines.remove(&(at, user));
        }
        changes
    }

    /// Forgets a closed connection; the phone is called at its address until it registers again.
    pub fn stream_closed(&mut self, conn: ConnId) {
        let bindings = self.by_user.values_mut().flatten();
        bindings.filter(|binding| binding.flow.conn == Some(conn)).for_each(|binding| binding.flow.conn = None);
    }

    pub fn users(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_user.keys()
    }

    fn make_room(&mut self, user: &Arc<str>, most: usize) -> Vec<Binding> {
        let all = self.by_user.get(user).map(Vec::as_slice).unwrap_or_default();
        if all.len() < most {
            return Vec::new();
        }
        let oldest = all.iter().min_by_key(|binding| binding.refreshed).map(Binding::name);
        self.take(user, |binding| Some(binding.name()) == oldest)
    }

    fn put(&mut self, user: &Arc<str>, binding: Binding) {
        self.deadlines.insert((binding.expires, Arc::clone(user)));
        *self.homes.entry(binding.flow.remote.ip()).or_default() += 1;
        self.by_user.entry(Arc::clone(user)).or_default().push(binding);
    }

    fn take(&mut self, user: &str, wanted: impl Fn(&Binding) -> bool) -> Vec<Binding> {
        let Some((key, all)) = self.by_user.remove_entry(user) else { return Vec::new() };
        let (gone, kept): (Vec<Binding>, Vec<Binding>) = all.into_iter().partition(wanted);
        // Two bindings of a user may share a deadline.
        for binding in &gone {
            if kept.iter().all(|other| other.expires != binding.expires) {
                self.deadlines.remove(&(binding.expires, Arc::clone(&key)));
            }
            self.leave_home(binding.flow.remote.ip());
        }
        if !kept.is_empty() {
            self.by_user.insert(key, kept);
        }
        gone
    }

    fn leave_home(&mut self, source: IpAddr) {
        if let Some(count) = self.homes.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.homes.remove(&source);
            }
        }
    }
}

fn removed(aor: &str, binding: &Binding) -> Change {
    Change::BindingRemoved { aor: aor.to_owned(), contact: binding.name() }
}
