//! What admins write in sip-config/: read raw, then checked as one program.
//!
//! `load` gathers the files, `tree` reads TOML with places, `reader` and `values` take typed values out of it and
//! collect every error, `raw_*` are the files as written, `check` ties them together, `render` shows what is wrong.

mod check;
mod check_asked;
mod check_emergency;
mod check_node;
mod check_staff;
pub mod compare;
mod content;
pub mod cover;
pub mod first;
pub mod grammar;
mod hospital;
pub mod import;
mod load;
mod lockout;
mod node;
mod raw_analysts;
mod raw_hospital;
mod raw_node;
pub(crate) mod reader;
pub mod reference;
pub mod render;
pub mod schema;
pub mod stickers;
pub(crate) mod tree;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::diagnostic::Report;
use crate::ids::{Extension, HospitalId, PlanId, TrunkId};
use crate::ivr::{Plan, Prompts};
use crate::proof::Proof;
use crate::routing::Staff;

pub use content::{Content, Whereabouts, digest, digest_of, hash, whereabouts};
pub use hospital::{Calendar, Hospital, Hotline, Target};
pub use load::{File, Folder, Recordings, Surroundings, compose, compose_published, gather, import_rules, load};
pub use node::{Canary, ClientCertificates, Listener, Log, LogFormat, Media, NextHop, Node, Registration, Tls, Trunk};

/// The checked configuration of a whole node.
#[derive(Debug)]
pub struct Config {
    /// Names this content: the start of a SHA-256 over all files, in hex.
    pub version: String,
    pub node: Node,
    pub hospitals: BTreeMap<HospitalId, Hospital>,
    pub staff: Staff,
    /// Users whose phones know digest by MD5 only and give up when SHA-256 is offered too (RFC 8760).
    pub md5_phones: BTreeSet<String>,
    pub plans: BTreeMap<PlanId, Arc<Plan>>,
    /// What was proved of each plan.
    pub proofs: BTreeMap<PlanId, Proof>,
    pub prompts: Arc<Prompts>,
}

impl Config {
    /// The trunk that a SIP message from `source` belongs to. Addresses behind host names are the caller's to add.
    pub fn trunk_of(&self, source: IpAddr) -> Option<&Trunk> {
        let peers = |trunk: &&Trunk| trunk.peers.iter().any(|net| net.contains(&source));
        self.node.trunks.values().find(peers)
    }

    pub fn trunk(&self, id: &TrunkId) -> Option<&Trunk> {
        self.node.trunks.get(id)
    }

    pub fn hospital(&self, id: &HospitalId) -> Option<&Hospital> {
        self.hospitals.get(id)
    }

    /// The hospital that is meant: by its id, or the only one.
    ///
    /// # Errors
    /// The sentence to show, when there is no such one, or several and none is named.
    pub fn one_hospital(&self, wanted: Option<&str>) -> Result<&Hospital, String> {
        let known = || self.hospitals.keys().map(HospitalId::as_str).collect::<Vec<_>>().join(", ");
        match wanted {
            Some(id) => {
                self.hospitals.get(id).ok_or_else(|| format!("no hospital is called {id}; there are {}", known()))
            }
            None if self.hospitals.len() > 1 => Err(format!("say which hospital: --hospital, one of {}", known())),
            None => self.hospitals.values().next().ok_or_else(|| "there is no hospital".to_owned()),
        }
    }

    /// The hotline that a number dialled over a trunk means; never one of another hospital.
    pub fn hotline(&self, trunk: &Trunk, dialled: &str) -> Option<(&Hospital, &Hotline)> {
        let hospital = self.hospitals.get(&trunk.hospital)?;
        let number = crate::identity::Number::read(dialled, &trunk.numbers)?;
        let as_written = Extension::new(&number.full);
        let hotline =
            std::iter::once(as_written).chain(number.extensions()).find_map(|number| hospital.hotlines.get(&number))?;
        Some((hospital, hotline))
    }
}

/// A configuration that may run, with what its author should still know.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// Warnings only.
    pub warnings: Report,
}

#[cfg(test)]
mod tests;
