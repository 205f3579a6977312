//! linphonec: commands on its standard input, sound from and to files, what happens as lines of its output.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::desk::PASSWORD;
use crate::node::Node;
use crate::peer::{LOCAL, Peer, free_ports, installed, until};
use crate::tone::write_tone;

const TOLD_WITHIN: Duration = Duration::from_secs(40);
/// Of the codec that is agreed with it: PCMU.
const RATE: u32 = 8_000;

pub struct Linphone {
    process: Peer,
    folder: PathBuf,
    seen: usize,
}

impl Linphone {
    /// A phone that registers nowhere and says who it is itself.
    pub fn ward(node: &Node, extension: &str, tone: f64) -> Linphone {
        Linphone::start(node, "ward", &format!("sip:{extension}@{LOCAL}"), tone)
    }

    /// An analyst's, which registers.
    pub fn analyst(node: &Node, user: &str, tone: f64) -> Linphone {
        let mut phone = Linphone::start(node, user, &format!("sip:{user}@{LOCAL}"), tone);
        // No port: this is the README's line, at another address.
        phone.tell(&format!("register sip:{user}@{0} sip:{0} {PASSWORD}", node.sip.ip()));
        until("linphonec registers", TOLD_WITHIN, || (node.figure("bindings") > 0).then_some(()));
        phone
    }

    fn start(node: &Node, name: &str, address: &str, tone: f64) -> Linphone {
        let folder = node.file(name);
        // Without this folder its core does not start, and nothing says so.
        fs::create_dir_all(folder.join(".local/share/linphone")).expect("a folder");
        write_tone(&folder.join("tone.wav"), RATE, tone);
        let (sip, rtp) = (free_ports(2), free_ports(2));
        let settings = format!(
            "[sip]\nsip_port={sip}\nsip_tcp_port=0\nbind_address={LOCAL}\ncontact={address}\nguess_hostname=0\n\
             [rtp]\naudio_rtp_port={rtp}\nbind_address={LOCAL}\n"
        );
        fs::write(folder.join("settings"), settings).expect("a file");
        let mut command = Command::new(installed("linphonec"));
        command.current_dir(&folder).env("HOME", &folder).args(["-c", "settings"]);
        let mut phone = Linphone { process: Peer::start(name, node.folder(), &mut command), folder, seen: 0 };
        phone.expect("linphonec> ");
        for command in ["soundcard use files", "play tone.wav", "record heard.wav"] {
            phone.tell(command);
        }
        phone.expect("Using wav files");
        phone
    }

    /// One line of its command language: "call sip:…", "answer", a key, "terminate".
    pub fn tell(&mut self, command: &str) {
        let input = self.process.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{command}").expect("linphonec reads");
    }

    /// Waits for these words in its output, after those that were waited for before.
    #[track_caller]
    pub fn expect(&mut self, words: &str) {
        let seen = self.seen;
        let what = format!("{} says \"{words}\"", self.process.name);
        let end = until(&what, TOLD_WITHIN, || {
            let output = self.process.output();
            output.get(seen..)?.find(words).map(|at| seen + at + words.len())
        });
        self.seen = end;
    }

    /// The recording of what it heard in its only call; complete once the phone has quit.
    pub fn quit(mut self) -> PathBuf {
        self.tell("quit");
        self.process.wait(TOLD_WITHIN);
        self.folder.join("heard.wav")
    }
}
