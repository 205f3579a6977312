//! `wardline.toml` as written: read into [`Node`], with the places that later checks point at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::config::grammar::NODE;
use crate::config::node::SESSION_TIMER;
use crate::config::reader::{Fields, Problems, Read, Spanned, Wrong};
use crate::config::tree::{Place, Tree};
use crate::config::values::{FromText, PortRange};
use crate::config::{
    Canary, ClientCertificates, Listener, Log, LogFormat, Media, NextHop, Node, Registration, Tls, Trunk,
};
use crate::identity::NumberRules;
use crate::ids::{AnalystId, Extension, HospitalId, ListenerId, TrunkId};
use crate::plural::counted;
use crate::sip::Transport;
use crate::sip::digest::Credentials;
use crate::time::Duration;

/// More calls than one node was ever measured with are a typing error.
pub const MAX_CALLS: usize = 10_000;
/// Media threads beyond the cores of any machine help nobody.
pub const MAX_WORKERS: usize = 64;
/// Probing more often tells nothing more: an INVITE finds a dead peer within 32 s (Timer B) by itself.
pub const MIN_PROBE: Duration = Duration::from_secs(5);
/// RFC 4028 section 5.
pub const MIN_SESSION_TIMER: Duration = Duration::from_secs(90);

/// `wardline.toml`, and where its parts stand.
#[derive(Debug)]
pub struct NodeFile {
    pub node: Node,
    /// Everything declared, also what could not be read whole: references to it are no further error.
    pub trunk_names: BTreeMap<TrunkId, TrunkPlaces>,
    pub listener_places: BTreeMap<ListenerId, Place>,
    pub ports_place: Place,
    pub canary: Option<CanaryPlaces>,
}

#[derive(Debug)]
pub struct TrunkPlaces {
    pub name: Place,
    pub hospital: Option<Spanned<HospitalId>>,
    pub peers: Vec<Spanned<IpNet>>,
    pub host: Place,
    pub has_host: bool,
    pub listener: Option<Spanned<ListenerId>>,
    pub transport: Place,
    /// The environment variable that holds the password for it.
    pub password: Option<Spanned<String>>,
}

#[derive(Debug)]
pub struct CanaryPlaces {
    pub hospital: Spanned<HospitalId>,
    pub number: Spanned<Extension>,
    pub analyst: Spanned<AnalystId>,
}

impl FromText for NextHop {
    const WANTED: &'static str = "a host or address";
    const REMEDY: &'static str = "write one such as \"pbx.example\", \"pbx.example:5060\" or \"10.1.2.3:5060\"";

    fn from_text(text: &str) -> Option<NextHop> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(NextHop::Address(address));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(NextHop::Address(SocketAddr::new(address, 5060)));
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok().filter(|port| *port > 0)?)),
            None => (text, None),
        };
        let label = |label: &str| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(inner)
        };
        // Something like "10.1.2" or "999.1.1.1" is a broken address, not a name (RFC 3696 section 2).
        let last = name.rsplit('.').next().unwrap_or_default();
        let named = name.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit());
        (name.len() <= 253 && named).then(|| NextHop::Host { name: name.to_owned(), port })
    }
}

impl Read for NextHop {
    fn read(tree: &Tree) -> Result<NextHop, Vec<Wrong>> {
        let text = String::read(tree)?;
        let wrong = || vec![Wrong::of(tree, NextHop::WANTED).remedy(NextHop::REMEDY)];
        NextHop::from_text(&text).ok_or_else(wrong)
    }
}

/// Reads the tree of `wardline.toml`. `base` is what relative paths start from.
pub fn read(tree: &Tree, base: &Path, problems: &Problems) -> Option<NodeFile> {
    let fields = Fields::of(tree, "wardline.toml", &NODE, problems)?;
    let name = fields.required::<String>("name", "\"ward-1\"").unwrap_or_default();
    let data_dir = base.join(fields.or("data_dir", PathBuf::from("data")));
    let control_socket = match fields.optional::<PathBuf>("control_socket") {
        Some(path) => base.join(path),
        None => data_dir.join("control.sock"),
    };
    let metrics = fields.optional("metrics");
    let max_calls = bounded(&fields, "max_calls", 100);
    let drain = fields.or("drain", Duration::from_secs(60));
    let log = read_log(&fields);
    let (listeners, listener_places) = read_listeners(&fields);
    let (media, ports_place) = read_media(&fields, max_calls);
    let tls = read_tls(&fields, base);
    let registration = read_registration(&fields);
    let (trunks, trunk_names) = read_trunks(&fields);
    let (canary, canary_places) = read_canary(&fields).unzip();
    let node = Node {
        name,
        control_socket,
        data_dir,
        metrics,
        log,
        listeners,
        trunks,
        media,
        tls,
        registration,
        canary,
        max_calls,
        drain,
    };
    Some(NodeFile { node, trunk_names, listener_places, ports_place, canary: canary_places })
}

