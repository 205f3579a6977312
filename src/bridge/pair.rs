//! Two negotiated legs side by side: what passes between them, and what each hears while one is on hold.
//!
//! Hold stays on its own leg. Whoever is held hears our hold music, so the other phone gets no re-INVITE, and a PBX
//! that shuffles or parks on one side never reaches through to the other.

use super::{Codec, Direction, MediaSession, Negotiation};

/// How audio gets from one leg to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Payloads go over untouched; headers, and telephone-event's payload type, are our own on each leg.
    PassThrough,
    /// Decoded and encoded again.
    Transcode,
}

/// How audio goes between two legs, the same in both directions.
pub fn path(a: &MediaSession, b: &MediaSession) -> Path {
    if a.codec == b.codec { Path::PassThrough } else { Path::Transcode }
}

/// The codec to [`Negotiation::prefer`] on a leg that is offered, or renewed, beside `other`.
pub fn preferred_beside(other: &Negotiation) -> Option<Codec> {
    other.session().map(|session| session.codec)
}

/// What the phone of a bridged leg is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// The other leg's audio.
    Peer,
    /// Our hold music, repeated: the other side has put this one on hold.
    HoldMusic,
    /// Nothing: this phone takes no audio now.
    Nothing,
}

/// What `listener` is sent while bridged with `other`.
///
/// | `other` | `listener` |
/// |---|---|
/// | speaks and listens | hears it |
/// | holds us (sendonly, inactive, c=0.0.0.0, port 0) | hears our hold music, even if `other` sends music of its own |
/// | was put on hold by us | hears our hold music, as nobody is there to talk to |
/// | any | nothing while `listener` itself takes no audio |
pub fn hears(listener: &Negotiation, other: &Negotiation) -> Hears {
    let takes = |session: &MediaSession| session.remote.is_some() && session.direction.sends();
    if !listener.session().as_ref().is_some_and(takes) {
        return Hears::Nothing;
    }
    if other.held_by_peer() || other.holding() { Hears::HoldMusic } else { Hears::Peer }
}

/// Whether silence of this leg's phone is a fault: a phone that agreed to send, and is not on hold (line B31, E68).
pub fn expects_media(leg: &Negotiation) -> bool {
    let sends = leg.session().is_some_and(|session| match session.direction {
        Direction::SendRecv | Direction::RecvOnly => session.remote.is_some(),
        Direction::SendOnly | Direction::Inactive => false,
    });
    sends && !leg.held_by_peer() && !leg.holding()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{Hold, MediaEndpoint, MediaPolicy, MediaPort};

    fn leg() -> Negotiation {
        let local = MediaEndpoint { address: "192.0.2.1".parse().unwrap(), port: MediaPort(20_000) };
        Negotiation::new(1, local, MediaPolicy::default())
    }

    fn body(version: u32, formats: &str, direction: &str) -> String {
        format!(
            "v=0\r\no=- 7 {version} IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP {formats}\r\na={direction}\r\n"
        )
    }

    fn talking(formats: &str) -> Negotiation {
        let mut leg = leg();
        leg.answer(body(1, formats, "sendrecv").as_bytes()).unwrap();
        leg
    }

    #[test]
    fn leg_b_is_offered_the_codec_of_leg_a_first_and_media_passes_through() {
        let a = talking("8 9");
        let mut b = leg();
        b.prefer(preferred_beside(&a));
        assert!(b.offer().contains("RTP/AVP 8 0 9 101\r\n"));
        b.accept_answer(body(1, "8", "sendrecv").as_bytes()).unwrap();
        assert_eq!(path(&a.session().unwrap(), &b.session().unwrap()), Path::PassThrough);
        assert_eq!(path(&a.session().unwrap(), &talking("9").session().unwrap()), Path::Transcode);
    }

    #[test]
    fn b31_who_is_held_hears_our_music_and_the_holder_nothing() {
        let caller = talking("0");
        for held in ["sendonly", "inactive"] {
            let mut analyst = talking("0");
            analyst.answer(body(2, "0", held).as_bytes()).unwrap();
            assert_eq!(hears(&caller, &analyst), Hears::HoldMusic, "{held}");
            assert_eq!(hears(&analyst, &caller), Hears::Nothing, "{held}");
            assert!(!expects_media(&analyst), "{held}");
            assert!(expects_media(&caller), "{held}");
            analyst.answer(body(3, "0", "sendrecv").as_bytes()).unwrap();
            assert_eq!(hears(&caller, &analyst), Hears::Peer, "{held}");
            assert_eq!(hears(&analyst, &caller), Hears::Peer, "{held}");
        }
    }

    #[test]
    fn our_own_hold_takes_the_other_leg_along_in_words_only() {
        let (mut caller, analyst) = (talking("0"), talking("0"));
        caller.hold(Hold::Music);
        caller.accept_answer(body(2, "0", "recvonly").as_bytes()).unwrap();
        assert_eq!(hears(&analyst, &caller), Hears::HoldMusic);
        assert!(!expects_media(&caller));
    }
}
