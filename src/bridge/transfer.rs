//! Blind transfer: a REFER (RFC 3515) judged against the hospital's declared targets.
//!
//! A phone names its target as it likes: the target's id ("pharmacy") or its number ("5200"), at one of our own hosts.
//! Nothing else is dialled, so nobody gets an outside line by pressing "transfer" (line F73). A transfer with
//! `Replaces` (attended, RFC 3891) is not served yet and is refused in words that a phone shows.

use crate::ids::{Extension, TargetId};
use crate::sip::{Headers, Method, NameAddr, Status, Uri};

/// A target that a phone may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub id: TargetId,
    pub number: Extension,
}

/// A transfer that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub target: TargetId,
    /// The peer wants to be told how it goes (NOTIFY); it may forgo that by `Refer-Sub: false` (RFC 4488).
    pub notify: bool,
    /// Referred-By (RFC 3892), as a claim for the ticket.
    pub referred_by: Option<String>,
}

/// Why a REFER is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferRefusal {
    #[error("REFER needs exactly one Refer-To")]
    NotOneTarget,
    #[error("Refer-To cannot be read")]
    Unreadable,
    #[error("only calls can be transferred")]
    NotACall,
    #[error("attended transfer is not available, use blind transfer")]
    Attended,
    #[error("not a declared transfer target")]
    Undeclared,
}

impl TransferRefusal {
    /// The status of the response; its reason phrase is this refusal's own text.
    pub fn status(self) -> Status {
        match self {
            // RFC 3515 section 2.4.2.
            TransferRefusal::NotOneTarget | TransferRefusal::Unreadable => Status::BAD_REQUEST,
            TransferRefusal::NotACall | TransferRefusal::Attended => Status::NOT_IMPLEMENTED,
            TransferRefusal::Undeclared => Status::FORBIDDEN,
        }
    }
}

/// Judges an in-dialog REFER. `ours` says whether a host of a URI is one of ours (address, realm or name).
///
/// # Errors
/// The refusal to answer with; the call goes on as it was.
pub fn judge<'a>(
    refer: &Headers,
    declared: impl IntoIterator<Item = &'a Declared>,
    ours: impl Fn(&Uri) -> bool,
) -> Result<Transfer, TransferRefusal> {
    let targets = refer.addresses("Refer-To").map_err(|_| TransferRefusal::Unreadable)?;
    let [target] = &targets[..] else { return Err(TransferRefusal::NotOneTarget) };
    let uri = &target.uri;
    if uri.param("method").is_some_and(|method| method != Method::Invite.as_str()) {
        return Err(TransferRefusal::NotACall);
    }
    if uri.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Replaces")) {
        return Err(TransferRefusal::Attended);
    }
    if !uri.is_sip() || !ours(uri) {
        return Err(TransferRefusal::Undeclared);
    }
    let user = uri.user().ok_or(TransferRefusal::Undeclared)?;
    // Whole words only: what stands behind ';' or '*' in the user part would be dialled as well elsewhere.
    let found = declared
        .into_iter()
        .find(|declared| declared.number.as_str() == user || declared.id.as_str().eq_ignore_ascii_case(&user))
        .ok_or(TransferRefusal::Undeclared)?;
    Ok(Transfer {
        target: found.id.clone(),
        notify: !refer.get("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false")),
        referred_by: referred_by(refer),
    })
}

fn referred_by(refer: &Headers) -> Option<String> {
    NameAddr::parse(refer.get("Referred-By")?).ok().map(|by| by.uri.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Host;

    fn judged(lines: &[(&str, &str)]) -> Result<Transfer, TransferRefusal> {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(name, value);
        }
        let declared = [
            Declared { id: "operator".into(), number: "0".into() },
            Declared { id: "pharmacy".into(), number: "5200".into() },
        ];
        let ours = [Host::parse("192.0.2.1").unwrap(), Host::parse("desk.example").unwrap()];
        judge(&headers, &declared, |uri| ours.iter().any(|host| host.same_as(&uri.host)))
    }

    fn target(refer_to: &str) -> Result<String, TransferRefusal> {
        judged(&[("Refer-To", refer_to)]).map(|transfer| transfer.target.to_string())
    }

    #[test]
    fn f73_a_declared_target_is_named_by_number_or_id_at_our_hosts() {
        for refer_to in [
            "<sip:5200@192.0.2.1>",
            "sip:5200@192.0.2.1:5060",
            "\"Pharmacy\" <sip:Pharmacy@DESK.example;transport=udp>",
            "<sip:%35200@192.0.2.1;user=phone>",
            "<sip:5200@192.0.2.1;method=INVITE>",
        ] {
            assert_eq!(target(refer_to), Ok("pharmacy".to_owned()), "{refer_to}");
        }
        assert_eq!(target("<sip:0@192.0.2.1>"), Ok("operator".to_owned()));
    }

    #[test]
    fn f73_everything_else_is_refused() {
        let cases = [
            ("<sip:5201@192.0.2.1>", TransferRefusal::Undeclared, 403),
            ("<sip:5200@198.51.100.7>", TransferRefusal::Undeclared, 403),
            ("<sip:192.0.2.1>", TransferRefusal::Undeclared, 403),
            ("<sip:5200;ext=1@192.0.2.1>", TransferRefusal::Undeclared, 403),
            ("<tel:5200>", TransferRefusal::Undeclared, 403),
            ("<http://192.0.2.1/5200>", TransferRefusal::Undeclared, 403),
            ("<sip:5200@192.0.2.1;method=BYE>", TransferRefusal::NotACall, 501),
            ("<sip:5200@192.0.2.1?Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2>", TransferRefusal::Attended, 501),
            ("<sip:5200@192.0.2.1>, <sip:0@192.0.2.1>", TransferRefusal::NotOneTarget, 400),
            ("<sip:5200@192.0.2.1", TransferRefusal::Unreadable, 400),
        ];
        for (refer_to, refusal, status) in cases {
            assert_eq!(target(refer_to), Err(refusal), "{refer_to}");
            assert_eq!(refusal.status().code(), status);
        }
        assert_eq!(judged(&[]), Err(TransferRefusal::NotOneTarget));
        let twice = [("Refer-To", "<sip:0@192.0.2.1>"), ("r", "<sip:5200@192.0.2.1>")];
        assert_eq!(judged(&twice), Err(TransferRefusal::NotOneTarget));
    }

    #[test]
    fn notify_can_be_forgone_and_the_referrer_is_kept_as_a_claim() {
        let plain = judged(&[("Refer-To", "<sip:0@192.0.2.1>")]).unwrap();
        assert_eq!((plain.notify, plain.referred_by), (true, None));
        let quiet = judged(&[
            ("Refer-To", "<sip:0@192.0.2.1>"),
            ("Refer-Sub", "false"),
            ("Referred-By", "<sip:anna@desk.example>"),
        ]);
        let quiet = quiet.unwrap();
        assert_eq!((quiet.notify, quiet.referred_by.as_deref()), (false, Some("sip:anna@desk.example")));
    }
}
