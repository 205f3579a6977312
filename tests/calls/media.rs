//! The simulated media worker: it keeps the rules that the real one relies on, and says where they were broken.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use wardline::bridge::MediaSession;
use wardline::call::media::{MediaCommand, MediaEvent, PlayItem};
use wardline::ids::{Language, LegId, PlayId, PromptId};

#[derive(Default)]
pub struct MediaWorker {
    legs: BTreeMap<LegId, MediaLeg>,
    ports: BTreeMap<LegId, u16>,
    pub opened: usize,
    pub closed: usize,
    pub most_open: usize,
    /// Sessions that were told, of all legs.
    pub sessions: usize,
    /// Rules of [`MediaCommand`] that the switch broke.
    pub faults: Vec<String>,
}

struct MediaLeg {
    port: u16,
    session: Option<MediaSession>,
    plays: Option<PlayId>,
    joined: Option<LegId>,
    keys_sent: Vec<char>,
}

impl MediaWorker {
    pub fn open(&self) -> usize {
        self.legs.len()
    }

    pub fn by_port(&self, port: u16) -> Option<LegId> {
        self.legs.iter().find(|(_, leg)| leg.port == port).map(|(id, _)| *id)
    }

    pub fn port_of(&self, leg: LegId) -> Option<u16> {
        self.legs.get(&leg).map(|leg| leg.port)
    }

    /// Of a leg that may be closed by now.
    pub fn last_port(&self, leg: LegId) -> Option<u16> {
        self.ports.get(&leg).copied()
    }

    pub fn session(&self, leg: LegId) -> Option<MediaSession> {
        self.legs.get(&leg).and_then(|leg| leg.session)
    }

    /// Where RTP goes, of every leg that has a session.
    pub fn remotes(&self) -> Vec<SocketAddr> {
        self.legs.values().filter_map(|leg| leg.session?.remote).collect()
    }

    pub fn keys_sent(&self, leg: LegId) -> String {
        self.legs.get(&leg).map(|leg| leg.keys_sent.iter().collect()).unwrap_or_default()
    }

    /// No session was agreed before.
    pub fn is_new(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.session.is_none())
    }

    pub fn prompts(&self, items: &[PlayItem]) -> Vec<(Language, PromptId)> {
        items
            .iter()
            .filter_map(|item| match item {
                PlayItem::Prompt { language, prompt } => Some((language.clone(), prompt.clone())),
                PlayItem::Silence(_) => None,
            })
            .collect()
    }

    /// Whether a real worker would say this now: the end of a playback that was replaced is not reported.
    pub fn passes(&mut self, event: &MediaEvent) -> bool {
        match event {
            MediaEvent::PlayDone { leg, play } => {
                let Some(leg) = self.legs.get_mut(leg) else { return false };
                leg.plays.take_if(|current| current == play).is_some()
            }
            MediaEvent::Key { leg, .. } => self.legs.contains_key(leg),
            MediaEvent::OpenFailed { .. }
            | MediaEvent::FirstRtp { .. }
            | MediaEvent::Silent { .. }
            | MediaEvent::Revived { .. }
            | MediaEvent::Report { .. } => true,
        }
    }

    pub fn take(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg, port, .. } => {
                if let Some(other) = self.by_port(port.0) {
                    self.faults.push(format!("port {} opened for leg {leg} while leg {other} has it", port.0));
                }
                let new = MediaLeg { port: port.0, session: None, plays: None, joined: None, keys_sent: Vec::new() };
                if self.legs.insert(leg, new).is_some() {
                    self.faults.push(format!("leg {leg} opened twice"));
                }
                self.ports.insert(leg, port.0);
                self.opened += 1;
                self.most_open = self.most_open.max(self.legs.len());
            }
            MediaCommand::Close { leg } => {
                if self.legs.remove(&leg).is_none() {
                    self.faults.push(format!("leg {leg} closed, but it is not open"));
                }
                self.closed += 1;
                for other in self.legs.values_mut() {
                    other.joined.take_if(|joined| *joined == leg);
                }
            }
            MediaCommand::Session { leg, session } => {
                self.sessions += 1;
                self.on(leg, "session", |leg| leg.session = Some(session));
            }
            MediaCommand::Play { leg, play, repeat, .. } => {
                self.on(leg, "play", |leg| leg.plays = (!repeat).then_some(play));
            }
            MediaCommand::StopPlay { leg } => self.on(leg, "stop", |leg| leg.plays = None),
            MediaCommand::Bridge { a, b } => {
                self.on(a, "bridge", |leg| leg.joined = Some(b));
                self.on(b, "bridge", |leg| leg.joined = Some(a));
            }
            MediaCommand::Unbridge { a, b } => {
                for leg in [a, b] {
                    if let Some(leg) = self.legs.get_mut(&leg) {
                        leg.joined = None;
                    }
                }
            }
            MediaCommand::SendDigit { leg, digit, .. } => {
                self.on(leg, "digit", |leg| leg.keys_sent.push(digit.as_char()));
            }
        }
    }

    fn on(&mut self, id: LegId, what: &str, step: impl FnOnce(&mut MediaLeg)) {
        match self.legs.get_mut(&id) {
            Some(leg) => step(leg),
            None => self.faults.push(format!("{what} for leg {id}, which is not open")),
        }
    }
}
