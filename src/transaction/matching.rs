//! Which transaction a message belongs to (RFC 3261 sections 17.1.3, 17.2.3, 9.2 and 8.2.2.2).

use crate::sip::{Headers, Method, Request, Via};

/// What the copies of one request share, and its CANCEL and the ACK to its refusal with it (17.2.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ServerMatch {
    /// The branch names the transaction, together with the sent-by of whoever made the branch.
    Branch { branch: String, sent_by: (String, u16), method: Method },
    /// A peer of RFC 2543, or a branch that is only the magic cookie (RFC 4475 section 3.2.1): the request is known by
    /// everything that its copies repeat. An empty branch alone must never join two calls.
    Whole {
        uri: String,
        from_tag: Option<String>,
        /// Left out for INVITE: its ACK carries the tag that our response added.
        to_tag: Option<String>,
        call_id: String,
        cseq: u32,
        via: String,
        method: Method,
    },
}

impl ServerMatch {
    /// `method` is the method of the transaction that is looked for: INVITE for an ACK or a CANCEL.
    /// `None` when the headers that identify a request cannot be read.
    pub fn of(request: &Request, via: &Via, method: Method) -> Option<ServerMatch> {
        if let Some(branch) = via.rfc3261_branch() {
            // Tokens compare without case (7.3.1).
            let sent_by = (via.host.to_string().to_ascii_lowercase(), via.port.unwrap_or(5060));
            return Some(ServerMatch::Branch { branch: branch.to_ascii_lowercase(), sent_by, method });
        }
        let to_tag = if method == Method::Invite { None } else { tag_of(request.headers.to().ok()) };
        Some(ServerMatch::Whole {
            uri: request.uri.to_string(),
            from_tag: tag_of(request.headers.from().ok()),
            to_tag,
            call_id: request.headers.call_id().to_owned(),
            cseq: request.headers.cseq().ok()?.number,
            via: via.to_string(),
            method,
        })
    }
}

fn tag_of(value: Option<crate::sip::NameAddr>) -> Option<String> {
    value.and_then(|value| value.tag().map(str::to_owned))
}

/// What a request has in common with its copies that came by other paths, with other branches (8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MergeMatch {
    call_id: String,
    from_tag: String,
    cseq: u32,
    method: Method,
}

impl MergeMatch {
    /// `None` for a request inside a dialog, and for one without a From tag (RFC 2543), which cannot be told apart.
    pub fn of(request: &Request) -> Option<MergeMatch> {
        let headers = &request.headers;
        if headers.to().ok()?.tag().is_some() {
            return None;
        }
        Some(MergeMatch {
            call_id: headers.call_id().to_owned(),
            from_tag: tag_of(headers.from().ok())?,
            cseq: headers.cseq().ok()?.number,
            method: request.method.clone(),
        })
    }
}

/// A response belongs to the request of ours whose branch and method it carries (17.1.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientMatch {
    branch: String,
    method: Method,
}

impl ClientMatch {
    pub fn new(branch: &str, method: Method) -> ClientMatch {
        ClientMatch { branch: branch.to_ascii_lowercase(), method }
    }

    pub fn of(headers: &Headers, via: &Via) -> Option<ClientMatch> {
        Some(ClientMatch::new(via.rfc3261_branch()?, headers.cseq().ok()?.method))
    }
}
