//! The control socket: HTTP on a Unix socket that only its owner can open.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path as Segment, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use nix::sys::stat::{Mode, fchmod};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::api::golive;
use crate::api::health::late_canary;
use crate::api::text::{Told, fits, said};
use crate::api::wire::{
    self, ClearTally, Done, IncidentList, ListenerStatus, NodeStatus, ON_BEHALF_OF, OpenIncident, Refusal, Reload,
    ResolveIncident, SetDisposition, SetState, TallyList,
};
use crate::api::{ApiState, Applied, Change, ChangeRequest, ReloadKind};
use crate::ids::{AnalystId, IncidentId, TicketNumber};
use crate::plural::counted;
use crate::sip::Transport;
use crate::store::JournalState;
use crate::switch::{Command, Reply};
use crate::ticket::{Disposition, Ticket};
use crate::time::Duration;

/// Longest request body: a note, and room.
const MAX_BODY: usize = 64 << 10;
/// A new version is read and checked with every file and prompt.
const CHANGE_PATIENCE: Duration = Duration::from_secs(60);
/// The name service may be a directory on the network.
const NAME_PATIENCE: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Serves the control socket until the handle is aborted. A stale socket file is replaced.
///
/// # Errors
/// When another process answers on the socket, or it can't be made.
pub async fn control(state: Arc<ApiState>, socket: &Path) -> anyhow::Result<JoinHandle<()>> {
    let listener = bind(socket).await?;
    let remove = RemoveAtEnd(socket.to_path_buf());
    let app = router(state).into_make_service_with_connect_info::<Peer>();
    Ok(tokio::spawn(async move {
        let _remove = remove;
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the control socket has ended");
        }
    }))
}

async fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    if path.exists() {
        if tokio::net::UnixStream::connect(path).await.is_ok() {
            bail!("another server answers on {}", path.display());
        }
        std::fs::remove_file(path).with_context(|| format!("cannot remove the stale {}", path.display()))?;
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    // Set before bind, the mode holds from the file's first moment on (Linux: unix(7)).
    fchmod(socket.as_fd(), Mode::S_IRUSR | Mode::S_IWUSR)?;
    let address = socket2::SockAddr::unix(path).with_context(|| format!("{} is no socket path", path.display()))?;
    socket.bind(&address).with_context(|| format!("cannot make the control socket {}", path.display()))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(UnixListener::from_std(std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket)))?)
}

/// A stopped server leaves no socket that looks like a running one.
struct RemoveAtEnd(PathBuf);

