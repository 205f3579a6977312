//! The header names that something here reads, so that looking one up compares a byte and not a text. Compact forms
//! (RFC 3261 §7.3.3 and the RFCs that add one) are the same header.

/// A header whose name is known. `Other` stands for every name that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Other,
    AcceptContact,
    AllowEvents,
    CallId,
    Contact,
    ContentEncoding,
    ContentLength,
    ContentType,
    Cseq,
    Event,
    Expires,
    From,
    Identity,
    MaxForwards,
    RecordRoute,
    ReferTo,
    ReferredBy,
    RejectContact,
    Replaces,
    RequestDisposition,
    Require,
    Route,
    SessionExpires,
    Subject,
    Supported,
    To,
    Via,
}

/// The longest name in [`Kind::of`]'s table.
const LONGEST: usize = 19;

impl Kind {
    pub(super) fn of(name: &str) -> Kind {
        let mut lower = [0; LONGEST];
        let Some(lower) = lower.get_mut(..name.len()) else {
            return Kind::Other;
        };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        match &*lower {
            b"v" | b"via" => Kind::Via,
            b"f" | b"from" => Kind::From,
            b"t" | b"to" => Kind::To,
            b"i" | b"call-id" => Kind::CallId,
            b"cseq" => Kind::Cseq,
            b"m" | b"contact" => Kind::Contact,
            b"l" | b"content-length" => Kind::ContentLength,
            b"c" | b"content-type" => Kind::ContentType,
            b"max-forwards" => Kind::MaxForwards,
            b"route" => Kind::Route,
            b"record-route" => Kind::RecordRoute,
            b"expires" => Kind::Expires,
            b"require" => Kind::Require,
            b"k" | b"supported" => Kind::Supported,
            b"s" | b"subject" => Kind::Subject,
            b"e" | b"content-encoding" => Kind::ContentEncoding,
            b"o" | b"event" => Kind::Event,                            // RFC 6665
            b"u" | b"allow-events" => Kind::AllowEvents,               // RFC 6665
            b"r" | b"refer-to" => Kind::ReferTo,                       // RFC 3515
            b"b" | b"referred-by" => Kind::ReferredBy,                 // RFC 3892
            b"replaces" => Kind::Replaces,                             // RFC 3891
            b"x" | b"session-expires" => Kind::SessionExpires,         // RFC 4028
            b"a" | b"accept-contact" => Kind::AcceptContact,           // RFC 3841
            b"j" | b"reject-contact" => Kind::RejectContact,           // RFC 3841
            b"d" | b"request-disposition" => Kind::RequestDisposition, // RFC 3841
            b"y" | b"identity" => Kind::Identity,                      // RFC 8224
            _ => Kind::Other,
        }
    }

    /// The full name of a header that may stand only once, as the torture tests of RFC 4475 §3.3.8 and §3.3.9 have it.
    pub(super) fn single(self) -> Option<&'static str> {
        match self {
            Kind::CallId => Some("Call-ID"),
            Kind::ContentLength => Some("Content-Length"),
            Kind::ContentType => Some("Content-Type"),
            Kind::Cseq => Some("CSeq"),
            Kind::Event => Some("Event"),
            Kind::Expires => Some("Expires"),
            Kind::From => Some("From"),
            Kind::MaxForwards => Some("Max-Forwards"),
            Kind::ReferTo => Some("Refer-To"),
            Kind::ReferredBy => Some("Referred-By"),
            Kind::Replaces => Some("Replaces"),
            Kind::SessionExpires => Some("Session-Expires"),
            Kind::To => Some("To"),
            Kind::Other
            | Kind::AcceptContact
            | Kind::AllowEvents
            | Kind::Contact
            | Kind::ContentEncoding
            | Kind::Identity
            | Kind::RecordRoute
            | Kind::RejectContact
            | Kind::RequestDisposition
            | Kind::Require
            | Kind::Route
            | Kind::Subject
            | Kind::Supported
            | Kind::Via => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_forms_and_odd_case_are_the_same_header() {
        assert_eq!(Kind::of("v"), Kind::Via);
        assert_eq!(Kind::of("VIa"), Kind::Via);
        assert_eq!(Kind::of("MaX-fOrWaRdS"), Kind::MaxForwards);
        assert_eq!(Kind::of("request-disposition"), Kind::RequestDisposition);
        assert_eq!(Kind::of("C%6Fntact"), Kind::Other);
        assert_eq!(Kind::of("a-name-that-is-longer-than-any"), Kind::Other);
    }
}
