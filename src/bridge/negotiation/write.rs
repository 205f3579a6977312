//! Our own descriptions as lines.

use super::read::Stream;
use super::{Negotiation, Offered, Slot};
use crate::bridge::{Codec, Direction};
use crate::sip::sdp::{Connection, Crypto, Media, MediaLine, Origin, SessionDescription};

/// Keys 0 to 9, *, #, A to D (RFC 4733 section 3.2).
const TELEPHONE_EVENTS: &str = "0-15";

/// What one stream of ours says.
struct Says<'a> {
    protocol: &'a str,
    port: u16,
    codecs: &'a [(Codec, u8)],
    telephone_event: Option<u8>,
    direction: Direction,
    cryptos: Vec<Crypto>,
}

impl Negotiation {
    pub(super) fn describe_offer(&self, offered: &Offered) -> SessionDescription {
        let codecs: Vec<(Codec, u8)> = offered.codecs.iter().map(|codec| (*codec, codec.payload_type())).collect();
        let mut description = self.empty("0 0");
        for slot in &offered.slots {
            description.media.push(match slot {
                Slot::Audio { protocol } => self.stream(Says {
                    protocol,
                    port: self.local.port.0,
                    codecs: &codecs,
                    telephone_event: offered.telephone_event,
                    direction: self.wanted,
                    cryptos: self.policy.security.offer(),
                }),
                Slot::Refused(line) => Media::new(line.clone()),
            });
        }
        description
    }

    /// As many `m=` lines as the offer, in its order (RFC 3264 section 6).
    pub(super) fn describe_answer(
        &self,
        offer: &SessionDescription,
        stream: &Stream,
        direction: Direction,
    ) -> SessionDescription {
        let mut description = self.empty(offer.timing());
        for (index, media) in offer.media.iter().enumerate() {
            if index != stream.index || media.line.port == 0 {
                description.media.push(Media::new(refused_line(&media.line)));
                continue;
            }
            description.media.push(self.stream(Says {
                protocol: &media.line.protocol,
                port: self.local.port.0,
                codecs: &[(stream.codec, stream.payload_type)],
                telephone_event: stream.telephone_event,
                direction,
                cryptos: self.crypto_answered(media).into_iter().collect(),
            }));
        }
        description
    }

    /// The line that answers the one we took: its tag, and our key (RFC 4568 section 5.1.2).
    fn crypto_answered(&self, media: &Media) -> Option<Crypto> {
        let (theirs, keys) = self.crypto(media).ok()??;
        Some(Crypto { tag: theirs.tag, master: keys.send })
    }

    /// Our last description again when `description` says the same, else the new one under the next version.
    pub(super) fn publish(&mut self, mut description: SessionDescription) -> String {
        let same = self
            .last
            .as_ref()
            .is_some_and(|last| last.media == description.media && last.timing() == description.timing());
        if !same {
            self.version += 1;
        }
        let origin = Origin::ours(self.session_id, self.version, self.local.address).to_string();
        for line in description.lines.iter_mut().filter(|line| line.kind == 'o') {
            line.value.clone_from(&origin);
        }
        let text = description.to_string();
        self.last = Some(description);
        text
    }

    fn empty(&self, timing: &str) -> SessionDescription {
        let origin = Origin::ours(self.session_id, self.version, self.local.address);
        SessionDescription::new(&origin, "-", &Connection::ip(self.local.address), timing)
    }

    fn stream(&self, says: Says<'_>) -> Media {
        let mut formats: Vec<String> = says.codecs.iter().map(|(_, number)| number.to_string()).collect();
        formats.extend(says.telephone_event.map(|number| number.to_string()));
        let mut media = Media::new(MediaLine {
            kind: "audio".to_owned(),
            port: says.port,
            port_count: None,
            protocol: says.protocol.to_owned(),
            formats,
        });
        for (codec, number) in says.codecs {
            let map = format!("{number} {}/{}", codec.name(), codec.clock_hz());
            media.push_attribute("rtpmap", Some(&map));
        }
        if let Some(number) = says.telephone_event {
            media.push_attribute("rtpmap", Some(&format!("{number} telephone-event/8000")));
            media.push_attribute("fmtp", Some(&format!("{number} {TELEPHONE_EVENTS}")));
        }
        for crypto in says.cryptos {
            media.push_attribute("crypto", Some(&crypto.to_string()));
        }
        media.push_attribute("ptime", Some(&self.policy.ptime_ms.to_string()));
        media.push_attribute(says.direction.as_str(), None);
        media
    }
}

/// The stream with port 0 (RFC 3264 section 6). The formats mean nothing then; one is enough for the grammar.
pub(super) fn refused_line(line: &MediaLine) -> MediaLine {
    MediaLine {
        kind: line.kind.clone(),
        port: 0,
        port_count: None,
        protocol: line.protocol.clone(),
        formats: line.formats.iter().take(1).cloned().collect(),
    }
}
