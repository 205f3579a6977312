//! One message of our own for each section of RFC 5118 (IPv6). What each must say is written by hand.

use super::look::Expect::{Refused, Taken};
use super::look::{Row, check};

pub const ROWS: &[Row] = &[
    Row {
        section: "4.1",
        about: "an IPv6 reference in Request-URI, Via and Contact",
        start: "REGISTER sip:[2001:db8:7::10] SIP/2.0",
        lines: "Via: SIP/2.0/UDP [2001:db8:7::4710];branch=z9hG4bKv6\nContact: \"Ward 4\" <sip:4710@[2001:db8:7::4710]>",
        body: "",
        expect: Taken(
            401,
            &[
                ("uri.host", "[2001:db8:7::10]"),
                ("uri.port", "-"),
                ("via.0.host", "[2001:db8:7::4710]"),
                ("contact.0.host", "[2001:db8:7::4710]"),
            ],
        ),
    },
    Row {
        section: "4.2",
        about: "an IPv6 address without brackets is refused",
        start: "REGISTER sip:2001:db8:7::10 SIP/2.0",
        lines: "",
        body: "",
        expect: Refused(400),
    },
    Row {
        section: "4.3",
        about: "a port inside the brackets is part of the address",
        start: "REGISTER sip:[2001:db8:7::10:5080] SIP/2.0",
        lines: "",
        body: "",
        expect: Taken(401, &[("uri.host", "[2001:db8:7::10:5080]"), ("uri.port", "-")]),
    },
    Row {
        section: "4.4",
        about: "a port behind the brackets is a port",
        start: "REGISTER sip:[2001:db8:7::10]:5080 SIP/2.0",
        lines: "",
        body: "",
        expect: Taken(401, &[("uri.host", "[2001:db8:7::10]"), ("uri.port", "5080")]),
    },
    Row {
        section: "4.5",
        about: "received in brackets",
        start: "BYE sip:[2001:db8:7::10] SIP/2.0",
        lines: "Via: SIP/2.0/UDP [2001:db8:7::1];received=[2001:db8:7::2:255];branch=z9hG4bKr",
        body: "",
        expect: Taken(481, &[("via.0.received", "2001:db8:7::2:255"), ("via.0.branch", "z9hG4bKr")]),
    },
    Row {
        section: "4.5",
        about: "received without brackets",
        start: "OPTIONS sip:[2001:db8:7::10] SIP/2.0",
        lines: "Via: SIP/2.0/UDP [2001:db8:7::1];received=2001:db8:7::2:255;branch=z9hG4bKr",
        body: "",
        expect: Taken(200, &[("via.0.received", "2001:db8:7::2:255"), ("via.0.branch", "z9hG4bKr")]),
    },
    Row {
        section: "4.6",
        about: "an IPv6 session description passes untouched",
        start: "INVITE sip:desk@[2001:db8:7::10] SIP/2.0",
        lines: "Contact: <sip:4710@[2001:db8:7::20]>\nContent-Type: application/sdp",
        body: "v=0\r\no=w 1 1 IN IP6 2001:db8:7::20\r\nc=IN IP6 2001:db8:7::20\r\n",
        expect: Taken(
            404,
            &[
                ("type", "application/sdp"),
                ("body", "v=0\r\no=w 1 1 IN IP6 2001:db8:7::20\r\nc=IN IP6 2001:db8:7::20\r\n"),
            ],
        ),
    },
    Row {
        section: "4.7",
        about: "IPv4 and IPv6 side by side in header fields",
        start: "BYE sip:desk@hotline.test SIP/2.0",
        lines: "Via: SIP/2.0/UDP [2001:db8:7::1]:6050;branch=z9hG4bKa, SIP/2.0/UDP 192.0.2.47;branch=z9hG4bKb\n\
            v: SIP/2.0/TCP [2001:db8:7::9];received=192.0.2.200;branch=z9hG4bKc",
        body: "",
        expect: Taken(
            481,
            &[
                ("vias", "3"),
                ("via.0.port", "6050"),
                ("via.1.host", "192.0.2.47"),
                ("via.2.host", "[2001:db8:7::9]"),
                ("via.2.received", "192.0.2.200"),
            ],
        ),
    },
    Row {
        section: "4.8",
        about: "both families in one session description",
        start: "INVITE sip:desk@hotline.test SIP/2.0",
        lines: "Contact: <sip:4710@[2001:db8:7::20]>\nc: application/sdp",
        body: "v=0\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=video 4002 RTP/AVP 31\r\nc=IN IP6 2001:db8:7::1\r\n",
        expect: Taken(404, &[("contact.0.host", "[2001:db8:7::20]"), ("type", "application/sdp")]),
    },
    Row {
        section: "4.9",
        about: "IPv4-mapped addresses",
        start: "INVITE sip:desk@hotline.test SIP/2.0",
        lines: "Via: SIP/2.0/UDP [::ffff:192.0.2.47]:19823;branch=z9hG4bKm\nContact: <sip:4710@[::ffff:192.0.2.2]>",
        body: "",
        expect: Taken(
            404,
            &[("via.0.host", "[::ffff:192.0.2.47]"), ("via.0.port", "19823"), ("contact.0.host", "[::ffff:192.0.2.2]")],
        ),
    },
    Row {
        section: "4.10",
        about: "the three colons of RFC 3261's grammar are read as two",
        start: "OPTIONS sip:desk@[2001:db8:::192.0.2.47] SIP/2.0",
        lines: "To: <sip:desk@[2001:db8:::192.0.2.47]>",
        body: "",
        // c000:022f is 192.0.2.47.
        expect: Taken(
            200,
            &[("uri.host", "[2001:db8::c000:22f]"), ("to.host", "[2001:db8::c000:22f]"), ("uri.user", "desk")],
        ),
    },
    Row {
        section: "4.10",
        about: "two colons are",
        start: "OPTIONS sip:desk@[2001:db8::192.0.2.47] SIP/2.0",
        lines: "",
        body: "",
        expect: Taken(200, &[("uri.host", "[2001:db8::c000:22f]")]),
    },
];

#[test]
fn each_section_of_rfc_5118_reads_as_it_says() {
    ROWS.iter().for_each(check);
}
