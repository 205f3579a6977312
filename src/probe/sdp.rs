//! Session descriptions, as much as a test phone needs: one audio line, plain RTP (RFC 4566, RFC 3264).

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::script::HoldBy;

/// What the probe can speak, by its RTP/AVP name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "UPPERCASE")]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
}

impl Codec {
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
        }
    }

    /// The static payload type (RFC 3551 table 4).
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
        }
    }

    fn from_name(name: &str) -> Option<Codec> {
        [Codec::Pcmu, Codec::Pcma, Codec::G722].into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}

/// Who may send, as seen by the one who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    const ALL: [Direction; 4] = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

    fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// The other side's words.
#[derive(Clone, Debug)]
pub struct Description {
    address: Option<IpAddr>,
    port: u16,
    codecs: Vec<(u8, Codec)>,
    telephone_event: Option<u8>,
    direction: Direction,
    /// Every m-line as written, so that an answer has as many (RFC 3264 section 6).
    lines: Vec<String>,
    /// Which of them is the audio that is taken.
    audio: usize,
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    pub remote: SocketAddr,
    pub codec: Codec,
    pub payload_type: u8,
    pub telephone_event: Option<u8>,
    /// Our side of it.
    pub direction: Direction,
}

/// Our side of the exchange.
#[derive(Clone, Debug)]
pub struct Local {
    pub address: SocketAddr,
    pub codecs: Vec<Codec>,
    pub telephone_event: bool,
    id: u64,
    version: u64,
    hold: Option<HoldBy>,
}

/// The payload type that the probe offers for keys.
const TELEPHONE_EVENT: u8 = 101;

impl Local {
    pub fn new(address: SocketAddr, codecs: Vec<Codec>, telephone_event: bool, id: u64) -> Local {
        Local { address, codecs, telephone_event, id, version: 0, hold: None }
    }

    /// Holds or resumes from the next offer on.
    pub fn set_hold(&mut self, hold: Option<HoldBy>) {
        self.hold = hold;
    }

    pub fn on_hold(&self) -> bool {
        self.hold.is_some()
    }

    pub fn offer(&mut self) -> String {
        let codecs: Vec<(u8, Codec)> = self.codecs.iter().map(|codec| (codec.payload_type(), *codec)).collect();
        let direction = match self.hold {
            None | Some(HoldBy::Zero) => Direction::SendRecv,
            Some(HoldBy::Sendonly) => Direction::SendOnly,
            Some(HoldBy::Inactive) => Direction::Inactive,
        };
        let line = self.audio_line(&codecs, self.telephone_event.then_some(TELEPHONE_EVENT), direction);
        self.whole(&line)
    }

