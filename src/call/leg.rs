//! One party's side of a call: its INVITE usage, what offer/answer agreed, its media port, what it plays.

use std::net::{IpAddr, SocketAddr};

use crate::bridge::pair::expects_media;
use crate::bridge::{Codec, Latch, MediaEndpoint, MediaPolicy, MediaPort, Negotiation, Security};
use crate::call::context::{Context, Effect, Target};
use crate::call::media::{MediaCommand, PlayItem};
use crate::config::Config;
use crate::dialog::{Output, Usage, UsageEvent};
use crate::digit::KeyMerge;
use crate::ids::{AnalystId, CallId, Language, LegId, OfferId, PlayId, PromptId, TargetId, TrunkId};
use crate::ivr::timing::PLAY_GRACE;
use crate::sip::digest::Credentials;
use crate::sip::{Flow, Request, Transport, Uri};
use crate::ticket::Party;
use crate::time::{Duration, Instant};

/// RTP gone for this long, with no RTCP either: the call is dead (line E68).
const RTP_DEAD_AFTER: Duration = Duration::from_secs(60);
/// How long a closed leg waits for the worker's last report; a dead worker must not keep the call in the books.
const LAST_REPORT_WITHIN: Duration = Duration::from_secs(1);

/// Whose side it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Caller,
    Analyst { analyst: AnalystId, offer: OfferId },
    Target(TargetId),
}

impl Role {
    pub fn party(&self) -> Party {
        match self {
            Role::Caller => Party::Caller,
            Role::Analyst { .. } => Party::Analyst,
            Role::Target(_) => Party::Target,
        }
    }
}

/// What the leg's phone hears of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playing {
    Nothing,
    /// Words: over at the first of the worker's event and the deadline.
    Words {
        play: PlayId,
        deadline: Instant,
    },
    /// Ringback or hold music, until replaced.
    Loop(PromptId),
}

/// The leg's media path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Open,
    /// The port is given back; the worker's last report is due.
    Closing {
        until: Instant,
    },
    Gone,
}

pub struct Leg {
    pub id: LegId,
    pub role: Role,
    pub usage: Usage,
    pub negotiation: Negotiation,
    flow: Flow,
    pinned: bool,
    trunk: Option<TrunkId>,
    port: MediaPort,
    playing: Playing,
    /// RTP has come from this phone.
    pub heard: bool,
    /// RTP has stopped, though it is due.
    pub silent_since: Option<Instant>,
    /// The same key by two methods is one key (line E65).
    pub keys: KeyMerge,
    media: Media,
    /// Where else the phone may be reached, while nobody has answered here.
    others: Vec<Target>,
}

/// Everything a leg needs before its first message.
pub struct LegPlan {
    pub role: Role,
    pub flow: Flow,
    pub pinned: bool,
    pub trunk: Option<TrunkId>,
    pub prefer: Option<Codec>,
    pub others: Vec<Target>,
}

impl Leg {
    /// Takes a port and prepares offer/answer. `None`: every port is in use or resting.
    pub fn negotiation(ctx: &mut Context<'_>, plan: &LegPlan) -> Option<(MediaPort, Negotiation)> {
        let port = ctx.take_port()?;
        let endpoint = MediaEndpoint { address: media_address(ctx.config, plan.flow.remote), port };
        let policy = policy(ctx.config, plan.trunk.as_ref(), ctx.numbers);
        let mut negotiation = Negotiation::new(ctx.numbers.session(), endpoint, policy);
        negotiation.prefer(plan.prefer);
        Some((port, negotiation))
    }

    pub fn open(
        ctx: &mut Context<'_>,
        call: CallId,
        id: LegId,
        plan: LegPlan,
        usage: Usage,
        (port, negotiation): (MediaPort, Negotiation),
        sip_call_id: String,
    ) -> Leg {
        let local = media_bind(ctx.config, plan.flow.remote);
        ctx.media(MediaCommand::Open { call, leg: id, local, port });
        let local_tag = usage.local_tag().to_owned();
        ctx.want(Effect::LegOpened { leg: id, sip_call_id, local_tag });
        Leg {
            id,
            role: plan.role,
            usage,
            negotiation,
            flow: plan.flow,
            pinned: plan.pinned,
            trunk: plan.trunk,
            port,
            playing: Playing::Nothing,
            heard: false,
            silent_since: None,
            keys: KeyMerge::default(),
            media: Media::Open,
            others: plan.others,
        }
    }

