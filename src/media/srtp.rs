//! SRTP and SRTCP (RFC 3711; with AES-GCM RFC 7714) of one direction of one leg, with one master key.
//!
//! ```text
//!  Sealer: packet ─▶ its index (roll-overs, number) ─▶ never sealed before? ─▶ encrypted + tag
//!  Opener: datagram ─▶ guess its index ─▶ not seen yet? ─▶ tag right? ─▶ decrypted; only now anything is remembered
//! ```
//! A stream is one SSRC. Nobody makes us remember one without the key, and no more than [`MAX_STREAMS`] are remembered.

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::rtp;
use crate::sip::sdp::{KEY_BYTES, MAX_SALT_BYTES, MasterKey, Suite};

/// Streams remembered of one key; a phone has one, a PBX that changes its source some.
const MAX_STREAMS: usize = 16;
/// Indices behind the newest that may still come (RFC 3711 section 3.3.2 asks for 64 at least).
const WINDOW: u64 = 64;
/// Packets of one stream: 2^48 (RFC 3711 section 9.2).
const MAX_INDEX: u64 = 1 << 48;
/// SRTCP packets of one key (RFC 3711 section 9.2).
const MAX_RTCP_INDEX: u32 = 1 << 31;
/// Of HMAC-SHA1, cut (RFC 3711 section 5.2).
const SHA1_TAG_BYTES: usize = 10;
/// RFC 7714 section 14.2.
const GCM_TAG_BYTES: usize = 16;
/// Of RTCP what is not encrypted: the first header and the sender (RFC 3711 section 3.4).
const RTCP_HEAD_BYTES: usize = 8;
/// The flag that SRTCP is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Why a packet is not taken, or not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("shorter than its headers and its tag")]
    Short,
    #[error("seen before, or too old to tell")]
    Replayed,
    #[error("not of whoever has the key")]
    Forged,
    #[error("the key is used up")]
    Exhausted,
}

// -- Keys ---------------------------------------------------------------------------------------------------------------

/// What key derivation makes a key for (RFC 3711 section 4.3.2).
#[derive(Clone, Copy)]
enum Label {
    RtpCipher = 0,
    RtpTag = 1,
    RtpSalt = 2,
    RtcpCipher = 3,
    RtcpTag = 4,
    RtcpSalt = 5,
}

/// RFC 3711 section 4.3.1 with a key derivation rate of 0; a shorter salt is filled up with zeros (RFC 7714 section 11).
fn derive<const N: usize>(master: &MasterKey, label: Label) -> [u8; N] {
    let mut iv = [0; 16];
    iv.iter_mut().zip(master.salt).for_each(|(place, byte)| *place = byte);
    if let Some(place) = iv.get_mut(7) {
        *place ^= label as u8;
    }
    let mut key = [0; N];
    Ctr128BE::<Aes128>::new(&master.key.into(), &iv.into()).apply_keystream(&mut key);
    key
}

/// The session keys of RTP or of RTCP.
enum Session {
    AesCm { key: [u8; KEY_BYTES], salt: [u8; MAX_SALT_BYTES], tag: Box<Hmac<Sha1>> },
    Gcm { key: Box<LessSafeKey>, salt: [u8; 12] },
}

impl Session {
    fn new(master: &MasterKey, cipher: Label, tag: Label, salt: Label) -> Option<Session> {
        let key = derive::<KEY_BYTES>(master, cipher);
        match master.suite {
            Suite::AesCm128HmacSha1 => {
                let tag = Hmac::new_from_slice(&derive::<20>(master, tag)).ok()?;
                Some(Session::AesCm { key, salt: derive(master, salt), tag: Box::new(tag) })
            }
            Suite::AeadAes128Gcm => {
                let key = UnboundKey::new(&AES_128_GCM, &key).ok()?;
                Some(Session::Gcm { key: Box::new(LessSafeKey::new(key)), salt: derive(master, salt) })
            }
        }
    }

    fn rtp(master: &MasterKey) -> Option<Session> {
        Session::new(master, Label::RtpCipher, Label::RtpTag, Label::RtpSalt)
    }

    fn rtcp(master: &MasterKey) -> Option<Session> {
        Session::new(master, Label::RtcpCipher, Label::RtcpTag, Label::RtcpSalt)
    }

    fn tag_bytes(&self) -> usize {
        match self {
            Session::AesCm { .. } => SHA1_TAG_BYTES,
            Session::Gcm { .. } => GCM_TAG_BYTES,
        }
    }
}

