//! What happened, for people: one line a message, and what each phone heard.

use std::fmt::Write;
use std::path::Path;

use wardline::ids::LegId;
use wardline::ticket::Event;

use crate::world::{Seen, World};

/// "INVITE +sdp", "200 INVITE", "BYE".
pub fn label(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default();
    let mut words = first.split(' ');
    let label = match words.next() {
        Some("SIP/2.0") => {
            let status = words.next().unwrap_or_default();
            let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default();
            format!("{status} {}", cseq.split(' ').nth(1).unwrap_or_default())
        }
        Some(method) => method.to_owned(),
        None => String::new(),
    };
    let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
    if body.starts_with("v=0") { format!("{label} +sdp") } else { label }
}

impl World {
    fn name_of(&self, leg: LegId) -> String {
        let owner = self.media.port_of(leg).or_else(|| self.media.last_port(leg)).and_then(|port| {
            self.phones.iter().find(|phone| {
                let mine =
                    |session: &crate::phone::Session| session.remote_media.is_some_and(|remote| remote.port() == port);
                phone.sessions.iter().any(mine)
            })
        });
        owner.map_or_else(|| format!("leg {leg}"), |phone| phone.name.clone())
    }

    /// The whole ladder, times in ms from dialling.
    pub fn ladder(&self) -> String {
        let mut text = String::new();
        for (at, seen) in &self.seen {
            let ms = at.since(self.t0).as_millis();
            let _ = match seen {
                Seen::Sent { from, to, bytes, lost } => {
                    let lost = if *lost { "  (lost)" } else { "" };
                    writeln!(text, "{ms:>6} {from} > {to}: {}{lost}", label(bytes))
                }
                Seen::Heard { who, what } => writeln!(text, "{ms:>6} {} hears {what}", self.name_of(*who)),
                Seen::Joined { a, b } => writeln!(text, "{ms:>6} {} = {}", self.name_of(*a), self.name_of(*b)),
            };
        }
        text
    }

    /// Ladder, and what the journal says, in one: for a failure's message.
    pub fn story(&self) -> String {
        let mut text = self.ladder();
        text.push_str("-- records\n");
        for record in &self.records {
            let ms = self.ms(record.at);
            let event = format!("{:?}", record.event);
            let short: String = event.chars().take(160).collect();
            let _ = writeln!(text, "{ms:>6} {} {short}", record.call.map(|call| call.to_string()).unwrap_or_default());
        }
        let _ = writeln!(text, "-- status {:?}", self.status());
        text
    }

    /// Compares the whole ladder with `ladders/NAME.txt`, to the last letter. `UPDATE_LADDERS=1` writes the file anew; what
    /// changed in it is for `git diff` to show and for a reader to judge.
    #[track_caller]
    pub fn expect_ladder(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls/ladders").join(format!("{name}.txt"));
        let is = self.ladder();
        if std::env::var_os("UPDATE_LADDERS").is_some() {
            std::fs::write(&path, &is).expect("written");
            return;
        }
        let should = std::fs::read_to_string(&path).unwrap_or_default();
        if is != should {
            let same = is.lines().zip(should.lines()).take_while(|(a, b)| a == b).count();
            panic!(
                "{name}.txt differs at line {}:\n is     {:?}\n should {:?}\nUPDATE_LADDERS=1 takes it over\n{}",
                same + 1,
                is.lines().nth(same),
                should.lines().nth(same),
                self.story()
            );
        }
    }
}

// -- What tests ask of a ladder --------------------------------------------------------------------------------------

impl World {
    fn since_t0(&self, at: wardline::time::Instant) -> i64 {
        let ms = |at: wardline::time::Instant| i64::try_from(at.as_micros() / 1_000).expect("a time of a test");
        ms(at) - ms(self.t0)
    }

    /// When messages with this label went from one to the other, lost ones too.
    pub fn sent(&self, from: &str, to: &str, what: &str) -> Vec<i64> {
        self.seen
            .iter()
            .filter_map(|(at, seen)| match seen {
                Seen::Sent { from: sender, to: receiver, bytes, .. }
                    if sender == from && receiver == to && label(bytes).starts_with(what) =>
                {
                    Some(self.since_t0(*at))
                }
                Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
            })
            .collect()
    }

    /// What a phone heard, and when it began.
    pub fn heard(&self, name: &str) -> Vec<(i64, String)> {
        self.seen
            .iter()
            .filter_map(|(at, seen)| match seen {
                Seen::Heard { who, what } if self.name_of(*who) == name => Some((self.since_t0(*at), what.clone())),
                Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
            })
            .collect()
    }

    pub fn joined(&self) -> Vec<(i64, String)> {
        self.seen
            .iter()
            .filter_map(|(at, seen)| match seen {
                Seen::Joined { a, b } => {
                    Some((self.since_t0(*at), format!("{} = {}", self.name_of(*a), self.name_of(*b))))
                }
                Seen::Sent { .. } | Seen::Heard { .. } => None,
            })
            .collect()
    }

    /// Whom the desk offered a call, and when.
    pub fn rung(&self) -> Vec<(i64, String)> {
        self.events()
            .filter_map(|(at, event)| {
                if let Event::OfferSent { analyst, .. } = event { Some((at, analyst.to_string())) } else { None }
            })
            .collect()
    }

    /// The first message with this label, whole.
    pub fn seen_text(&self, from: &str, to: &str, what: &str) -> String {
        self.texts(from, to, what).into_iter().next().unwrap_or_default()
    }

    /// Every message with this label, whole.
    pub fn texts(&self, from: &str, to: &str, what: &str) -> Vec<String> {
        self.seen
            .iter()
            .filter_map(|(_, seen)| match seen {
                Seen::Sent { from: sender, to: receiver, bytes, .. }
                    if sender == from && receiver == to && label(bytes).starts_with(what) =>
                {
                    Some(String::from_utf8_lossy(bytes).into_owned())
                }
                Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
            })
            .collect()
    }

    /// What the desk sent to this name or address.
    pub fn labels_to(&self, name: &str) -> Vec<String> {
        self.seen
            .iter()
            .filter_map(|(_, seen)| match seen {
                Seen::Sent { to, bytes, .. } if to == name => Some(label(bytes)),
                Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
            })
            .collect()
    }

    /// What the desk answered to bytes that no phone of the PBX sent: its first phone stands for them.
    pub fn labels_to_pbx(&self) -> Vec<String> {
        self.labels_to("4710")
    }
}
