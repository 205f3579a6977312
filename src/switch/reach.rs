//! Where phones are, by the bindings, trunks and listeners of this instant.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::call::{Reach, Target};
use crate::config::Config;
use crate::ids::{Extension, TrunkId};
use crate::registrar::Registrar;
use crate::routing::PhoneKind;
use crate::sip::{Flow, Transport, Uri};
use crate::switch::trunks::{Trunks, listener};
use crate::time::Instant;

pub(super) struct Routes<'a> {
    pub config: &'a Config,
    pub registrar: &'a Registrar,
    pub trunks: &'a Trunks,
    pub now: Instant,
}

impl Reach for Routes<'_> {
    fn phone(&self, phone: &PhoneKind, outside: bool) -> Vec<Target> {
        match phone {
            PhoneKind::Registered { user } => self.registered(user),
            PhoneKind::Sip { uri } => self.fixed(uri).into_iter().collect(),
            PhoneKind::Trunk { trunk, number } => self.number(trunk, number, outside).into_iter().collect(),
        }
    }

    fn number(&self, trunk: &TrunkId, number: &str, outside: bool) -> Option<Target> {
        let trunk = self.config.trunk(trunk)?;
        let digits = trunk.dial(&Extension::new(number), outside);
        let target = |flow: Flow| {
            let request_uri = flow.transport.mark(Uri::at(Some(&digits), flow.remote));
            Target {
                to: Uri::at(Some(&digits), flow.remote),
                request_uri,
                advertised: advertised(self.config, flow.local),
                flow,
                pinned: false,
                trunk: Some(trunk.id.clone()),
                others: Vec::new(),
            }
        };
        let mut targets = self.trunks.flows(&self.config.node, trunk).into_iter().map(target);
        let first = targets.next()?;
        Some(Target { others: targets.collect(), ..first })
    }

    fn serves(&self, trunk: &TrunkId, flow: Flow) -> bool {
        self.trunks.of(self.config, flow).is_some_and(|found| found.id == *trunk)
    }

    fn is_us(&self, address: SocketAddr) -> bool {
        self.config.node.listeners.values().any(|listener| {
            listener.advertised == address
                || listener.bind == address
                || (listener.bind.ip().is_unspecified()
                    && listener.bind.port() == address.port()
                    && address.ip() == listener.advertised.ip())
        })
    }
}

impl Routes<'_> {
    /// Every phone that the user has registered now.
    fn registered(&self, user: &str) -> Vec<Target> {
        let aor = Uri::parse(&self.registrar.aor(user));
        self.registrar
            .bindings(user, self.now)
            .into_iter()
            .map(|binding| Target {
                request_uri: binding.request_uri(),
                to: aor.clone().unwrap_or_else(|_| binding.request_uri()),
                flow: binding.flow,
                advertised: advertised(self.config, binding.flow.local),
                pinned: true,
                trunk: None,
                others: Vec::new(),
            })
            .collect()
    }

    /// A phone at a fixed address; `config` has checked that it is an address and not a name.
    fn fixed(&self, uri: &str) -> Option<Target> {
        let uri = Uri::parse(uri).ok()?;
        let transport = Transport::asked_by(&uri).unwrap_or(Transport::Udp);
        let remote = SocketAddr::new(uri.host.ip()?, uri.port.unwrap_or(transport.port()));
        let local = listener(&self.config.node, transport, remote, None)?;
        let flow = Flow { transport, local, remote, conn: None };
        let to = uri.clone();
        let advertised = advertised(self.config, local);
        Some(Target { request_uri: uri, to, flow, advertised, pinned: false, trunk: None, others: Vec::new() })
    }
}

/// What peers of the listener at `local` must write to reach it.
pub(super) fn advertised(config: &Config, local: SocketAddr) -> SocketAddr {
    let listener = config.node.listeners.values().find(|listener| listener.bind == local);
    listener.map_or(local, |listener| listener.advertised)
}

/// Where phones at fixed addresses are: asked for every packet that is no trunk's.
pub(super) fn fixed_phones(config: &Config) -> BTreeSet<IpAddr> {
    let phones = config.staff.iter().flat_map(|analyst| &analyst.phones);
    phones
        .filter_map(|phone| match &phone.kind {
            PhoneKind::Sip { uri } => Uri::parse(uri).ok()?.host.ip(),
            PhoneKind::Registered { .. } | PhoneKind::Trunk { .. } => None,
        })
        .collect()
}
