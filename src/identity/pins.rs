//! PINs of the people who call, as keyed hashes: one microsecond to check, so that the thread that owns the switch
//! checks and counts a PIN before it hears the next one, and twenty calls at once cannot race.
//!
//! A PIN has so few digits that a slow hash keeps nobody out who holds it: a million tries of a tenth of a second are a
//! day. What keeps them out is the key, which stands sealed in the store, and the lock ([`crate::identity::Lockouts`]).

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::ids::{ClinicianId, HospitalId};

/// Digits of a PIN: fewer are guessed, more are not remembered.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 4..=12;

/// HMAC-SHA256 of one person's PIN.
pub type PinTag = [u8; 32];

/// Why a PIN is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    #[error("a PIN has 4 to 12 digits, nothing else")]
    Digits,
    #[error("it begins with 911, which is the operator's in the middle of any number")]
    Emergency,
    #[error("one digit over and over is tried first")]
    Same,
    #[error("digits in a row are tried first")]
    Row,
    #[error("it stands in the person's badge number")]
    Badge,
}

/// Whether a PIN may be set for somebody with this badge.
///
/// # Errors
/// When it cannot be keyed, or is what a guesser tries first.
pub fn judge_pin(pin: &str, badge: Option<&str>) -> Result<(), WeakPin> {
    let digits = pin.as_bytes();
    if !PIN_DIGITS.contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(WeakPin::Digits);
    }
    if pin.starts_with("911") {
        return Err(WeakPin::Emergency);
    }
    let steps: Vec<i16> = digits.windows(2).map(|pair| i16::from(pair[1]) - i16::from(pair[0])).collect();
    if steps.iter().all(|step| *step == 0) {
        return Err(WeakPin::Same);
    }
    if steps.iter().all(|step| *step == 1) || steps.iter().all(|step| *step == -1) {
        return Err(WeakPin::Row);
    }
    match badge {
        Some(badge) if badge.contains(pin) => Err(WeakPin::Badge),
        Some(_) | None => Ok(()),
    }
}

/// Everybody's PIN, and the key they are hashed with.
#[derive(Clone, Default)]
pub struct Pins {
    key: [u8; 32],
    tags: BTreeMap<(HospitalId, ClinicianId), PinTag>,
}

impl Pins {
    pub fn new(key: [u8; 32], tags: BTreeMap<(HospitalId, ClinicianId), PinTag>) -> Pins {
        Pins { key, tags }
    }

    /// What is kept of a PIN. Hospital and person are part of it: the same PIN of two people looks different, and no
    /// row is worth anything for somebody else.
    pub fn tag(key: &[u8; 32], hospital: &HospitalId, person: &ClinicianId, pin: &str) -> PinTag {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        for part in [hospital.as_str(), person.as_str(), pin] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// Sets one PIN: for simulated calls, whose people have no store.
    pub fn set(&mut self, hospital: &HospitalId, person: &ClinicianId, pin: &str) {
        let tag = Pins::tag(&self.key, hospital, person, pin);
        self.tags.insert((hospital.clone(), person.clone()), tag);
    }

    /// Whether this is the person's PIN. Somebody without one has none that is right.
    pub fn proves(&self, hospital: &HospitalId, person: &ClinicianId, keyed: &str) -> bool {
        let given = Pins::tag(&self.key, hospital, person, keyed);
        let known = self.tags.get(&(hospital.clone(), person.clone()));
        known.is_some_and(|known| bool::from(known.ct_eq(&given)))
    }

    pub fn has(&self, hospital: &HospitalId, person: &ClinicianId) -> bool {
        self.tags.contains_key(&(hospital.clone(), person.clone()))
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pins({} people, sealed)", self.tags.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_its_own_persons_in_its_own_hospital() {
        let (harbor, cedar) = (HospitalId::new("harbor"), HospitalId::new("cedar"));
        let (rao, bell) = (ClinicianId::new("rao"), ClinicianId::new("bell"));
        let mut pins = Pins::new([3; 32], BTreeMap::new());
        pins.set(&harbor, &rao, "274913");
        assert!(pins.proves(&harbor, &rao, "274913"));
        for (hospital, person, keyed) in [
            (&harbor, &rao, "274914"),
            (&harbor, &rao, "27491"),
            (&harbor, &rao, ""),
            (&harbor, &bell, "274913"),
            (&cedar, &rao, "274913"),
        ] {
            assert!(!pins.proves(hospital, person, keyed), "{hospital} {person} {keyed}");
        }
        assert!(!format!("{pins:?}").contains("274913"));
        // RFC 4231 has no case of this message; so: another key gives another tag, and the same one the same.
        let tag = |key: u8, pin| Pins::tag(&[key; 32], &harbor, &rao, pin);
        assert_eq!(tag(3, "274913"), tag(3, "274913"));
        assert_ne!(tag(3, "274913"), tag(4, "274913"));
    }

    #[test]
    fn pins_that_are_tried_first_are_not_taken() {
        let table = [
            ("274913", Ok(())),
            ("2749", Ok(())),
            ("274", Err(WeakPin::Digits)),
            ("2749132749132", Err(WeakPin::Digits)),
            ("27a9", Err(WeakPin::Digits)),
            ("2749 ", Err(WeakPin::Digits)),
            ("911274", Err(WeakPin::Emergency)),
            ("7777", Err(WeakPin::Same)),
            ("123456", Err(WeakPin::Row)),
            ("8765", Err(WeakPin::Row)),
            ("0417", Err(WeakPin::Badge)),
        ];
        for (pin, expected) in table {
            assert_eq!(judge_pin(pin, Some("204170")), expected, "{pin}");
        }
        assert_eq!(judge_pin("0417", None), Ok(()));
    }
}
