//! How much of anything a SIP message may bring. Over a limit it is refused, never cut.

/// One datagram: what UDP can carry at all (65,535 with its headers). The receive buffer's size.
pub const MAX_DATAGRAM: usize = 65_535;

/// Start line and headers. A long but honest head (50 Via lines, certificates in Identity) has 4 kB.
pub const MAX_HEAD: usize = 64 * 1024;

/// Header lines of one message. RFC 4475's longest message has 41; Max-Forwards allows 70 hops' Via lines.
pub const MAX_HEADERS: usize = 256;

/// A body. The largest that we read is an SDP of 60 kB (line B30).
pub const MAX_BODY: usize = 256 * 1024;
