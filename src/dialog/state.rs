//! Dialog state (RFC 3261 section 12): who talks with whom, by which route, and what number comes next.

use thiserror::Error;

use super::session_timer::MIN_SE;
use crate::sip::{Headers, Method, NameAddr, Request, Response, Status, Uri};

/// More requests of ours than one dialog ever sees: a few thousand in its four hours.
const FAR: u32 = 1 << 20;

/// Call-ID and both tags (12). A peer of RFC 2543 may have no tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: Option<String>,
}

/// Why a message cannot make a dialog. Its status is the answer to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DialogError {
    #[error("missing or unreadable {0}")]
    Header(&'static str),
    #[error("a body that is no session description")]
    Body,
    #[error("an encoded body")]
    Encoding,
    /// A session interval below ours (RFC 4028 section 9).
    #[error("a session timer of less than 90 s")]
    TooBrief,
}

impl DialogError {
    pub fn status(self) -> Status {
        match self {
            DialogError::Header(_) => Status::BAD_REQUEST,
            DialogError::Body | DialogError::Encoding => Status::UNSUPPORTED_MEDIA_TYPE,
            DialogError::TooBrief => Status::SESSION_INTERVAL_TOO_SMALL,
        }
    }

    /// What the answer says of what would do (8.2.3).
    pub fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            DialogError::Header(_) => None,
            DialogError::Body => Some(("Accept", super::body::SDP)),
            DialogError::Encoding => Some(("Accept-Encoding", "identity")),
            DialogError::TooBrief => Some(("Min-SE", MIN_SE)),
        }
    }

    /// The answer to the request that failed so.
    pub fn response(self, request: &Request, to_tag: &str) -> Response {
        let response = Response::to_request(request, self.status()).with_to_tag(to_tag);
        if let DialogError::Header(name) = self {
            return response.with_reason(format!("Missing {name}"));
        }
        self.header().into_iter().fold(response, |response, (name, value)| response.with_header(name, value))
    }
}

/// The request's CSeq number is lower than one seen before (12.2.2): 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("CSeq {got} after {last}")]
pub struct OutOfOrder {
    pub last: u32,
    pub got: u32,
}

#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    /// With our tag.
    local: NameAddr,
    /// With the peer's tag, if it has one.
    remote: NameAddr,
    local_cseq: u32,
    /// `None` until the peer sends a request of its own.
    remote_cseq: Option<u32>,
    remote_target: Uri,
    route_set: Vec<NameAddr>,
}

impl Dialog {
    /// The callee's side, from the INVITE (12.1.1). `local_tag` goes into the To of every response to it.
    pub fn of_callee(invite: &Request, local_tag: &str) -> Result<Dialog, DialogError> {
        let headers = &invite.headers;
        let remote = headers.from().map_err(|_| DialogError::Header("From"))?;
        let local = headers.to().map_err(|_| DialogError::Header("To"))?.with_tag(local_tag);
        let call_id = headers.call_id().to_owned();
        let cseq = headers.cseq().map_err(|_| DialogError::Header("CSeq"))?.number;
        // A peer of RFC 2543 (no From tag) may name no Contact; it is reached at its From.
        let is_old = remote.tag().is_none() && headers.get("Contact").is_none();
        let old = || is_old.then(|| bare(&remote.uri));
        let remote_target = contact(headers).or_else(old).ok_or(DialogError::Header("Contact"))?;
        let route_set = headers.record_routes().map_err(|_| DialogError::Header("Record-Route"))?;
        let id = DialogId { call_id, local_tag: local_tag.to_owned(), remote_tag: remote.tag().map(str::to_owned) };
        // The first number is ours to choose (8.1.1.5).
        Ok(Dialog { id, local, remote, local_cseq: 0, remote_cseq: Some(cseq), remote_target, route_set })
    }

    /// The caller's side, from the INVITE and a response above 100 (12.1.2). A missing Contact falls back on the
    /// INVITE's target, a missing To tag is kept as none: both are RFC 2543's ways.
    pub fn of_caller(invite: &Request, response: &Response) -> Result<Dialog, DialogError> {
        Dialog::of_response(&invite.headers, response, &invite.uri)
    }

    /// The caller's side of a 2xx whose INVITE nobody remembers (before a restart): good for an ACK and a BYE.
    pub fn of_stray(response: &Response) -> Result<Dialog, DialogError> {
        let to = response.headers.to().map_err(|_| DialogError::Header("To"))?;
        Dialog::of_response(&response.headers, response, &to.uri)
    }

