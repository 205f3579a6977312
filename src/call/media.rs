//! The only words that the switch and the media workers share: commands out, events in. RTP itself never enters the
//! switch, and a worker needs nothing from the switch to go on relaying.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bridge::{MediaPort, MediaReport, MediaSession};
use crate::digit::{Digit, DigitSource};
use crate::ids::{CallId, Language, LegId, PlayId, PromptId};
use crate::time::Duration;

/// Without RTP for this long a leg that should be sending is reported as [`MediaEvent::Silent`] (line E68).
pub const RTP_SILENT_AFTER: Duration = Duration::from_secs(20);
/// How often a worker reports [`MediaEvent::Report`] while a leg is open.
pub const MEDIA_REPORT_EVERY: Duration = Duration::from_secs(5);
/// Prompts of one playback order.
pub const MAX_PLAY_ITEMS: usize = 32;

/// One piece of a playback order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlayItem {
    /// A prompt of `prompts/<language>/`, whole.
    Prompt {
        language: Language,
        prompt: PromptId,
    },
    Silence(Duration),
}

/// What the switch orders of the media workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    /// Take the port pair at `local` (bound at first use and kept) for a leg. All legs of a call sit on one worker.
    Open {
        call: CallId,
        leg: LegId,
        local: IpAddr,
        port: MediaPort,
    },
    /// The session agreed by offer/answer, first or renewed.
    Session {
        leg: LegId,
        session: MediaSession,
    },
    /// Replaces whatever the leg plays now. With `repeat` it goes round until replaced or stopped, and sends no
    /// [`MediaEvent::PlayDone`]. While a playback runs, a bridged peer is not heard on this leg.
    Play {
        leg: LegId,
        play: PlayId,
        items: Vec<PlayItem>,
        repeat: bool,
    },
    StopPlay {
        leg: LegId,
    },
    /// Joins two legs: passed through when the codecs are equal, else transcoded.
    Bridge {
        a: LegId,
        b: LegId,
    },
    Unbridge {
        a: LegId,
        b: LegId,
    },
    /// Sends a key towards the leg's phone: telephone-event when agreed, else tones.
    SendDigit {
        leg: LegId,
        digit: Digit,
        duration: Duration,
    },
    /// Frees the port; a last [`MediaEvent::Report`] with `last` follows.
    Close {
        leg: LegId,
    },
}

/// What a media worker tells the switch.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// The port could not be bound; the leg does not exist.
    OpenFailed {
        leg: LegId,
        port: MediaPort,
        reason: String,
    },
    PlayDone {
        leg: LegId,
        play: PlayId,
    },
    /// Each key once, whatever was lost, repeated or sent by two methods at a time (lines E64, E65).
    Key {
        leg: LegId,
        digit: Digit,
        source: DigitSource,
    },
    /// The first valid RTP packet since the leg opened.
    FirstRtp {
        leg: LegId,
        at: Timestamp,
    },
    /// No RTP for `quiet`, though the session says the peer sends. `rtcp_alive`: RTCP still comes.
    Silent {
        leg: LegId,
        quiet: Duration,
        rtcp_alive: bool,
    },
    /// RTP came back after [`MediaEvent::Silent`].
    Revived {
        leg: LegId,
    },
    Report {
        leg: LegId,
        report: MediaReport,
        last: bool,
    },
}
