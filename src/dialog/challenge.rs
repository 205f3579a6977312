//! A peer that asks who we are (RFC 3261 section 22, RFC 7616, RFC 8760): the request is sent again with the answer.
//!
//! ```text
//!  request ──401, 407──▶ again with Authorization ──401 with stale=true──▶ once more ──401──▶ a refusal like any other
//! ```
//! Credentials are lent for one response at a time, by whoever knows that it came from the peer they belong to (line C49).
//! Nothing here keeps a password.

use std::collections::VecDeque;

use super::state::Dialog;
use crate::sip::digest::{Challenge, Credentials, RequestLine};
use crate::sip::{CSeq, Headers, Method, Request, Response, Status, Uri};

/// Requests that may be challenged yet. More are never open: one INVITE, a BYE, and what `MAX_PENDING_REQUESTS` allows.
const MAX_SENT: usize = 24;
/// How often one request is sent with an answer (line C48).
const MAX_ANSWERS: u8 = 2;
/// Challenges of one response that are looked at.
const MAX_CHALLENGES: usize = 8;

/// A request without its final response, as it was sent.
#[derive(Debug)]
struct Sent {
    request: Request,
    next_hop: Uri,
    answers: u8,
}

/// A request to send once more, with the answer in it. Its CSeq number is still the old one.
pub(super) struct Answered {
    pub request: Request,
    pub next_hop: Uri,
    answers: u8,
}

impl Answered {
    /// Gives it the dialog's next number, and says which.
    pub fn renumber(&mut self, dialog: &mut Dialog) -> u32 {
        let next = dialog.request(self.request.method.clone());
        self.request.headers.set("CSeq", next.headers.get("CSeq").unwrap_or_default());
        number(&next.headers)
    }
}

#[derive(Debug, Default)]
pub(super) struct Challenges {
    sent: VecDeque<Sent>,
    /// The answer in our latest INVITE, by its number: its ACK carries it too (22.1).
    of_invite: Option<(u32, Vec<(&'static str, String)>)>,
}

impl Challenges {
    /// A request that goes out for the first time.
    pub fn note(&mut self, request: &Request, next_hop: &Uri) {
        self.keep(Sent { request: request.clone(), next_hop: next_hop.clone(), answers: 0 });
    }

    /// One that goes out with its new number.
    pub fn note_answered(&mut self, answered: &Answered) {
        let Answered { request, next_hop, answers } = answered;
        if request.method == Method::Invite {
            let names = ["Authorization", "Proxy-Authorization"];
            let found = names.into_iter().filter_map(|name| Some((name, request.headers.get(name)?.to_owned())));
            self.of_invite = Some((number(&request.headers), found.collect()));
        }
        self.keep(Sent { request: request.clone(), next_hop: next_hop.clone(), answers: *answers });
    }

    fn keep(&mut self, sent: Sent) {
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }

    /// It has its final response, or will have none.
    pub fn forget(&mut self, cseq: &CSeq) {
        self.sent.retain(|sent| !is(sent, cseq));
    }

    /// What the ACK to the INVITE of that number carries.
    pub fn for_ack(&self, cseq: u32) -> &[(&'static str, String)] {
        match &self.of_invite {
            Some((number, headers)) if *number == cseq => headers,
            Some(_) | None => &[],
        }
    }

    /// The request that `response` challenges, with the answer. `None`: it is not to be answered, or has been often enough.
    pub fn answer(
        &self,
        cseq: &CSeq,
        response: &Response,
        credentials: &Credentials,
        cnonce: &str,
    ) -> Option<Answered> {
        let (asks, answers) = match response.status {
            Status::UNAUTHORIZED => ("WWW-Authenticate", "Authorization"),
            Status::PROXY_AUTHENTICATION_REQUIRED => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return None,
        };
        let sent = self.sent.iter().find(|sent| is(sent, cseq)).filter(|sent| sent.answers < MAX_ANSWERS)?;
        // The peer's order is the peer's preference (RFC 8760 section 2.4).
        let challenges =
            response.headers.all(asks).take(MAX_CHALLENGES).filter_map(|value| Challenge::parse(value).ok());
        let ours = |challenge: &Challenge| credentials.realm.as_ref().is_none_or(|realm| *realm == challenge.realm);
        let challenge = challenges.into_iter().find(ours)?;
        // Whoever says no to an answer that is not stale says that the password is wrong.
        if sent.request.headers.has(answers) && !challenge.stale {
            return None;
        }
        let mut request = sent.request.clone();
        let uri = request.uri.to_string();
        let line = RequestLine { method: &request.method, uri: &uri };
        let answer = challenge.answer(&credentials.username, &credentials.password, line, cnonce, 1);
        request.headers.set(answers, answer);
        Some(Answered { request, next_hop: sent.next_hop.clone(), answers: sent.answers + 1 })
    }
}

fn is(sent: &Sent, cseq: &CSeq) -> bool {
    sent.request.method == cseq.method && number(&sent.request.headers) == cseq.number
}

fn number(headers: &Headers) -> u32 {
    headers.cseq().map(|cseq| cseq.number).unwrap_or_default()
}
