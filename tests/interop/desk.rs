//! The scratch hospital of a test: a folder such as sip-config/, written for one node.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::node::Place;
use crate::papers::Authority;
use crate::peer::LOCAL;

/// The hotline that everybody dials.
pub const HOTLINE: &str = "7100";
/// The hospital operator, an extension of the PBX.
pub const OPERATOR: &str = "4000";
/// The domain of analysts' phones.
pub const REALM: &str = "desk.interop.example";
/// Of every registered phone.
pub const PASSWORD: &str = "correct-horse-7-battery";

/// The PBX's name, where it shows a certificate.
pub const PBX_NAME: &str = "pbx.interop.example";

/// How an analyst is reached.
pub enum Phone {
    /// It registers with the analyst's id as user.
    Registers,
    /// So does this one, but knows digest by MD5 only.
    RegistersByMd5,
    /// Where all phones are, at this port.
    Fixed { port: u16, tcp: bool },
    /// An extension of the PBX.
    Extension(String),
}

pub struct Analyst {
    pub id: String,
    pub phone: Phone,
    /// "ehr" (all modules) when `None`, else this module of "amb".
    pub module: Option<&'static str>,
}

impl Analyst {
    pub fn registered(id: &str) -> Analyst {
        Analyst { id: id.to_owned(), phone: Phone::Registers, module: None }
    }

    pub fn old(id: &str) -> Analyst {
        Analyst { id: id.to_owned(), phone: Phone::RegistersByMd5, module: None }
    }

    pub fn fixed(id: &str, port: u16) -> Analyst {
        Analyst { id: id.to_owned(), phone: Phone::Fixed { port, tcp: false }, module: None }
    }
}

pub struct Desk<'a> {
    pub analysts: Vec<Analyst>,
    /// Where its phones and its PBX are; the node is of the same family.
    pub local: IpAddr,
    /// The port where the PBX listens for the desk's own calls.
    pub pbx: u16,
    /// One more address that is the PBX's.
    pub trunk: IpAddr,
    /// How many analysts are rung at once.
    pub at_once: u8,
    /// Its trunk speaks TLS alone, with certificates that this one signs.
    pub authority: Option<&'a Authority>,
    /// Media over that trunk is secured.
    pub srtp: bool,
}

impl<'a> Desk<'a> {
    /// A desk whose PBX takes no calls of ours.
    pub fn of(analysts: Vec<Analyst>) -> Desk<'a> {
        Desk::at(LOCAL.into(), analysts)
    }

    /// Such a desk whose phones are at `local`.
    pub fn at(local: IpAddr, analysts: Vec<Analyst>) -> Desk<'a> {
        Desk { analysts, local, pbx: 9, trunk: local, at_once: 2, authority: None, srtp: false }
    }

    /// Writes the folder `<base>/sip-config` for a node at `place`, and links the recorded prompts beside it.
    pub fn write(&self, base: &Path, place: &Place) {
        let folder = base.join("sip-config");
        fs::create_dir_all(folder.join("plans")).expect("a folder");
        let file = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        file("wardline.toml", &(self.wardline(place) + &self.tls(base, place)));
        file("hospital.toml", &hospital());
        file("analysts.toml", &self.analysts());
        let plan = include_str!("hotline.toml").replace("at_once = 2", &format!("at_once = {}", self.at_once));
        file("plans/hotline.toml", &plan);
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        std::os::unix::fs::symlink(prompts, base.join("prompts")).expect("a link");
    }

    fn wardline(&self, place: &Place) -> String {
        let Desk { local, trunk, .. } = self;
        let pbx = SocketAddr::from((*local, self.pbx));
        let Place { sip, metrics, media: (first, last) } = place;
        let address = sip.ip();
        format!(
            r#"
            name = "interop"
            data_dir = "data"
            metrics = "{metrics}"
            max_calls = 400
            drain = "3s"

            [log]
            filter = "info"
            format = "text"

            [listeners.main]
            bind = "{sip}"
            transports = ["udp", "tcp"]

            [media]
            bind = "{address}"
            ports = "{first}-{last}"
            workers = 2
            quarantine = "1s"

            [registration]
            realm = "{REALM}"

            [trunks.pbx]
            hospital = "harbor"
            peers = ["{local}", "{trunk}"]
            host = "{pbx}"
            trusted = true
            max_calls = 400
            "#
        )
    }

    /// The rest of wardline.toml; writes the certificates it names.
    fn tls(&self, base: &Path, place: &Place) -> String {
        let Some(authority) = self.authority else { return "plain = \"loopback\"\n".to_owned() };
        let address = place.encrypted().ip().to_string();
        authority.sign(base, "node", &[&address]);
        format!(
            r#"
            transport = "tls"
            srtp = {}
            certificate_names = ["{PBX_NAME}"]

            [listeners.encrypted]
            bind = "{}"
            transports = ["tls"]

            [tls]
            certificate = "node.pem"
            key = "node.key"
            authorities = "node-believes.pem"
            client_certificates = "asked"
            "#,
            self.srtp,
            place.encrypted()
        )
    }

    fn analysts(&self) -> String {
        let mut text = String::new();
        for analyst in &self.analysts {
            let Analyst { id, phone, module } = analyst;
            let phone = match phone {
                Phone::Registers => format!("register = \"{id}\""),
                Phone::RegistersByMd5 => format!("register = \"{id}\", digest = \"md5\""),
                Phone::Fixed { port, tcp } => {
                    let transport = if *tcp { ";transport=tcp" } else { "" };
                    format!("sip = \"sip:{id}@{}{transport}\"", SocketAddr::from((self.local, *port)))
                }
                Phone::Extension(number) => format!("trunk = \"pbx\", number = \"{number}\""),
            };
            let (system, modules) = module.map_or(("ehr", "*"), |module| ("amb", module));
            writeln!(
                text,
                "[analysts.{id}]\nname = \"{id}\"\nhospitals = [\"harbor\"]\nphones = [{{ {phone} }}]\n\
                 qualifications = [{{ system = \"{system}\", modules = [\"{modules}\"], level = \"advanced\" }}]\n"
            )
            .expect("a string takes everything");
        }
        text
    }
}

/// 4 West runs a system that every analyst covers; the outpatients' is shared out by module, so there a key matters.
fn hospital() -> String {
    format!(
        r#"
        id = "harbor"
        name = "Harbor"
        time_zone = "America/New_York"
        languages = ["en"]
        trunk = "pbx"
        operator = "{OPERATOR}"
        code_numbers = ["5555"]
        inside_digits = [4]

        [hotlines.{HOTLINE}]
        plan = "hotline"

        [sites.harbor]
        name = "Harbor campus"

        [systems.ehr]
        name = "Inpatient"
        product = "Meridian"
        release = "2026.1"
        modules = ["charting", "orders", "sign-in", "equipment"]

        [systems.amb]
        name = "Ambulatory"
        product = "Meridian"
        release = "2025.2"
        modules = ["charting", "sign-in", "equipment"]

        [units]
        4-west = {{ site = "harbor", name = "4 West", system = "ehr" }}
        outpatient = {{ site = "harbor", name = "Outpatient", system = "amb" }}

        [[extensions]]
        number = "4700-4999"
        unit = "4-west"

        [[extensions]]
        number = "5310-5317"
        unit = "outpatient"
        "#
    )
}
