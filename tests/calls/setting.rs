//! What a simulated day begins with: the desk's files, the accounts, and every phone.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use wardline::config::{Config, File, Folder, Surroundings, compose};
use wardline::diagnostic::Report;
use wardline::identity::Pins;
use wardline::ids::{ClinicianId, HospitalId};
use wardline::registrar::Account;
use wardline::sip::digest::{Algorithm, ha1};

use crate::phone::Phone;
use crate::world::{DESK, PBX, WALL};

pub const SAMPLE: &str = include_str!("../../sip-config/plans/hotline.toml");

thread_local! {
    static CONFIG: OnceCell<Arc<Config>> = const { OnceCell::new() };
}

/// The desk's files, as every test but a few has them.
pub fn desk_config() -> Arc<Config> {
    CONFIG.with(|config| Arc::clone(config.get_or_init(|| desk_with(&[]))))
}

/// The PBX's word for who calls counts for nothing.
pub fn untrusting_config() -> Arc<Config> {
    desk_with(&[("wardline", "trusted = true", "trusted = false")])
}

/// The PBX is known by a name only.
pub fn named_config() -> Arc<Config> {
    desk_with(&[("wardline", "host = \"10.0.1.1:5060\"", "host = \"pbx.harbor.test:5060\"")])
}

/// The same, asked with OPTIONS whether it is there.
pub fn probed_config() -> Arc<Config> {
    desk_with(&[("wardline", "host = \"10.0.1.1:5060\"", "host = \"pbx.harbor.test:5060\"\nprobe = \"30s\"")])
}

/// The PBX has moved to another name.
pub fn moved_config() -> Arc<Config> {
    desk_with(&[
        ("wardline", "peers = [\"10.0.1.0/24\"]\n", ""),
        ("wardline", "host = \"10.0.1.1:5060\"", "host = \"new.harbor.test:5060\"\npeers = [\"10.0.3.0/24\"]"),
    ])
}

/// The PBX knows us by a password.
pub fn known_config() -> Arc<Config> {
    let auth = "trusted = true\nauth = { user = \"wardline\", realm = \"pbx\", password = { env = \"PBX_PASSWORD\" } }";
    desk_with(&[("wardline", "trusted = true", auth)])
}

/// The PBX is spoken to over TLS alone, and known by the name in its certificate.
pub fn encrypted_config() -> Arc<Config> {
    encrypted("host = \"10.0.1.1:5061\"\ntransport = \"tls\"\ncertificate_names = [\"pbx.harbor.test\"]")
}

/// The same, with the name of its host alone.
pub fn encrypted_by_host_config() -> Arc<Config> {
    encrypted("host = \"pbx.harbor.test:5061\"\ntransport = \"tls\"")
}

fn encrypted(trunk: &str) -> Arc<Config> {
    let listener = "[listeners.encrypted]\nbind = \"10.0.0.10:5061\"\ntransports = [\"tls\"]\n\n[tls]\n\
                    certificate = \"none.pem\"\nkey = \"none.key\"\nauthorities = \"none.pem\"\n\
                    client_certificates = \"asked\"\n\n[media]";
    let plain = "plain = \"a simulation\"\n";
    desk_with(&[
        ("wardline", "[media]", listener),
        ("wardline", "host = \"10.0.1.1:5060\"", trunk),
        ("wardline", plain, ""),
    ])
}

/// Another plan for 7100, and a calendar of every day.
pub fn planned_config(plan: &str) -> Arc<Config> {
    let calendar = "[calendars.week]\nhours = \"00:00-23:59\"\n\n[hotlines.7100]";
    composed(&[("hospital", "[hotlines.7100]", calendar)], plan)
}

/// With texts of the files replaced: (stem, from, to).
pub fn desk_with(edits: &[(&str, &str, &str)]) -> Arc<Config> {
    composed(edits, SAMPLE)
}