/// A number within the bounds of its grammar; outside of them an error and `default`.
fn bounded(fields: &Fields<'_>, key: &'static str, default: usize) -> usize {
    let Some(Spanned { value, place }) = fields.optional::<Spanned<usize>>(key) else { return default };
    let (least, most) = fields.bounds(key);
    if u64::try_from(value).is_ok_and(|value| (least..=most).contains(&value)) {
        return value;
    }
    let finding = place.error(format!("`{key}` must lie between {least} and {most}"));
    fields.problems.push(finding.why(format!("found {value}")));
    default
}

fn read_log(fields: &Fields<'_>) -> Log {
    let default = Log { filter: "info".to_owned(), format: LogFormat::Auto };
    let Some(log) = fields.table("log") else { return default };
    Log { filter: log.or("filter", default.filter), format: log.or("format", default.format) }
}

fn read_listeners(fields: &Fields<'_>) -> (BTreeMap<ListenerId, Listener>, BTreeMap<ListenerId, Place>) {
    let (mut listeners, mut places) = (BTreeMap::new(), BTreeMap::new());
    let named = fields.named("listeners", "listener");
    if named.is_empty() {
        let finding = fields.key_place("listeners").error("no listener is declared, so no phone can reach this node");
        let remedy = "add [listeners.main] with bind = \"10.1.2.3:5060\" and transports = [\"udp\", \"tcp\"]";
        fields.problems.push(finding.remedy(remedy));
    }
    for (name, entry) in named {
        let id = ListenerId::new(&name.value);
        let bind = entry.required::<Spanned<SocketAddr>>("bind", "\"10.1.2.3:5060\"");
        let transports = entry.optional::<Vec<Transport>>("transports");
        let advertised = entry.optional::<Spanned<SocketAddr>>("advertised");
        places.insert(id.clone(), bind.as_ref().map_or(name.place, |bind| bind.place.clone()));
        let Some(bind) = bind else { continue };
        let advertised = advertise(&entry, &bind, advertised, |address| address.ip());
        let mut transports = transports.unwrap_or_else(|| vec![Transport::Udp, Transport::Tcp]);
        transports.sort_unstable();
        transports.dedup();
        if transports.is_empty() {
            let finding = entry.key_place("transports").error("a listener needs at least one transport");
            entry.problems.push(finding.remedy("write [\"udp\", \"tcp\"]"));
        }
        listeners.insert(id.clone(), Listener { id, bind: bind.value, transports, advertised });
    }
    (listeners, places)
}

/// What peers are told; has to be written when bound to all addresses, and must be of the same family.
fn advertise<T: Copy>(
    entry: &Fields<'_>,
    bind: &Spanned<T>,
    advertised: Option<Spanned<T>>,
    ip: impl Fn(&T) -> IpAddr,
) -> T {
    let bound = ip(&bind.value);
    let told = advertised.as_ref().map_or(bound, |told| ip(&told.value));
    if told.is_unspecified() {
        let place = advertised.as_ref().map_or(&bind.place, |told| &told.place);
        let finding = place.error("peers cannot be told this address").why("it means every address of this machine");
        entry.problems.push(finding.remedy("add `advertised` with the address that the PBX reaches"));
    } else if told.is_ipv4() != bound.is_ipv4() {
        let place = advertised.as_ref().map_or(&bind.place, |told| &told.place);
        let finding = place.error("`advertised` and `bind` must both be IPv4 or both IPv6");
        entry.problems.push(finding.remedy("declare one listener for each family"));
    }
    advertised.map_or(bind.value, |told| told.value)
}