    /// Our answer and what it agrees on; `None` when there is no codec in common (488).
    pub fn answer(&mut self, offer: &Description) -> Option<(String, Agreed)> {
        // The offerer's order of preference is followed (RFC 3264 section 6.1).
        let (payload_type, codec) = *offer.codecs.iter().find(|(_, codec)| self.codecs.contains(codec))?;
        let held = offer.held();
        let ours = if self.hold.is_some() { Direction::SendOnly } else { Direction::SendRecv };
        let direction =
            Direction::of(ours.sends() && offer.direction.receives(), ours.receives() && offer.direction.sends());
        let telephone_event = offer.telephone_event.filter(|_| self.telephone_event);
        let audio = self.audio_line(&[(payload_type, codec)], telephone_event, direction);
        let lines: String = offer
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| if index == offer.audio { audio.clone() } else { refused(line) })
            .collect();
        let direction = if held { Direction::of(false, direction.receives()) } else { direction };
        let agreed = Agreed { remote: offer.remote()?, codec, payload_type, telephone_event, direction };
        Some((self.whole(&lines), agreed))
    }

    /// What an answer to our offer agrees on.
    pub fn accept(&self, answer: &Description) -> Option<Agreed> {
        let (payload_type, codec) = *answer.codecs.iter().find(|(_, codec)| self.codecs.contains(codec))?;
        let ours = match self.hold {
            None => Direction::SendRecv,
            Some(HoldBy::Sendonly) => Direction::SendOnly,
            Some(HoldBy::Inactive | HoldBy::Zero) => Direction::Inactive,
        };
        let direction = Direction::of(
            // Who holds sends nothing of its own: this phone has no hold music.
            ours == Direction::SendRecv && answer.direction.receives() && !answer.held(),
            ours.receives() && answer.direction.sends(),
        );
        let telephone_event = answer.telephone_event.filter(|_| self.telephone_event);
        Some(Agreed { remote: answer.remote()?, codec, payload_type, telephone_event, direction })
    }

    fn audio_line(&self, codecs: &[(u8, Codec)], telephone_event: Option<u8>, direction: Direction) -> String {
        let types = codecs.iter().map(|(payload_type, _)| *payload_type).chain(telephone_event);
        let list: String = types.map(|payload_type| format!(" {payload_type}")).collect();
        let mut out = format!("m=audio {} RTP/AVP{list}\r\n", self.address.port());
        for (payload_type, codec) in codecs {
            out += &format!("a=rtpmap:{payload_type} {}/8000\r\n", codec.name());
        }
        if let Some(payload_type) = telephone_event {
            out += &format!("a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n");
        }
        out + &format!("a=ptime:20\r\na={}\r\n", direction.name())
    }

    fn whole(&mut self, media: &str) -> String {
        self.version += 1;
        let ip = self.address.ip();
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let connection = match (self.hold, ip) {
            (Some(HoldBy::Zero), IpAddr::V4(_)) => "0.0.0.0".to_owned(),
            (Some(HoldBy::Zero), IpAddr::V6(_)) => "::".to_owned(),
            (None | Some(HoldBy::Sendonly | HoldBy::Inactive), _) => ip.to_string(),
        };
        format!(
            "v=0\r\no=probe {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {connection}\r\nt=0 0\r\n{media}",
            self.id, self.version
        )
    }
}

/// An m-line of the offer with port 0.
fn refused(line: &str) -> String {
    let mut words = line.split(' ');
    let kind = words.next().unwrap_or("audio");
    let rest: Vec<&str> = words.skip(1).collect();
    format!("m={kind} 0 {}\r\n", rest.join(" "))
}

impl Description {
    /// Reads a description; `None` when it has no audio line over plain RTP.
    pub fn parse(body: &[u8]) -> Option<Description> {
        let text = std::str::from_utf8(body).ok()?;
        let mut lines: Vec<String> = Vec::new();
        let (mut session_address, mut session_direction) = (None, Direction::SendRecv);
        let mut found: Option<Description> = None;
        for line in text.lines().map(str::trim_end) {
            let Some((kind, value)) = line.split_once('=') else { continue };
            if kind == "m" {
                lines.push(value.to_owned());
                let index = lines.len() - 1;
                if found.is_none() {
                    found = audio_line(value, index, session_address, session_direction);
                }
                continue;
            }
            // Attributes belong to the m-line above them, or to the session before the first.
            let current = found.as_mut().filter(|found| found.audio + 1 == lines.len());
            match (kind, current) {
                ("c", Some(found)) => found.address = connection(value).or(found.address),
                ("a", Some(found)) => found.attribute(value),
                ("c", None) if lines.is_empty() => session_address = connection(value),
                ("a", None) if lines.is_empty() => {
                    session_direction = direction(value).unwrap_or(session_direction);
                }
                _ => {}
            }
        }
        found.map(|found| Description { lines, ..found })
    }

    fn attribute(&mut self, value: &str) {
        if let Some(direction) = direction(value) {
            self.direction = direction;
        }
        let Some((payload_type, name)) = value.strip_prefix("rtpmap:").and_then(|map| map.split_once(' ')) else {
            return;
        };
        let (Ok(payload_type), Some((name, rate))) = (payload_type.parse::<u8>(), name.trim().split_once('/')) else {
            return;
        };
        if name.eq_ignore_ascii_case("telephone-event") && rate == "8000" {
            self.telephone_event = Some(payload_type);
        } else if payload_type >= 96
            && let Some(codec) = Codec::from_name(name)
        {
            self.codecs.push((payload_type, codec));
        }
    }