impl Drop for RemoveAtEnd {
    fn drop(&mut self) {
        // What stays is found stale by the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn router(state: Arc<ApiState>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/calls", get(calls))
        .route("/v1/analysts", get(analysts))
        .route("/v1/analysts/{id}/state", post(set_state))
        .route("/v1/analysts/{id}/attest", post(attest))
        .route("/v1/analysts/{id}/withdraw", post(withdraw))
        .route("/v1/tickets/{number}/disposition", post(set_disposition))
        .route("/v1/incidents", get(incidents).post(open_incident))
        .route("/v1/incidents/{id}/resolve", post(resolve_incident))
        .route("/v1/golive", get(golive::lists))
        .route("/v1/golive/{hospital}/confirm", post(golive::confirm))
        .route("/v1/golive/{hospital}/standing", post(golive::set_standing))
        .route("/v1/tallies", get(tallies))
        .route("/v1/tallies/clear", post(clear_tally))
        .route("/v1/publish", post(publish))
        .route("/v1/rollback", post(rollback))
        .route("/v1/reload", post(reload))
        .route("/v1/drain", post(drain))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is no such resource") })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}

// -- Who asks ---------------------------------------------------------------------------------------------------------

/// The process at the other end, as the kernel names it (SO_PEERCRED, unix(7)).
#[derive(Clone, Copy)]
struct Peer {
    user: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Peer {
        Peer { user: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

/// Who asks: the process at the other end, and whom its command line says that it works for. The kernel vouches for the
/// first; the second is a claim, and is told as one.
pub(super) struct Asker {
    user: Option<u32>,
    claimed: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asker, Problem> {
        let user = parts.extensions.get::<ConnectInfo<Peer>>().and_then(|ConnectInfo(peer)| peer.user);
        let claimed = parts.headers.get(ON_BEHALF_OF).map(|value| value.to_str().unwrap_or_default().to_owned());
        if let Some(claimed) = &claimed {
            fits("by", claimed).map_err(Problem::refused)?;
        }
        Ok(Asker { user, claimed: claimed.filter(|claimed| !claimed.is_empty()) })
    }
}

impl Asker {
    /// In the words of the audit: "wardline", or "wardline for jkim". The number where no name is known in time.
    pub(super) async fn actor(self) -> String {
        let user = match self.user {
            Some(user) => name_of(user).await,
            None => "unknown".to_owned(),
        };
        match self.claimed {
            Some(claimed) if claimed != user => format!("{user} for {claimed}"),
            Some(_) | None => user,
        }
    }

    /// Named in the request itself, which says more than the command line's surroundings.
    fn or_named(self, by: Option<String>) -> Asker {
        Asker { claimed: by.or(self.claimed), ..self }
    }
}

async fn name_of(user: u32) -> String {
    let look_up = tokio::task::spawn_blocking(move || nix::unistd::User::from_uid(user.into()).ok().flatten());
    match tokio::time::timeout(NAME_PATIENCE, look_up).await {
        Ok(Ok(Some(found))) => found.name,
        Ok(_) | Err(_) => format!("uid {user}"),
    }
}

// -- What is wrong ----------------------------------------------------------------------------------------------------

pub(super) struct Problem {
    status: StatusCode,
    error: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Problem {
        Problem { status, error: error.into() }
    }

    pub(super) fn refused(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(Refusal { error: self.error })).into_response()
    }
}

pub(super) type Answer<T> = Result<Json<T>, Problem>;

pub(super) fn unexpected(reply: &Reply) -> Problem {
    match reply {
        Reply::Refused { reason } => Problem::refused(reason.clone()),
        Reply::Done
        | Reply::Status(_)
        | Reply::Calls { .. }
        | Reply::Analysts { .. }
        | Reply::Incidents { .. }
        | Reply::Standings(_)
        | Reply::Tallies { .. }
        | Reply::Attested { .. }
        | Reply::Opened { .. } => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the switch answered another question")
        }
    }
}

// -- What is asked ----------------------------------------------------------------------------------------------------

async fn status(State(state): State<Arc<ApiState>>) -> Answer<NodeStatus> {
    let switch = state.status().await?;
    let read = Arc::clone(&state.published);
    let published = tokio::task::spawn_blocking(move || read()).await.map_err(anyhow::Error::from)?;
    let gauges = (state.gauges)();
    let journal = match gauges.journal {
        JournalState::Healthy => "healthy",
        JournalState::Degraded => "degraded",
        JournalState::Full => "full",
    };
    let mut trouble = Vec::new();
    trouble.extend(gauges.trouble.as_ref().map(|trouble| {
        let held = counted(trouble.held_records, "record");
        format!("journal: {} ({held} held, {} lost)", trouble.reason, trouble.lost)
    }));
    trouble.extend(gauges.projected.error.as_ref().map(|error| format!("store: {error}")));
    Ok(Json(NodeStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        ready: *state.ready.borrow() && !switch.draining,
        uptime_s: gauges.uptime.as_secs(),
        journal: journal.to_owned(),
        trouble,
        store_behind: gauges.written.0.saturating_sub(gauges.projected.stored.0),
        published,
        canary: late_canary(&gauges),
        listeners: listeners(&state),
        switch,
    }))
}

/// What the node's sockets were opened for: no version changes it while the node runs.
fn listeners(state: &ApiState) -> Vec<ListenerStatus> {
    let config = state.config.borrow().clone();
    let sip = config.node.listeners.values().flat_map(|listener| {
        let of =
            |transport: &Transport| ListenerStatus { address: listener.bind, transport: transport.word().to_owned() };
        listener.transports.iter().map(of).collect::<Vec<_>>()
    });
    let metrics = config.node.metrics.map(|address| ListenerStatus { address, transport: "tcp".to_owned() });
    sip.chain(metrics).collect()
}

async fn calls(State(state): State<Arc<ApiState>>) -> Answer<serde_json::Value> {
    let reply = state.ask(Command::Calls).await?;
    let Reply::Calls { calls } = &reply else { return Err(unexpected(&reply)) };
    Ok(Json(json!({ "calls": calls })))
}

async fn analysts(State(state): State<Arc<ApiState>>) -> Answer<serde_json::Value> {
    let reply = state.ask(Command::Analysts).await?;
    let Reply::Analysts { analysts } = &reply else { return Err(unexpected(&reply)) };
    Ok(Json(json!({ "analysts": analysts })))
}

async fn set_state(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(analyst): Segment<String>,
    Told(wanted): Told<SetState>,
) -> Answer<Done> {
    let analyst = AnalystId::new(&analyst);
    let done = format!("{analyst} is {}", state_word(wanted.state));
    let SetState { state: to, reason, by } = wanted;
    let actor = peer.or_named(by).actor().await;
    change(&state, Command::SetAnalystState { analyst, state: to, actor, reason }, done).await
}

async fn attest(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(analyst): Segment<String>,
    Told(wanted): Told<wire::Attest>,
) -> Answer<Done> {
    said("evidence", &wanted.evidence)?;
    said("name", &wanted.by)?;
    let wire::Attest { hospital, system, modules, release, evidence, by } = wanted;
    let (analyst, actor) = (AnalystId::new(&analyst), peer.actor().await);
    let attested = format!("{analyst} is attested for {system} {release}");
    match state.ask(Command::Attest { analyst, hospital, system, modules, release, evidence, by, actor }).await? {
        Reply::Attested { hospital } => Ok(Json(Done { done: format!("{attested} of {hospital}, from now on") })),
        reply => Err(unexpected(&reply)),
    }
}

async fn withdraw(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(analyst): Segment<String>,
    Told(wanted): Told<wire::Withdraw>,
) -> Answer<Done> {
    said("reason", &wanted.reason)?;
    said("name", &wanted.by)?;
    let wire::Withdraw { hospital, system, modules, release, reason, by } = wanted;
    let (analyst, actor) = (AnalystId::new(&analyst), peer.actor().await);
    let done = format!("{analyst} is attested for {system} {release} no more");
    change(&state, Command::Withdraw { analyst, hospital, system, modules, release, reason, by, actor }, done).await
}

fn state_word(state: crate::ticket::AnalystStateRecord) -> &'static str {
    use crate::ticket::AnalystStateRecord::{Available, Paused, SignedOut};
    match state {
        Available => "available",
        Paused => "paused",
        SignedOut => "signed out",
    }
}

async fn set_disposition(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(number): Segment<u64>,
    Told(wanted): Told<SetDisposition>,
) -> Answer<Done> {
    let ticket = ticket(&state, TicketNumber(number)).await?;
    let SetDisposition { by, code, solved, note } = wanted;
    let disposition = Disposition { code, solved, note };
    let (call, hospital, actor) = (ticket.call, ticket.hospital, peer.actor().await);
    let command = Command::SetDisposition { call, ticket: ticket.number, hospital, by, disposition, actor };
    change(&state, command, format!("ticket {number} is set")).await
}

async fn ticket(state: &ApiState, number: TicketNumber) -> Result<Ticket, Problem> {
    let mut view = crate::store::open_readonly(&state.data_dir).await?;
    let found = view.by_number(number).await?;
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("there is no ticket {number}")))
}

