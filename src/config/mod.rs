//! What admins write in sip-config/: read raw, then checked as one program.

/// The checked configuration of a whole node.
#[derive(Debug)]
pub struct Config {}
