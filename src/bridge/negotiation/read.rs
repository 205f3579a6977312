//! What a peer's description means for us: which stream we serve, and the session that follows.

use std::net::{IpAddr, SocketAddr};

use super::write::refused_line;
use super::{Agreed, MAX_PTIME_MS, MIN_PTIME_MS, Negotiation, Offered, Refusal, Security, Slot};
use crate::bridge::{Codec, Direction, MediaSession, Srtp, TelephoneEvent};
use crate::sip::sdp::{Connection, Crypto, Host, Media, RtpMap, SessionDescription};

/// The stream of an offer that we serve.
pub(super) struct Stream {
    /// Its place among the `m=` lines.
    pub index: usize,
    pub codec: Codec,
    /// The offer's payload type of `codec`, used both ways (RFC 3264 section 6.1).
    pub payload_type: u8,
    pub telephone_event: Option<u8>,
}

impl Stream {
    /// The stream as it ran, for the time it comes back.
    fn switched_off(index: usize, session: &MediaSession) -> Stream {
        Stream {
            index,
            codec: session.codec,
            payload_type: session.send_payload_type,
            telephone_event: session.telephone_event.map(|event| event.send),
        }
    }
}

/// What the formats of one stream mean.
struct Formats {
    /// In the peer's order, each with the payload type it is to be sent with.
    codecs: Vec<(Codec, u8)>,
    telephone_event: Option<u8>,
}

impl Formats {
    fn of(media: &Media) -> Formats {
        let maps = media.rtpmaps();
        let mut formats = Formats { codecs: Vec::new(), telephone_event: None };
        for format in &media.line.formats {
            let Some(payload_type) = format.parse::<u8>().ok().filter(|number| *number < 128) else { continue };
            match maps.iter().find(|map| map.payload_type == payload_type) {
                // Another clock belongs to another codec (RFC 4733 section 2.1): ours all run at 8000.
                Some(map) if map.encoding.eq_ignore_ascii_case("telephone-event") => {
                    if map.clock_hz == 8_000 && formats.telephone_event.is_none() {
                        formats.telephone_event = Some(payload_type);
                    }
                }
                Some(map) => formats.codecs.extend(codec_of(map).map(|codec| (codec, payload_type))),
                None => formats.codecs.extend(static_codec(payload_type).map(|codec| (codec, payload_type))),
            }
        }
        formats
    }

    fn payload_type(&self, codec: Codec) -> Option<u8> {
        self.codecs.iter().find(|(offered, _)| *offered == codec).map(|(_, payload_type)| *payload_type)
    }
}

fn static_codec(payload_type: u8) -> Option<Codec> {
    [Codec::Pcmu, Codec::Pcma, Codec::G722].into_iter().find(|codec| codec.payload_type() == payload_type)
}

fn codec_of(map: &RtpMap) -> Option<Codec> {
    let codec = [Codec::Pcmu, Codec::Pcma, Codec::G722]
        .into_iter()
        .find(|codec| map.encoding.eq_ignore_ascii_case(codec.name()))?;
    // Some phones write G722/16000, the rate of its samples; the RTP clock is 8000 all the same (RFC 3551 section 4.5.2).
    let clock = map.clock_hz == codec.clock_hz() || (codec == Codec::G722 && map.clock_hz == 16_000);
    (clock && map.channels == 1).then_some(codec)
}

