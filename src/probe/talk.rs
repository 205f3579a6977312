//! A connected call, whichever side began it: the script's deeds in time, the other side's requests, the report.
//!
//! ```text
//! 200 ─▶ keys, hold, resume, REFER at their times ─▶ BYE (ours at `duration`, or theirs) ─▶ report
//! ```
// A test phone works in real time: it reads the clock.
#![allow(clippy::disallowed_methods)]
// `Method` is not an enum of ours: what is not served is treated alike.
#![allow(clippy::wildcard_enum_match_arm)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rsip::{Method, Request, Response};

use super::audio::{Source, write_wav};
use super::dialog::{Session, Wake};
use super::ear::Heard;
use super::media::{Media, MediaEvent};
use super::report::{CallReport, Ending, Expectation, KeyReport, RtpReport, ToneReport, rounded};
use super::script::{HoldBy, KeyBy, KeyPress};
use super::sdp::{Codec, Description, Local};
use super::wire;
use crate::digit::Digit;

/// How long a BYE's answer is waited for.
const BYE_WAIT: Duration = Duration::from_secs(4);
/// The other side asked us to try again (491): within the callee's span of section 14.1, to be quick.
const GLARE_WAIT: Duration = Duration::from_millis(700);
/// An expected tone must have sounded for so long in all.
const TONE_WANTED: f64 = 0.3;
/// How soon a phone that shall stop has noticed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A call that no script ends.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What is done once connected. Times are counted from the 200.
#[derive(Clone, Debug)]
pub struct TalkPlan {
    pub source: Source,
    pub keys: Vec<KeyPress>,
    pub key_by: KeyBy,
    /// Keys counted from the moment a tone of the other side has stopped (the expected one, or any).
    pub after_tone: Vec<KeyPress>,
    pub record: Option<PathBuf>,
    pub expect_tones: Vec<u32>,
    /// The keys that must be heard, in order, by any one method.
    pub expect_keys: Option<String>,
    pub duration: Option<Duration>,
    pub hold_at: Option<Duration>,
    pub resume_at: Option<Duration>,
    pub hold_by: HoldBy,
    /// Blind transfer (RFC 3515): where to, and when.
    pub refer: Option<(String, Duration)>,
    pub codecs: Vec<Codec>,
    pub telephone_event: bool,
    /// Hang up as soon as it is set: whoever runs the phone wants to go.
    pub stop: Arc<AtomicBool>,
}

impl Default for TalkPlan {
    fn default() -> TalkPlan {
        TalkPlan {
            source: Source::Silence,
            keys: Vec::new(),
            key_by: KeyBy::Rtp,
            after_tone: Vec::new(),
            record: None,
            expect_tones: Vec::new(),
            expect_keys: None,
            duration: None,
            hold_at: None,
            resume_at: None,
            hold_by: HoldBy::Sendonly,
            refer: None,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            telephone_event: true,
            stop: Arc::default(),
        }
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Key(Digit),
    Hold,
    Resume,
    Refer(String),
    Bye,
    /// A BYE of ours stayed without an answer.
    GiveUp,
}

/// One call with its media.
pub struct Call {
    pub session: Session,
    pub media: Media,
    pub sdp: Local,
    pub plan: TalkPlan,
    pub role: &'static str,
    pub from: (Option<String>, Option<String>),
    pub subject: Option<String>,
    pub to: String,
    pub status: u16,
    pub ringing: Option<Instant>,
    pub answered: Option<Instant>,
    pub errors: Vec<String>,
    pub codec: Option<Codec>,
    agenda: Vec<(Instant, Deed)>,
    closing: bool,
    tone_gone: bool,
    keys_sent: Vec<KeyReport>,
    keys_by_info: Vec<KeyReport>,
}

impl Call {
    pub fn new(session: Session, plan: TalkPlan, role: &'static str, to: String) -> std::io::Result<Call> {
        let media = Media::open(session.address().ip(), plan.source.clone())?;
        let id = getrandom::u32().unwrap_or(1);
        let sdp = Local::new(media.local, plan.codecs.clone(), plan.telephone_event, u64::from(id));
        Ok(Call {
            session,
            media,
            sdp,
            plan,
            role,
            from: (None, None),
            subject: None,
            to,
            status: 0,
            ringing: None,
            answered: None,
            errors: Vec::new(),
            codec: None,
            agenda: Vec::new(),
            closing: false,
            tone_gone: false,
            keys_sent: Vec::new(),
            keys_by_info: Vec::new(),
        })
    }

