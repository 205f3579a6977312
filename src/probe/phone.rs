//! A test phone: it registers, calls and answers.
//!
//! ```text
//! call:   INVITE ─▶ 401 ─▶ INVITE again ─▶ 180 ─▶ 200 ─▶ ACK ─▶ talk        (or CANCEL ─▶ 487)
//! answer: INVITE ─▶ 100 ─▶ 180 ─▶ 200 or a refusal ─▶ ACK ─▶ talk           (or CANCEL ─▶ 487)
//! ```
// A test phone works in real time: it reads the clock.
#![allow(clippy::disallowed_methods)]
// `Method` is not an enum of ours: what is not served is treated alike.
#![allow(clippy::wildcard_enum_match_arm)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rsip::{Method, Request, Response, SipMessage};

use super::auth::{self, Credentials};
use super::dialog::{Session, Wake, token};
use super::report::{CallReport, Ending};
use super::talk::{Call, TalkPlan};
use super::transport::{Endpoint, Flow, Packet};
use super::wire;

/// Challenges that are answered for one request (RFC 3261 section 22.2 wants an end to it).
const MAX_CHALLENGES: u32 = 2;
/// Without any word of ours an INVITE is answered 100 by then (section 17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(150);
/// How long a CANCEL's 487 is waited for.
const CANCEL_WAIT: Duration = Duration::from_secs(32);

/// A call to make.
#[derive(Clone)]
pub struct CallPlan {
    pub to: String,
    pub from: String,
    pub display: Option<String>,
    pub credentials: Option<Credentials>,
    pub tcp: bool,
    /// The INVITE carries no offer; our answer stands in the ACK.
    pub late_offer: bool,
    /// More headers of the INVITE.
    pub headers: Vec<(String, String)>,
    /// CANCEL so long after the INVITE.
    pub cancel_at: Option<Duration>,
    /// CANCEL when it was not answered by then.
    pub answer_within: Duration,
    pub talk: TalkPlan,
}

/// How a call is answered.
#[derive(Clone)]
pub struct AnswerPlan {
    /// 180 so long after the INVITE; never, when it is not before the answer.
    pub ring_after: Duration,
    pub delay: Duration,
    /// A final status instead of the 200.
    pub reject: Option<u16>,
    pub talk: TalkPlan,
}

/// A phone at an address.
#[derive(Clone)]
pub struct Phone {
    endpoint: Arc<Endpoint>,
}

/// An INVITE that waits for us.
pub struct Ringing {
    endpoint: Arc<Endpoint>,
    session: Session,
    invite: Request,
}

/// An address of record that is ours until [`Registered::leave`].
pub struct Registered {
    session: Session,
    credentials: Credentials,
    expires: u32,
}