    /// The next address to try in place of this one. Each address is given once.
    pub fn next_target(&mut self) -> Option<Target> {
        let mut others = std::mem::take(&mut self.others).into_iter();
        let next = others.next()?;
        Some(Target { others: others.collect(), ..next })
    }

    /// Sends what the usage wants sent and returns what it has to say.
    pub fn drain(&mut self, ctx: &mut Context<'_>) -> Vec<UsageEvent> {
        let mut events = Vec::new();
        while let Some(output) = self.usage.poll_output() {
            match output {
                Output::Request { request, next_hop } => {
                    let flow = self.flow_towards(&next_hop, ctx);
                    let request = self.fit_for(request, flow, ctx);
                    ctx.want(Effect::Request { leg: self.id, request, flow });
                }
                Output::Cancel { reason } => ctx.want(Effect::Cancel { leg: self.id, reason }),
                Output::Ack { request, next_hop, branch } => {
                    let flow = self.flow_towards(&next_hop, ctx);
                    let request = self.fit_for(request, flow, ctx);
                    ctx.want(Effect::Ack { request, flow, branch });
                }
                Output::Respond { server, response } => ctx.want(Effect::Respond { server, response }),
                Output::Event(event) => events.push(event),
            }
        }
        events
    }

    /// What answers a challenge that came by `flow`: its trunk's credentials, if it is its trunk's peer (line C49).
    pub fn credentials<'a>(&self, ctx: &Context<'a>, flow: Flow) -> Option<&'a Credentials> {
        let trunk = self.trunk.as_ref().filter(|trunk| ctx.reach.serves(trunk, flow))?;
        ctx.config.trunk(trunk)?.auth.as_ref()
    }

    /// An answer to a challenge goes to the trunk's peer alone, wherever a Contact points.
    fn fit_for(&self, mut request: Request, flow: Flow, ctx: &Context<'_>) -> Request {
        let theirs = self.trunk.as_ref().is_some_and(|trunk| ctx.reach.serves(trunk, flow));
        if !theirs {
            request.headers.remove("Authorization");
            request.headers.remove("Proxy-Authorization");
        }
        request
    }

    /// Tells the media worker what offer/answer agreed, when that is news.
    pub fn apply_session(&mut self, ctx: &mut Context<'_>) {
        if !self.negotiation.changed() {
            return;
        }
        if let Some(session) = self.negotiation.session() {
            ctx.media(MediaCommand::Session { leg: self.id, session });
        }
    }

    /// Speaks; returns how long it takes. Replaces whatever played.
    pub fn say(&mut self, ctx: &mut Context<'_>, language: &Language, prompts: &[PromptId]) -> Duration {
        let length: Duration = prompts.iter().filter_map(|prompt| ctx.config.prompts.length(language, prompt)).sum();
        let play = ctx.numbers.play();
        let items =
            prompts.iter().map(|prompt| PlayItem::Prompt { language: language.clone(), prompt: prompt.clone() });
        ctx.media(MediaCommand::Play { leg: self.id, play, items: items.collect(), repeat: false });
        self.playing = Playing::Words { play, deadline: ctx.now + length + PLAY_GRACE };
        length
    }

    /// Plays one prompt round and round: ringback, hold music.
    pub fn play_loop(&mut self, ctx: &mut Context<'_>, language: &Language, prompt: PromptId) {
        if self.playing == Playing::Loop(prompt.clone()) {
            return;
        }
        let play = ctx.numbers.play();
        let item = PlayItem::Prompt { language: language.clone(), prompt: prompt.clone() };
        ctx.media(MediaCommand::Play { leg: self.id, play, items: vec![item], repeat: true });
        self.playing = Playing::Loop(prompt);
    }

    pub fn stop_playing(&mut self, ctx: &mut Context<'_>) {
        if self.playing != Playing::Nothing {
            ctx.media(MediaCommand::StopPlay { leg: self.id });
            self.playing = Playing::Nothing;
        }
    }

    /// The worker says that `play` is done. `false`: a stale one.
    pub fn play_done(&mut self, play: PlayId) -> bool {
        let current = matches!(self.playing, Playing::Words { play: current, .. } if current == play);
        if current {
            self.playing = Playing::Nothing;
        }
        current
    }

    /// The words should have ended by now and the worker said nothing.
    pub fn play_overdue(&mut self, now: Instant) -> bool {
        let overdue = matches!(self.playing, Playing::Words { deadline, .. } if deadline <= now);
        if overdue {
            self.playing = Playing::Nothing;
        }
        overdue
    }

    /// When its silence is beyond bearing: RTP that is due has stopped, and no RTCP comes either (line E68).
    pub fn dead_at(&self) -> Option<Instant> {
        let due = !self.usage.has_ended() && expects_media(&self.negotiation);
        self.silent_since.filter(|_| due).map(|since| since + RTP_DEAD_AFTER)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let play = match self.playing {
            Playing::Words { deadline, .. } => Some(deadline),
            Playing::Nothing | Playing::Loop(_) => None,
        };
        let report = match self.media {
            Media::Closing { until } => Some(until),
            Media::Open | Media::Gone => None,
        };
        [self.usage.poll_timeout(), play, report].into_iter().flatten().min()
    }

    /// Signalling is over: frees the port, once. The leg stays until its usage has nothing left to wait for and the
    /// worker has told how the audio was.
    pub fn close_media(&mut self, ctx: &mut Context<'_>) {
        if self.media == Media::Open {
            self.media = Media::Closing { until: ctx.now + LAST_REPORT_WITHIN };
            self.playing = Playing::Nothing;
            ctx.media(MediaCommand::Close { leg: self.id });
            ctx.ports.give_back(ctx.now, self.port);
        }
    }

    /// The worker's last report has come.
    pub fn media_reported(&mut self) {
        self.media = Media::Gone;
    }

    /// The worker owes a report for too long.
    pub fn expire_media(&mut self, now: Instant) {
        if matches!(self.media, Media::Closing { until } if until <= now) {
            self.media = Media::Gone;
        }
    }

    pub fn media_gone(&self) -> bool {
        self.media == Media::Gone
    }

    /// A target refresh came this way (RFC 3261 section 12.2.2). A registered phone is reached by the way it came, which
    /// is another one after it moved (line D62); so is a peer whose stream was opened anew.
    pub fn follow(&mut self, flow: Flow) {
        let new_stream = self.flow.conn.is_some() && flow.conn.is_some() && flow.remote.ip() == self.flow.remote.ip();
        if self.pinned || new_stream {
            self.flow = flow;
        }
    }

    /// Where a request with this next hop goes. A registered phone is spoken to on its own flow; a host name means the
    /// peer we already talk to; an address of our own would be a loop and means the same.
    fn flow_towards(&self, next_hop: &Uri, ctx: &Context<'_>) -> Flow {
        if self.pinned {
            return self.flow;
        }
        let Some(ip) = next_hop.host.ip() else { return self.flow };
        let transport = Transport::asked_by(next_hop).unwrap_or(self.flow.transport);
        let remote = SocketAddr::new(ip, next_hop.port.unwrap_or(transport.port()));
        let same_family = remote.is_ipv4() == self.flow.local.is_ipv4();
        if !same_family || transport != self.flow.transport || ctx.reach.is_us(remote) {
            return self.flow;
        }
        // A stream that is up is used again, whatever port the Contact names: it is the same peer.
        let conn = self.flow.conn.filter(|_| remote.ip() == self.flow.remote.ip());
        Flow { remote: if conn.is_some() { self.flow.remote } else { remote }, conn, ..self.flow }
    }
}

