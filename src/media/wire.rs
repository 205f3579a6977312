//! What a leg's packets are on the network: as they are, or secured with the keys that offer/answer agreed.

use std::net::SocketAddr;

use super::outbox::{Channel, Outbox};
use super::rtp::{self, Packet};
use super::srtp::{Opener, Refused, Sealer};
use crate::bridge::Srtp;

#[derive(Default)]
pub enum Wire {
    #[default]
    Clear,
    Secured(Box<Secured>),
    /// Keys that no cipher takes: nothing leaves, least of all in clear, and nothing comes in.
    Shut,
}

pub struct Secured {
    keys: Srtp,
    sealer: Sealer,
    opener: Opener,
}

impl Wire {
    /// Takes what was agreed. A key that stays goes on where it is: beginning anew with it would seal indices twice, and open
    /// packets twice.
    pub fn agree(&mut self, keys: Option<Srtp>) {
        let before = std::mem::take(self);
        let Some(keys) = keys else { return };
        let (sealer, opener) = match before {
            Wire::Secured(before) => (
                Some(before.sealer).filter(|_| before.keys.send == keys.send),
                Some(before.opener).filter(|_| before.keys.receive == keys.receive),
            ),
            Wire::Clear | Wire::Shut => (None, None),
        };
        let sealer = sealer.or_else(|| Sealer::new(&keys.send));
        let opener = opener.or_else(|| Opener::new(&keys.receive));
        *self = match (sealer, opener) {
            (Some(sealer), Some(opener)) => Wire::Secured(Box::new(Secured { keys, sealer, opener })),
            (None, _) | (_, None) => Wire::Shut,
        };
    }

    pub fn is_clear(&self) -> bool {
        matches!(self, Wire::Clear)
    }

    /// What does not leave, because its number has left before, is as if lost.
    pub fn rtp(&mut self, slot: usize, to: SocketAddr, packet: &Packet<'_>, out: &mut Outbox) {
        out.add(slot, Channel::Rtp, to, |bytes| {
            let start = bytes.len();
            rtp::write(packet, bytes);
            match self {
                Wire::Clear => {}
                Wire::Secured(secured) => {
                    let _ = secured.sealer.rtp(bytes, start);
                }
                Wire::Shut => bytes.truncate(start),
            }
        });
    }

    pub fn rtcp(&mut self, slot: usize, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>), out: &mut Outbox) {
        out.add(slot, Channel::Rtcp, to, |bytes| {
            let start = bytes.len();
            write(bytes);
            match self {
                Wire::Clear => {}
                Wire::Secured(secured) => {
                    let _ = secured.sealer.rtcp(bytes, start);
                }
                Wire::Shut => bytes.truncate(start),
            }
        });
    }

    /// The packet in a secured datagram; it stands in `opened`.
    ///
    /// # Errors
    /// As [`Opener::rtp`]. Without keys there is nothing to open: [`Refused::Forged`].
    pub fn open<'a>(
        &mut self,
        channel: Channel,
        datagram: &[u8],
        opened: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Refused> {
        let Wire::Secured(secured) = self else { return Err(Refused::Forged) };
        opened.clear();
        opened.extend_from_slice(datagram);
        if channel == Channel::Rtcp || rtp::is_rtcp(datagram) {
            secured.opener.rtcp(opened)
        } else {
            secured.opener.rtp(opened)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::sdp::{MasterKey, Suite};
    use crate::time::{Clock, Instant};

    fn key(byte: u8) -> MasterKey {
        MasterKey::new(Suite::AesCm128HmacSha1, [byte; 30])
    }

    fn sent(wire: &mut Wire, sequence: u16) -> Option<Vec<u8>> {
        let mut out = Outbox::new(Clock::new(Instant::ZERO, jiff::Timestamp::UNIX_EPOCH));
        let packet = Packet { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 9, payload: b"audio" };
        wire.rtp(0, "192.0.2.1:4000".parse().unwrap(), &packet, &mut out);
        out.packets().next().map(|(_, bytes)| bytes.to_vec())
    }

    #[test]
    fn a_key_that_stays_goes_on_and_another_begins_anew() {
        let (mut ours, mut theirs) = (Wire::default(), Wire::default());
        ours.agree(Some(Srtp { send: key(1), receive: key(2) }));
        theirs.agree(Some(Srtp { send: key(2), receive: key(1) }));
        let datagram = sent(&mut ours, 7).expect("sent");
        let mut opened = Vec::new();
        assert_eq!(theirs.open(Channel::Rtp, &datagram, &mut opened).map(<[u8]>::len), Ok(17));
        // Their key alone is new.
        ours.agree(Some(Srtp { send: key(1), receive: key(3) }));
        theirs.agree(Some(Srtp { send: key(3), receive: key(1) }));
        assert_eq!(sent(&mut ours, 7), None, "no number leaves twice under one key");
        assert_eq!(theirs.open(Channel::Rtp, &datagram, &mut opened), Err(Refused::Replayed));
        // Ours is new too.
        ours.agree(Some(Srtp { send: key(4), receive: key(3) }));
        assert!(sent(&mut ours, 7).is_some());
        // In clear from now on.
        ours.agree(None);
        assert_eq!((ours.is_clear(), sent(&mut ours, 7).map(|bytes| bytes.len())), (true, Some(17)));
    }
}
