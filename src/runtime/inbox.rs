//! What waits for the switch, in lanes. The order of the lanes is the order of service: what keeps running calls well
//! comes before what begins new ones (DESIGN.md, "The pure contract").
//!
//! Every lane is bounded. What does not fit is dropped and counted: SIP over UDP is sent again by its sender, a full
//! stream lane slows its connection down. Answers alone always fit: each question of the switch has its room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::runtime::clock::MonotonicClock;
use crate::sip::Transport;
use crate::switch::{Input, MAX_QUERIES};
use crate::time::{Duration, Instant};

/// Inputs that one turn of the loop takes: enough to amortise a wake-up, few enough to keep the order honest.
pub const MAX_BATCH: usize = 64;
/// Of them, places that wait for INVITEs, REGISTERs and OPTIONS when there are any: whoever floods a lane before theirs (a BYE
/// looks like a running call's until it is parsed) delays new calls, phones and a PBX's probes, and stops none of them.
const INVITES_A_BATCH: usize = 8;
const REGISTERS_A_BATCH: usize = 4;
const OPTIONS_A_BATCH: usize = 2;
/// An INVITE older than this is not worth answering: its sender has already sent it again (T1 = 500 ms).
pub const INVITE_STALE_AFTER: Duration = Duration::from_millis(400);

/// The lanes, first served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// To questions of the switch, which has no more of them open than fit here.
    Answers,
    /// Commands, configuration, how far the journal is: few, and somebody waits.
    Control,
    Media,
    /// ACK, CANCEL and requests inside dialogs.
    Running,
    /// And what else becomes of our own messages: nobody is there, the stream is gone.
    Responses,
    Invites,
    Registers,
    Options,
}

impl Lane {
    const ALL: [Lane; 8] = [
        Lane::Answers,
        Lane::Control,
        Lane::Media,
        Lane::Running,
        Lane::Responses,
        Lane::Invites,
        Lane::Registers,
        Lane::Options,
    ];

    /// Two seconds' worth at the highest rate each lane is built for; of answers, all that can be owed.
    const fn limit(self) -> usize {
        match self {
            Lane::Answers => MAX_QUERIES,
            Lane::Control => 4_096,
            Lane::Media => 16_384,
            Lane::Running | Lane::Responses => 8_192,
            Lane::Invites => 2_048,
            Lane::Registers => 4_096,
            Lane::Options => 256,
        }
    }

    /// Places of a batch that no lane before this one takes while something waits here.
    const fn kept(self) -> usize {
        match self {
            Lane::Answers | Lane::Control | Lane::Media | Lane::Running | Lane::Responses => 0,
            Lane::Invites => INVITES_A_BATCH,
            Lane::Registers => REGISTERS_A_BATCH,
            Lane::Options => OPTIONS_A_BATCH,
        }
    }

    /// By the first bytes alone; the parser has the last word.
    pub fn of_message(bytes: &[u8]) -> Lane {
        let starts = |word: &[u8]| bytes.starts_with(word);
        if starts(b"SIP/2.0") {
            Lane::Responses
        } else if starts(b"INVITE ") {
            if has_to_tag(bytes) { Lane::Running } else { Lane::Invites }
        } else if starts(b"REGISTER ") {
            Lane::Registers
        } else if starts(b"OPTIONS ") {
            Lane::Options
        } else {
            Lane::Running
        }
    }
}

/// Whether an INVITE belongs to a dialog: its To header has a tag. A wrong guess costs only the order of service.
fn has_to_tag(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').take(64).any(|line| {
        let is_to = line.len() > 3
            && (line.get(..3).is_some_and(|name| name.eq_ignore_ascii_case(b"to:"))
                || line.get(..2).is_some_and(|name| name.eq_ignore_ascii_case(b"t:")));
        is_to && line.windows(5).any(|part| part.eq_ignore_ascii_case(b";tag="))
    })
}

struct Waiting {
    since: Instant,
    input: Input,
}

#[derive(Default)]
struct Lanes {
    queues: [VecDeque<Waiting>; Lane::ALL.len()],
    closed: bool,
}

