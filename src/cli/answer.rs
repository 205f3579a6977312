//! `wardline answer`: a complete test phone that answers as an analyst.
// A test phone works in real time: it reads the clock.
#![allow(clippy::disallowed_methods)]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::call::{self, EXPECTATION_FAILED, NOT_ANSWERED, TalkArgs};
use crate::probe::auth::Credentials;
use crate::probe::phone::{AnswerPlan, Phone, Registered};
use crate::probe::report::CallReport;
use crate::probe::script;

/// Seconds that a registration is asked for.
const EXPIRES: u32 = 300;
/// What the last call's BYE may take after the end of `--for`.
const GRACE: Duration = Duration::from_secs(6);

const AFTER_HELP: &str = "\
Examples:
  wardline answer --listen 10.1.1.50:5080 --tone 700 --expect-tone 1000 --calls 1 --for 60s
  wardline answer --listen 10.1.1.50:0 --register sip:10.1.1.10 --user ada --password-env ADA_PASSWORD
  wardline answer --listen 10.1.1.50:5080 --keys '1@2s' --expect-tone 1000 --on-caller-bye '1@3s'
  wardline answer --listen 10.1.1.50:5080 --reject 486

Times of keys, hold and duration count from our answer; those of --on-caller-bye from the moment the caller's tone has
stopped (0.4 s after it did). The expected tone counts, or any tone when none is expected. A phone that accepts a call by pressing 1: --keys '1@2s'.
The caller's hanging up does not end our call: the server goes on with \"Solved? One yes, two no.\"
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
    let mut registered = match (&args.register, credentials) {
        (Some(registrar), Some(credentials)) => {
            let user = credentials.user.clone();
            let registered = phone.register(registrar, credentials, args.tcp, EXPIRES).await?;
            call::say(&format!("registered {user} at {registrar}\n"), true);
            Some(registered)
        }
        _ => None,
    };
    let (reports, dropped) = tokio::select! {
        done = take_calls(args, &phone, &plan) => done?,
        failed = keep(&mut registered) => return Err(failed.context("the registration was lost")),
    };
    if let Some(registered) = registered {
        registered.leave().await.context("cannot take the registration back")?;
    }
    Ok(verdict(args, &reports, dropped))
}

/// Never returns while the registration holds.
async fn keep(registered: &mut Option<Registered>) -> anyhow::Error {
    match registered {
        Some(registered) => match registered.keep().await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        },
        None => std::future::pending().await,
    }
}

/// The end of `--for`, or a signal to stop.
async fn end_of_duty(end: Option<Instant>) {
    let time = async {
        match end {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

/// The calls that were lived through, and how many were cut by the end of time.
async fn take_calls(args: &AnswerArgs, phone: &Phone, plan: &AnswerPlan) -> Result<(Vec<CallReport>, usize)> {
    let end = args.at_most.map(|span| Instant::now() + span);
    let mut running = JoinSet::new();
    let (mut begun, mut reports) = (0, Vec::new());
    let mut over = false;
    let over_at = end_of_duty(end);
    let cut_at = async {
        match end {
            Some(end) => tokio::time::sleep_until(end + GRACE).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over_at, cut_at);
    loop {
        let wanted = !over && args.calls.is_none_or(|calls| begun < calls);
        if !wanted && running.is_empty() {
            return Ok((reports, 0));
        }
        tokio::select! {
            ringing = phone.ringing(), if wanted => {
                let ringing = ringing.context("the phone has closed")?;
                begun += 1;
                if !args.talk.json {
                    let (user, display) = ringing.caller();
                    let text = format!("call from {} {}\n", user.unwrap_or_default(), display.unwrap_or_default());
                    call::say(&text, true);
                }
                running.spawn(ringing.answer(bounded(plan, end)));
            }
            Some(done) = running.join_next() => {
                let report = done.context("a call has crashed")??;
                call::print(&report, &args.talk);
                reports.push(report);
            }
            () = &mut over_at, if !over => over = true,
            () = &mut cut_at => return Ok((reports, running.len())),
        }
    }
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
