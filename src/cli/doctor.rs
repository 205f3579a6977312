//! `wardline doctor`: looks at everything around the node that can keep it from answering calls, and says what to do.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use nix::sys::resource::{Resource, getrlimit};
use serde::Serialize;

use crate::api::wire::{NodeStatus, PublishedStatus};
use crate::cli::analysts::{Live, live};
use crate::cli::client::Client;
use crate::cli::exit::Outcome;
use crate::cli::golive;
use crate::cli::out::{Out, green, padded, red, yellow};
use crate::cli::place::Place;
use crate::config::{self, Config, Media, NextHop, Node, Surroundings, Trunk, render};
use crate::ids::HospitalId;
use crate::plural::counted;
use crate::routing::{Analyst, PhoneKind, PhoneUse};
use crate::runtime::drafts;
use crate::runtime::tls::{Lasts, examine as examine_certificates};
use crate::sip::Transport;
use crate::store::published::Published;
use crate::store::{self, Filter, blocking, open_readonly};
use crate::switch::Health;
use crate::ticket::{MAX_CALLS_COMPARED, OneNumber, Standing, one_number};

/// A journal segment, a database that grows and a log: below this a busy night fills the disk.
const DISK_LOW: u64 = 1 << 30;
/// The journal alone preallocates several segments.
const DISK_NONE: u64 = 128 << 20;
/// Open files beside media sockets: connections, database, journal.
const OTHER_FILES: u64 = 512;
/// Files that a finding names.
const MAX_FILES: usize = 8;
/// No node was set up before; a clock that says so has lost its battery.
const EARLIEST: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of the examination.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    what: &'static str,
    found: String,
    remedy: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Finding {
        Finding { level: Level::Ok, what, found: found.into(), remedy: None }
    }

    fn warn(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Warn, what, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn fail(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Fail, what, found: found.into(), remedy: Some(remedy.into()) }
    }
}

pub fn run(folder: &Path, args: &DoctorArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let findings = examine(folder);
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    if args.json {
        out.json(&serde_json::json!({ "healthy": !failed, "findings": findings }))?;
    } else {
        for finding in &findings {
            let level = match finding.level {
                Level::Ok => green("ok  "),
                Level::Warn => yellow("warn"),
                Level::Fail => red("fail"),
            };
            writeln!(out, "{level}  {} {}", padded(finding.what, 15), finding.found)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(out, "      {} → {remedy}", padded("", 13))?;
            }
        }
    }
    Ok(if failed { Outcome::Refused } else { Outcome::Done })
}

fn examine(folder: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let loaded = config::load(folder, &Surroundings::of_process(Timestamp::now()));
    findings.push(match &loaded {
        Ok(loaded) if loaded.warnings.is_empty() => {
            Finding::ok("configuration", format!("{} is valid", folder.display()))
        }
        Ok(loaded) => Finding::warn("configuration", render::summary(&loaded.warnings), "see `wardline check`"),
        Err(report) => Finding::fail("configuration", render::summary(report), "see `wardline check`"),
    });
    let place = match Place::of(folder, loaded.ok()) {
        Ok(place) => place,
        Err(error) => {
            findings.push(Finding::fail("node", format!("{error:#}"), "see `wardline check`"));
            return findings;
        }
    };
    let server = Client::new(&place.socket).and_then(|client| client.get::<NodeStatus>("/v1/status"));
    match &server {
        Ok(status) => {
            findings.extend(running(status));
            findings.extend(version_that_runs(&status.published));
            findings.extend(standings(status));
            findings.extend(left_over(status));
        }
        Err(error) => {
            findings.push(Finding::warn("server", format!("{error:#}"), "start it: wardline serve"));
            findings.extend(version_to_run(folder, &place.data_dir));
        }
    }
    findings.push(data_dir(&place.data_dir));
    findings.push(disk(&place.data_dir));
    findings.push(tickets(&place.data_dir));
    findings.extend(alike(&place.data_dir));
    findings.push(clock(&place.data_dir));
    if let Some(config) = &place.config {
        if server.is_ok() {
            findings.extend(match live(&place) {
                Ok(people) => ringable(config, &people),
                Err(error) => vec![Finding::warn("analysts", format!("{error:#}"), "wardline analysts list")],
            });
        }
        findings.extend(ports(&config.node, server.as_ref().ok()));
        let given_away = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        findings.push(media_ports(&config.node.media, &given_away));
        findings.extend(open_files(&config.node.media));
        findings.extend(certificates(&config.node));
        findings.extend(encryption(&config.node));
        findings.extend(trunks(&config.node, server.as_ref().ok()));
        findings.extend(phones(config));
        findings.push(prompts(config));
    }
    findings
}

