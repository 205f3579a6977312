//! Checks of `wardline.toml` as a whole: sockets that clash, trunks that cannot be told apart, a canary that cannot sing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::check::Files;
use crate::config::raw_hospital::known;
use crate::config::raw_node::TrunkPlaces;
use crate::config::reader::{Problems, Spanned};
use crate::config::tree::Place;
use crate::config::{Listener, NextHop, Trunk};
use crate::ids::{AnalystId, HospitalId, ListenerId, TrunkId};
use crate::sip::Transport;

pub fn check(files: &Files, problems: &Problems) {
    check_listeners(files, problems);
    check_peers(files, problems);
    for (id, places) in &files.node.trunk_names {
        check_trunk(id, places, files, problems);
    }
    check_canary(files, problems);
}

/// Whether two sockets of one transport cannot both be bound.
fn same_socket(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && same_address(one.ip(), other.ip())
}

fn same_address(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified())
}

fn in_order(place: &Place) -> (Arc<str>, usize) {
    (Arc::clone(&place.file), place.span.start)
}

fn check_listeners(files: &Files, problems: &Problems) {
    let (node, places) = (&files.node.node, &files.node.listener_places);
    let mut listeners: Vec<(&Listener, &Place)> =
        node.listeners.values().filter_map(|listener| Some((listener, places.get(&listener.id)?))).collect();
    // In the file's order, so that the later one is blamed.
    listeners.sort_by_key(|(_, place)| in_order(place));
    for (position, (listener, place)) in listeners.iter().enumerate() {
        for (other, first) in listeners.iter().take(position) {
            let streams = |listener: &Listener| listener.transports.iter().any(|transport| transport.is_stream());
            let udp = |listener: &Listener| listener.transports.contains(&Transport::Udp);
            let shared = streams(listener) && streams(other) || udp(listener) && udp(other);
            if shared && same_socket(listener.bind, other.bind) {
                let what = format!("listeners `{}` and `{}` bind the same address", other.id, listener.id);
                let finding = place.error(what).remedy("give one of them another address or port");
                problems.push(finding.related(&first.file, first.span.clone(), "bound here already"));
            }
        }
        check_encrypted(listener, place, node.tls.is_some(), problems);
        let port = listener.bind.port();
        let media = &node.media;
        let within = (media.first_port..=media.last_port).contains(&port);
        if within && listener.transports.contains(&Transport::Udp) && same_address(listener.bind.ip(), media.bind) {
            let finding = place.error(format!("port {port} lies in the media port range"));
            let finding = finding.remedy("move one of them: SIP usually takes 5060");
            let ports = &files.node.ports_place;
            problems.push(finding.related(&ports.file, ports.span.clone(), "the media ports"));
        }
    }
    if let Some(metrics) = node.metrics {
        let stream = |listener: &Listener| listener.transports.iter().any(|transport| transport.is_stream());
        let streams = listeners.iter().filter(|(listener, _)| stream(listener));
        for (listener, place) in streams.filter(|(listener, _)| same_socket(listener.bind, metrics)) {
            let finding = place.error(format!("listener `{}` and `metrics` bind the same address", listener.id));
            problems.push(finding.remedy("give `metrics` another port"));
        }
    }
}

fn check_encrypted(listener: &Listener, place: &Place, certificates: bool, problems: &Problems) {
    if !listener.transports.contains(&Transport::Tls) {
        return;
    }
    if listener.transports.contains(&Transport::Tcp) {
        let what = format!("listener `{}` has tcp and tls on one port", listener.id);
        let finding = place.error(what).why("both begin with a TCP connection, and whose it is cannot be told");
        problems.push(finding.remedy("declare a second listener for tls, usually on port 5061"));
    }
    if !certificates {
        let finding = place.error(format!("listener `{}` speaks TLS, but there is no [tls]", listener.id));
        problems
            .push(finding.remedy("add [tls] with certificate = \"tls/wardline.pem\" and key = \"tls/wardline.key\""));
    }
}