fn read_media(fields: &Fields<'_>, max_calls: usize) -> (Media, Place) {
    let default = Media {
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        advertised: IpAddr::V4(Ipv4Addr::LOCALHOST),
        first_port: 20_000,
        last_port: 20_999,
        workers: 1,
        quarantine: Duration::from_secs(30),
    };
    let Some(media) = fields.table("media") else {
        let finding = fields.place.error("wardline.toml has no [media]");
        let remedy = "add [media] with bind = \"10.1.2.3\" and ports = \"20000-20999\"";
        fields.problems.push(finding.remedy(remedy));
        return (default, fields.place.clone());
    };
    let bind = media.required::<Spanned<IpAddr>>("bind", "\"10.1.2.3\"");
    let advertised = media.optional::<Spanned<IpAddr>>("advertised");
    let ports = media.required::<Spanned<PortRange>>("ports", "\"20000-20999\"");
    let workers = bounded(&media, "workers", default.workers);
    let quarantine = media.or("quarantine", default.quarantine);
    let mut read = Media { workers, quarantine, ..default };
    if let Some(bind) = bind {
        read.advertised = advertise(&media, &bind, advertised, |address| *address);
        read.bind = bind.value;
    }
    let Some(ports) = ports else { return (read, media.place.clone()) };
    (read.first_port, read.last_port) = (ports.value.first, ports.value.last);
    check_ports(&read, &ports.place, max_calls, media.problems);
    (read, ports.place)
}

/// One call with two analysts rung takes three pairs; below this not even the canary fits beside it.
const MIN_PAIRS: usize = 8;
/// Caller and two analysts.
const PAIRS_A_CALL: usize = 3;

fn check_ports(media: &Media, place: &Place, max_calls: usize, problems: &Problems) {
    let (first, last) = (media.first_port, media.last_port);
    if first % 2 == 1 || last % 2 == 0 {
        let finding = place.error("the port range must begin with an even port and end with an odd one");
        let finding = finding.why("RTP takes an even port and RTCP the next one (RFC 3550 section 11)");
        let even = first.saturating_add(first % 2);
        problems.push(
            finding.remedy(format!("write \"{even}-{}\"", if last % 2 == 0 { last.saturating_sub(1) } else { last })),
        );
    } else if media.pairs() < MIN_PAIRS {
        let finding = place
            .error(format!("the port range holds {}, at least {MIN_PAIRS} are needed", counted(media.pairs(), "pair")));
        let until = first.saturating_add(999);
        problems.push(finding.remedy(format!("give it room for {PAIRS_A_CALL} pairs a call: \"{first}-{until}\"")));
    } else if media.pairs() < max_calls.saturating_mul(PAIRS_A_CALL) {
        let finding = place.warning(format!("{} port pairs are few for {max_calls} calls at once", media.pairs()));
        let finding = finding.why("a call with two analysts rung takes three; beyond it new calls get 503");
        problems.push(finding.remedy("widen `ports`, or lower `max_calls`"));
    }
}

fn read_tls(fields: &Fields<'_>, base: &Path) -> Option<Tls> {
    let entry = fields.table("tls")?;
    let certificate = entry.required::<PathBuf>("certificate", "\"tls/wardline.pem\"");
    let key = entry.required::<PathBuf>("key", "\"tls/wardline.key\"");
    let authorities = entry.optional::<PathBuf>("authorities").map(|path| base.join(path));
    let clients = entry.or("client_certificates", ClientCertificates::None);
    if authorities.is_none() && clients != ClientCertificates::None {
        let finding = entry.key_place("client_certificates").error("nobody's certificate could be believed");
        let finding = finding.why("`authorities` is missing: the certificates of those who sign clients' certificates");
        entry.problems.push(finding.remedy("add authorities = \"tls/ca.pem\""));
    }
    Some(Tls { certificate: base.join(certificate?), key: base.join(key?), authorities, clients })
}

fn read_registration(fields: &Fields<'_>) -> Registration {
    let mut read = Registration {
        realm: "wardline".to_owned(),
        min_expires: Duration::from_secs(60),
        max_expires: Duration::from_secs(3600),
    };
    if let Some(entry) = fields.table("registration") {
        read.realm = entry.or("realm", read.realm);
        read.min_expires = entry.or("min_expires", read.min_expires);
        read.max_expires = entry.or("max_expires", read.max_expires);
        if read.min_expires > read.max_expires || read.min_expires.is_zero() {
            let finding =
                entry.key_place("min_expires").error("`min_expires` must be above 0 and not above `max_expires`");
            entry.problems.push(finding.remedy("write \"60s\""));
        }
        if read.realm.contains(['"', '\\', ' ']) {
            let finding = entry.key_place("realm").error("a realm has no quotes, backslashes or spaces");
            entry.problems.push(finding.remedy("write a name such as \"desk.hospital.example\""));
        }
    }
    read
}

type Trunks = (BTreeMap<TrunkId, Trunk>, BTreeMap<TrunkId, TrunkPlaces>);