/// With a second hospital that has the same systems, and for which Ana works as well.
pub fn two_hospitals(edits: &[(&str, &str, &str)]) -> Arc<Config> {
    let own = [
        ("inland", "id = \"harbor\"", "id = \"inland\""),
        ("inland", "name = \"Harbor\"", "name = \"Inland\""),
        ("inland", "trunk = \"pbx\"", "trunk = \"inland-pbx\""),
        (
            "wardline",
            "[trunks.pbx]",
            "[trunks.inland-pbx]\nhospital = \"inland\"\nplain = \"a simulation\"\nhost = \"10.0.9.1:5060\"\n\n[trunks.pbx]",
        ),
        ("analysts", "hospitals = [\"harbor\"]", "hospitals = [\"harbor\", \"inland\"]"),
    ];
    composed(&own.into_iter().chain(edits.iter().copied()).collect::<Vec<_>>(), SAMPLE)
}

fn composed(edits: &[(&str, &str, &str)], plan: &str) -> Arc<Config> {
    let file = |name: &str, stem: &str, text: &str| {
        let mut text = text.to_owned();
        for (_, from, to) in edits.iter().filter(|(file, _, _)| *file == stem) {
            assert!(text.contains(from), "{stem}: {from}");
            text = text.replacen(from, to, 1);
        }
        File { name: name.to_owned(), stem: stem.to_owned(), bytes: text.into_bytes() }
    };
    let hospital = include_str!("desk/hospital.toml");
    let mut hospitals = vec![file("hospital.toml", "hospital", hospital)];
    if edits.iter().any(|(stem, _, _)| *stem == "inland") {
        hospitals.push(file("hospital-inland.toml", "inland", hospital));
    }
    let folder = Folder {
        name: "desk".to_owned(),
        base: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        node: Some(file("wardline.toml", "wardline", include_str!("desk/wardline.toml"))),
        hospitals,
        analysts: vec![file("analysts.toml", "analysts", include_str!("desk/analysts.toml"))],
        plans: vec![
            file("plans/front-desk.toml", "front-desk", include_str!("desk/front-desk.toml")),
            file("plans/hotline.toml", "hotline", plan),
        ],
        ..Folder::default()
    };
    let now: Timestamp = WALL.parse().expect("a time");
    let variables = BTreeMap::from([("PBX_PASSWORD".to_owned(), "secret-pbx".to_owned())]);
    let surroundings = Surroundings { variables, now };
    match compose(&folder, &surroundings, Report::new()) {
        Ok(loaded) => Arc::new(loaded.config),
        Err(report) => panic!("the desk's files are wrong: {report:#?}"),
    }
}

/// Dr. Rao's PIN is 274913; nobody else has one.
pub fn pins() -> Pins {
    let mut pins = Pins::default();
    pins.set(&HospitalId::new("harbor"), &ClinicianId::new("anika-rao"), "274913");
    pins
}

/// The phones that may register.
pub fn accounts() -> Vec<Account> {
    vec![account("cho", "secret-cho"), account("zoe", "secret-zoe")]
}

fn account(user: &str, password: &str) -> Account {
    Account {
        user: user.to_owned(),
        ha1_md5: Some(ha1(Algorithm::Md5, user, "desk.test", password)),
        ha1_sha256: Some(ha1(Algorithm::Sha256, user, "desk.test", password)),
        digest: Default::default(),
    }
}

/// Every phone of the world. Those of the PBX share its address.
pub fn phones() -> Vec<Phone> {
    let desk = DESK.parse().expect("an address");
    let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
    let behind_pbx = ["4710", "4711", "4712", "5310", "5311", "4600", "5100", "7741", "4000", "4901", "4780"];
    let mut phones: Vec<Phone> =
        behind_pbx.into_iter().map(|number| Phone::new(number, number, address(PBX), desk)).collect();
    phones.push(Phone::new("hal", "912025550117", address(PBX), desk));
    phones.push(Phone::new("outside", "+12125550188", address(PBX), desk));
    let fixed = [("ana", 1), ("ben", 2), ("cho", 3), ("eva", 5), ("finn", 6), ("gus", 7), ("ivy", 9), ("zoe", 10)];
    for (name, host) in fixed {
        phones.push(Phone::new(name, name, address(&format!("10.0.2.{host}:5060")), desk));
    }
    for phone in &mut phones {
        if phone.name == "4901" {
            phone.name = "dev".to_owned();
        }
        if phone.name == "cho" {
            phone.password = Some("secret-cho");
        }
    }
    phones
}
