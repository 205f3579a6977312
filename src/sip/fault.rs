//! What can be wrong with a message or a header value, in words, and the reply it deserves.

use thiserror::Error;

use super::message::Response;
use super::status::Status;

/// One thing that is wrong. The words go into the reply's reason phrase and the log, so they never quote the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("message is empty")]
    Empty,
    #[error("headers are larger than 64 kB")]
    HeadTooLarge,
    #[error("message is too large")]
    BodyTooLarge,
    #[error("more headers than the limit")]
    TooManyHeaders,
    #[error("malformed start line")]
    StartLine,
    #[error("malformed Request-URI")]
    RequestUri,
    #[error("unknown SIP version")]
    Version,
    #[error("malformed status code")]
    StatusCode,
    #[error("line not ended by CRLF")]
    LineEnd,
    #[error("header without colon")]
    NoColon,
    #[error("malformed header name")]
    HeaderName,
    #[error("missing {0}")]
    Missing(&'static str),
    #[error("more than one {0}")]
    Repeated(&'static str),
    #[error("malformed {0}")]
    Malformed(&'static str),
    #[error("CSeq method differs from the request's")]
    CseqMethod,
    #[error("Content-Length exceeds the body")]
    ContentLengthExceedsBody,
    #[error("unterminated quoted string")]
    UnterminatedQuote,
    #[error("malformed URI")]
    Uri,
    #[error("malformed host or port")]
    Host,
    #[error("malformed parameter")]
    Param,
    #[error("malformed address")]
    Address,
}

impl Fault {
    /// The final status that a request with this fault is refused with.
    pub fn status(self) -> Status {
        match self {
            Fault::Version => Status::VERSION_NOT_SUPPORTED,
            Fault::HeadTooLarge | Fault::BodyTooLarge => Status::MESSAGE_TOO_LARGE,
            Fault::Empty
            | Fault::TooManyHeaders
            | Fault::StartLine
            | Fault::RequestUri
            | Fault::StatusCode
            | Fault::LineEnd
            | Fault::NoColon
            | Fault::HeaderName
            | Fault::Missing(_)
            | Fault::Repeated(_)
            | Fault::Malformed(_)
            | Fault::CseqMethod
            | Fault::ContentLengthExceedsBody
            | Fault::UnterminatedQuote
            | Fault::Uri
            | Fault::Host
            | Fault::Param
            | Fault::Address => Status::BAD_REQUEST,
        }
    }
}

/// Bytes that are no message we can take.
#[derive(Clone, Debug, Error)]
#[error("{fault}")]
pub struct ParseError {
    pub fault: Fault,
    /// A ready final response, its To tag included, when enough of a request (not an ACK) was understood to answer it:
    /// at least a readable top Via. `None` for responses and for what cannot be answered.
    pub reply: Option<Box<Response>>,
}
