//! The session description of a message: its body, or one part of it.

use bytes::Bytes;

use super::state::DialogError;
use crate::sip::Headers;

pub(super) const SDP: &str = "application/sdp";
/// Parts of a multipart body that are looked at: SDP, ISUP, a picture, a location.
const MAX_PARTS: usize = 8;

/// The session description of a message. `None` for one without a body; an error for a body that holds none, or is
/// encoded (415).
pub(super) fn session_description(headers: &Headers, body: &Bytes) -> Result<Option<Bytes>, DialogError> {
    if body.is_empty() {
        return Ok(None);
    }
    if headers.get("Content-Encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return Err(DialogError::Encoding);
    }
    match headers.content_type() {
        Some(kind) if kind.eq_ignore_ascii_case(SDP) => Ok(Some(body.clone())),
        // A body without a type is read as what INVITE carries by default (13.2.1); the negotiation judges it.
        None => Ok(Some(body.clone())),
        Some(kind) if kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/")) => {
            let boundary = headers.with_params("Content-Type").and_then(Result::ok);
            let boundary = boundary.and_then(|(_, params)| params.text("boundary").map(|text| text.into_owned()));
            boundary.and_then(|boundary| part(body, &boundary)).map(Some).ok_or(DialogError::Body)
        }
        Some(_) => Err(DialogError::Body),
    }
}

/// The first application/sdp part (RFC 2046 section 5.1; RFC 5621 wants it understood).
fn part(body: &Bytes, boundary: &str) -> Option<Bytes> {
    let marker = format!("--{boundary}");
    let marker = marker.as_bytes();
    let mut starts = find_all(body, marker);
    let mut start = starts.next()?;
    for end in starts.take(MAX_PARTS) {
        // The line end before a boundary belongs to the boundary.
        let piece = body.get(start + marker.len()..end)?;
        let piece = piece.strip_suffix(b"\r\n").unwrap_or(piece);
        if let Some(at) = piece.windows(4).position(|window| window == b"\r\n\r\n") {
            let (head, content) = piece.split_at_checked(at + 4)?;
            let head = String::from_utf8_lossy(head);
            let is_sdp = head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
                let kind = value.split(';').next().unwrap_or_default().trim();
                name.trim().eq_ignore_ascii_case("Content-Type") && kind.eq_ignore_ascii_case(SDP)
            });
            if is_sdp {
                return Some(body.slice_ref(content));
            }
        }
        start = end;
    }
    None
}

fn find_all<'a>(body: &'a [u8], marker: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    body.windows(marker.len().max(1)).enumerate().filter(move |(_, window)| *window == marker).map(|(at, _)| at)
}