/// The queue between the sockets and the thread that owns the switch.
pub struct Inbox {
    clock: MonotonicClock,
    lanes: Mutex<Lanes>,
    ready: Condvar,
    dropped: AtomicU64,
    stale: AtomicU64,
}

impl Inbox {
    pub fn new(clock: MonotonicClock) -> Inbox {
        Inbox {
            clock,
            lanes: Mutex::new(Lanes::default()),
            ready: Condvar::new(),
            dropped: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        }
    }

    /// Puts an input into its lane. `false`: the lane is full and the input is gone.
    pub fn push(&self, lane: Lane, input: Input) -> bool {
        let since = self.clock.now();
        let mut lanes = self.lock();
        let queue = &mut lanes.queues[lane as usize];
        if queue.len() >= lane.limit() {
            drop(lanes);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        queue.push_back(Waiting { since, input });
        drop(lanes);
        self.ready.notify_one();
        true
    }

    /// Waits until there is something to do or `deadline` has come, then takes at most [`MAX_BATCH`] inputs in the
    /// order of the lanes. `None` once the inbox is closed and empty.
    pub fn take(&self, deadline: Option<Instant>) -> Option<Vec<Input>> {
        let mut lanes = self.lock();
        loop {
            if lanes.queues.iter().any(|queue| !queue.is_empty()) {
                return Some(self.batch(&mut lanes));
            }
            if lanes.closed {
                return None;
            }
            let Some(deadline) = deadline else {
                lanes = self.ready.wait(lanes).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = self.clock.until(deadline);
            if left.is_zero() {
                return Some(Vec::new());
            }
            lanes = self.ready.wait_timeout(lanes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Inputs that found their lane full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// INVITEs that waited too long.
    pub fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    fn batch(&self, lanes: &mut Lanes) -> Vec<Input> {
        let now = self.clock.now();
        let mut batch = Vec::with_capacity(MAX_BATCH);
        let kept = Lane::ALL.map(|lane| lanes.queues[lane as usize].len().min(lane.kept()));
        for lane in Lane::ALL {
            let queue = &mut lanes.queues[lane as usize];
            let for_later: usize = kept[lane as usize + 1..].iter().sum();
            while batch.len() < MAX_BATCH - for_later {
                let Some(waiting) = queue.pop_front() else { break };
                if lane == Lane::Invites && now.since(waiting.since) > INVITE_STALE_AFTER {
                    self.stale.fetch_add(1, Ordering::Relaxed);
                    if let Some(input) = overdue(waiting.input) {
                        batch.push(input);
                    }
                    continue;
                }
                batch.push(waiting.input);
            }
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An INVITE that waited too long: forgotten on UDP, refused with 503 on a stream, which would not send it again.
fn overdue(input: Input) -> Option<Input> {
    match input {
        Input::Message { flow, bytes } if flow.transport != Transport::Udp => Some(Input::Overdue { flow, bytes }),
        Input::Message { .. } => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ids::{QueryId, Seq};
    use crate::sip::Flow;
    use crate::switch::Answer;

    fn flow(transport: Transport) -> Flow {
        let address = "127.0.0.1:5060".parse().expect("address");
        Flow { transport, local: address, remote: address, conn: None }
    }

    fn message(text: &'static str) -> Input {
        Input::Message { flow: flow(Transport::Udp), bytes: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn running_calls_are_served_before_new_ones() {
        let inbox = Inbox::new(MonotonicClock::new());
        for text in ["OPTIONS sip:a SIP/2.0\r\n", "INVITE sip:a SIP/2.0\r\n", "BYE sip:a SIP/2.0\r\n"] {
            assert!(inbox.push(Lane::of_message(text.as_bytes()), message(text)));
        }
        inbox.push(Lane::Control, Input::Stored(Seq(1)));
        let order: Vec<String> = inbox
            .take(None)
            .expect("open")
            .into_iter()
            .map(|input| match input {
                Input::Message { bytes, .. } => String::from_utf8_lossy(&bytes[..3]).into_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(order, ["Stored(Seq(1))", "BYE", "INV", "OPT"]);
    }

    #[test]
    fn a_flood_of_byes_leaves_new_calls_registers_and_options_their_places() {
        let inbox = Inbox::new(MonotonicClock::new());
        for _ in 0..1_000 {
            inbox.push(Lane::Running, message("BYE sip:a SIP/2.0\r\n"));
            inbox.push(Lane::Responses, message("SIP/2.0 200 OK\r\n"));
        }
        // What has no age, so that a slow machine drops none.
        (0..20).for_each(|_| assert!(inbox.push(Lane::Invites, Input::Timeout)));
        (0..6).for_each(|_| assert!(inbox.push(Lane::Registers, message("REGISTER sip:a SIP/2.0\r\n"))));
        (0..3).for_each(|_| assert!(inbox.push(Lane::Options, message("OPTIONS sip:a SIP/2.0\r\n"))));
        let served = || {
            let batch = inbox.take(None).expect("open");
            let of = |word: &str| {
                let is = |input: &&Input| matches!(input, Input::Message { bytes, .. } if bytes.starts_with(word.as_bytes()));
                batch.iter().filter(is).count()
            };
            let invites = batch.iter().filter(|input| matches!(input, Input::Timeout)).count();
            (batch.len(), invites, of("REGISTER"), of("OPTIONS"))
        };
        assert_eq!(
            [served(), served(), served(), served()],
            [(64, 8, 4, 2), (64, 8, 2, 1), (64, 4, 0, 0), (64, 0, 0, 0)]
        );
    }

    #[test]
    fn a_flood_of_invites_leaves_registers_and_options_their_places() {
        let inbox = Inbox::new(MonotonicClock::new());
        (0..500).for_each(|_| assert!(inbox.push(Lane::Invites, Input::Timeout)));
        (0..5).for_each(|_| assert!(inbox.push(Lane::Registers, Input::Stored(Seq(1)))));
        (0..5).for_each(|_| assert!(inbox.push(Lane::Options, Input::Stored(Seq(2)))));
        let batch = inbox.take(None).expect("open");
        let of = |seq: u64| batch.iter().filter(|input| matches!(input, Input::Stored(Seq(at)) if *at == seq)).count();
        assert_eq!((batch.len(), of(1), of(2)), (64, 4, 2));
    }

    #[test]
    fn a_reinvite_belongs_to_a_running_call() {
        let first = b"INVITE sip:7100@h SIP/2.0\r\nTo: <sip:7100@h>\r\n\r\n";
        let again = b"INVITE sip:7100@h SIP/2.0\r\nt: <sip:7100@h>;tag=x\r\n\r\n";
        assert_eq!(Lane::of_message(first), Lane::Invites);
        assert_eq!(Lane::of_message(again), Lane::Running);
    }

    #[test]
    fn an_answer_to_every_question_fits_and_comes_first_whatever_else_waits() {
        let inbox = Inbox::new(MonotonicClock::new());
        for lane in [Lane::Control, Lane::Media, Lane::Running, Lane::Responses, Lane::Options] {
            while inbox.push(lane, Input::Timeout) {}
        }
        let refused = inbox.dropped();
        for query in 0..10_000 {
            let answer = Input::Answer { query: QueryId(query), answer: Answer::Reserved(true) };
            assert!(inbox.push(Lane::Answers, answer), "answer {query}");
        }
        assert_eq!(inbox.dropped(), refused);
        let mut next = 0;
        while next < 10_000 {
            let batch = inbox.take(None).expect("open");
            let before = next;
            for input in &batch {
                let Input::Answer { query, .. } = input else { break };
                assert_eq!(query.0, next);
                next += 1;
            }
            // All of a turn but the two places that are kept for OPTIONS.
            assert!(next == 10_000 || next - before >= 62, "{} answers in a turn of {}", next - before, batch.len());
        }
    }

    #[test]
    fn a_full_lane_refuses_and_counts() {
        let inbox = Inbox::new(MonotonicClock::new());
        for _ in 0..256 {
            assert!(inbox.push(Lane::Options, Input::Timeout));
        }
        assert!(!inbox.push(Lane::Options, Input::Timeout));
        assert_eq!(inbox.dropped(), 1);
    }
}
