//! What one call was, as one JSON document with stable field names, and as text.
//!
//! Every `_s` field is seconds since the INVITE was sent (caller) or came in (answerer), unless its doc says otherwise.

use serde::Serialize;

use super::script::KeyBy;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// We sent BYE.
    Us,
    /// The other side sent BYE.
    Peer,
    /// A final response of 300 or more: theirs to the caller, ours as an answerer.
    Rejected,
    /// CANCEL: ours as a caller, theirs to the answerer.
    Cancelled,
    /// A response or an ACK never came.
    Timeout,
    /// It could not be carried on; `errors` says why.
    Failed,
}

/// One message of the ladder.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub at_s: f64,
    /// `->` sent, `<-` received, `--` a remark.
    pub dir: &'static str,
    pub text: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RtpReport {
    pub sent: u64,
    pub received: u64,
    pub lost: u64,
    pub duplicates: u64,
    /// Came after its place had been played.
    pub late: u64,
    pub malformed: u64,
    /// Sources seen one after the other.
    pub ssrcs: u64,
    pub jitter_ms: f64,
    pub max_gap_ms: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ToneReport {
    pub hz: f64,
    pub start_s: f64,
    pub length_s: f64,
    pub level_dbfs: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct KeyReport {
    pub key: char,
    pub at_s: f64,
    pub by: KeyBy,
}

#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
    pub what: String,
    pub met: bool,
    pub detail: String,
}

/// One call, measured.
#[derive(Clone, Debug, Serialize)]
pub struct CallReport {
    /// `caller` or `answerer`.
    pub role: &'static str,
    pub call_id: String,
    /// User part of the From header of the INVITE: the calling extension.
    pub from_user: Option<String>,
    /// Its display name: the unit.
    pub from_display: Option<String>,
    pub subject: Option<String>,
    /// The request URI of the INVITE.
    pub to: String,
    /// The INVITE's final status; 0 when there was none.
    pub status: u16,
    pub answered: bool,
    /// First 180 or 183.
    pub ringing_s: Option<f64>,
    /// The 200.
    pub answer_s: Option<f64>,
    /// From the 200 to the end of the call.
    pub talk_s: Option<f64>,
    pub ended_by: Ending,
    /// Agreed on last, by SDP.
    pub codec: Option<&'static str>,
    /// Heard in RTP, in order of their first packet.
    pub codecs_heard: Vec<&'static str>,
    pub first_rtp_s: Option<f64>,
    /// First packet that was louder than silence.
    pub first_sound_s: Option<f64>,
    /// How much of what was heard was louder than silence, in seconds.
    pub sound_s: f64,
    pub rtp: RtpReport,
    pub tones: Vec<ToneReport>,
    pub keys_heard: Vec<KeyReport>,
    pub keys_sent: Vec<KeyReport>,
    pub expectations: Vec<Expectation>,
    /// All expectations were met.
    pub met: bool,
    pub errors: Vec<String>,
    /// Messages that `rsip` could not read.
    pub unparsed: Vec<String>,
    pub ladder: Vec<Step>,
}

/// Thousandths are enough to read, and stable to compare.
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

impl CallReport {
    /// The ladder, one line a message.
    pub fn ladder_text(&self) -> String {
        self.ladder.iter().map(|step| format!("{:>9.3}  {}  {}\n", step.at_s, step.dir, step.text)).collect()
    }

    /// What a person wants to know, a few lines.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: String| out += &format!("{name:<12}{value}\n");
        let shown = |at: Option<f64>| at.map_or_else(|| "never".to_owned(), |at| format!("{at:.3} s"));
        let display = self.from_display.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        line("from", format!("{}{display} to {}", self.from_user.as_deref().unwrap_or("anonymous"), self.to));
        if let Some(subject) = &self.subject {
            line("subject", subject.clone());
        }
        line("status", format!("{}, ended by {:?}", self.status, self.ended_by).to_lowercase());
        line("answer", format!("{} after INVITE (ringing {})", shown(self.answer_s), shown(self.ringing_s)));
        if self.answered {
            let heard = self.codecs_heard.join(", ");
            line(
                "codec",
                format!(
                    "{} agreed, heard {}",
                    self.codec.unwrap_or("none"),
                    if heard.is_empty() { "none" } else { &heard }
                ),
            );
            line(
                "audio",
                format!(
                    "first RTP {}, first sound {}, {:.1} s of sound",
                    shown(self.first_rtp_s),
                    shown(self.first_sound_s),
                    self.sound_s
                ),
            );
            let rtp = &self.rtp;
            line(
                "rtp",
                format!(
                    "sent {}, received {}, lost {}, late {}, jitter {:.1} ms, longest gap {} ms",
                    rtp.sent, rtp.received, rtp.lost, rtp.late, rtp.jitter_ms, rtp.max_gap_ms
                ),
            );
        }
        for tone in &self.tones {
            line(
                "tone",
                format!(
                    "{:.0} Hz at {:.2} s for {:.2} s, {:.0} dBFS",
                    tone.hz, tone.start_s, tone.length_s, tone.level_dbfs
                ),
            );
        }
        for (name, keys) in [("sent key", &self.keys_sent), ("heard key", &self.keys_heard)] {
            for key in keys {
                line(name, format!("{} at {:.2} s by {}", key.key, key.at_s, key.by.name()));
            }
        }
        for error in self.errors.iter().chain(&self.unparsed) {
            line("error", error.clone());
        }
        for expectation in &self.expectations {
            let verdict = if expectation.met { "met" } else { "FAILED" };
            line(verdict, format!("{}: {}", expectation.what, expectation.detail));
        }
        out
    }
}