async fn incidents(State(state): State<Arc<ApiState>>) -> Answer<IncidentList> {
    match state.ask(Command::Incidents).await? {
        Reply::Incidents { incidents } => Ok(Json(IncidentList { incidents })),
        reply => Err(unexpected(&reply)),
    }
}

async fn open_incident(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Told(wanted): Told<OpenIncident>,
) -> Answer<Done> {
    said("name", &wanted.by)?;
    said("note", &wanted.what.note)?;
    let OpenIncident { by, what } = wanted;
    match state.ask(Command::OpenIncident { what, by, actor: peer.actor().await }).await? {
        Reply::Opened { incident } => Ok(Json(Done { done: format!("incident {incident} is open") })),
        reply => Err(unexpected(&reply)),
    }
}

async fn resolve_incident(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(incident): Segment<u64>,
    Told(wanted): Told<ResolveIncident>,
) -> Answer<Done> {
    said("name", &wanted.by)?;
    let command = Command::ResolveIncident { incident: IncidentId(incident), by: wanted.by, actor: peer.actor().await };
    change(&state, command, format!("incident {incident} is resolved; who waits for it is called")).await
}

async fn tallies(State(state): State<Arc<ApiState>>) -> Answer<TallyList> {
    match state.ask(Command::Tallies).await? {
        Reply::Tallies { tallies } => Ok(Json(TallyList { tallies })),
        reply => Err(unexpected(&reply)),
    }
}

