//! `a=crypto` (RFC 4568): the key of one direction of a secured stream, as whoever sends it says.
//!
//! ```text
//! a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20
//!          tag suite                 key and salt, base64                    lifetime
//! ```
//! A line that asks for what we do not do (several keys, a key identifier, a stream that is not encrypted or not
//! authenticated) is passed over, as section 7.1.1 has it: another may do.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// Bytes of a master key; both suites have AES with 128 bits.
pub const KEY_BYTES: usize = 16;
/// Bytes of the longer salt (RFC 3711 section 8.2).
pub const MAX_SALT_BYTES: usize = 14;
/// Digits of a tag (RFC 4568 section 9.2).
const MAX_TAG_DIGITS: usize = 9;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// RFC 7714 section 14.2.
    AeadAes128Gcm,
    /// RFC 4568 section 6.2.1: what every phone with SRTP has.
    AesCm128HmacSha1,
}

impl Suite {
    /// In the order of our preference.
    pub const ALL: [Suite; 2] = [Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1];

    pub const fn name(self) -> &'static str {
        match self {
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AesCm128HmacSha1 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    pub const fn salt_bytes(self) -> usize {
        match self {
            Suite::AeadAes128Gcm => 12,
            Suite::AesCm128HmacSha1 => MAX_SALT_BYTES,
        }
    }
}

/// Master key and salt of one direction. It stands in no log: whoever prints it for debugging sees its suite alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    pub suite: Suite,
    pub key: [u8; KEY_BYTES],
    /// The first [`Suite::salt_bytes`] count, the rest is 0.
    pub salt: [u8; MAX_SALT_BYTES],
}

impl MasterKey {
    /// Made of randomness; what the suite does not need is left unused.
    pub fn new(suite: Suite, random: [u8; KEY_BYTES + MAX_SALT_BYTES]) -> MasterKey {
        let (key, rest) = random.split_first_chunk().map_or(([0; KEY_BYTES], &[][..]), |(key, rest)| (*key, rest));
        let mut salt = [0; MAX_SALT_BYTES];
        salt.iter_mut().zip(rest).take(suite.salt_bytes()).for_each(|(place, byte)| *place = *byte);
        MasterKey { suite, key, salt }
    }

    fn read(suite: Suite, text: &str) -> Option<MasterKey> {
        let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
        if bytes.len() != KEY_BYTES + suite.salt_bytes() {
            return None;
        }
        let mut whole = [0; KEY_BYTES + MAX_SALT_BYTES];
        whole.iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
        Some(MasterKey::new(suite, whole))
    }

    fn write(&self) -> String {
        let mut bytes = self.key.to_vec();
        bytes.extend(self.salt.iter().take(self.suite.salt_bytes()));
        STANDARD.encode(bytes)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.suite.name())
    }
}

/// One line. An answer repeats the tag of the offer's line that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    pub tag: u32,
    pub master: MasterKey,
}

impl Crypto {
    /// The value of the attribute. `None`: not for us, or broken.
    pub fn parse(value: &str) -> Option<Crypto> {
        let mut words = value.split_ascii_whitespace();
        let (tag, suite, keys) = (words.next()?, words.next()?, words.next()?);
        let digits = tag.len() <= MAX_TAG_DIGITS && tag.bytes().all(|byte| byte.is_ascii_digit());
        let tag = tag.parse().ok().filter(|_| digits)?;
        let suite = Suite::ALL.into_iter().find(|known| suite == known.name())?;
        if !words.all(is_harmless) {
            return None;
        }
        let (method, info) = keys.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || info.contains(';') {
            return None;
        }
        let mut parts = info.split('|');
        let master = MasterKey::read(suite, parts.next()?)?;
        // A lifetime is at most 2^48 packets, years of talk. What holds a colon is a key identifier (section 6.1).
        parts.all(|part| !part.contains(':')).then_some(Crypto { tag, master })
    }
}

/// Session parameters (section 6.3) that change nothing for us: a hint of the window for copies, and what the sender
/// itself calls optional.
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with("WSH=") || parameter.starts_with('-')
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, self.master.suite.name(), self.master.write())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of RFC 4568 section 4.1's example.
    const INLINE: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    #[test]
    fn the_rfcs_own_line_is_read_and_written_as_it_came() {
        let text = format!("1 AES_CM_128_HMAC_SHA1_80 {INLINE}");
        let crypto = Crypto::parse(&text).expect("read");
        assert_eq!((crypto.tag, crypto.master.suite), (1, Suite::AesCm128HmacSha1));
        assert_eq!((&crypto.master.key, &crypto.master.salt), (b"wDfvg&T+)xG7@fb5", b"jU,RaA}\\|p0%*#"));
        assert_eq!(crypto.to_string(), text);
    }

    #[test]
    fn a_lifetime_and_a_hint_of_a_window_change_nothing() {
        let text = format!("999999999 AES_CM_128_HMAC_SHA1_80 {INLINE}|2^31 WSH=64 -FUTURE=1");
        assert_eq!(Crypto::parse(&text).expect("read").tag, 999_999_999);
    }

    #[test]
    fn gcm_has_a_salt_of_twelve_bytes() {
        let master = MasterKey::new(Suite::AeadAes128Gcm, [7; 30]);
        assert_eq!(master.salt, [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0]);
        let crypto = Crypto { tag: 3, master };
        assert_eq!(Crypto::parse(&crypto.to_string()), Some(crypto));
        assert_eq!(crypto.to_string().rsplit_once(':').map(|(_, key)| key.len()), Some(40));
    }

    #[test]
    fn b37_lines_that_ask_for_less_or_for_more_than_we_do_are_passed_over() {
        for text in [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "x AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1000000000 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_32 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 F8_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_80 uri:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSo",
            "1 AES_CM_128_HMAC_SHA1_80 inline:not+base64!",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj UNAUTHENTICATED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj KDR=1",
            "1 AEAD_AES_128_GCM inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        ] {
            assert_eq!(Crypto::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_is_not_told_to_whoever_prints_it() {
        let crypto = Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 {INLINE}")).expect("read");
        assert_eq!(format!("{crypto:?}"), "Crypto { tag: 1, master: MasterKey(AES_CM_128_HMAC_SHA1_80) }");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_passed_over(text in "[ -~]{0,120}") {
            if let Some(crypto) = Crypto::parse(&text) {
                prop_assert_eq!(Crypto::parse(&crypto.to_string()), Some(crypto));
            }
        }

        #[test]
        fn what_is_written_is_read(tag in 0u32..1_000_000_000, random: [u8; 30], gcm: bool) {
            let suite = if gcm { Suite::AeadAes128Gcm } else { Suite::AesCm128HmacSha1 };
            let crypto = Crypto { tag, master: MasterKey::new(suite, random) };
            prop_assert_eq!(Crypto::parse(&crypto.to_string()), Some(crypto));
        }
    }
}