fn running(status: &NodeStatus) -> Vec<Finding> {
    let (calls, minutes) = (counted(status.switch.calls, "call"), status.uptime_s / 60);
    let found = format!("version {}, up {minutes} min, {calls}, process {}", status.version, status.process);
    let mut findings = vec![if status.switch.draining {
        Finding::warn(
            "server",
            format!("{found}; draining: new calls are refused"),
            "restart it when its calls have ended",
        )
    } else if status.version == env!("CARGO_PKG_VERSION") {
        Finding::ok("server", found)
    } else {
        let mine = env!("CARGO_PKG_VERSION");
        Finding::warn("server", format!("{found}; this program is {mine}"), "restart the server to run the new version")
    }];
    findings.push(match (status.journal.as_str(), status.trouble.as_slice()) {
        ("healthy", []) if status.store_behind < 10_000 => {
            Finding::ok("journal", format!("healthy; the store is {} records behind", status.store_behind))
        }
        ("full", troubles) => Finding::fail(
            "journal",
            format!("full, new calls are refused: {}", troubles.join("; ")),
            "make room on its disk",
        ),
        (state, troubles) => {
            let found =
                format!("{state}; the store is {} records behind; {}", status.store_behind, troubles.join("; "));
            Finding::warn("journal", found, "look at its disk and at the server's log")
        }
    });
    findings
}

/// Which hospitals are live. Rehearsal keeps no call from being answered.
fn standings(status: &NodeStatus) -> Vec<Finding> {
    let (rehearsing, live): (Vec<_>, Vec<_>) =
        status.switch.standings.iter().partition(|(_, standing)| standing.is_rehearsal());
    let names = |list: Vec<(&HospitalId, &Standing)>| golive::named(list.into_iter().map(|(id, _)| id));
    let mut findings = Vec::new();
    if !live.is_empty() {
        findings.push(Finding::ok("live", names(live)));
    }
    if !rehearsing.is_empty() {
        let found = format!("{}: calls are answered, and stay out of the figures", names(rehearsing));
        findings.push(Finding::warn("rehearsal", found, "wardline golive says what is open before going live"));
    }
    findings
}

/// What waits for a person, and a canary that does not sing.
fn left_over(status: &NodeStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    let failed = status.switch.callbacks_failed;
    if failed > 0 {
        let found = format!("{} left to a person: it is tried no more", counted(failed, "callback"));
        findings.push(Finding::warn(
            "callbacks",
            found,
            "wardline tickets list --callback-due; call, then tickets set",
        ));
    }
    findings.extend(status.canary.as_ref().map(|ill| {
        Finding::warn(
            "canary",
            ill.clone(),
            "callers may be no better off: the server's log, wardline tickets list --tests",
        )
    }));
    findings
}

/// Whether somebody can be rung now, at each hospital.
fn ringable(config: &Config, people: &[Live]) -> Vec<Finding> {
    let one = |hospital: &HospitalId| {
        let theirs: Vec<Absence> = people
            .iter()
            .filter_map(|live| Some((live, config.staff.get(&live.analyst.as_str().into())?)))
            .filter(|(_, analyst)| analyst.hospitals.contains(hospital))
            .map(|(live, analyst)| absence(live, analyst))
            .collect();
        let here = theirs.iter().filter(|absence| **absence == Absence::None).count();
        if here > 0 {
            return Finding::ok("analysts", format!("{hospital}: {here} of {} can be rung now", theirs.len()));
        }
        let why = [
            (Absence::SignedOut, "signed out"),
            (Absence::Paused, "paused"),
            (Absence::OffShift, "off shift"),
            (Absence::NoPhone, "without a registered phone"),
        ];
        let why: Vec<String> = why
            .into_iter()
            .map(|(absence, words)| (theirs.iter().filter(|one| **one == absence).count(), words))
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        let why = if why.is_empty() { "it has no analysts".to_owned() } else { why.join(", ") };
        Finding::warn("analysts", format!("{hospital}: nobody can be rung now: {why}"), "wardline analysts list")
    };
    config.hospitals.keys().map(one).collect()
}

