//! One pass over the lines of a session description.

use super::{
    Connection, Line, MAX_FORMATS, MAX_LINES, MAX_MEDIA_LINES, MAX_SDP, Media, MediaLine, Origin, SdpError,
    SessionDescription,
};

pub(super) fn parse(body: &[u8]) -> Result<SessionDescription, SdpError> {
    if body.len() > MAX_SDP {
        return Err(SdpError::TooLarge(body.len()));
    }
    let (text, latin1) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (body.iter().copied().map(char::from).collect(), true),
    };
    let mut parser = Parser { found: SessionDescription { lines: Vec::new(), media: Vec::new(), latin1 }, line: 0 };
    for raw in text.trim_end_matches(['\r', '\n']).split('\n') {
        parser.line += 1;
        parser.take(raw.strip_suffix('\r').unwrap_or(raw))?;
    }
    if parser.found.origin().is_none() {
        return parser.broken("no o= line");
    }
    Ok(parser.found)
}

struct Parser {
    found: SessionDescription,
    /// Number of the line in hand, from 1.
    line: usize,
}

impl Parser {
    fn broken<T>(&self, what: &'static str) -> Result<T, SdpError> {
        Err(SdpError::Broken { line: self.line, what })
    }

    fn take(&mut self, raw: &str) -> Result<(), SdpError> {
        if self.line > MAX_LINES {
            return Err(SdpError::TooManyLines);
        }
        let Some((kind, value)) = raw.split_once('=') else {
            return self.broken("not of the form x=value");
        };
        // A bare CR or NUL inside a value would end the line for other readers (RFC 8866 section 9, byte-string).
        if value.contains(['\r', '\0']) {
            return self.broken("NUL or bare CR in the value");
        }
        let mut letters = kind.chars();
        let kind = match (letters.next(), letters.next()) {
            (Some(kind), None) if kind.is_ascii_alphabetic() => kind,
            _ => return self.broken("the type before '=' is not one letter"),
        };
        match kind {
            'v' if self.line == 1 && value.trim() == "0" => {}
            'v' if self.line == 1 => return self.broken("unknown version, only v=0 is known"),
            'v' => return self.broken("a second v= line"),
            _ if self.line == 1 => return self.broken("the first line is not v=0"),
            'o' if !self.found.media.is_empty() => return self.broken("o= below a media line"),
            'o' if self.found.lines.iter().any(|line| line.kind == 'o') => return self.broken("a second o= line"),
            'o' if Origin::parse(value).is_none() => return self.broken("o= needs six fields with numbers in place"),
            'c' if Connection::parse(value).is_none() => {
                return self.broken("c= needs IN, IP4 or IP6, and an address of that kind");
            }
            'm' => return self.media(value),
            _ => {}
        }
        let lines = match self.found.media.last_mut() {
            Some(media) => &mut media.lines,
            None => &mut self.found.lines,
        };
        lines.push(Line::new(kind, value));
        Ok(())
    }

    fn media(&mut self, value: &str) -> Result<(), SdpError> {
        if self.found.media.len() == MAX_MEDIA_LINES {
            return Err(SdpError::TooManyMedia { line: self.line });
        }
        let Some(line) = MediaLine::parse(value) else {
            return self.broken("m= needs kind, port (0 to 65535), protocol and formats");
        };
        if line.formats.len() > MAX_FORMATS {
            return self.broken("m= with more formats than RTP has payload types");
        }
        self.found.media.push(Media::new(line));
        Ok(())
    }
}
