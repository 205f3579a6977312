//! What a simulated day begins with: the desk's files, the accounts, and every phone.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use wardline::config::{Config, File, Folder, Surroundings, compose};
use wardline::diagnostic::Report;
use wardline::registrar::Account;
use wardline::sip::digest::{Algorithm, ha1};

use crate::phone::Phone;
use crate::world::{DESK, PBX, WALL};

const NODE: &str = include_str!("desk/wardline.toml");
const HOSPITAL: &str = include_str!("desk/hospital.toml");
pub const SAMPLE: &str = include_str!("../../sip-config/plans/hotline.toml");

thread_local! {
    static CONFIG: OnceCell<Arc<Config>> = const { OnceCell::new() };
}

/// The desk's files, as every test but a few has them.
pub fn desk_config() -> Arc<Config> {
    CONFIG.with(|config| Arc::clone(config.get_or_init(|| composed(NODE))))
}

/// The PBX's word for who calls counts for nothing.
pub fn untrusting_config() -> Arc<Config> {
    composed(&NODE.replace("trusted = true", "trusted = false"))
}

/// The PBX is known by a name only.
pub fn named_config() -> Arc<Config> {
    composed(&NODE.replace("host = \"10.0.1.1:5060\"", "host = \"pbx.harbor.test:5060\""))
}

/// Another plan for 7100, and a calendar of every day.
pub fn planned_config(plan: &str) -> Arc<Config> {
    let hospital = format!("{HOSPITAL}\n[calendars.week]\nhours = \"00:00-23:59\"\n");
    composed_of(NODE, &hospital, plan)
}

fn composed(node: &str) -> Arc<Config> {
    composed_of(node, HOSPITAL, SAMPLE)
}

fn composed_of(node: &str, hospital: &str, plan: &str) -> Arc<Config> {
    let file = |name: &str, stem: &str, text: &str| File {
        name: name.to_owned(),
        stem: stem.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let folder = Folder {
        name: "desk".to_owned(),
        base: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        node: Some(file("wardline.toml", "wardline", node)),
        hospitals: vec![file("hospital.toml", "hospital", hospital)],
        analysts: vec![file("analysts.toml", "analysts", include_str!("desk/analysts.toml"))],
        plans: vec![
            file("plans/front-desk.toml", "front-desk", include_str!("desk/front-desk.toml")),
            file("plans/hotline.toml", "hotline", plan),
        ],
        strange: Vec::new(),
    };
    let now: Timestamp = WALL.parse().expect("a time");
    let surroundings = Surroundings { variables: BTreeMap::new(), now };
    match compose(&folder, &surroundings, Report::new()) {
        Ok(loaded) => Arc::new(loaded.config),
        Err(report) => panic!("the desk's files are wrong: {report:#?}"),
    }
}

pub fn account(user: &str, password: &str) -> Account {
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
