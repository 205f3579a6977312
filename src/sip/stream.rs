//! Cuts a byte stream into messages (RFC 3261 §18.3).