impl Phone {
    pub async fn bind(address: SocketAddr) -> Result<Phone> {
        let endpoint = Endpoint::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Phone { endpoint: Arc::new(endpoint) })
    }

    pub fn local(&self) -> SocketAddr {
        self.endpoint.local()
    }

    /// Calls and lives through the call.
    pub async fn call(&self, plan: CallPlan) -> Result<CallReport> {
        let flow = flow_to(&plan.to, plan.tcp, self.endpoint.local()).await?;
        let session = Session::outgoing(self.endpoint.clone(), flow, &plan.to, &plan.from, plan.display.as_deref());
        let mut call = Call::new(session, plan.talk.clone(), "caller", plan.to.clone())?;
        call.from = (Some(plan.from.clone()), plan.display.clone());
        let ending = match dial(&mut call, &plan).await {
            Ok(Some(ending)) => ending,
            Ok(None) => call.talk().await,
            Err(error) => {
                call.errors.push(error);
                Ending::Failed
            }
        };
        Ok(call.report(ending))
    }

    /// The next call to us. Other requests outside a dialog are answered on the way.
    pub async fn ringing(&self) -> Option<Ringing> {
        loop {
            let Packet { message, flow } = self.endpoint.fresh().await?;
            let SipMessage::Request(request) = message else { continue };
            let status = match request.method {
                Method::Invite
                    if wire::value(&request.headers, "To").is_some_and(|to| wire::param(&to, "tag").is_none()) =>
                {
                    match Session::incoming(self.endpoint.clone(), flow, &request) {
                        Some(session) => {
                            return Some(Ringing { endpoint: self.endpoint.clone(), session, invite: request });
                        }
                        None => 400,
                    }
                }
                Method::Ack => continue,
                Method::Options => 200,
                Method::Invite | Method::Bye | Method::Cancel | Method::Info | Method::Update | Method::PRack => 481,
                Method::Message
                | Method::Notify
                | Method::Publish
                | Method::Refer
                | Method::Register
                | Method::Subscribe => 405,
            };
            let reply = wire::write(&wire::response_to(&request, status, &token()).into());
            let _ = self.endpoint.send(flow, &reply).await;
        }
    }

    /// Registers `user` at a registrar's URI and returns the registration, to be kept fresh.
    pub async fn register(
        &self,
        registrar: &str,
        credentials: Credentials,
        tcp: bool,
        expires: u32,
    ) -> Result<Registered> {
        let flow = flow_to(registrar, tcp, self.endpoint.local()).await?;
        let uri = wire::uri(registrar).map_err(|error| anyhow!(error))?;
        let (host, _) = wire::host_port(&uri);
        let host = host.parse::<IpAddr>().map_or(host, wire::bracketed);
        let mut session = Session::outgoing(self.endpoint.clone(), flow, registrar, &credentials.user, None);
        session.local = format!("<sip:{}@{host}>;tag={}", credentials.user, session.tag);
        session.remote = format!("<sip:{}@{host}>", credentials.user);
        let mut registered = Registered { session, credentials, expires };
        registered.refresh(expires).await?;
        Ok(registered)
    }
}

impl Registered {
    /// Keeps the binding for as long as it is polled.
    pub async fn keep(&mut self) -> Result<()> {
        loop {
            tokio::time::sleep(Duration::from_secs(u64::from(self.expires / 2).max(1))).await;
            self.refresh(self.expires).await?;
        }
    }

    /// Takes the binding back.
    pub async fn leave(mut self) -> Result<()> {
        self.refresh(0).await
    }

    async fn refresh(&mut self, expires: u32) -> Result<()> {
        let mut extra = vec![("Expires".to_owned(), expires.to_string())];
        for _ in 0..=MAX_CHALLENGES {
            let sent = self.session.request(Method::Register, &extra, None).await;
            sent.map_err(|error| anyhow!(error))?;
            let response = loop {
                match self.session.next(Instant::now() + Duration::from_secs(40), None).await {
                    Wake::Response { response, .. } if response.status_code.code() >= 200 => break response,
                    Wake::TimedOut(_) | Wake::Due => bail!("REGISTER was never answered"),
                    Wake::Request(request) => self.session.reply(&request, 481, &[], None).await,
                    Wake::Response { .. } | Wake::Media(_) => {}
                }
            };
            match response.status_code.code() {
                200..300 => return Ok(()),
                401 | 407 => {
                    let uri = self.session.target.clone();
                    let header = authorization(&response, &self.credentials, Method::Register, &uri)
                        .context("REGISTER was challenged in a way that is not known here")?;
                    extra.truncate(1);
                    extra.push(header);
                }
                status => bail!("REGISTER was answered {status}"),
            }
        }
        bail!("REGISTER was challenged again and again: wrong user or password?")
    }
}

/// The header that answers a challenge.
fn authorization(response: &Response, who: &Credentials, method: Method, uri: &str) -> Option<(String, String)> {
    let (asked, given) = match response.status_code.code() {
        401 => ("WWW-Authenticate", "Authorization"),
        _ => ("Proxy-Authenticate", "Proxy-Authorization"),
    };
    let challenges = wire::values(&response.headers, asked);
    let value = auth::answer(&challenges, who, &method.to_string(), &wire::printed(uri), &token())?;
    Some((given.to_owned(), value))
}