impl Negotiation {
    /// The stream that we serve: the one we served before when it still fits, else the first that fits. Others are
    /// refused with port 0, so alternatives by address family (RFC 4091) come out right.
    pub(super) fn choose_stream(&self, offer: &SessionDescription) -> Result<Stream, Refusal> {
        let served = self.agreed.as_ref().and_then(|agreed| {
            agreed.slots.iter().position(|slot| match slot {
                Slot::Audio { .. } => true,
                Slot::Refused(_) => false,
            })
        });
        let mut first_refusal = None;
        for index in served.into_iter().chain(0..offer.media.len()) {
            let Some(media) = offer.media.get(index) else { continue };
            if media.line.kind != "audio" || media.line.port == 0 {
                continue;
            }
            match self.fit(offer, media) {
                Ok((codec, payload_type, telephone_event)) => {
                    return Ok(Stream { index, codec, payload_type, telephone_event });
                }
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        if let Some(refusal) = first_refusal {
            return Err(refusal);
        }
        // Port 0 switches off a stream that ran (RFC 3264 section 8.2); a call can't begin with one.
        served
            .filter(|index| offer.media.get(*index).is_some_and(|media| media.line.kind == "audio"))
            .and_then(|index| self.session().map(|session| Stream::switched_off(index, &session)))
            .ok_or_else(|| Refusal::not_acceptable(304, "no audio stream"))
    }

    fn fit(&self, offer: &SessionDescription, media: &Media) -> Result<(Codec, u8, Option<u8>), Refusal> {
        self.check_protocol(media)?;
        self.remote(offer, media)?;
        let formats = Formats::of(media);
        let chosen = self
            .codecs_in_order()
            .into_iter()
            .find_map(|codec| formats.payload_type(codec).map(|payload_type| (codec, payload_type)));
        let Some((codec, payload_type)) = chosen else {
            return Err(Refusal::not_acceptable(305, "no common codec"));
        };
        Ok((codec, payload_type, formats.telephone_event.filter(|_| self.policy.telephone_event)))
    }

    fn check_protocol(&self, media: &Media) -> Result<(), Refusal> {
        match (self.policy.security, media.line.protocol.as_str()) {
            (Security::PlainOnly, "RTP/AVP" | "RTP/AVPF") => Ok(()),
            (Security::PlainOnly, _) => Err(Refusal::not_acceptable(302, "media transport is not plain RTP")),
            (Security::Secured(_), "RTP/SAVP" | "RTP/SAVPF") => self.crypto(media).map(|_| ()),
            (Security::Secured(_), _) => Err(Refusal::not_acceptable(302, "media is to be secured (RTP/SAVP)")),
        }
    }

    /// The line of a secured stream that we take, and our key for its suite: the peer's first that we can
    /// (RFC 4568 section 5.1.2). `None` in clear.
    pub(super) fn crypto(&self, media: &Media) -> Result<Option<(Crypto, Srtp)>, Refusal> {
        if self.policy.security == Security::PlainOnly {
            return Ok(None);
        }
        let known = |crypto: Crypto| {
            let send = self.policy.security.key(crypto.master.suite)?;
            Some((crypto, Srtp { send, receive: crypto.master }))
        };
        // A peer that sends us our own key back would have both of us seal with it.
        let found = media.cryptos().filter_map(known).find(|(_, keys)| keys.send != keys.receive);
        found.map(Some).ok_or_else(|| Refusal::not_acceptable(302, "no key that we could use (a=crypto)"))
    }

    /// The keys of an answer to our offer: exactly one line, with the tag of the one of ours that it takes (RFC 4568
    /// section 5.1.3).
    fn crypto_taken(&self, answer: &Media) -> Result<Option<Srtp>, Refusal> {
        let Some((taken, keys)) = self.crypto(answer)? else { return Ok(None) };
        let offered = |ours: Crypto| ours.tag == taken.tag && ours.master == keys.send;
        match self.policy.security.offer().into_iter().any(offered) {
            true => Ok(Some(keys)),
            false => Err(Refusal::not_acceptable(302, "the answer takes a key that was not offered")),
        }
    }

    /// Where RTP goes; `None` when the peer names no place on purpose.
    fn remote(&self, description: &SessionDescription, media: &Media) -> Result<Option<SocketAddr>, Refusal> {
        if media.line.port == 0 {
            return Ok(None);
        }
        let Some(connection) = description.connection_of(media) else {
            return Err(Refusal::not_acceptable(399, "no c= line"));
        };
        let address = self.usable(&connection)?;
        Ok(address.map(|ip| SocketAddr::new(ip, media.line.port)))
    }

    fn usable(&self, connection: &Connection) -> Result<Option<IpAddr>, Refusal> {
        let ip = match &connection.host {
            Host::Ip(ip) => *ip,
            Host::Name(_) => return Err(Refusal::not_acceptable(301, "c= names a domain, not an address")),
        };
        if ip.is_unspecified() {
            return Ok(None);
        }
        if ip.is_multicast() || !connection.group.is_empty() {
            return Err(Refusal::not_acceptable(330, "multicast address in c="));
        }
        match ip {
            // RFC 5118 section 4.9: such an address on the wire says nothing about which network it is reached by.
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
                Err(Refusal::not_acceptable(301, "IPv4-mapped address in c="))
            }
            IpAddr::V4(v4) if v4.is_broadcast() => Err(Refusal::not_acceptable(301, "broadcast address in c=")),
            IpAddr::V4(_) | IpAddr::V6(_) if ip.is_ipv4() != self.local.address.is_ipv4() => {
                Err(Refusal::not_acceptable(301, "the stream's address family is not ours"))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(Some(ip)),
        }
    }

    /// Where RTCP goes: `a=rtcp` (RFC 3605) when it names a usable place, else the port above RTP.
    fn remote_rtcp(&self, media: &Media, rtp: SocketAddr) -> Option<SocketAddr> {
        let above = rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port));
        let Some(rtcp) = media.rtcp().filter(|rtcp| rtcp.port != 0) else { return above };
        match &rtcp.connection {
            None => Some(SocketAddr::new(rtp.ip(), rtcp.port)),
            Some(connection) => match self.usable(connection) {
                Ok(Some(ip)) => Some(SocketAddr::new(ip, rtcp.port)),
                Ok(None) | Err(_) => above,
            },
        }
    }

