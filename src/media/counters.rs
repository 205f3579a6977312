//! What the media workers count, for /metrics. A worker counts in plain numbers of its own and publishes them now and then,
//! so the packet path touches no shared memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the counts once, as plain numbers and as the atomics that they are published in.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since start, except `legs_open`, which is now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// One worker's counts as others may read them.
        #[derive(Debug, Default)]
        pub(super) struct SharedCounters {
            $($name: AtomicU64,)*
        }

        impl SharedCounters {
            pub(super) fn publish(&self, counters: &Counters) {
                $(self.$name.store(counters.$name, Ordering::Relaxed);)*
            }

            /// Adds this worker's counts to `total`.
            pub(super) fn add_to(&self, total: &mut Counters) {
                $(total.$name += self.$name.load(Ordering::Relaxed);)*
            }
        }
    };
}

counters! {
    /// Legs open now.
    legs_open,
    /// RTP packets that were taken: right source, well formed.
    rtp_received,
    /// RTP packets handed to the network.
    rtp_sent,
    /// Of those sent, the ones that were passed on from a bridged leg untouched.
    rtp_relayed,
    /// Frames that were decoded and encoded for a bridged leg.
    frames_transcoded,
    /// RTCP packets that were taken.
    rtcp_received,
    /// Packets that are not RTP or RTCP at all (line E69).
    junk,
    /// Secured packets that are not of whoever has the key, or copies (line E70).
    forged,
    /// RTP packets of a payload type that was not agreed.
    unknown_type,
    /// Well-formed packets from a source that has no right to send (line E67).
    wrong_source,
    /// Packets the network would not take.
    send_failed,
    /// Prompts that were ordered but are in no library.
    prompts_missing,
    /// Times a playback fell behind and skipped ahead instead of bursting.
    pacing_skips,
    /// Events that waited because the switch was slow.
    events_delayed,
    /// Events that were dropped because it stayed slow.
    events_dropped,
    /// Commands that named a leg nobody knows, or legs on two workers.
    commands_ignored,
    /// Commands that were refused because a worker's queue was full.
    commands_refused,
}