/// RFC 3711 section 4.1.1: salt, source and index, with 16 bits for the blocks of one packet.
fn counter(salt: &[u8; MAX_SALT_BYTES], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv.iter_mut().zip(salt).for_each(|(place, byte)| *place = *byte);
    let mixed = u128::from_be_bytes(iv) ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
    mixed.to_be_bytes()
}

/// RFC 7714 sections 8.1 and 9.1: the same three in 96 bits.
fn nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut wide = [0; 16];
    wide.iter_mut().skip(4).zip(salt).for_each(|(place, byte)| *place = *byte);
    let mixed = u128::from_be_bytes(wide) ^ (u128::from(ssrc) << 48) ^ u128::from(index);
    let mut short = [0; 12];
    short.iter_mut().zip(mixed.to_be_bytes().into_iter().skip(4)).for_each(|(place, byte)| *place = byte);
    Nonce::assume_unique_for_key(short)
}

fn sha1_tag(keyed: &Hmac<Sha1>, packet: &[u8], after: &[u8]) -> [u8; SHA1_TAG_BYTES] {
    let mut mac = keyed.clone();
    mac.update(packet);
    mac.update(after);
    let mut tag = [0; SHA1_TAG_BYTES];
    tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(place, byte)| *place = byte);
    tag
}

// -- Indices ------------------------------------------------------------------------------------------------------------

/// Which of the newest [`WINDOW`] indices are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    newest: u64,
    /// Bit n: `newest - n`.
    taken: u64,
}

impl Window {
    fn first(index: u64) -> Window {
        Window { newest: index, taken: 1 }
    }

    fn is_fresh(self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WINDOW && self.taken >> behind & 1 == 0,
        }
    }

    /// Of a fresh index.
    fn take(&mut self, index: u64) {
        match index.checked_sub(self.newest) {
            Some(ahead) => {
                self.taken = if ahead < WINDOW { self.taken << ahead | 1 } else { 1 };
                self.newest = index;
            }
            None => self.taken |= 1 << (self.newest - index).min(WINDOW - 1),
        }
    }

    /// The index of a number: of the roll-overs before, now and next the one that brings it nearest (section 3.3.1).
    fn index_of(self, sequence: u16) -> u64 {
        let (rolled, newest) = (self.newest >> 16, self.newest as u16);
        let rolled = match sequence.wrapping_sub(newest) as i16 {
            0.. if sequence < newest => rolled + 1,
            ..0 if sequence > newest => rolled.saturating_sub(1),
            _ => rolled,
        };
        rolled << 16 | u64::from(sequence)
    }
}

/// The streams of one key, the one heard last at the end.
#[derive(Default)]
struct Streams(Vec<(u32, Window)>);

impl Streams {
    fn index_of(&self, ssrc: u32, sequence: u16) -> u64 {
        self.window(ssrc).map_or(u64::from(sequence), |window| window.index_of(sequence))
    }

    fn window(&self, ssrc: u32) -> Option<&Window> {
        self.0.iter().find(|(known, _)| *known == ssrc).map(|(_, window)| window)
    }

    fn is_fresh(&self, ssrc: u32, index: u64) -> bool {
        self.window(ssrc).is_none_or(|window| window.is_fresh(index))
    }

    /// Of a fresh index. The stream that was silent longest goes when there is no room.
    fn take(&mut self, ssrc: u32, index: u64) {
        let place = self.0.iter().position(|(known, _)| *known == ssrc);
        let window = match place.map(|place| self.0.remove(place)) {
            Some((_, mut window)) => {
                window.take(index);
                window
            }
            None => Window::first(index),
        };
        if self.0.len() == MAX_STREAMS {
            self.0.remove(0);
        }
        self.0.push((ssrc, window));
    }
}

// -- Packets ------------------------------------------------------------------------------------------------------------

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

/// Number and source of an RTP packet, and where its payload begins.
fn rtp_head(packet: &[u8]) -> Option<(u16, u32, usize)> {
    let (flags, start) = (word(packet, 0)?, usize::from(packet.first()? & 0x0F) * 4 + rtp::HEADER_BYTES);
    let extended = packet.first()? & 0x10 != 0;
    let words = if extended { word(packet, start)? as u16 } else { 0 };
    let start = start + if extended { 4 + usize::from(words) * 4 } else { 0 };
    (start <= packet.len()).then_some((flags as u16, word(packet, 8)?, start))
}

/// Encrypts what we send.
pub struct Sealer {
    rtp: Session,
    rtcp: Session,
    streams: Streams,
    rtcp_index: u32,
}