/// A source address must name one trunk, for the trunk names the hospital.
fn check_peers(files: &Files, problems: &Problems) {
    let trunks = files.node.trunk_names.iter();
    let mut peers: Vec<_> = trunks.flat_map(|(id, places)| places.peers.iter().map(move |peer| (id, peer))).collect();
    peers.sort_by_key(|(_, peer)| in_order(&peer.place));
    for (position, (id, peer)) in peers.iter().enumerate() {
        for (other, first) in peers.iter().take(position).filter(|(other, _)| other != id) {
            let overlap = peer.value.contains(&first.value) || first.value.contains(&peer.value);
            if overlap {
                let what =
                    format!("peers {} of trunk `{id}` and {} of trunk `{other}` overlap", peer.value, first.value);
                let finding = peer.place.error(what).why("a call from there would belong to two trunks");
                let finding = finding.remedy("make the networks disjoint: name the PBX's own addresses");
                problems.push(finding.related(&first.place.file, first.place.span.clone(), "the other trunk"));
            }
        }
    }
}

fn check_trunk(id: &TrunkId, places: &TrunkPlaces, files: &Files, problems: &Problems) {
    if let Some(hospital) = places.hospital.as_ref().filter(|_| files.hospitals_complete) {
        let declared: BTreeSet<&HospitalId> = files.hospitals.iter().map(|file| &file.id.value).collect();
        known(hospital, "hospital", declared.iter().map(|id| id.as_str()), problems);
    }
    if let Some(listener) = &places.listener {
        known(listener, "listener", files.node.listener_places.keys().map(ListenerId::as_str), problems);
    }
    let Some(trunk) = files.node.node.trunks.get(id) else { return };
    let speaks = |listener: &&Listener| {
        listener.transports.contains(&trunk.transport) && trunk.listener.as_ref().is_none_or(|id| *id == listener.id)
    };
    let listeners = &files.node.node.listeners;
    if !listeners.is_empty() && !listeners.values().any(|listener| speaks(&listener)) {
        let what = format!("no listener speaks {} for trunk `{id}`", trunk.transport.word());
        let finding = places.transport.error(what).why("the peer could not send us anything back");
        problems.push(finding.remedy("add the transport to a listener's `transports`"));
    }
    check_names(id, trunk, &places.transport, files, problems);
    if let Some(NextHop::Address(address)) = trunk.next_hop {
        // 0.0.0.0 takes this machine's addresses only, and which these are is not known here, but for loopback.
        let bound = |bind: SocketAddr| bind == address || address.ip().is_loopback() && same_socket(bind, address);
        let ours = listeners.values().find(|listener| bound(listener.bind) || listener.advertised == address);
        if let Some(listener) = ours {
            let what = format!("`host` of trunk `{id}` is our own listener `{}`", listener.id);
            let finding = places.host.error(what).why("every call would come back to us");
            problems.push(finding.remedy("write the PBX's address and port"));
        }
    }
}

fn check_names(id: &TrunkId, trunk: &Trunk, place: &Place, files: &Files, problems: &Problems) {
    if trunk.transport != Transport::Tls {
        if !trunk.certificate_names.is_empty() {
            let finding = place.error(format!("trunk `{id}` has `certificate_names`, but does not speak TLS"));
            problems.push(finding.remedy("write transport = \"tls\", or leave the names out"));
        }
        return;
    }
    let believes = files.node.node.tls.as_ref().is_some_and(|tls| tls.authorities.is_some());
    if trunk.next_hop.is_some() && !believes {
        let finding = place.error(format!("the certificate of trunk `{id}` could not be verified"));
        let finding = finding.why("[tls] names no `authorities`: those who signed it");
        problems.push(finding.remedy("add authorities = \"tls/ca.pem\" to [tls]"));
    }
}

fn check_canary(files: &Files, problems: &Problems) {
    let Some(canary) = &files.node.canary else { return };
    let hospitals: BTreeSet<&str> = files.hospitals.iter().map(|file| file.id.value.as_str()).collect();
    let analysts: BTreeSet<&str> = files.analysts.iter().map(|analyst| analyst.id.as_str()).collect();
    let hospital_known =
        files.hospitals_complete && known(&canary.hospital, "hospital", hospitals.iter().copied(), problems);
    let analyst: &Spanned<AnalystId> = &canary.analyst;
    known(analyst, "analyst", analysts.iter().copied(), problems);
    let file = files.hospitals.iter().find(|file| file.id.value == canary.hospital.value);
    if let Some(file) = file.filter(|_| hospital_known) {
        let hotlines: BTreeSet<&str> = file.hotlines.iter().map(|hotline| hotline.number.value.as_str()).collect();
        known(&canary.number, "hotline", hotlines.iter().copied(), problems);
    }
}
