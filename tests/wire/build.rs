//! Builds the messages that the tests write themselves: a start line, the headers that matter, the rest by default.

const DEFAULTS: [(&str, &str, &str); 6] = [
    ("via", "v", "Via: SIP/2.0/UDP ward4.test;branch=z9hG4bKward4"),
    ("from", "f", "From: <sip:4710@ward4.test>;tag=w4"),
    ("to", "t", "To: <sip:desk@hotline.test>"),
    ("call-id", "i", "Call-ID: 4710@ward4"),
    ("max-forwards", "max-forwards", "Max-Forwards: 70"),
    ("content-length", "l", "Content-Length: "),
];

/// A message whose header lines are `lines` (separated by LF, folds and all). Every mandatory header that `lines` does
/// not have is added after them with a plain value, CSeq and Content-Length fitting. `!Name` in `lines` leaves that
/// header out. `{NUL}`, `{BEL}` and `{DEL}` stand for those octets.
pub fn message(start: &str, lines: &str, body: &str) -> Vec<u8> {
    let mut head: Vec<String> = vec![start.to_owned()];
    head.extend(lines.lines().filter(|line| !line.starts_with('!')).map(str::to_owned));
    let has = |names: [&str; 2]| {
        lines.lines().any(|line| {
            let name = line.trim_start_matches('!').split(':').next().unwrap_or_default().trim_end();
            names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
        })
    };
    for (name, compact, line) in DEFAULTS {
        if has([name, compact]) {
            continue;
        }
        head.push(if name == "content-length" { format!("{line}{}", body.len()) } else { line.to_owned() });
    }
    if !has(["cseq", "cseq"]) {
        let method = if start.starts_with("SIP/") { "OPTIONS" } else { start.split(' ').next().unwrap_or_default() };
        head.push(format!("CSeq: 1 {method}"));
    }
    let text = head.join("\r\n") + "\r\n\r\n" + body;
    text.replace("{NUL}", "\0").replace("{BEL}", "\x07").replace("{DEL}", "\x7f").into_bytes()
}