async fn clear_tally(State(state): State<Arc<ApiState>>, peer: Asker, Told(wanted): Told<ClearTally>) -> Answer<Done> {
    let ClearTally { hospital, suspect } = wanted;
    let done = format!("{suspect} of {hospital} is not locked; wrong ones are counted anew");
    change(&state, Command::ClearTally { hospital, suspect, actor: peer.actor().await }, done).await
}

async fn publish(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Told(wanted): Told<wire::Publish>,
) -> Answer<wire::Published> {
    said("message", &wanted.message)?;
    let wire::Publish { folder, message, onto, at_restart } = wanted;
    versioned(&state, peer.actor().await, Change::Publish { folder, message, onto, at_restart }).await
}

async fn rollback(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Told(wanted): Told<wire::Rollback>,
) -> Answer<wire::Published> {
    said("message", &wanted.message)?;
    let wire::Rollback { to, message, at_restart } = wanted;
    versioned(&state, peer.actor().await, Change::Rollback { to, message, at_restart }).await
}

async fn versioned(state: &ApiState, actor: String, change: Change) -> Answer<wire::Published> {
    let Applied { done, version, new } = apply(state, actor, change).await?;
    let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the change made no version");
    Ok(Json(wire::Published { done, version: version.ok_or_else(missing)?, new }))
}

async fn reload(State(state): State<Arc<ApiState>>, peer: Asker, Told(wanted): Told<Reload>) -> Answer<Done> {
    let actor = peer.actor().await;
    let change = match wanted.what {
        ReloadKind::Config => Change::reload(&actor),
        ReloadKind::Accounts => Change::Accounts,
    };
    Ok(Json(Done { done: apply(&state, actor, change).await?.done }))
}

async fn apply(state: &ApiState, actor: String, change: Change) -> Result<Applied, Problem> {
    let (reply, answer) = oneshot::channel();
    let request = ChangeRequest { actor, change, reply };
    if state.changes.try_send(request).is_err() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many changes wait already; try again"));
    }
    match tokio::time::timeout(CHANGE_PATIENCE, answer).await {
        Ok(Ok(Ok(applied))) => Ok(applied),
        Ok(Ok(Err(report))) => Err(Problem::refused(report)),
        Ok(Err(_)) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping")),
        Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the change takes unusually long")),
    }
}

async fn drain(State(state): State<Arc<ApiState>>, peer: Asker) -> Answer<Done> {
    change(&state, Command::Drain { actor: peer.actor().await }, "new calls are refused from now on".to_owned()).await
}

pub(super) async fn change(state: &ApiState, command: Command, done: String) -> Answer<Done> {
    let reply = state.ask(command).await?;
    let Reply::Done = reply else { return Err(unexpected(&reply)) };
    Ok(Json(Done { done }))
}