impl Sealer {
    /// `None`: never with a key of its suite's length.
    pub fn new(master: &MasterKey) -> Option<Sealer> {
        let (rtp, rtcp) = (Session::rtp(master)?, Session::rtcp(master)?);
        Some(Sealer { rtp, rtcp, streams: Streams::default(), rtcp_index: 0 })
    }

    /// Seals the RTP packet that `bytes` holds from `start` on. Refused, as it must not leave, is a number that was used
    /// before: two packets under one index would give both away (section 9.1).
    ///
    /// # Errors
    /// Then `bytes` ends at `start`.
    pub fn rtp(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
        let sealed = self.seal_rtp(bytes, start);
        if sealed.is_err() {
            bytes.truncate(start);
        }
        sealed
    }

    fn seal_rtp(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
        let packet = bytes.get_mut(start..).ok_or(Refused::Short)?;
        let (sequence, ssrc, payload) = rtp_head(packet).ok_or(Refused::Short)?;
        let index = self.streams.index_of(ssrc, sequence);
        if !self.streams.is_fresh(ssrc, index) {
            return Err(Refused::Replayed);
        }
        if index >= MAX_INDEX {
            return Err(Refused::Exhausted);
        }
        let (head, payload) = packet.split_at_mut_checked(payload).ok_or(Refused::Short)?;
        match &self.rtp {
            Session::AesCm { key, salt, tag } => {
                let iv = counter(salt, ssrc, index);
                Ctr128BE::<Aes128>::new(key.into(), &iv.into()).apply_keystream(payload);
                let tag = sha1_tag(tag, packet, &rolled(index));
                bytes.extend(tag);
            }
            Session::Gcm { key, salt } => {
                let sealed = key.seal_in_place_separate_tag(nonce(salt, ssrc, index), Aad::from(&*head), payload);
                let tag = sealed.map_err(|_| Refused::Exhausted)?;
                bytes.extend_from_slice(tag.as_ref());
            }
        }
        self.streams.take(ssrc, index);
        Ok(())
    }

    /// Seals the RTCP packet that `bytes` holds from `start` on.
    ///
    /// # Errors
    /// Then `bytes` ends at `start`.
    pub fn rtcp(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
        let sealed = self.seal_rtcp(bytes, start);
        if sealed.is_err() {
            bytes.truncate(start);
        }
        sealed
    }

    fn seal_rtcp(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
        let index = self.rtcp_index + 1;
        if index >= MAX_RTCP_INDEX {
            return Err(Refused::Exhausted);
        }
        let packet = bytes.get_mut(start..).ok_or(Refused::Short)?;
        let ssrc = word(packet, 4).ok_or(Refused::Short)?;
        let trailer = (ENCRYPTED | index).to_be_bytes();
        let (head, body) = packet.split_at_mut_checked(RTCP_HEAD_BYTES).ok_or(Refused::Short)?;
        match &self.rtcp {
            Session::AesCm { key, salt, tag } => {
                let iv = counter(salt, ssrc, u64::from(index));
                Ctr128BE::<Aes128>::new(key.into(), &iv.into()).apply_keystream(body);
                let tag = sha1_tag(tag, packet, &trailer);
                bytes.extend(trailer.into_iter().chain(tag));
            }
            Session::Gcm { key, salt } => {
                let nonce = nonce(salt, ssrc, u64::from(index));
                let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(rtcp_aad(head, trailer)), body);
                let tag = sealed.map_err(|_| Refused::Exhausted)?;
                bytes.extend(tag.as_ref().iter().copied().chain(trailer));
            }
        }
        self.rtcp_index = index;
        Ok(())
    }
}

/// Decrypts what a peer sends.
pub struct Opener {
    rtp: Session,
    rtcp: Session,
    streams: Streams,
    rtcp_streams: Streams,
}

impl Opener {
    /// `None`: never with a key of its suite's length.
    pub fn new(master: &MasterKey) -> Option<Opener> {
        let (rtp, rtcp) = (Session::rtp(master)?, Session::rtcp(master)?);
        Some(Opener { rtp, rtcp, streams: Streams::default(), rtcp_streams: Streams::default() })
    }