/// Where requests to a URI go: its address, or what a name resolves to (no SRV). `transport=tcp` in the URI counts.
async fn flow_to(uri: &str, tcp: bool, local: SocketAddr) -> Result<Flow> {
    let parsed = wire::uri(uri).map_err(|error| anyhow!(error))?;
    let (host, port) = wire::host_port(&parsed);
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), port))
        .await
        .with_context(|| format!("cannot resolve {host}"))?
        .collect();
    let peer = found
        .iter()
        .find(|address| address.is_ipv4() == local.is_ipv4())
        .or(found.first())
        .with_context(|| format!("{host} has no address"))?;
    let tcp = tcp || uri.to_ascii_lowercase().contains("transport=tcp");
    Ok(if tcp { Flow::Tcp(*peer) } else { Flow::Udp(*peer) })
}

/// From the INVITE to its final response: `None` when connected.
async fn dial(call: &mut Call, plan: &CallPlan) -> Result<Option<Ending>, String> {
    let mut extra = plan.headers.clone();
    let mut challenges = 0;
    invite(call, plan, &extra).await?;
    let begin = call.session.start;
    let mut cancel_at = begin + plan.cancel_at.unwrap_or(plan.answer_within);
    let mut cancelled = false;
    loop {
        match call.session.next(cancel_at, None).await {
            Wake::Due if cancelled => return Ok(Some(Ending::Timeout)),
            // CANCEL waits for a provisional response (section 9.1); patience does not.
            Wake::Due if call.session.inviting() == Some(false) => {
                if call.session.start.elapsed() >= plan.answer_within {
                    return Ok(Some(Ending::Timeout));
                }
                cancel_at = Instant::now() + Duration::from_millis(20);
            }
            Wake::Due => {
                cancelled = true;
                call.session.cancel().await?;
                cancel_at = Instant::now() + CANCEL_WAIT;
            }
            Wake::TimedOut(Method::Cancel) => {}
            Wake::TimedOut(_) => return Ok(Some(Ending::Timeout)),
            Wake::Response { method: Method::Invite, response } => {
                let status = response.status_code.code();
                match (status, &plan.credentials) {
                    (100..200, _) => on_provisional(call, plan, &response),
                    (200..300, _) => return connect(call, plan, &response, cancelled).await,
                    (401 | 407, Some(who)) if challenges < MAX_CHALLENGES && !cancelled => {
                        challenges += 1;
                        let header = authorization(&response, who, Method::Invite, &plan.to)
                            .ok_or("the INVITE was challenged in a way that is not known here")?;
                        extra.truncate(plan.headers.len());
                        extra.push(header);
                        invite(call, plan, &extra).await?;
                    }
                    (status, _) => {
                        call.status = status;
                        return Ok(Some(if cancelled { Ending::Cancelled } else { Ending::Rejected }));
                    }
                }
            }
            Wake::Request(request) => match request.method {
                Method::Bye => {
                    call.session.reply(&request, 200, &[], None).await;
                    return Ok(Some(Ending::Peer));
                }
                _ => call.session.reply(&request, 200, &[], None).await,
            },
            Wake::Response { .. } | Wake::Media(_) => {}
        }
    }
}

async fn invite(call: &mut Call, plan: &CallPlan, extra: &[(String, String)]) -> Result<(), String> {
    if plan.late_offer {
        return call.session.request(Method::Invite, extra, None).await;
    }
    let offer = call.sdp.offer();
    call.session.request(Method::Invite, extra, Some(("application/sdp", offer))).await
}

fn on_provisional(call: &mut Call, plan: &CallPlan, response: &Response) {
    if response.status_code.code() > 100 {
        call.ringing.get_or_insert_with(Instant::now);
    }
    // Early media; with a late offer a provisional body would be an offer that we may leave alone (RFC 6337).
    if !response.body.is_empty() && !plan.late_offer {
        call.accept(&response.body);
    }
}

/// The 2xx: ACK at once, with our answer when the offer came late.
async fn connect(
    call: &mut Call,
    plan: &CallPlan,
    response: &Response,
    cancelled: bool,
) -> Result<Option<Ending>, String> {
    call.status = response.status_code.code();
    call.session.establish(response);
    let (body, agreed) = if plan.late_offer {
        let body = if response.body.is_empty() { None } else { call.answer(&response.body) };
        (body.clone(), body.is_some())
    } else {
        (None, call.accept(&response.body))
    };
    call.session.acknowledge(response, body).await?;
    if cancelled {
        // The answer overtook our CANCEL (section 9.1).
        call.session.request(Method::Bye, &[], None).await?;
        let _ = call.session.next(Instant::now() + Duration::from_secs(1), None).await;
        return Ok(Some(Ending::Cancelled));
    }
    call.answered = Some(Instant::now());
    if !agreed {
        call.errors.push("the 200 has no session description that we can speak".to_owned());
        call.plan.duration = Some(Duration::ZERO);
    }
    Ok(None)
}