    pub(super) fn agree_as_answerer(&self, offer: &SessionDescription, stream: &Stream) -> Result<Agreed, Refusal> {
        let mut slots = Vec::with_capacity(offer.media.len());
        for (index, media) in offer.media.iter().enumerate() {
            slots.push(match index == stream.index {
                true => Slot::Audio { protocol: media.line.protocol.clone() },
                false => Slot::Refused(refused_line(&media.line)),
            });
        }
        let media = offer.media.get(stream.index).ok_or_else(|| Refusal::not_acceptable(304, "no audio stream"))?;
        let remote = self.remote(offer, media)?;
        let peer = peer_direction(offer, media, remote);
        let session = MediaSession {
            remote,
            remote_rtcp: remote.and_then(|rtp| self.remote_rtcp(media, rtp)),
            codec: stream.codec,
            send_payload_type: stream.payload_type,
            receive_payload_type: stream.payload_type,
            telephone_event: stream.telephone_event.map(|number| TelephoneEvent { send: number, receive: number }),
            direction: peer.reversed().and(self.wanted),
            ptime_ms: self.ptime(media),
            latch: self.policy.latch,
            srtp: match media.line.port {
                // Switched off: its keys are those that it had.
                0 => self.session().and_then(|session| session.srtp),
                _ => self.crypto(media)?.map(|(_, keys)| keys),
            },
        };
        Ok(Agreed { session, peer: offer.origin(), peer_holds: !peer.receives(), slots })
    }

    pub(super) fn agree_as_offerer(&self, offered: &Offered, answer: &SessionDescription) -> Result<Agreed, Refusal> {
        if answer.media.len() != offered.slots.len() {
            return Err(Refusal::not_acceptable(399, "the answer has not as many m= lines as the offer"));
        }
        let served = offered.slots.iter().zip(&answer.media).find_map(|(slot, media)| match slot {
            Slot::Audio { .. } => Some(media),
            Slot::Refused(_) => None,
        });
        let Some(media) = served.filter(|media| media.line.kind == "audio" && media.line.port != 0) else {
            return Err(Refusal::not_acceptable(304, "the answer refuses the audio stream"));
        };
        self.check_protocol(media)?;
        let remote = self.remote(answer, media)?;
        let formats = Formats::of(media);
        // The first format that we offered is the one the peer sends (RFC 3264 section 6.1).
        let Some((codec, send)) = formats.codecs.iter().find(|(codec, _)| offered.codecs.contains(codec)) else {
            return Err(Refusal::not_acceptable(305, "no common codec"));
        };
        let peer = peer_direction(answer, media, remote);
        // To our `inactive` the peer can only answer `inactive`: that says nothing about a hold of its own.
        let peer_holds = match self.wanted.sends() {
            true => !peer.receives(),
            false => remote.is_none() || self.held_by_peer(),
        };
        let session = MediaSession {
            remote,
            remote_rtcp: remote.and_then(|rtp| self.remote_rtcp(media, rtp)),
            codec: *codec,
            send_payload_type: *send,
            receive_payload_type: codec.payload_type(),
            telephone_event: formats
                .telephone_event
                .zip(offered.telephone_event)
                .map(|(send, receive)| TelephoneEvent { send, receive }),
            direction: peer.reversed().and(self.wanted),
            ptime_ms: self.ptime(media),
            latch: self.policy.latch,
            srtp: self.crypto_taken(media)?,
        };
        Ok(Agreed { session, peer: answer.origin(), peer_holds, slots: offered.slots.clone() })
    }

    /// What the peer wants to receive, as a multiple of 10 ms that we make; else our own wish.
    fn ptime(&self, media: &Media) -> u8 {
        let most = media.maxptime_ms().unwrap_or(u32::from(MAX_PTIME_MS));
        let wished = media.ptime_ms().unwrap_or(u32::from(self.policy.ptime_ms)).min(most);
        let whole = wished.clamp(u32::from(MIN_PTIME_MS), u32::from(MAX_PTIME_MS)) / 10 * 10;
        u8::try_from(whole).unwrap_or(MAX_PTIME_MS)
    }
}

/// Which way the peer lets media flow, seen from the peer. Without a place to send to it receives nothing, whatever
/// the attribute says: c=0.0.0.0 is the hold of RFC 2543 (RFC 3264 section 8.4), port 0 ends the stream.
fn peer_direction(description: &SessionDescription, media: &Media, remote: Option<SocketAddr>) -> Direction {
    let said = description.direction_of(media);
    match remote {
        Some(_) => said,
        None if media.line.port == 0 => Direction::Inactive,
        None => said.and(Direction::SendOnly),
    }
}