    /// The RTP packet in a datagram; it is decrypted in place.
    ///
    /// # Errors
    /// Then nothing is remembered of it, and the datagram means nothing.
    pub fn rtp<'a>(&mut self, datagram: &'a mut [u8]) -> Result<&'a [u8], Refused> {
        let length = datagram.len().checked_sub(self.rtp.tag_bytes()).ok_or(Refused::Short)?;
        let (sequence, ssrc, start) =
            rtp_head(datagram).filter(|(.., start)| *start <= length).ok_or(Refused::Short)?;
        let index = self.streams.index_of(ssrc, sequence);
        if !self.streams.is_fresh(ssrc, index) {
            return Err(Refused::Replayed);
        }
        match &self.rtp {
            Session::AesCm { key, salt, tag } => {
                let (packet, sent) = datagram.split_at_mut_checked(length).ok_or(Refused::Short)?;
                authentic(&sha1_tag(tag, packet, &rolled(index)), sent)?;
                let iv = counter(salt, ssrc, index);
                let payload = packet.get_mut(start..).ok_or(Refused::Short)?;
                Ctr128BE::<Aes128>::new(key.into(), &iv.into()).apply_keystream(payload);
            }
            Session::Gcm { key, salt } => {
                let (head, sealed) = datagram.split_at_mut_checked(start).ok_or(Refused::Short)?;
                let opened = key.open_in_place(nonce(salt, ssrc, index), Aad::from(&*head), sealed);
                opened.map_err(|_| Refused::Forged)?;
            }
        }
        self.streams.take(ssrc, index);
        datagram.get(..length).ok_or(Refused::Short)
    }

    /// The RTCP packet in a datagram; it is decrypted in place.
    ///
    /// # Errors
    /// As [`Opener::rtp`].
    pub fn rtcp<'a>(&mut self, datagram: &'a mut [u8]) -> Result<&'a [u8], Refused> {
        let tag_bytes = self.rtcp.tag_bytes();
        let length = datagram.len().checked_sub(tag_bytes + 4).ok_or(Refused::Short)?;
        let ssrc = word(datagram, 4).filter(|_| length >= RTCP_HEAD_BYTES).ok_or(Refused::Short)?;
        let trailer =
            word(datagram, if self.rtcp.trails() { length + tag_bytes } else { length }).ok_or(Refused::Short)?;
        let index = u64::from(trailer & !ENCRYPTED);
        if !self.rtcp_streams.is_fresh(ssrc, index) {
            return Err(Refused::Replayed);
        }
        // Authenticated but in clear is not what was agreed (RFC 4568 section 6.3.2).
        if trailer & ENCRYPTED == 0 {
            return Err(Refused::Forged);
        }
        match &self.rtcp {
            Session::AesCm { key, salt, tag } => {
                let (packet, after) = datagram.split_at_mut_checked(length).ok_or(Refused::Short)?;
                let sent = after.get(4..).ok_or(Refused::Short)?;
                authentic(&sha1_tag(tag, packet, &trailer.to_be_bytes()), sent)?;
                let iv = counter(salt, ssrc, index);
                let body = packet.get_mut(RTCP_HEAD_BYTES..).ok_or(Refused::Short)?;
                Ctr128BE::<Aes128>::new(key.into(), &iv.into()).apply_keystream(body);
            }
            Session::Gcm { key, salt } => {
                let (head, rest) = datagram.split_at_mut_checked(RTCP_HEAD_BYTES).ok_or(Refused::Short)?;
                let aad = Aad::from(rtcp_aad(head, trailer.to_be_bytes()));
                let sealed = rest.get_mut(..length - RTCP_HEAD_BYTES + tag_bytes).ok_or(Refused::Short)?;
                key.open_in_place(nonce(salt, ssrc, index), aad, sealed).map_err(|_| Refused::Forged)?;
            }
        }
        self.rtcp_streams.take(ssrc, index);
        datagram.get(..length).ok_or(Refused::Short)
    }
}

impl Session {
    /// SRTCP's index comes last with GCM (RFC 7714 section 9.4), before the tag otherwise (RFC 3711 section 3.4).
    fn trails(&self) -> bool {
        match self {
            Session::AesCm { .. } => false,
            Session::Gcm { .. } => true,
        }
    }
}

/// How often the number has rolled over, as the tag has it.
fn rolled(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn rtcp_aad(head: &[u8], trailer: [u8; 4]) -> [u8; RTCP_HEAD_BYTES + 4] {
    let mut aad = [0; RTCP_HEAD_BYTES + 4];
    aad.iter_mut().zip(head.iter().copied().chain(trailer)).for_each(|(place, byte)| *place = byte);
    aad
}

fn authentic(made: &[u8; SHA1_TAG_BYTES], sent: &[u8]) -> Result<(), Refused> {
    if bool::from(made.as_slice().ct_eq(sent)) { Ok(()) } else { Err(Refused::Forged) }
}

#[cfg(test)]
mod tests;