/// Why somebody is not rung, the first reason of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    None,
    SignedOut,
    Paused,
    OffShift,
    NoPhone,
}

/// On call counts as on shift: such a phone rings whoever has signed out.
fn absence(live: &Live, analyst: &Analyst) -> Absence {
    let has_phone = |usage: PhoneUse| {
        let phones = analyst.phones.iter().filter(|phone| phone.usage == usage);
        phones.map(|phone| phone.kind.user()).any(|user| user.is_none() || live.reachable)
    };
    let on_call = live.on_call && has_phone(PhoneUse::OnCall);
    match live.status.as_str() {
        _ if on_call => Absence::None,
        "signed-out" => Absence::SignedOut,
        "paused" => Absence::Paused,
        _ if !live.on_shift => Absence::OffShift,
        _ if !has_phone(PhoneUse::Desk) => Absence::NoPhone,
        _ => Absence::None,
    }
}

/// What runs is what was published last, and the files say the same.
fn version_that_runs(status: &PublishedStatus) -> Vec<Finding> {
    let PublishedStatus { version, author, at, differs, faults, waiting, .. } = status;
    let found = format!("version {version} runs, of {author} at {at:.0}");
    let mut findings: Vec<Finding> = faults
        .iter()
        .map(|fault| Finding::fail("version", fault.clone(), "publish what shall run: wardline publish -m \"…\""))
        .collect();
    findings.extend(waiting.map(|waiting| {
        let found = format!("version {waiting} is published and waits for a restart");
        Finding::warn("version", found, "restart the server when it is quiet")
    }));
    findings.push(drafts_differ(&found, differs));
    findings
}

/// Without a server: what a start would run.
fn version_to_run(folder: &Path, data_dir: &Path) -> Vec<Finding> {
    let newest = match Published::of(data_dir).newest() {
        Ok(newest) => newest,
        Err(error) => return vec![Finding::fail("version", format!("{error:#}"), "run as the server's user")],
    };
    let damaged = newest.damaged.iter().map(|(number, why)| {
        let found = format!("version {number} cannot run: {why}");
        Finding::fail("version", found, "publish what shall run: wardline publish -m \"…\"")
    });
    let mut findings: Vec<Finding> = damaged.collect();
    findings.push(match newest.whole {
        None => Finding::ok("version", "nothing is published yet: a start publishes the files"),
        Some(whole) => {
            let drafts = drafts::read(folder).map(|drafts| drafts.content).unwrap_or_default();
            let differs = drafts::differences(&whole.content, &drafts);
            drafts_differ(&format!("a start runs version {}", whole.version.number), &differs)
        }
    });
    findings
}

fn drafts_differ(found: &str, differs: &[String]) -> Finding {
    if differs.is_empty() {
        return Finding::ok("version", format!("{found}; the files are the same"));
    }
    let shown: Vec<&str> = differs.iter().take(MAX_FILES).map(String::as_str).collect();
    let more = differs.len().saturating_sub(MAX_FILES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let found = format!("{found}; these files differ: {}{more}", shown.join(", "));
    Finding::warn("version", found, "wardline diff shows how; wardline publish -m \"…\" puts them into force")
}

// -- The disk ---------------------------------------------------------------------------------------------------------

/// The folder itself, or the nearest one above it that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new(""));
    if found.as_os_str().is_empty() { PathBuf::from(".") } else { found.to_path_buf() }
}

