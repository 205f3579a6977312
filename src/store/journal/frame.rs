//! One record's bytes in a segment, and the segment's header.
//!
//! ```text
//! segment: "WARDLOG1" (8)  frame  frame  …  zeros up to the preallocated size
//! frame:   length u32 · crc32 u32 (over seq and payload) · seq u64 · payload (JSON of Record), all little-endian
//! ```

use crate::ids::Seq;

pub(super) const MAGIC: &[u8; 8] = b"WARDLOG1";
pub(super) const FRAME_HEADER: usize = 16;
/// Largest payload. A decision over a thousand analysts is about 100 kB.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole frame: its sequence number and its length in bytes, header included.
    Frame { seq: Seq, size: usize },
    /// Zeros: the end so far.
    Blank,
    /// The bytes end before the frame does, which needs this many.
    Short { needed: usize },
    /// Neither.
    Bad,
}

/// Fills in the header of `frame`, whose payload begins at [`FRAME_HEADER`].
pub(super) fn seal(frame: &mut [u8], seq: Seq) {
    let length = u32::try_from(frame.len().saturating_sub(FRAME_HEADER)).unwrap_or(u32::MAX);
    if let Some((header, payload)) = frame.split_first_chunk_mut::<FRAME_HEADER>() {
        let seq = seq.0.to_le_bytes();
        let [l0, l1, l2, l3] = length.to_le_bytes();
        let [c0, c1, c2, c3] = checksum(&seq, payload).to_le_bytes();
        let [s0, s1, s2, s3, s4, s5, s6, s7] = seq;
        *header = [l0, l1, l2, l3, c0, c1, c2, c3, s0, s1, s2, s3, s4, s5, s6, s7];
    }
}

fn checksum(seq: &[u8; 8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(seq);
    hasher.update(payload);
    hasher.finalize()
}

/// Looks at the front of `bytes`.
pub(super) fn step(bytes: &[u8]) -> Step {
    let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Step::Blank } else { Step::Short { needed: FRAME_HEADER } };
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3, s0, s1, s2, s3, s4, s5, s6, s7] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let seq = [s0, s1, s2, s3, s4, s5, s6, s7];
    if length == 0 {
        return if header.iter().all(|byte| *byte == 0) { Step::Blank } else { Step::Bad };
    }
    if length > MAX_PAYLOAD {
        return Step::Bad;
    }
    let size = FRAME_HEADER + length;
    let Some(payload) = rest.get(..length) else { return Step::Short { needed: size } };
    if checksum(&seq, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Step::Bad;
    }
    Step::Frame { seq: Seq(u64::from_le_bytes(seq)), size }
}