    fn of_response(ours: &Headers, response: &Response, fallback: &Uri) -> Result<Dialog, DialogError> {
        let local = ours.from().map_err(|_| DialogError::Header("From"))?;
        let local_cseq = ours.cseq().map_err(|_| DialogError::Header("CSeq"))?.number;
        let remote = response.headers.to().map_err(|_| DialogError::Header("To"))?;
        let remote_target = contact(&response.headers).unwrap_or_else(|| bare(fallback));
        let mut route_set = response.headers.record_routes().map_err(|_| DialogError::Header("Record-Route"))?;
        route_set.reverse();
        let id = DialogId {
            call_id: ours.call_id().to_owned(),
            local_tag: local.tag().unwrap_or_default().to_owned(),
            remote_tag: remote.tag().map(str::to_owned),
        };
        Ok(Dialog { id, local, remote, local_cseq, remote_cseq: None, remote_target, route_set })
    }

    /// The same dialog as `early`, made anew by the 2xx: what that settles is new, both counters run on (13.2.2.4).
    pub fn continuing(self, early: &Dialog) -> Dialog {
        Dialog { local_cseq: self.local_cseq.max(early.local_cseq), remote_cseq: early.remote_cseq, ..self }
    }

    /// For a copy that was put aside: its next request has a higher number than any that may have been sent since.
    pub fn after_many(self) -> Dialog {
        Dialog { local_cseq: self.local_cseq.wrapping_add(FAR) & 0x7fff_ffff, ..self }
    }

    pub fn id(&self) -> &DialogId {
        &self.id
    }

    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// A request of the peer belongs here: Call-ID, its To tag ours, its From tag the peer's (12.2.2).
    pub fn matches(&self, headers: &Headers) -> bool {
        let tag = |value: Option<NameAddr>| value.and_then(|value| value.tag().map(str::to_owned));
        headers.call_id() == self.id.call_id
            && tag(headers.to().ok()).as_deref() == Some(self.id.local_tag.as_str())
            && tag(headers.from().ok()) == self.id.remote_tag
    }

    /// Notes the number of a request of the peer (12.2.2). Gaps are fine; a lower one is refused.
    pub fn check_cseq(&mut self, number: u32) -> Result<(), OutOfOrder> {
        match self.remote_cseq {
            Some(last) if number < last => Err(OutOfOrder { last, got: number }),
            Some(_) | None => {
                self.remote_cseq = Some(number);
                Ok(())
            }
        }
    }

    /// Takes the Contact of a target refresh: INVITE, UPDATE, and 2xx to them (12.2.1.2, RFC 3311 section 5).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.remote_target = target;
        }
    }

    /// The next request within the dialog (12.2.1.1), with the next CSeq number. Via and Max-Forwards are the
    /// transaction layer's to add.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.wrapping_add(1) & 0x7fff_ffff;
        self.build(method, self.local_cseq)
    }

    /// The ACK to the 2xx of the INVITE numbered `cseq` (13.2.2.4).
    pub fn ack(&self, cseq: u32) -> Request {
        self.build(Method::Ack, cseq)
    }

    /// Where the next request goes, as a URI: the first route, or the target without one. Behind a strict router that
    /// is the request's own URI (12.2.1.1).
    pub fn next_hop(&self) -> Uri {
        self.route_set.first().map_or_else(|| self.remote_target.clone(), |route| route.uri.clone())
    }

    fn build(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.path();
        let mut request = Request::new(method, uri);
        let headers = &mut request.headers;
        for route in routes {
            headers.push("Route", route);
        }
        headers.push("From", &self.local);
        headers.push("To", &self.remote);
        headers.push("Call-ID", &self.id.call_id);
        headers.push("CSeq", format_args!("{cseq} {}", request.method));
        request
    }

    /// Request-URI and Route values (12.2.1.1): a first route with `lr` is routed loosely; one without is a strict
    /// router, which wants itself in the Request-URI and the target at the end.
    fn path(&self) -> (Uri, Vec<String>) {
        match self.route_set.split_first() {
            None => (self.remote_target.clone(), Vec::new()),
            Some((first, _)) if first.uri.is_loose() => {
                (self.remote_target.clone(), self.route_set.iter().map(NameAddr::to_string).collect())
            }
            Some((strict, rest)) => {
                let target = NameAddr::new(self.remote_target.clone());
                (bare(&strict.uri), rest.iter().chain([&target]).map(NameAddr::to_string).collect())
            }
        }
    }
}

/// The first Contact's URI, fit to be a Request-URI.
fn contact(headers: &Headers) -> Option<Uri> {
    headers.contact().filter(|contact| contact.uri.is_sip()).map(|contact| bare(&contact.uri))
}

/// Without what a Request-URI may not hold (19.1.1, table 1).
fn bare(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    uri.headers.clear();
    uri.params.remove("method");
    uri
}