fn data_dir(path: &Path) -> Finding {
    let folder = existing(path);
    let probe = folder.join(format!(".wardline-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"doctor").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) if folder == path => Finding::ok("data directory", format!("{} is writable", path.display())),
        Ok(()) => Finding::ok("data directory", format!("{} is made at the first start", path.display())),
        Err(error) => {
            let found = format!("{} cannot be written: {error}", folder.display());
            Finding::fail("data directory", found, "run as the server's user, or give that user the folder")
        }
    }
}

fn disk(path: &Path) -> Finding {
    let folder = existing(path);
    let space = match nix::sys::statvfs::statvfs(&folder) {
        Ok(space) => space,
        Err(error) => {
            let found = format!("the space of {} cannot be told: {error}", folder.display());
            return Finding::warn("disk space", found, "look at it with df");
        }
    };
    let free = space.blocks_available().saturating_mul(space.fragment_size());
    let found = format!("{} MiB free under {}", free >> 20, folder.display());
    if free < DISK_NONE {
        Finding::fail("disk space", found, "make room: the journal cannot grow, and new calls would be refused")
    } else if free < DISK_LOW {
        Finding::warn("disk space", found, "make room before the next busy night")
    } else {
        Finding::ok("disk space", found)
    }
}

fn tickets(path: &Path) -> Finding {
    if !path.exists() {
        return Finding::ok("tickets", "none yet");
    }
    let read = blocking(async || {
        let mut view = open_readonly(path).await?;
        let newest = view.list(&Filter { tests: true, limit: Some(1), ..Filter::default() }).await?;
        let due = view.callbacks_due().await?.len();
        anyhow::Ok((newest.first().map(|ticket| ticket.number), due))
    });
    match read.and_then(|read| read) {
        Ok((Some(newest), due)) => {
            Finding::ok("tickets", format!("readable; newest {newest}; {} due", counted(due, "callback")))
        }
        Ok((None, _)) => Finding::ok("tickets", "readable; none yet"),
        // A folder that only holds passwords yet.
        Err(_) if !path.join("journal").exists() => Finding::ok("tickets", "none yet"),
        Err(error) => Finding::fail(
            "tickets",
            format!("{error:#}"),
            "run as the server's user; a damaged store is made anew from a backup",
        ),
    }
}

/// Trunks whose calls all show one number. What cannot be read is told by [`tickets`].
fn alike(path: &Path) -> Vec<Finding> {
    if !path.exists() {
        return Vec::new();
    }
    let filter = Filter { limit: Some(MAX_CALLS_COMPARED), ..Filter::default() };
    let read = blocking(async || open_readonly(path).await?.list(&filter).await);
    let newest = read.and_then(|read| read).unwrap_or_default();
    one_number(&newest).iter().map(looks_alike).collect()
}

fn looks_alike(found: &OneNumber) -> Finding {
    let OneNumber { trunk, number, shown, calls } = found;
    let shows = if number.is_empty() { "no number".to_owned() } else { format!("the number {number}") };
    let found = format!("{trunk}: {shown} of the last {calls} calls show {shows}, so nobody knows which phone calls");
    let remedy = match number.is_empty() {
        true => "the PBX withholds numbers: let the trunk send P-Asserted-Identity and no SIP privacy",
        false => {
            "the PBX sends its own number; let it send each phone's. CUCM: trunk, Calling Party Selection = Originator, \
             Caller ID DN empty; FreePBX: route type Intra-Company, From User empty; Avaya: private-numbering"
        }
    };
    Finding::warn("callers", found, remedy)
}

fn clock(data_dir: &Path) -> Finding {
    let now = Timestamp::now();
    if now.as_second() < EARLIEST {
        return Finding::fail("clock", format!("it says {now:.0}"), "set it, and let NTP keep it");
    }
    let newest = blocking(async || {
        let mut view = open_readonly(data_dir).await?;
        view.list(&Filter { tests: true, limit: Some(1), ..Filter::default() }).await
    });
    let newest = newest.ok().and_then(Result::ok).and_then(|tickets| tickets.first().map(|ticket| ticket.opened));
    if newest.is_some_and(|newest| newest > now) {
        return Finding::fail("clock", format!("it says {now:.0}, before the newest ticket"), "let NTP set it");
    }
    let synchronised = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/var/lib/ntp/ntp.drift"];
    if synchronised.iter().any(|sign| Path::new(sign).exists()) {
        Finding::ok("clock", format!("{now:.0}, kept by a time service"))
    } else {
        let remedy = "run systemd-timesyncd or chrony, unless the host keeps this machine's time";
        Finding::warn("clock", format!("{now:.0}; no sign of a time service"), remedy)
    }
}

// -- The network ------------------------------------------------------------------------------------------------------

/// With a server: where it listens, by its own word. Without one: whether a start would get what the files name.
fn ports(node: &Node, server: Option<&NodeStatus>) -> Vec<Finding> {
    if let Some(status) = server {
        let all: Vec<String> =
            status.listeners.iter().map(|socket| format!("{}/{}", socket.address, socket.transport)).collect();
        return vec![Finding::ok("ports", format!("the server has {}", all.join(", ")))];
    }
    let mut wanted: Vec<(SocketAddr, Transport)> = Vec::new();
    for listener in node.listeners.values() {
        wanted.extend(listener.transports.iter().map(|transport| (listener.bind, *transport)));
    }
    wanted.extend(node.metrics.map(|address| (address, Transport::Tcp)));
    wanted.into_iter().map(|(address, transport)| free(address, transport)).collect()
}

fn shown(address: SocketAddr, transport: Transport) -> String {
    format!("{address}/{}", transport.word())
}

fn free(address: SocketAddr, transport: Transport) -> Finding {
    let bound = match transport {
        Transport::Udp => UdpSocket::bind(address).map(drop),
        Transport::Tcp | Transport::Tls => TcpListener::bind(address).map(drop),
    };
    let place = shown(address, transport);
    match bound {
        Ok(()) => Finding::ok("ports", format!("{place} is free")),
        Err(error) => {
            let remedy =
                format!("find who has it (ss -lptun 'sport = :{}'), or change it in wardline.toml", address.port());
            Finding::fail("ports", format!("{place} cannot be had: {error}"), remedy)
        }
    }
}

/// `given_away`: the first and the last port that the system takes for outgoing connections.
fn media_ports(media: &Media, given_away: &str) -> Finding {
    let range = format!("{}-{}", media.first_port, media.last_port);
    let mut bounds = given_away.split_whitespace().filter_map(|bound| bound.parse::<u16>().ok());
    match (bounds.next(), bounds.next()) {
        (Some(low), Some(high)) if media.first_port <= high && media.last_port >= low => {
            let found = format!("{range} lies in the range that the system gives away ({low}-{high})");
            Finding::warn("media ports", found, "choose another range, or set net.ipv4.ip_local_reserved_ports")
        }
        (Some(_) | None, _) => {
            Finding::ok("media ports", format!("{range}: {} at once", counted(media.pairs(), "leg")))
        }
    }
}

fn open_files(media: &Media) -> Option<Finding> {
    let (allowed, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let needed = u64::try_from(media.pairs()).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(OTHER_FILES);
    let found = format!("{allowed} allowed, {needed} needed at the most");
    Some(if allowed < needed {
        Finding::warn("open files", found, "raise it: ulimit -n, or LimitNOFILE= of the service")
    } else {
        Finding::ok("open files", found)
    })
}

fn certificates(node: &Node) -> Option<Finding> {
    let tls = node.tls.as_ref()?;
    let own = tls.certificate.display();
    let renew = "renew it, then: wardline reload";
    Some(match examine_certificates(tls) {
        Ok(Lasts::Long) => Finding::ok("certificates", format!("{own} is good for more than two weeks")),
        Ok(Lasts::NotLong) => Finding::warn("certificates", format!("{own} expires within two weeks"), renew),
        Ok(Lasts::Expired) => Finding::fail("certificates", format!("{own} has expired: peers refuse it"), renew),
        Ok(Lasts::Unknown) => Finding::ok(
            "certificates",
            format!("{own} can be used; none of our `authorities` signed it, so see yourself when it ends"),
        ),
        Err(error) => Finding::fail("certificates", format!("{error:#}"), "see [tls] in wardline.toml"),
    })
}

fn encryption(node: &Node) -> impl Iterator<Item = Finding> {
    node.trunks.values().map(|Trunk { id, transport, plain, srtp, .. }| {
        Finding::ok(
            "encryption",
            match plain {
                Some(reason) => format!("{id} goes unencrypted: {reason}"),
                None if *transport != Transport::Tls => format!("{id} goes unencrypted, and nobody has said why"),
                None if *srtp => format!("{id} speaks TLS, and its media is secured"),
                None => format!("{id} speaks TLS; its media goes unencrypted"),
            },
        )
    })
}

fn trunks(node: &Node, server: Option<&NodeStatus>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for trunk in node.trunks.values() {
        let id = &trunk.id;
        let health = server.and_then(|status| status.switch.trunks.get(id)).copied();
        findings.push(match (health, &trunk.next_hop) {
            (Some(Health::Up), _) => Finding::ok("trunk", format!("{id} answers")),
            (Some(Health::Down), _) => Finding::fail(
                "trunk",
                format!("{id} does not answer OPTIONS"),
                "look at the PBX, the address and the firewall",
            ),
            (Some(Health::Unknown) | None, Some(NextHop::Host { name, port })) => resolved(id.as_str(), name, *port),
            (Some(Health::Unknown) | None, Some(NextHop::Address(_))) if trunk.probe.is_none() => Finding::warn(
                "trunk",
                format!("{id} is not probed"),
                "write probe = \"30s\" to see when the PBX is gone",
            ),
            (Some(Health::Unknown) | None, Some(NextHop::Address(address))) => {
                Finding::ok("trunk", format!("{id} is at {address}; nothing is known of it yet"))
            }
            (Some(Health::Unknown) | None, None) => Finding::ok("trunk", format!("{id} only brings calls")),
        });
    }
    findings
}

/// Whether the name is known at all; SRV records are the server's to read.
fn resolved(id: &str, name: &str, port: Option<u16>) -> Finding {
    match (name, port.unwrap_or(5060)).to_socket_addrs().map(Iterator::count) {
        Ok(count) if count > 0 => Finding::ok("trunk", format!("{id}: {name} has {count} addresses")),
        Ok(_) | Err(_) => {
            let found = format!("{id}: {name} has no address here (it may have SRV records alone)");
            Finding::warn("trunk", found, "look at the name service: getent hosts")
        }
    }
}

// -- People and words -------------------------------------------------------------------------------------------------

fn phones(config: &Config) -> Vec<Finding> {
    let phones = config.staff.iter().flat_map(|analyst| &analyst.phones);
    let mut users: Vec<&str> = phones
        .filter_map(|phone| match &phone.kind {
            PhoneKind::Registered { user } => Some(user.as_str()),
            PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => None,
        })
        .collect();
    if users.is_empty() {
        return Vec::new();
    }
    let (dir, realm) = (&config.node.data_dir, &config.node.registration.realm);
    let known = if dir.join("store.key").exists() {
        match blocking(async || store::credentials(dir).await).and_then(|read| read) {
            Ok(known) => known,
            Err(error) => {
                return vec![Finding::fail("passwords", format!("{error:#}"), "run as the server's user")];
            }
        }
    } else {
        Vec::new()
    };
    let all = users.len();
    users.retain(|user| !known.iter().any(|one| one.account == *user && one.realm == *realm));
    vec![if users.is_empty() {
        Finding::ok("passwords", format!("every phone that registers has one ({all})"))
    } else {
        let found = format!("{} of {} cannot register: {}", users.len(), counted(all, "phone"), users.join(", "));
        Finding::warn("passwords", found, "wardline analysts set-password USER")
    }]
}

fn prompts(config: &Config) -> Finding {
    let languages = config.prompts.languages();
    let counts: Vec<String> =
        languages.map(|language| format!("{} in {language}", config.prompts.of(language).count())).collect();
    if counts.is_empty() {
        return Finding::fail(
            "prompts",
            "there are none",
            "put prompts/<language>/ beside the configuration: make prompts",
        );
    }
    Finding::ok("prompts", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::ListenerStatus;
    use crate::time::Duration;

    fn range(first_port: u16, last_port: u16) -> Media {
        let bind = "127.0.0.1".parse().expect("address");
        Media { bind, advertised: bind, first_port, last_port, workers: 1, quarantine: Duration::from_secs(30) }
    }

    #[test]
    fn a_media_range_inside_the_systems_own_is_warned_of() {
        let given_away = "32768\t60999\n";
        assert_eq!(media_ports(&range(20_000, 21_999), given_away).level, Level::Ok);
        assert_eq!(media_ports(&range(32_000, 33_999), given_away).level, Level::Warn);
        assert_eq!(media_ports(&range(60_998, 61_997), given_away).level, Level::Warn);
        assert_eq!(media_ports(&range(61_000, 61_999), given_away).level, Level::Ok);
        assert_eq!(media_ports(&range(32_000, 33_999), "").level, Level::Ok);
    }

    #[test]
    fn calls_that_all_look_alike_are_explained_with_what_to_set() {
        let alike = |number: &str| OneNumber { trunk: "pbx".into(), number: number.to_owned(), shown: 38, calls: 40 };
        let finding = looks_alike(&alike("5550100"));
        assert_eq!(finding.level, Level::Warn);
        assert!(finding.found.contains("38 of the last 40 calls show the number 5550100"), "{}", finding.found);
        assert!(finding.remedy.is_some_and(|remedy| remedy.contains("Calling Party Selection = Originator")));
        assert!(looks_alike(&alike("")).remedy.is_some_and(|remedy| remedy.contains("withholds")));
    }

    fn status() -> NodeStatus {
        let published = PublishedStatus {
            version: 1,
            digest: String::new(),
            author: String::new(),
            at: Timestamp::UNIX_EPOCH,
            message: String::new(),
            waiting: None,
            differs: Vec::new(),
            faults: Vec::new(),
        };
        let sip = ListenerStatus { address: "10.0.0.1:5060".parse().expect("an address"), transport: "udp".to_owned() };
        NodeStatus {
            version: String::new(),
            process: 1,
            ready: true,
            uptime_s: 1,
            journal: "healthy".to_owned(),
            trouble: Vec::new(),
            store_behind: 0,
            published,
            canary: None,
            listeners: vec![sip],
            switch: Default::default(),
        }
    }

    fn sample() -> Config {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
        let now = "2026-03-10T12:00:00Z".parse().expect("a time");
        let surroundings = Surroundings { variables: std::collections::BTreeMap::new(), now };
        config::load(&folder, &surroundings).expect("the sample is valid").config
    }

    /// Amara Osei, whose phone registers, works for Mercy Harbor.
    fn amara(status: &str, reachable: bool, on_shift: bool) -> Live {
        let live = serde_json::json!({
            "analyst": "amara-osei", "name": "Amara Osei", "status": status, "detail": null, "reachable": reachable,
            "on_shift": on_shift, "on_call": false, "missed": 0,
        });
        serde_json::from_value(live).expect("as the server tells it")
    }

    #[test]
    fn a_hospital_where_nobody_can_be_rung_is_warned_of_with_the_reasons() {
        let config = sample();
        let found = |live: Live| {
            let findings = ringable(&config, &[live]);
            let mercy = findings.into_iter().find(|finding| finding.found.starts_with("mercy-harbor: "));
            mercy.map(|finding| (finding.level, finding.found)).expect("a line for each hospital")
        };
        let nobody = |why: &str| (Level::Warn, format!("mercy-harbor: nobody can be rung now: {why}"));
        assert_eq!(found(amara("signed-out", true, true)), nobody("1 signed out"));
        assert_eq!(found(amara("paused", true, true)), nobody("1 paused"));
        assert_eq!(found(amara("idle", true, false)), nobody("1 off shift"));
        assert_eq!(found(amara("idle", false, true)), nobody("1 without a registered phone"));
        assert_eq!(found(amara("idle", true, true)), (Level::Ok, "mercy-harbor: 1 of 1 can be rung now".to_owned()));
        let none = ringable(&config, &[]);
        assert!(
            none.iter().all(|finding| finding.level == Level::Warn && finding.found.ends_with("it has no analysts"))
        );
    }

    #[test]
    fn callbacks_left_to_a_person_and_a_silent_canary_are_warned_of() {
        assert!(left_over(&status()).is_empty());
        let mut status = NodeStatus { canary: Some("no call of the canary went well yet".to_owned()), ..status() };
        status.switch.callbacks_failed = 14;
        let found: Vec<(Level, &str)> =
            left_over(&status).iter().map(|finding| (finding.level, finding.what)).collect();
        assert_eq!(found, [(Level::Warn, "callbacks"), (Level::Warn, "canary")]);
    }

    /// The files may name others meanwhile.
    #[test]
    fn a_running_servers_ports_are_told_by_its_own_word() {
        let found: Vec<String> =
            ports(&sample().node, Some(&status())).into_iter().map(|finding| finding.found).collect();
        assert_eq!(found, ["the server has 10.0.0.1:5060/udp"]);
    }

    #[test]
    fn a_taken_port_fails_and_says_how_to_find_its_owner() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = taken.local_addr().expect("address");
        let finding = free(address, Transport::Tcp);
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.remedy.is_some_and(|remedy| remedy.contains(&format!("sport = :{}", address.port()))));
    }

    #[test]
    fn a_missing_data_directory_is_looked_for_above() {
        let dir = tempfile::tempdir().expect("dir");
        assert_eq!(existing(&dir.path().join("a/b")), dir.path());
        assert_eq!(data_dir(&dir.path().join("a")).level, Level::Ok);
    }
}
