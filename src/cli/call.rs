//! `wardline call`: a complete test phone that dials.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::probe::audio::{Source, read_wav};
use crate::probe::auth::Credentials;
use crate::probe::phone::{CallPlan, Phone};
use crate::probe::report::{CallReport, Ending};
use crate::probe::script::{self, HoldBy, KeyBy, KeyPress};
use crate::probe::sdp::Codec;
use crate::probe::talk::TalkPlan;

/// Exit codes of `call` and `answer`.
pub const ALL_MET: u8 = 0;
pub const EXPECTATION_FAILED: u8 = 1;
pub const NOT_ANSWERED: u8 = 2;
pub const USAGE: u8 = 64;

const AFTER_HELP: &str = "\
Examples:
  wardline call sip:7000@10.1.1.10 --from 4710 --display '4 West' --tone 1000 --expect-tone 700 --duration 20s
  wardline call sip:7000@10.1.1.10 --from 4710 --dtmf '1@3s' --record heard.wav --ladder
  wardline call sip:7000@10.1.1.10 --tcp --hold-at 4s --resume-at 6s --codec pcma --json
  wardline call sip:7000@10.1.1.10 --cancel-at 2s --expect-status 487

Times of keys, hold and duration count from the answer; times in the report count from the INVITE.
TIME is 10s, 1.5s, 500ms, 2m or a bare number of seconds.

Exit codes: 0 answered and all expectations met, 1 an expectation failed, 2 not answered or failed, 64 usage.";

/// Arguments that `call` and `answer` share.
#[derive(clap::Args, Debug, Clone)]
pub struct TalkArgs {
    /// Codecs offered, in order of preference (pcmu, pcma, g722)
    #[arg(long, value_enum, value_delimiter = ',', default_value = "pcmu,pcma")]
    pub codec: Vec<Codec>,
    /// Send this WAV file (16 bit), then silence
    #[arg(long, value_name = "FILE", conflicts_with = "tone")]
    pub play: Option<PathBuf>,
    /// Send a steady tone
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(50..3900))]
    pub tone: Option<u32>,
    /// Write what is heard to a WAV file (8 kHz, mono)
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// This tone must be heard for 0.3 s or more (may be given several times)
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(50..3900))]
    pub expect_tone: Vec<u32>,
    /// These keys must be heard, in order, by one method
    #[arg(long, value_name = "KEYS")]
    pub expect_keys: Option<String>,
    /// How keys are sent
    #[arg(long, value_enum, default_value = "rtp", value_name = "HOW")]
    pub dtmf_by: KeyBy,
    /// Do not offer telephone-event
    #[arg(long)]
    pub no_telephone_event: bool,
    /// Put the call on hold
    #[arg(long, value_name = "TIME", value_parser = script::span)]
    pub hold_at: Option<Duration>,
    /// Resume it
    #[arg(long, value_name = "TIME", value_parser = script::span)]
    pub resume_at: Option<Duration>,
    /// How hold is said
    #[arg(long, value_enum, default_value = "sendonly", value_name = "HOW")]
    pub hold_by: HoldBy,
    /// Transfer blindly (REFER), for example sip:5555@10.1.1.10@8s
    #[arg(long, value_name = "URI@TIME", value_parser = script::timed)]
    pub refer: Option<(String, Duration)>,
    /// Print every message with its time
    #[arg(long)]
    pub ladder: bool,
    /// Print one JSON document a call, on one line
    #[arg(long)]
    pub json: bool,
}

impl TalkArgs {
    /// The script of a connected call.
    pub fn plan(&self, keys: Vec<KeyPress>, duration: Option<Duration>) -> Result<TalkPlan> {
        let source = match (&self.play, self.tone) {
            (Some(path), _) => Source::Samples(read_wav(path)?.into()),
            (None, Some(hz)) => Source::Tone(hz),
            (None, None) => Source::Silence,
        };
        Ok(TalkPlan {
            source,
            keys,
            key_by: self.dtmf_by,
            after_tone: Vec::new(),
            record: self.record.clone(),
            expect_tones: self.expect_tone.clone(),
            expect_keys: self.expect_keys.clone(),
            duration,
            hold_at: self.hold_at,
            resume_at: self.resume_at,
            hold_by: self.hold_by,
            refer: self.refer.clone(),
            codecs: self.codec.clone(),
            telephone_event: !self.no_telephone_event,
            stop: Arc::default(),
        })
    }
}

