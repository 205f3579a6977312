//! SIP as bytes and values (RFC 3261): messages, URIs, headers, SDP, digest. Knows nothing else here.

// From the outside in: what a transport hands over, what is in it, what its values mean.
mod flow;
pub mod stream;
pub mod message;
mod parse;
mod fault;
pub mod limits;
mod method;
mod status;
mod headers;
mod names;
mod via;
mod name_addr;
mod uri;
mod host;
mod params;
pub mod grammar;
pub mod digest;
pub mod sdp;

pub use fault::{Fault, ParseError};
pub use flow::{Flow, Transport};
pub use headers::{CSeq, Contacts, Headers, RAck};
pub use host::Host;
pub use message::{Message, Request, Response};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use status::Status;
pub use uri::{Scheme, Uri};
pub use via::{MAGIC_COOKIE, Via};