    fn remote(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address?, self.port))
    }

    /// Asked to be silent: by direction or in the old way, `c=0.0.0.0`.
    fn held(&self) -> bool {
        !self.direction.receives() || self.address.is_some_and(|address| address.is_unspecified())
    }

    /// One line for the ladder.
    pub fn summary(&self) -> String {
        let codecs: Vec<&str> = self.codecs.iter().map(|(_, codec)| codec.name()).collect();
        let keys = if self.telephone_event.is_some() { "+keys" } else { "" };
        let remote = self.remote().map_or_else(|| format!("?:{}", self.port), |remote| remote.to_string());
        format!("{}{keys} {} {remote}", codecs.join("/"), self.direction.name())
    }
}

fn audio_line(value: &str, index: usize, address: Option<IpAddr>, direction: Direction) -> Option<Description> {
    let mut words = value.split_whitespace();
    let (kind, port, transport) = (words.next()?, words.next()?.parse::<u16>().ok()?, words.next()?);
    if kind != "audio" || port == 0 || transport != "RTP/AVP" {
        return None;
    }
    let statics = [Codec::Pcmu, Codec::Pcma, Codec::G722];
    let codecs = words
        .filter_map(|word| word.parse::<u8>().ok())
        .filter_map(|number| {
            statics.into_iter().find(|codec| codec.payload_type() == number).map(|codec| (number, codec))
        })
        .collect();
    Some(Description { address, port, codecs, telephone_event: None, direction, lines: Vec::new(), audio: index })
}

/// `IN IP4 10.0.0.1`.
fn connection(value: &str) -> Option<IpAddr> {
    value.split_whitespace().nth(2)?.split('/').next()?.parse().ok()
}

fn direction(value: &str) -> Option<Direction> {
    Direction::ALL.into_iter().find(|direction| direction.name() == value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Local {
        Local::new("10.0.0.1:4000".parse().unwrap(), vec![Codec::Pcmu, Codec::Pcma], true, 7)
    }

    #[test]
    fn an_answer_follows_the_offerers_preference_and_has_as_many_lines() {
        let offer = "v=0\r\nc=IN IP4 10.0.0.9\r\nm=video 5 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 8 0 97\r\n\
            a=rtpmap:97 telephone-event/8000\r\na=sendonly\r\n";
        let offer = Description::parse(offer.as_bytes()).unwrap();
        let (text, agreed) = local().answer(&offer).unwrap();
        assert!(text.contains("m=video 0 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8 97\r\n"), "{text}");
        assert!(text.contains("a=recvonly"), "{text}");
        let remote = "10.0.0.9:6000".parse().unwrap();
        let direction = Direction::RecvOnly;
        assert_eq!(
            agreed,
            Agreed { remote, codec: Codec::Pcma, payload_type: 8, telephone_event: Some(97), direction }
        );
    }

    #[test]
    fn each_way_of_hold_silences_us() {
        let answer = b"v=0\r\nc=IN IP4 10.0.0.9\r\nm=audio 6000 RTP/AVP 0\r\n";
        let answer = Description::parse(answer).unwrap();
        for (hold, said) in
            [(HoldBy::Sendonly, "a=sendonly"), (HoldBy::Inactive, "a=inactive"), (HoldBy::Zero, "c=IN IP4 0.0.0.0")]
        {
            let mut local = local();
            local.set_hold(Some(hold));
            assert!(local.offer().contains(said));
            assert!(!local.accept(&answer).unwrap().direction.sends());
            local.set_hold(None);
            assert!(local.accept(&answer).unwrap().direction.sends());
        }
    }

    #[test]
    fn no_audio_over_plain_rtp_is_no_description() {
        assert!(Description::parse(b"v=0\r\nm=audio 5 RTP/SAVP 0\r\n").is_none());
        assert!(Description::parse(b"v=0\r\nm=audio 0 RTP/AVP 0\r\n").is_none());
    }
}