/// Call a number as a test phone: dial, key, play, record, measure.
#[derive(clap::Args, Debug, Clone)]
#[command(after_help = AFTER_HELP)]
pub struct CallArgs {
    /// Whom to call, for example sip:7000@10.1.1.10:5060
    #[arg(value_name = "SIP-URI")]
    pub uri: String,
    /// The calling extension (user part of From)
    #[arg(long, value_name = "EXT", default_value = "probe")]
    pub from: String,
    /// The calling name
    #[arg(long, value_name = "NAME")]
    pub display: Option<String>,
    /// Our address; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:0")]
    pub bind: String,
    /// Signal over TCP
    #[arg(long)]
    pub tcp: bool,
    /// User for digest authentication, with --password-env
    #[arg(long, value_name = "NAME", requires = "password_env")]
    pub user: Option<String>,
    /// Environment variable that holds the password
    #[arg(long, value_name = "NAME", requires = "user")]
    pub password_env: Option<String>,
    /// Keys in time, for example "1@3s,2@5s"
    #[arg(long, value_name = "KEYS@TIME,..", default_value = "")]
    pub dtmf: String,
    /// Hang up so long after the answer
    #[arg(long, value_name = "TIME", value_parser = script::span, default_value = "10s")]
    pub duration: Duration,
    /// Give up (CANCEL) when nobody has answered by then
    #[arg(long, value_name = "TIME", value_parser = script::span, default_value = "60s")]
    pub answer_within: Duration,
    /// CANCEL so long after the INVITE
    #[arg(long, value_name = "TIME", value_parser = script::span)]
    pub cancel_at: Option<Duration>,
    /// The INVITE must end with this status: 0 is returned when it does, answered or not
    #[arg(long, value_name = "STATUS")]
    pub expect_status: Option<u16>,
    /// INVITE without an offer; our answer stands in the ACK
    #[arg(long)]
    pub late_offer: bool,
    /// A further header of the INVITE, for example "P-Asserted-Identity: <sip:4710@pbx>"
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `wardline call`.
pub fn run(args: &CallArgs) -> ExitCode {
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(error) => return usage(&error),
    };
    let bind = match address(&args.bind) {
        Ok(bind) => bind,
        Err(error) => return usage(&error),
    };
    let bind = match_family(bind, &args.uri);
    let report =
        match runtime().and_then(|runtime| runtime.block_on(async { Phone::bind(bind).await?.call(plan).await })) {
            Ok(report) => report,
            Err(error) => {
                say(&format!("wardline call: {error:#}\n"), true);
                return ExitCode::from(NOT_ANSWERED);
            }
        };
    print(&report, &args.talk);
    ExitCode::from(verdict(&report, args.expect_status))
}

fn plan(args: &CallArgs) -> Result<CallPlan> {
    let keys = script::keys(&args.dtmf).map_err(anyhow::Error::msg)?;
    crate::probe::wire::uri(&args.uri).map_err(anyhow::Error::msg)?;
    let headers = args.header.iter().map(|line| {
        let (name, value) = line.split_once(':').with_context(|| format!("{line:?} is not a header"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    Ok(CallPlan {
        to: args.uri.clone(),
        from: args.from.clone(),
        display: args.display.clone(),
        credentials: credentials(args.user.as_deref(), args.password_env.as_deref())?,
        tcp: args.tcp,
        late_offer: args.late_offer,
        headers: headers.collect::<Result<_>>()?,
        cancel_at: args.cancel_at,
        answer_within: args.answer_within,
        talk: args.talk.plan(keys, Some(args.duration))?,
    })
}

/// User and the password that an environment variable holds; never on the command line, where others read it.
pub(super) fn credentials(user: Option<&str>, password_env: Option<&str>) -> Result<Option<Credentials>> {
    let (Some(user), Some(variable)) = (user, password_env) else { return Ok(None) };
    let password = std::env::var(variable).with_context(|| format!("environment variable {variable} is not set"))?;
    Ok(Some(Credentials { user: user.to_owned(), password }))
}

/// `10.1.1.10:5080`, `10.1.1.10` (any port), `[::1]:5080` or `:5080`.
pub(super) fn address(text: &str) -> Result<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
        return Ok(SocketAddr::new(ip, 0));
    }
    match text.strip_prefix(':').and_then(|port| port.parse().ok()) {
        Some(port) => Ok(SocketAddr::from(([0, 0, 0, 0], port))),
        None => bail!("{text:?} is not an address such as 10.1.1.10:5080"),
    }
}

/// An unspecified IPv4 address gives way when the other side is plainly IPv6.
pub(super) fn match_family(bind: SocketAddr, uri: &str) -> SocketAddr {
    if bind.ip().is_unspecified() && bind.is_ipv4() && uri.contains('[') {
        return SocketAddr::from(([0u16; 8], bind.port()));
    }
    bind
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub(super) fn usage(error: &anyhow::Error) -> ExitCode {
    say(&format!("wardline: {error:#}\n"), true);
    ExitCode::from(USAGE)
}

/// Writes to stdout or stderr; a reader that has gone is no reason to fail.
pub(super) fn say(text: &str, to_stderr: bool) {
    use std::io::Write as _;
    let _ = match to_stderr {
        true => anstream::stderr().write_all(text.as_bytes()),
        false => {
            let mut out = anstream::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
    };
}

/// One call on stdout, as it was asked for.
pub(super) fn print(report: &CallReport, args: &TalkArgs) {
    let mut out = String::new();
    if args.json {
        match serde_json::to_string(report) {
            Ok(json) => out = json + "\n",
            Err(error) => say(&format!("wardline: {error}\n"), true),
        }
    } else {
        if args.ladder {
            let _ = writeln!(out, "{}", report.ladder_text());
        }
        out += &report.summary();
    }
    say(&out, false);
}

/// The exit code of one call.
pub(super) fn verdict(report: &CallReport, expect_status: Option<u16>) -> u8 {
    if let Some(status) = expect_status {
        return if report.status == status && report.met { ALL_MET } else { EXPECTATION_FAILED };
    }
    if !report.answered || matches!(report.ended_by, Ending::Failed | Ending::Timeout) {
        return NOT_ANSWERED;
    }
    if report.met { ALL_MET } else { EXPECTATION_FAILED }
}