    /// Takes the other side's answer to our offer.
    pub fn accept(&mut self, body: &[u8]) -> bool {
        let agreed = Description::parse(body).and_then(|description| self.sdp.accept(&description));
        match agreed {
            Some(agreed) => {
                self.codec = Some(agreed.codec);
                self.media.agree(agreed);
                true
            }
            None => false,
        }
    }

    /// Answers the other side's offer; an offer of ours when there is none; `None` when nothing is in common.
    pub fn answer(&mut self, body: &[u8]) -> Option<String> {
        if body.is_empty() {
            return Some(self.sdp.offer());
        }
        let (text, agreed) = self.sdp.answer(&Description::parse(body)?)?;
        self.codec = Some(agreed.codec);
        self.media.agree(agreed);
        Some(text)
    }

    /// Lives through the connected call.
    pub async fn talk(&mut self) -> Ending {
        let begin = *self.answered.get_or_insert_with(Instant::now);
        self.write_agenda(begin);
        loop {
            if self.plan.stop.load(Ordering::Relaxed) && !self.closing {
                self.agenda.push((Instant::now(), Deed::Bye));
            }
            let due = self.agenda.iter().map(|(at, _)| *at).min().unwrap_or(begin + LONGEST);
            let due = due.min(Instant::now() + LOOK_AGAIN);
            let wake = self.session.next(due, Some(&mut self.media.events)).await;
            let ending = match wake {
                Wake::Due => self.do_due().await,
                Wake::Request(request) => self.on_request(&request).await,
                Wake::Response { method, response } => self.on_response(method, &response).await,
                Wake::TimedOut(method) => self.on_timeout(method).await,
                Wake::Media(MediaEvent::ToneGone { hz }) => {
                    self.on_tone_gone(hz);
                    None
                }
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    fn write_agenda(&mut self, begin: Instant) {
        let plan = &self.plan;
        self.agenda.extend(plan.keys.iter().map(|press| (begin + press.at, Deed::Key(press.digit))));
        self.agenda.extend(plan.hold_at.map(|at| (begin + at, Deed::Hold)));
        self.agenda.extend(plan.resume_at.map(|at| (begin + at, Deed::Resume)));
        self.agenda.extend(plan.refer.iter().map(|(to, at)| (begin + *at, Deed::Refer(to.clone()))));
        self.agenda.extend(plan.duration.map(|at| (begin + at, Deed::Bye)));
    }

    async fn do_due(&mut self) -> Option<Ending> {
        let now = Instant::now();
        let first = self.agenda.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(index, _)| index)?;
        if self.agenda.get(first).is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, deed) = self.agenda.remove(first);
        let result = match deed {
            Deed::Key(digit) => self.press(digit).await,
            Deed::Hold => self.offer_again(Some(self.plan.hold_by)).await,
            Deed::Resume => self.offer_again(None).await,
            Deed::Refer(to) => {
                let headers = [("Refer-To".to_owned(), format!("<{to}>"))];
                self.session.request(Method::Refer, &headers, None).await
            }
            Deed::Bye => {
                self.closing = true;
                self.agenda.clear();
                self.agenda.push((now + BYE_WAIT, Deed::GiveUp));
                self.session.request(Method::Bye, &[], None).await
            }
            Deed::GiveUp => {
                self.errors.push("our BYE was never answered".to_owned());
                return Some(Ending::Us);
            }
        };
        match result {
            Ok(()) => None,
            Err(error) => {
                self.errors.push(error);
                Some(Ending::Failed)
            }
        }
    }

    async fn press(&mut self, digit: Digit) -> Result<(), String> {
        let at_s = self.session.elapsed(Instant::now());
        self.keys_sent.push(KeyReport { key: digit.as_char(), at_s, by: self.plan.key_by });
        self.session.note("--", format!("key {} by {}", digit.as_char(), self.plan.key_by.name()));
        match self.plan.key_by {
            KeyBy::Rtp => self.media.key(digit, false),
            KeyBy::Inband => self.media.key(digit, true),
            KeyBy::Info => {
                let body = format!("Signal={}\r\nDuration=160\r\n", digit.as_char());
                self.session.request(Method::Info, &[], Some(("application/dtmf-relay", body))).await?;
            }
        }
        Ok(())
    }

    async fn offer_again(&mut self, hold: Option<HoldBy>) -> Result<(), String> {
        self.sdp.set_hold(hold);
        let offer = self.sdp.offer();
        self.session.request(Method::Invite, &[], Some(("application/sdp", offer))).await
    }

    async fn on_request(&mut self, request: &Request) -> Option<Ending> {
        match request.method {
            Method::Bye => {
                self.session.reply(request, 200, &[], None).await;
                return Some(if self.closing { Ending::Us } else { Ending::Peer });
            }
            Method::Ack => {
                if !request.body.is_empty() {
                    self.accept(&request.body);
                }
            }
            // A re-INVITE that meets one of ours is glare (section 14.1).
            Method::Invite if self.session.inviting().is_some() => {
                self.session.reply(request, 491, &[], None).await;
            }
            Method::Invite | Method::Update if request.method == Method::Invite || !request.body.is_empty() => {
                if let Some(contact) = wire::value(&request.headers, "Contact") {
                    self.session.target = wire::uri_of(&contact).to_owned();
                }
                match self.answer(&request.body) {
                    Some(sdp) => self.session.reply(request, 200, &[], Some(sdp)).await,
                    None => self.session.reply(request, 488, &[], None).await,
                }
            }
            Method::Info => {
                self.note_info(request);
                self.session.reply(request, 200, &[], None).await;
            }
            Method::Notify => {
                let body = String::from_utf8_lossy(&request.body).trim().to_owned();
                self.session.note("--", format!("NOTIFY says {body:?}"));
                self.session.reply(request, 200, &[], None).await;
            }
            Method::Invite | Method::Update | Method::Options | Method::Cancel => {
                self.session.reply(request, 200, &[], None).await;
            }
            Method::Message
            | Method::PRack
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe => {
                self.session.reply(request, 405, &[], None).await;
            }
        }
        None
    }

    /// A key by INFO: `Signal=5` of dtmf-relay, or the bare character of application/dtmf.
    fn note_info(&mut self, request: &Request) {
        let body = String::from_utf8_lossy(&request.body);
        let signal = body.lines().find_map(|line| line.split_once('=').filter(|(name, _)| name.trim() == "Signal"));
        let text = signal.map_or(body.trim(), |(_, value)| value.trim());
        if let Some(digit) = text.chars().next().and_then(Digit::from_char) {
            let at_s = self.session.elapsed(Instant::now());
            self.keys_by_info.push(KeyReport { key: digit.as_char(), at_s, by: KeyBy::Info });
        }
    }

    async fn on_response(&mut self, method: Method, response: &Response) -> Option<Ending> {
        let status = response.status_code.code();
        if status < 200 {
            return None;
        }
        match method {
            Method::Bye => return Some(Ending::Us),
            Method::Invite if status < 300 => {
                if let Err(error) = self.session.acknowledge(response, None).await {
                    self.errors.push(error);
                }
                if !self.accept(&response.body) {
                    self.errors.push("the answer to our re-INVITE has nothing in common with it".to_owned());
                }
            }
            Method::Invite if status == 491 => {
                let again = Instant::now() + GLARE_WAIT;
                // The hold that was asked for still stands in `sdp`: the same again.
                let deed = if self.sdp.on_hold() { Deed::Hold } else { Deed::Resume };
                self.agenda.push((again, deed));
            }
            Method::Invite | Method::Refer | Method::Info if status >= 300 => {
                self.errors.push(format!("{method} was answered {status}"));
            }
            // 481 and 408 to anything within the dialog: the other side knows nothing of it (section 12.2.1.2).
            _ => {}
        }
        None
    }

    async fn on_timeout(&mut self, method: Method) -> Option<Ending> {
        match method {
            Method::Bye => Some(Ending::Us),
            Method::Ack | Method::Invite => {
                self.errors.push(match method {
                    Method::Ack => "our answer was never acknowledged".to_owned(),
                    _ => "our re-INVITE was never answered".to_owned(),
                });
                let _ = self.session.request(Method::Bye, &[], None).await;
                Some(Ending::Timeout)
            }
            other => {
                self.errors.push(format!("{other} was never answered"));
                None
            }
        }
    }

    fn on_tone_gone(&mut self, hz: f32) {
        let wanted = &self.plan.expect_tones;
        if self.tone_gone || !(wanted.is_empty() || wanted.iter().any(|want| same_tone(*want, f64::from(hz)))) {
            return;
        }
        self.tone_gone = true;
        self.session.note("--", format!("tone {hz:.0} Hz has stopped"));
        let now = Instant::now();
        self.agenda.extend(self.plan.after_tone.iter().map(|press| (now + press.at, Deed::Key(press.digit))));
    }

    /// Ends the media and says what the call was.
    pub fn report(self, ended_by: Ending) -> CallReport {
        let end = Instant::now();
        let Call { session, media, plan, mut errors, .. } = self;
        let heard = media.stop();
        if let Some(path) = &plan.record
            && let Err(error) = write_wav(path, &heard.recording)
        {
            errors.push(format!("{error:#}"));
        }
        let at = |instant: Option<Instant>| instant.map(|instant| session.elapsed(instant));
        let mut keys_heard = self.keys_by_info;
        keys_heard.extend(heard.keys.iter().map(|key| KeyReport {
            key: key.digit.as_char(),
            at_s: session.elapsed(key.at),
            by: if key.inband { KeyBy::Inband } else { KeyBy::Rtp },
        }));
        keys_heard.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let tones: Vec<ToneReport> = heard
            .tones
            .iter()
            .map(|tone| ToneReport {
                hz: f64::from(tone.hz).round(),
                start_s: session.elapsed(tone.start),
                length_s: rounded(tone.length.as_secs_f64()),
                level_dbfs: f64::from(tone.level_dbfs).round(),
            })
            .collect();
        let expectations = expectations(&plan, &tones, &keys_heard);
        CallReport {
            role: self.role,
            call_id: session.call_id.clone(),
            from_user: self.from.0,
            from_display: self.from.1,
            subject: self.subject,
            to: self.to,
            status: self.status,
            answered: self.answered.is_some(),
            ringing_s: at(self.ringing),
            answer_s: at(self.answered),
            talk_s: self.answered.map(|answered| rounded((end - answered).as_secs_f64())),
            ended_by,
            codec: self.codec.map(Codec::name),
            codecs_heard: heard.codecs.clone(),
            first_rtp_s: at(heard.first_rtp),
            first_sound_s: at(heard.first_sound),
            sound_s: rounded(heard.sound_s),
            rtp: rtp_report(&heard),
            tones,
            keys_heard,
            keys_sent: self.keys_sent,
            met: expectations.iter().all(|expectation| expectation.met),
            expectations,
            errors,
            unparsed: session.unparsed(),
            ladder: session.ladder.clone(),
        }
    }
}

fn rtp_report(heard: &Heard) -> RtpReport {
    RtpReport {
        sent: heard.sent,
        received: heard.received,
        lost: heard.lost,
        duplicates: heard.duplicates,
        late: heard.late,
        malformed: heard.malformed,
        ssrcs: heard.ssrcs,
        jitter_ms: rounded(heard.jitter_ms),
        max_gap_ms: heard.max_gap_ms,
    }
}

/// Within 3 %, or 15 Hz for low tones.
fn same_tone(want: u32, hz: f64) -> bool {
    let want = f64::from(want);
    (hz - want).abs() <= (want * 0.03).max(15.0)
}

fn expectations(plan: &TalkPlan, tones: &[ToneReport], keys: &[KeyReport]) -> Vec<Expectation> {
    let mut out: Vec<Expectation> = plan
        .expect_tones
        .iter()
        .map(|want| {
            let length: f64 = tones.iter().filter(|tone| same_tone(*want, tone.hz)).map(|tone| tone.length_s).sum();
            Expectation {
                what: format!("tone {want} Hz"),
                met: length >= TONE_WANTED,
                detail: format!("heard for {length:.2} s"),
            }
        })
        .collect();
    if let Some(want) = &plan.expect_keys {
        let by = |method: KeyBy| -> String { keys.iter().filter(|key| key.by == method).map(|key| key.key).collect() };
        let heard = [KeyBy::Rtp, KeyBy::Info, KeyBy::Inband].map(by);
        out.push(Expectation {
            what: format!("keys {want}"),
            met: heard.contains(want),
            detail: format!("heard {:?} by RTP, {:?} by INFO, {:?} in the audio", heard[0], heard[1], heard[2]),
        });
    }
    out
}
