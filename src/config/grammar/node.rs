//! Tables of wardline.toml that stand by themselves.

use super::{ANY_TIME, DIALLED, PATH, REALM, REFERENCE};
use crate::grammar::{BLANK, Kind, Need, Table, key};

pub(super) static TLS: Table = Table {
    name: "tls",
    subject: "`tls`",
    written: "[tls]",
    doc: "Certificates, as files in PEM. They are no part of a version: every publish and SIGHUP reads them again, and the \
          next handshake shows what they hold; connections that are up stay up. TLS 1.2 and 1.3 are spoken.",
    keys: &[
        key!("certificate", Kind::Form(&PATH), Need::Required, "ours, followed by those between it and the root"),
        key!("key", Kind::Form(&PATH), Need::Required, "its key, in a file that only the server's user can read"),
        key!(
            "authorities",
            Kind::Form(&PATH),
            Need::Without("nobody"),
            "certificates of those who sign peers' certificates; needed to call over TLS"
        ),
        key!(
            "client_certificates",
            Kind::Words(&["none", "asked", "required"]),
            Need::Default("\"none\""),
            "whether those who connect show one; `asked` serves those without, as phones are"
        ),
    ],
    example: "[tls]\ncertificate = \"tls/wardline.pem\"\nkey = \"tls/wardline.key\"\nauthorities = \"tls/ca.pem\"\nclient_certificates = \"asked\"\n",
    ..BLANK
};

pub(super) static REGISTRATION: Table = Table {
    name: "registration",
    subject: "`registration`",
    written: "[registration]",
    doc: "Phones that register here, with a password each.",
    keys: &[
        key!(
            "realm",
            Kind::Form(&REALM),
            Need::Default("\"wardline\""),
            "domain of analysts' phones; passwords are bound to it"
        ),
        key!("min_expires", ANY_TIME, Need::Default("\"60s\""), "phones that ask for less are told this"),
        key!("max_expires", ANY_TIME, Need::Default("\"1h\""), "the longest registration"),
    ],
    example: "[registration]\nrealm = \"desk.hospital.example\"\nmin_expires = \"2m\"\n",
    ..BLANK
};

pub(super) static CANARY: Table = Table {
    name: "canary",
    subject: "`canary`",
    written: "[canary]",
    doc: "A test call that shows from outside that the desk works. Give it a hotline and an analyst of its own.",
    keys: &[
        key!("enabled", Kind::Flag, Need::Default("true"), "whether it calls"),
        key!("every", ANY_TIME, Need::Default("\"60s\""), "how often"),
        key!("hospital", REFERENCE, Need::Required, "the hospital that it calls"),
        key!("number", Kind::Form(&DIALLED), Need::Required, "a hotline that only the canary dials"),
        key!("analyst", REFERENCE, Need::Required, "the only one its call can ring, with a phone at a fixed address"),
    ],
    example: "[canary]\nenabled = false\nevery = \"5m\"\nhospital = \"mercy-harbor\"\nnumber = \"7199\"\nanalyst = \"canary\"\n",
    ..BLANK
};