fn read_trunks(fields: &Fields<'_>) -> Trunks {
    let (mut trunks, mut names) = (BTreeMap::new(), BTreeMap::new());
    let named = fields.named("trunks", "trunk");
    if named.is_empty() {
        let finding = fields.key_place("trunks").error("no trunk is declared, so no call can come in");
        let remedy = "add [trunks.pbx] with hospital, peers and host of your PBX";
        fields.problems.push(finding.remedy(remedy));
    }
    for (name, entry) in named {
        let id = TrunkId::new(&name.value);
        let (trunk, places) = read_trunk(&id, name.place, &entry);
        trunks.extend(trunk.map(|trunk| (id.clone(), trunk)));
        names.insert(id, places);
    }
    (trunks, names)
}

fn read_trunk(id: &TrunkId, name: Place, entry: &Fields<'_>) -> (Option<Trunk>, TrunkPlaces) {
    let places = TrunkPlaces {
        name,
        hospital: entry.required("hospital", "\"mercy-harbor\""),
        peers: entry.optional("peers").unwrap_or_default(),
        host: entry.key_place("host"),
        has_host: entry.has("host"),
        listener: entry.optional("listener"),
        transport: entry.key_place("transport"),
        password: None,
    };
    let (auth, password) = read_auth(entry).unzip();
    let places = TrunkPlaces { password, ..places };
    let peers: Vec<IpNet> = places.peers.iter().map(|peer| peer.value).collect();
    let transport = entry.or("transport", Transport::Udp);
    let next_hop = entry.optional::<NextHop>("host").map(|hop| match hop {
        // Without a port of its own an address means the transport's.
        NextHop::Address(at) if entry.optional::<String>("host").is_some_and(|text| text.parse::<IpAddr>().is_ok()) => {
            NextHop::Address(SocketAddr::new(at.ip(), transport.port()))
        }
        NextHop::Address(_) | NextHop::Host { .. } => hop,
    });
    let next_hop = next_hop.or_else(|| only_peer(&peers, transport.port()));
    if !entry.has("peers") && !entry.has("host") {
        let finding = places.name.error(format!("trunk `{id}` has neither `peers` nor `host`"));
        let finding = finding.why("no call could come in over it and none go out");
        entry.problems.push(finding.remedy("add peers = [\"10.1.2.0/24\"], host = \"pbx.example\", or both"));
    }
    let probe = entry.optional::<Spanned<Duration>>("probe");
    if let Some(probe) = probe.as_ref().filter(|probe| probe.value < MIN_PROBE) {
        let finding = probe.place.error("`probe` must be at least 5s");
        entry.problems.push(finding.remedy("write \"30s\", or leave it out for no probing"));
    }
    let session_timer = entry.optional::<Spanned<Duration>>("session_timer");
    if let Some(timer) = session_timer.as_ref().filter(|timer| timer.value < MIN_SESSION_TIMER) {
        let finding = timer.place.error("`session_timer` must be at least 90s").why("RFC 4028 allows no less");
        entry.problems.push(finding.remedy("write \"30m\", or leave it out"));
    }
    let prefixes = entry.optional::<Vec<Extension>>("strip_prefixes").unwrap_or_default();
    let trunk = Trunk {
        id: id.clone(),
        hospital: places.hospital.as_ref().map_or_else(|| HospitalId::new(""), |hospital| hospital.value.clone()),
        peers,
        next_hop,
        transport,
        srtp: read_srtp(id, entry, transport),
        certificate_names: entry.optional("certificate_names").unwrap_or_default(),
        listener: places.listener.as_ref().map(|listener| listener.value.clone()),
        trusted: entry.or("trusted", false),
        nat: entry.or("nat", false),
        probe: probe.map(|probe| probe.value),
        max_calls: entry.has("max_calls").then(|| bounded(entry, "max_calls", MAX_CALLS)),
        plain: read_plain(id, entry, transport),
        outside_prefix: entry.optional::<Extension>("outside_prefix").map(|prefix| prefix.to_string()),
        auth,
        session_timer: session_timer.map_or(SESSION_TIMER, |timer| timer.value),
        numbers: NumberRules { strip: prefixes.iter().map(ToString::to_string).collect() },
    };
    let complete = places.hospital.is_some();
    (complete.then_some(trunk), places)
}

/// Keys of media stand in SDP: whoever reads that reads the media too (RFC 4568 section 5.1).
fn read_srtp(id: &TrunkId, entry: &Fields<'_>, transport: Transport) -> bool {
    let srtp = entry.or("srtp", false);
    if srtp && transport != Transport::Tls {
        let finding = entry.key_place("srtp").error(format!("the keys of trunk `{id}`'s media would go in clear"));
        let finding = finding.why("with `srtp` they stand in SIP, which only TLS encrypts");
        entry.problems.push(finding.remedy("write transport = \"tls\", or leave `srtp` out"));
    }
    srtp
}

