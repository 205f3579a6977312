//! What a leg is played: prompts and silences one after the other, in whatever codec the leg has at the moment.

use std::sync::Arc;

use super::codec::{self, BYTES_PER_MS, FRAME_BYTES};
use super::prompts::{Prompt, PromptLibrary};
use crate::bridge::Codec;
use crate::call::media::{MAX_PLAY_ITEMS, PlayItem};
use crate::ids::PlayId;
use crate::time::Duration;

/// The longest silence of one item.
const MAX_SILENCE: Duration = Duration::from_secs(600);

/// A playback order on its way. Positions count encoded bytes, which are 8 a millisecond in every codec: so a re-INVITE to
/// another codec goes on at the same word.
#[derive(Debug)]
pub struct Playlist {
    pub play: PlayId,
    pub repeat: bool,
    tracks: Vec<Track>,
    current: usize,
    offset: usize,
}

#[derive(Debug)]
enum Track {
    Prompt(Arc<Prompt>),
    /// Length in encoded bytes.
    Silence(usize),
}

impl Track {
    fn len(&self) -> usize {
        match self {
            Track::Prompt(prompt) => prompt.len(),
            Track::Silence(bytes) => *bytes,
        }
    }
}

impl Playlist {
    /// Resolves the items, at most [`MAX_PLAY_ITEMS`]. A prompt that the library lacks is passed over; `missing` counts them.
    pub fn new(play: PlayId, items: &[PlayItem], repeat: bool, library: &PromptLibrary, missing: &mut u64) -> Playlist {
        let tracks = items.iter().take(MAX_PLAY_ITEMS).filter_map(|item| match item {
            PlayItem::Prompt { language, prompt } => {
                let found = library.get(language, prompt).cloned();
                *missing += u64::from(found.is_none());
                found.map(Track::Prompt)
            }
            PlayItem::Silence(duration) => {
                let ms = (*duration).min(MAX_SILENCE).as_millis() as usize;
                Some(Track::Silence(ms * BYTES_PER_MS))
            }
        });
        let tracks = tracks.filter(|track| track.len() > 0).collect::<Vec<_>>();
        Playlist { play, repeat, tracks, current: 0, offset: 0 }
    }

    /// Whether everything was played. One that goes round is never done, unless it has nothing to play.
    pub fn is_done(&self) -> bool {
        self.tracks.is_empty() || self.current >= self.tracks.len()
    }

    /// Appends the next `count` bytes; what lies behind the end is silence.
    pub fn fill(&mut self, codec: Codec, count: usize, payload: &mut Vec<u8>) {
        let mut wanted = count;
        while wanted > 0 {
            let Some(track) = self.tracks.get(self.current) else {
                fill_silence(codec, wanted, payload);
                return;
            };
            let taken = wanted.min(track.len() - self.offset);
            match track {
                Track::Prompt(prompt) => {
                    payload.extend_from_slice(prompt.bytes(codec).get(self.offset..self.offset + taken).unwrap_or(&[]));
                }
                Track::Silence(_) => fill_silence(codec, taken, payload),
            }
            wanted -= taken;
            self.offset += taken;
            if self.offset >= track.len() {
                self.offset = 0;
                self.current += 1;
                if self.repeat && self.current >= self.tracks.len() {
                    self.current = 0;
                }
            }
        }
    }
}

/// Appends `count` bytes of silence.
fn fill_silence(codec: Codec, count: usize, payload: &mut Vec<u8>) {
    let frame = codec::silence(codec);
    let mut left = count;
    while left > 0 {
        let taken = left.min(FRAME_BYTES);
        payload.extend_from_slice(frame.get(..taken).unwrap_or(&frame));
        left -= taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> PromptLibrary {
        let mut library = PromptLibrary::default();
        library.insert("en".into(), "one".into(), Prompt::new(vec![4_000; 160], 8_000));
        library.insert("en".into(), "two".into(), Prompt::new(vec![-4_000; 320], 8_000));
        library
    }

    fn prompt(name: &str) -> PlayItem {
        PlayItem::Prompt { language: "en".into(), prompt: name.into() }
    }

    fn playlist(items: &[PlayItem], repeat: bool) -> (Playlist, u64) {
        let mut missing = 0;
        (Playlist::new(PlayId(1), items, repeat, &library(), &mut missing), missing)
    }

    const ONE: u8 = 0xAF; // µ-law of 4000
    const TWO: u8 = 0x2F; // of -4000

    #[test]
    fn items_follow_each_other_without_a_gap() {
        let (mut list, missing) =
            playlist(&[prompt("one"), PlayItem::Silence(Duration::from_millis(10)), prompt("two")], false);
        assert_eq!(missing, 0);
        let mut payload = Vec::new();
        list.fill(Codec::Pcmu, 240, &mut payload);
        assert!(!list.is_done());
        list.fill(Codec::Pcmu, 480, &mut payload);
        assert!(list.is_done());
        assert_eq!(payload.len(), 720);
        assert!(payload[..160].iter().all(|byte| *byte == ONE));
        assert!(payload[160..240].iter().all(|byte| *byte == 0xFF));
        assert!(payload[240..560].iter().all(|byte| *byte == TWO));
        assert!(payload[560..].iter().all(|byte| *byte == 0xFF), "silence behind the end");
    }

    #[test]
    fn a_repeated_list_goes_round() {
        let (mut list, _) = playlist(&[prompt("one"), prompt("two")], true);
        let mut payload = Vec::new();
        list.fill(Codec::Pcmu, 480 * 3 + 80, &mut payload);
        assert!(!list.is_done());
        assert!(payload[1_440..].iter().all(|byte| *byte == ONE));
    }

    #[test]
    fn what_is_missing_is_passed_over_and_counted() {
        let (list, missing) = playlist(&[prompt("nobody")], true);
        assert_eq!(missing, 1);
        assert!(list.is_done(), "nothing to go round with");
    }

    #[test]
    fn a_change_of_codec_goes_on_at_the_same_place() {
        let (mut list, _) = playlist(&[prompt("one"), prompt("two")], false);
        let mut payload = Vec::new();
        list.fill(Codec::Pcmu, 160, &mut payload);
        payload.clear();
        list.fill(Codec::Pcma, 320, &mut payload);
        assert!(list.is_done());
        assert!(payload.iter().all(|byte| *byte == 0x1A), "A-law of -4000: {:x}", payload[0]);
    }
}
