//! baresip, headless: driven over its control socket, heard through the files that its sndfile module writes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::PASSWORD;
use crate::node::Node;
use crate::papers::Papers;
use crate::peer::{LOCAL, Peer, free_ports, free_ports_at, installed, until};
use crate::pjsua::WARD_HZ;
use crate::tone::write_tone;

/// Answers of the local control socket.
const TOLD_WITHIN: Duration = Duration::from_secs(40);
const RTP_PORTS: u16 = 20;
/// Where Debian keeps its modules.
const MODULES: &str = "/usr/lib/baresip/modules";

pub struct Baresip {
    folder: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    /// Everything it told, oldest first: `type` and `param` of each event.
    events: Vec<(String, String)>,
    seen: usize,
    _process: Peer,
}

/// How a phone is set up.
pub struct Setup<'a> {
    pub name: &'a str,
    /// The user part of its address: an extension, or an analyst's id.
    pub user: &'a str,
    /// "PCMA/8000", "G722/16000".
    pub codec: &'a str,
    /// What it says, Hz.
    pub tone: f64,
    pub tcp: bool,
    /// It speaks TLS, shows this certificate, and believes that authority alone.
    pub papers: Option<&'a Papers>,
    /// Registers with the node (digest), and answers by itself.
    pub registers: bool,
}

impl<'a> Setup<'a> {
    /// A phone behind the PBX.
    pub fn ward(user: &'a str) -> Setup<'a> {
        let (name, codec, tone) = ("ward", "PCMA/8000", WARD_HZ);
        Setup { name, user, codec, tone, tcp: false, papers: None, registers: false }
    }
}

impl Baresip {
    pub fn start(node: &Node, setup: &Setup<'_>) -> Baresip {
        let folder = node.file(setup.name);
        fs::create_dir_all(folder.join("heard")).expect("a folder");
        let rate = if setup.codec.starts_with("G722") { 16_000 } else { 8_000 };
        write_tone(&folder.join("tone.wav"), rate, setup.tone);
        let sip = SocketAddr::from((node.local, free_ports_at(node.local, 2)));
        let control = free_ports(2);
        let config = config(&folder, sip, control) + &tls(&folder, setup.papers);
        fs::write(folder.join("config"), config).expect("a file");
        fs::write(folder.join("accounts"), account(node, setup, sip)).expect("a file");
        fs::write(folder.join("contacts"), "").expect("a file");
        let mut command = Command::new(installed("baresip"));
        command.arg("-f").arg(&folder);
        let process = Peer::start(setup.name, node.folder(), &mut command);
        let control = until("baresip takes commands", TOLD_WITHIN, || TcpStream::connect((LOCAL, control)).ok());
        control.set_read_timeout(Some(Duration::from_millis(20))).expect("a live socket");
        if setup.registers {
            // It may have told so before anybody listened.
            until("baresip registers", TOLD_WITHIN, || (node.figure("bindings") > 0).then_some(()));
        }
        Baresip { folder, control, unread: Vec::new(), events: Vec::new(), seen: 0, _process: process }
    }

    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Presses a key: telephone-event, as its account says.
    pub fn press(&mut self, key: char) {
        self.command("sndcode", &key.to_string());
    }

    fn command(&mut self, command: &str, parameters: &str) {
        let text = json!({ "command": command, "params": parameters }).to_string();
        write!(self.control, "{}:{text},", text.len()).expect("baresip listens");
    }

    /// Waits for an event of this type after those that were waited for before, and gives its parameter.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> String {
        until(&format!("baresip tells {kind}"), TOLD_WITHIN, || {
            self.listen();
            let found = self.events[self.seen..].iter().position(|(name, _)| name == kind)?;
            self.seen += found + 1;
            Some(self.events[self.seen - 1].1.clone())
        })
    }

    /// Takes what its socket has, as netstrings of JSON.
    fn listen(&mut self) {
        let mut some = [0; 4_096];
        // Nothing to read within the time-out is nothing new.
        if let Ok(count) = self.control.read(&mut some) {
            self.unread.extend_from_slice(&some[..count]);
        }
        while let Some(colon) = self.unread.iter().position(|byte| *byte == b':') {
            let length: usize = std::str::from_utf8(&self.unread[..colon]).expect("digits").parse().expect("a length");
            let Some(text) = self.unread.get(colon + 1..colon + 1 + length) else { return };
            let told: Value = serde_json::from_slice(text).expect("JSON");
            let word = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
            self.events.push((word("type"), word("param")));
            self.unread.drain(..colon + length + 2);
        }
    }

    /// The recording of what it heard in its only call.
    pub fn heard(&self) -> PathBuf {
        let files = fs::read_dir(self.folder.join("heard")).expect("its folder");
        let mut dumps =
            files.map(|file| file.expect("a file").path()).filter(|path| path.to_string_lossy().ends_with("-dec.wav"));
        dumps.next().expect("it decoded something")
    }
}

fn config(folder: &Path, sip: SocketAddr, control: u16) -> String {
    let (shown, local) = (folder.display(), sip.ip());
    let first = free_ports_at(local, RTP_PORTS);
    let last = first + RTP_PORTS - 1;
    format!(
        "sip_listen {sip}\nnet_interface {local}\nctrl_tcp_listen {LOCAL}:{control}\n\
         audio_source aufile,{shown}/tone.wav\naudio_player aufile,{shown}/played.wav\naudio_level no\n\
         rtp_ports {first}-{last}\nsnd_path {shown}/heard\nmodule_path {MODULES}\nmodule g711.so\nmodule g722.so\n\
         module aufile.so\nmodule sndfile.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
    )
}

/// The rest of its configuration. It wants certificate and key in one file.
fn tls(folder: &Path, papers: Option<&Papers>) -> String {
    let Some(Papers { certificate, key, authority }) = papers else { return String::new() };
    let read = |path: &Path| fs::read_to_string(path).expect("a file");
    let own = folder.join("papers.pem");
    fs::write(&own, read(certificate) + &read(key)).expect("a file");
    format!("sip_certificate {}\nsip_cafile {}\n", own.display(), authority.display())
}

fn account(node: &Node, setup: &Setup<'_>, own: SocketAddr) -> String {
    let (user, codec) = (setup.user, setup.codec);
    let (transport, registrar) = match setup.papers {
        Some(_) => ("tls", node.encrypted),
        None => (if setup.tcp { "tcp" } else { "udp" }, node.sip),
    };
    let codecs = format!("audio_codecs={codec}/1;dtmfmode=rtpevent");
    if setup.registers {
        // Its registrar is the host of its address.
        format!(
            "<sip:{user}@{registrar};transport={transport}>;auth_user={user};auth_pass={PASSWORD};regint=60;\
             answermode=auto;{codecs}\n"
        )
    } else {
        format!("<sip:{user}@{own};transport={transport}>;regint=0;{codecs}\n")
    }
}
