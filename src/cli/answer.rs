//! `wardline answer`: a complete test phone that answers as an analyst.
// A test phone works in real time: it reads the clock.
#![allow(clippy::disallowed_methods)]

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::call::{self, EXPECTATION_FAILED, NOT_ANSWERED, TalkArgs};
use crate::probe::auth::Credentials;
use crate::probe::phone::{AnswerPlan, Phone, Registered, Ringing};
use crate::probe::report::CallReport;
use crate::probe::script;

/// Seconds that a registration is asked for.
const EXPIRES: u32 = 300;
/// What the last call's BYE may take after the end of `--for`, or after a signal; and taking the registration back.
const GRACE: Duration = Duration::from_secs(6);
/// To calls that come when no more are wanted (RFC 3261 section 21.4.18).
const UNAVAILABLE: u16 = 480;

const AFTER_HELP: &str = "\
Examples:
  wardline answer --listen 10.1.1.50:5080 --tone 700 --expect-tone 1000 --calls 1 --for 60s
  wardline answer --listen 10.1.1.50:0 --register sip:10.1.1.10 --user ada --password-env ADA_PASSWORD
  wardline answer --listen 10.1.1.50:5080 --keys '1@2s' --expect-tone 1000 --on-caller-bye '1@3s'
  wardline answer --listen 10.1.1.50:5080 --reject 486

Times of keys, hold and duration count from our answer; those of --on-caller-bye from the moment the caller's tone has
stopped (0.4 s after it did). The expected tone counts, or any tone when none is expected. A phone that accepts a call by pressing 1: --keys '1@2s'.
The caller's hanging up does not end our call: the server goes on with \"Solved? One yes, two no.\"
SIGTERM or Ctrl-C gives the registration back, hangs up and answers new calls 480; a second one ends it at once.
TIME is 10s, 1.5s, 500ms, 2m or a bare number of seconds.

Exit codes: 0 as many calls as asked for came and met all expectations, 1 an expectation failed,
2 fewer calls came or one failed (also: registration refused), 64 usage.";

/// Answer calls as an analyst's test phone, on UDP and TCP.
#[derive(clap::Args, Debug, Clone)]
#[command(after_help = AFTER_HELP)]
pub struct AnswerArgs {
    /// Our address; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:5080")]
    pub listen: String,
    /// Register at this registrar, for example sip:10.1.1.10;transport=tcp
    #[arg(long, value_name = "URI", requires = "user")]
    pub register: Option<String>,
    /// User to register as
    #[arg(long, value_name = "NAME", requires = "password_env")]
    pub user: Option<String>,
    /// Environment variable that holds the password
    #[arg(long, value_name = "NAME", requires = "user")]
    pub password_env: Option<String>,
    /// Register over TCP
    #[arg(long)]
    pub tcp: bool,
    /// Answer (or refuse) so long after the INVITE
    #[arg(long, value_name = "TIME", value_parser = script::span, default_value = "1s")]
    pub delay: Duration,
    /// 180 so long after the INVITE; later than --delay means never
    #[arg(long, value_name = "TIME", value_parser = script::span, default_value = "0s")]
    pub ring_after: Duration,
    /// Refuse with this status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(300..700))]
    pub reject: Option<u16>,
    /// Keys in time, for example "1@2s"
    #[arg(long, value_name = "KEYS@TIME,..", default_value = "")]
    pub keys: String,
    /// Keys in time once the caller's tone has stopped, for example "1@3s"
    #[arg(long, value_name = "KEYS@TIME,..", default_value = "")]
    pub on_caller_bye: String,
    /// Hang up so long after our answer; else the other side does
    #[arg(long, value_name = "TIME", value_parser = script::span)]
    pub duration: Option<Duration>,
    /// End after so many calls; else after --for, or never
    #[arg(long, value_name = "N")]
    pub calls: Option<usize>,
    /// End after this time; calls that are up then are hung up
    #[arg(long = "for", value_name = "TIME", value_parser = script::span)]
    pub at_most: Option<Duration>,
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `wardline answer`.
pub fn run(args: &AnswerArgs) -> ExitCode {
    let prepared = call::address(&args.listen).and_then(|address| {
        let credentials = call::credentials(args.user.as_deref(), args.password_env.as_deref())?;
        Ok((address, plan(args)?, credentials))
    });
    let (address, plan, credentials) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return call::usage(&error),
    };
    let done = call::runtime().and_then(|runtime| {
        runtime.block_on(async {
            let phone = Phone::bind(address).await?;
            call::say(&format!("listening on {} (UDP and TCP)\n", phone.local()), true);
            serve(args, phone, plan, credentials).await
        })
    });
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            call::say(&format!("wardline answer: {error:#}\n"), true);
            ExitCode::from(NOT_ANSWERED)
        }
    }
}

fn plan(args: &AnswerArgs) -> Result<AnswerPlan> {
    let keys = script::keys(&args.keys).map_err(anyhow::Error::msg)?;
    let mut talk = args.talk.plan(keys, args.duration)?;
    talk.after_tone = script::keys(&args.on_caller_bye).map_err(anyhow::Error::msg)?;
    Ok(AnswerPlan { ring_after: args.ring_after, delay: args.delay, reject: args.reject, talk })
}