/// Characters of [`Trunk::plain`].
const MAX_REASON: usize = 120;

/// Nothing goes in clear unless somebody has said why.
fn read_plain(id: &TrunkId, entry: &Fields<'_>, transport: Transport) -> Option<String> {
    let encrypted = transport == Transport::Tls;
    if encrypted && entry.has("plain") {
        let finding =
            entry.key_place("plain").error(format!("trunk `{id}` speaks TLS, and says why it goes unencrypted"));
        entry.problems.push(finding.remedy("leave `plain` out, or transport = \"tls\""));
    }
    if !encrypted && !entry.has("plain") {
        let finding = entry.key_place("transport").error(format!("trunk `{id}` goes unencrypted and does not say why"));
        let finding = finding.why("numbers, names and keys of callers can be read on the way");
        let remedy = "write transport = \"tls\", or the reason, such as plain = \"isolated voice network\"";
        entry.problems.push(finding.remedy(remedy).yet_runs());
    }
    let reason = entry.optional::<Spanned<String>>("plain")?;
    if reason.value.chars().count() > MAX_REASON {
        let finding = reason.place.error(format!("the reason of trunk `{id}` is longer than {MAX_REASON} characters"));
        entry
            .problems
            .push(finding.remedy("say it in fewer words: it is repeated wherever the trunk is told").yet_runs());
    }
    Some(reason.value)
}

/// The password itself is not in the file: [`fill_passwords`] finds it.
fn read_auth(entry: &Fields<'_>) -> Option<(Credentials, Spanned<String>)> {
    let auth = entry.table("auth")?;
    let username = auth.required::<String>("user", "\"wardline\"");
    let realm = auth.optional("realm");
    let wanted = "{ env = \"PBX_PASSWORD\" }";
    if !auth.has("password") {
        let finding = auth.place.error("`auth` has no `password`");
        auth.problems.push(finding.remedy(format!("write password = {wanted}: the variable that holds it")));
    }
    let variable = auth.table("password")?.required::<Spanned<String>>("env", "\"PBX_PASSWORD\"")?;
    Some((Credentials { username: username?, realm, password: String::new() }, variable))
}

/// Takes the passwords of trunks out of the environment. Where one is missing the trunk's challenges stay unanswered.
pub fn fill_passwords(file: &mut NodeFile, variables: &BTreeMap<String, String>, problems: &Problems) {
    for (id, places) in &file.trunk_names {
        let Some(variable) = &places.password else { continue };
        let Some(trunk) = file.node.trunks.get_mut(id) else { continue };
        match (variables.get(&variable.value).filter(|password| !password.is_empty()), &mut trunk.auth) {
            (Some(password), Some(auth)) => auth.password.clone_from(password),
            (Some(_), None) => {}
            (None, auth) => {
                *auth = None;
                let what = format!("the environment variable `{}` is not set here", variable.value);
                let finding = variable.place.warning(what);
                let finding = finding.why(format!("without it calls that trunk `{id}` challenges fail"));
                problems.push(
                    finding.remedy("set it where `wardline serve` starts, such as in the service's EnvironmentFile"),
                );
            }
        }
    }
}

/// A single address is also where calls go.
fn only_peer(peers: &[IpNet], port: u16) -> Option<NextHop> {
    match peers {
        [net] if net.prefix_len() == net.max_prefix_len() => Some(NextHop::Address(SocketAddr::new(net.addr(), port))),
        [] | [_] | [_, _, ..] => None,
    }
}

fn read_canary(fields: &Fields<'_>) -> Option<(Canary, CanaryPlaces)> {
    let entry = fields.table("canary")?;
    let enabled = entry.or("enabled", true);
    let every = entry.or("every", Duration::from_secs(60));
    let hospital = entry.required::<Spanned<HospitalId>>("hospital", "\"mercy-harbor\"");
    let number = entry.required::<Spanned<Extension>>("number", "\"7199\"");
    let analyst = entry.required::<Spanned<AnalystId>>("analyst", "\"canary\"");
    let places = CanaryPlaces { hospital: hospital?, number: number?, analyst: analyst? };
    let canary = Canary {
        hospital: places.hospital.value.clone(),
        every,
        number: places.number.value.clone(),
        analyst: places.analyst.value.clone(),
    };
    enabled.then_some((canary, places))
}