/// What SDP says for a peer of that family.
fn media_address(config: &Config, remote: SocketAddr) -> IpAddr {
    let media = &config.node.media;
    if media.advertised.is_ipv4() == remote.is_ipv4() {
        return media.advertised;
    }
    // The whole call runs in the other family: the listener's own address is the one that the peer can reach.
    let listener = config.node.listeners.values().find(|listener| listener.bind.is_ipv4() == remote.is_ipv4());
    listener.map_or(media.advertised, |listener| listener.advertised.ip())
}

fn media_bind(config: &Config, remote: SocketAddr) -> IpAddr {
    let media = &config.node.media;
    if media.bind.is_ipv4() == remote.is_ipv4() { media.bind } else { media_address(config, remote) }
}

fn policy(config: &Config, trunk: Option<&TrunkId>, numbers: &mut crate::call::Numbers) -> MediaPolicy {
    let trunk = trunk.and_then(|id| config.trunk(id));
    let latch = if trunk.is_some_and(|trunk| trunk.nat) { Latch::Nat } else { Latch::Signalled };
    let security = match trunk.is_some_and(|trunk| trunk.srtp) {
        true => Security::Secured(numbers.media_keys()),
        false => Security::PlainOnly,
    };
    MediaPolicy { latch, security, ..MediaPolicy::default() }
}