async fn serve(args: &AnswerArgs, phone: Phone, plan: AnswerPlan, credentials: Option<Credentials>) -> Result<u8> {
    let registered = match (&args.register, credentials) {
        (Some(registrar), Some(credentials)) => {
            let user = credentials.user.clone();
            let registered = phone.register(registrar, credentials, args.tcp, EXPIRES).await?;
            call::say(&format!("registered {user} at {registrar}\n"), true);
            Some(registered)
        }
        _ => None,
    };
    let (leave, asked_to) = oneshot::channel();
    let mut holding = tokio::spawn(hold(registered, asked_to));
    let calls = take_calls(args, &phone, &plan, leave);
    tokio::pin!(calls);
    let (reports, dropped) = tokio::select! {
        done = &mut calls => {
            let done = done?;
            holding.await.context("the registration has crashed")??;
            done
        }
        // Given back while the last calls are ending, or lost.
        held = &mut holding, if args.register.is_some() => {
            held.context("the registration has crashed")??;
            calls.await?
        }
    };
    Ok(verdict(args, &reports, dropped))
}

/// Keeps the registration until it is asked to give it back.
async fn hold(registered: Option<Registered>, mut asked_to: oneshot::Receiver<()>) -> Result<()> {
    let Some(mut registered) = registered else { return Ok(()) };
    tokio::select! {
        kept = registered.keep() => return kept.context("the registration was lost"),
        // Whoever would ask has gone: as good as asked.
        _ = &mut asked_to => {}
    }
    let left = tokio::time::timeout(GRACE, registered.leave()).await;
    left.context("the registrar does not answer")?.context("cannot take the registration back")
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The calls that were lived through, and how many were cut. At the end of time, or at a signal, the registration is given
/// back, calls are hung up and new ones get 480; a second signal ends it at once.
async fn take_calls(
    args: &AnswerArgs,
    phone: &Phone,
    plan: &AnswerPlan,
    leave: oneshot::Sender<()>,
) -> Result<(Vec<CallReport>, usize)> {
    let end = args.at_most.map(|span| Instant::now() + span);
    let mut signals = Signals::new()?;
    let (mut running, mut turned_away) = (JoinSet::new(), JoinSet::new());
    let (mut begun, mut reports) = (0, Vec::new());
    let (mut leave, mut cut_at) = (Some(leave), end.map(|end| end + GRACE));
    loop {
        let wanted = leave.is_some() && args.calls.is_none_or(|calls| begun < calls);
        if !wanted && running.is_empty() {
            return Ok((reports, 0));
        }
        tokio::select! {
            ringing = phone.ringing() => {
                let ringing = ringing.context("the phone has closed")?;
                if wanted {
                    begun += 1;
                    announce(args, &ringing);
                    running.spawn(ringing.answer(bounded(plan, end)));
                } else {
                    turned_away.spawn(ringing.answer(busy(plan)));
                }
            }
            Some(done) = running.join_next() => {
                let report = done.context("a call has crashed")??;
                call::print(&report, &args.talk);
                reports.push(report);
            }
            Some(_) = turned_away.join_next() => {}
            () = until(end), if leave.is_some() => leave = None,
            () = signals.next() => {
                if leave.take().is_none() {
                    return Ok((reports, running.len()));
                }
                plan.talk.stop.store(true, Ordering::Relaxed);
                cut_at = Some(Instant::now() + GRACE);
            }
            () = until(cut_at) => return Ok((reports, running.len())),
        }
    }
}

/// Never, without a time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn announce(args: &AnswerArgs, ringing: &Ringing) {
    if !args.talk.json {
        let (user, display) = ringing.caller();
        let text = format!("call from {} {}\n", user.unwrap_or_default(), display.unwrap_or_default());
        call::say(&text, true);
    }
}

/// A call that is not wanted any more.
fn busy(plan: &AnswerPlan) -> AnswerPlan {
    AnswerPlan { ring_after: Duration::MAX, delay: Duration::ZERO, reject: Some(UNAVAILABLE), ..plan.clone() }
}

/// The plan of one call: it hangs up at the end of `--for` at the latest.
fn bounded(plan: &AnswerPlan, end: Option<Instant>) -> AnswerPlan {
    let mut plan = plan.clone();
    if let Some(end) = end {
        let left = end.saturating_duration_since(Instant::now()).saturating_sub(plan.delay);
        plan.talk.duration = Some(plan.talk.duration.map_or(left, |asked| asked.min(left)));
    }
    plan
}

fn verdict(args: &AnswerArgs, reports: &[CallReport], dropped: usize) -> u8 {
    // A refusal that was asked for is no failure.
    let status = args.reject;
    let worst = reports.iter().map(|report| call::verdict(report, status)).max().unwrap_or(call::ALL_MET);
    if worst == EXPECTATION_FAILED {
        return EXPECTATION_FAILED;
    }
    if dropped > 0 || args.calls.is_some_and(|calls| reports.len() < calls) {
        return NOT_ANSWERED;
    }
    worst
}
