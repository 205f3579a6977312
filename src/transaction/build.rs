//! The messages that the transaction layer writes by itself: ACK to a refusal, CANCEL, and answers without state.

use crate::sip::{Method, NameAddr, Request, Response, Status};

/// Hops a request of ours may take (8.1.1.6).
pub const MAX_FORWARDS: &str = "70";

/// The ACK to a final response other than 2xx (17.1.1.3): the INVITE's branch, the response's To.
pub(super) fn ack(invite: &Request, response: &Response) -> Request {
    let mut ack = same_path(invite, Method::Ack);
    if let Some(to) = response.headers.get("To") {
        ack.headers.set("To", to);
    }
    ack
}

/// The CANCEL of an INVITE (9.1). `reason`: a Reason header's value (RFC 3326).
pub(super) fn cancel(invite: &Request, reason: Option<&str>) -> Request {
    let mut cancel = same_path(invite, Method::Cancel);
    if let Some(reason) = reason {
        cancel.headers.push("Reason", reason);
    }
    cancel
}

/// A request that takes the INVITE's way to the letter: target, top Via, Route, From, To, Call-ID, CSeq number.
fn same_path(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method, invite.uri.clone());
    let headers = &mut request.headers;
    // The INVITE is ours: its one Via is the one that the transaction gave it.
    headers.copy("Via", &invite.headers);
    headers.push("Max-Forwards", MAX_FORWARDS);
    for name in ["Route", "From", "To", "Call-ID"] {
        headers.copy(name, &invite.headers);
    }
    let number = invite.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
    headers.push("CSeq", format_args!("{number} {}", request.method));
    request
}

/// An answer of ours that keeps no state. Its To tag depends on the request alone, so that every copy of the request
/// gets the same one (8.2.7).
pub fn stateless_response(request: &Request, status: Status) -> Response {
    Response::to_request(request, status).with_to_tag(&stateless_tag(request))
}

/// A To tag for a request that gets no dialog, the same for each of its copies (8.2.7). FNV-1a of what identifies it:
/// it need only differ from other tags, nothing secret hangs on it.
pub fn stateless_tag(request: &Request) -> String {
    let from = request.headers.from().ok();
    let parts = [request.headers.call_id(), from.as_ref().and_then(NameAddr::tag).unwrap_or_default()];
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("s{hash:016x}")
}