impl Ringing {
    /// The From header's user part and display name.
    pub fn caller(&self) -> (Option<String>, Option<String>) {
        wire::value(&self.invite.headers, "From").map(|from| wire::user_and_display(&from)).unwrap_or_default()
    }

    /// Answers (or refuses) and lives through the call.
    pub async fn answer(self, plan: AnswerPlan) -> Result<CallReport> {
        let from = self.caller();
        let Ringing { endpoint: _endpoint, session, invite } = self;
        let to = wire::show_v6(&invite.uri.to_string());
        let mut call = Call::new(session, plan.talk.clone(), "answerer", to)?;
        call.from = from;
        call.subject = wire::value(&invite.headers, "Subject");
        let ending = match pick_up(&mut call, &plan, &invite).await {
            Some(ending) => ending,
            None => call.talk().await,
        };
        Ok(call.report(ending))
    }
}

/// From the INVITE to our final response: `None` when connected.
async fn pick_up(call: &mut Call, plan: &AnswerPlan, invite: &Request) -> Option<Ending> {
    let begin = call.session.start;
    let answer_at = begin + plan.delay;
    let mut ring_at = begin.checked_add(plan.ring_after).filter(|at| *at <= answer_at);
    let first = ring_at.unwrap_or(answer_at);
    let mut trying_at = (first > begin + TRYING_AFTER).then_some(begin + TRYING_AFTER);
    loop {
        let due = [trying_at, ring_at].into_iter().flatten().min().unwrap_or(answer_at);
        match call.session.next(due, None).await {
            Wake::Due => {
                if trying_at.take_if(|at| *at == due).is_some() {
                    call.session.reply(invite, 100, &[], None).await;
                } else if ring_at.take().is_some() {
                    call.ringing = Some(Instant::now());
                    call.session.reply(invite, 180, &[], None).await;
                } else {
                    return final_answer(call, plan, invite).await;
                }
            }
            Wake::Request(request) if request.method == Method::Cancel => {
                call.session.reply(&request, 200, &[], None).await;
                call.status = 487;
                call.session.reply(invite, 487, &[], None).await;
                wait_for_ack(call).await;
                return Some(Ending::Cancelled);
            }
            Wake::Request(request) if request.method == Method::Bye => {
                call.session.reply(&request, 200, &[], None).await;
                call.session.reply(invite, 487, &[], None).await;
                return Some(Ending::Peer);
            }
            Wake::Request(request) => call.session.reply(&request, 200, &[], None).await,
            Wake::Response { .. } | Wake::TimedOut(_) | Wake::Media(_) => {}
        }
    }
}

async fn final_answer(call: &mut Call, plan: &AnswerPlan, invite: &Request) -> Option<Ending> {
    let sdp = match plan.reject {
        Some(status) => Err(status),
        None => call.answer(&invite.body).ok_or(488),
    };
    match sdp {
        Ok(sdp) => {
            call.status = 200;
            call.answered = Some(Instant::now());
            call.session.reply(invite, 200, &[], Some(sdp)).await;
            call.session.retarget();
            None
        }
        Err(status) => {
            call.status = status;
            call.session.reply(invite, status, &[], None).await;
            wait_for_ack(call).await;
            Some(Ending::Rejected)
        }
    }
}

/// A refusal is repeated until it is acknowledged; then, or after a while, the call is forgotten.
async fn wait_for_ack(call: &mut Call) {
    let until = Instant::now() + Duration::from_secs(4);
    while call.session.unacknowledged() {
        match call.session.next(until, None).await {
            Wake::Due | Wake::TimedOut(_) => return,
            Wake::Request(_) | Wake::Response { .. } | Wake::Media(_) => {}
        }
    }
}
