//! The answers that a first configuration is made of, each checked by itself and against those before it.

use std::net::IpAddr;

use jiff::tz;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::config::check::MIN_DIGITS_APART;
use crate::config::first::pbx::Pbx;
use crate::config::values::dialable;
use crate::diagnostic::nearest;

/// Names of hospitals, systems and people: longer ones are pasted by mistake.
const MAX_NAME: usize = 80;
/// A reason stands in lists and in lines of the log.
const MAX_REASON: usize = 120;
/// As the grammar has it for names of tables.
const MAX_ID: usize = 40;
/// Extensions of a hospital.
const DIGITS: std::ops::RangeInclusive<usize> = 2..=10;
/// Nodes of one PBX.
const MAX_ADDRESSES: usize = 32;

/// Everything that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    pub name: String,
    pub time_zone: String,
    /// What the EHR is called.
    pub system: String,
    pub hotline: String,
    pub extension_digits: usize,
    pub operator: String,
    pub code_number: String,
    /// Empty: none.
    pub outside_prefix: String,
    pub pbx: Pbx,
    /// At least one.
    pub pbx_addresses: Vec<IpAddr>,
    pub listen: IpAddr,
    /// Why SIP to the PBX goes unencrypted.
    pub plain: String,
    /// Empty: nobody yet.
    pub analyst: String,
}

/// A checked answer, or in one sentence why it is none and what would be.
pub type Checked<T> = Result<T, String>;

/// A name of something or somebody.
///
/// # Errors
/// The sentence to show, as for all below.
pub fn name(text: &str) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {MAX_NAME} characters on one line"));
    }
    match id(text).is_empty() {
        true => Err(format!(
            "`{text}` has no Latin letter or digit, of which ids are made; write them behind it: \"李雷 (Li Lei)\""
        )),
        false => Ok(text.to_owned()),
    }
}

/// A name, or nothing.
pub fn optional_name(text: &str) -> Checked<String> {
    if text.trim().is_empty() { Ok(String::new()) } else { name(text) }
}

/// An IANA time zone; near ones are told.
pub fn time_zone(text: &str) -> Checked<String> {
    let known: Vec<String> = tz::db().available().map(|name| name.to_string()).collect();
    let wanted = text.trim().replace(' ', "_");
    if let Some(zone) = known.iter().find(|zone| zone.eq_ignore_ascii_case(&wanted)) {
        return Ok(zone.clone());
    }
    // "New York" is how people call America/New_York.
    let city = |zone: &&String| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted));
    let near = known.iter().find(city).map(String::as_str);
    let near = near.or_else(|| nearest(&wanted, known.iter().map(String::as_str)));
    Err(match near {
        Some(near) => format!("`{text}` is no time zone; did you mean {near}?"),
        None => format!("`{text}` is no time zone; write its IANA name, such as America/New_York or Europe/Berlin"),
    })
}

/// What phones dial.
pub fn number(text: &str) -> Checked<String> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && dialable(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no number to dial; write its digits alone, such as 7100"))
}

/// The number of digits of an inside number.
pub fn extension_digits(text: &str) -> Checked<usize> {
    let wrong = || format!("`{}` is no length; write how many digits an extension has, such as 4", text.trim());
    text.trim().parse().ok().filter(|digits| DIGITS.contains(digits)).ok_or_else(wrong)
}

/// The operator's number; never the hotline.
pub fn operator(text: &str, hotline: &str) -> Checked<String> {
    let operator = number(text)?;
    if operator == hotline {
        return Err(format!(
            "{operator} is the hotline; key 9 would ring the desk itself. Write the operator's own line"
        ));
    }
    Ok(operator)
}

/// The number of the code team: told, never dialled, and far enough from the hotline and from the keys.
pub fn code_number(text: &str, hotline: &str, operator: &str) -> Checked<String> {
    let code = number(text)?;
    if code == operator {
        return Err(format!(
            "{code} is the operator; it is told to whoever could not reach the operator. Write the code team's number"
        ));
    }
    if strsim::levenshtein(&code, hotline) < MIN_DIGITS_APART {
        return Err(format!(
            "{code} and the hotline {hotline} differ in less than {MIN_DIGITS_APART} digits: one slip while dialling for \
             a code team would reach the desk. Have the PBX give the hotline another number"
        ));
    }
    if code.starts_with(['0', '9']) {
        let key = &code[..1];
        return Err(format!(
            "{code} begins with {key}, and key {key} has a meaning everywhere (0 a person, 9 the operator): somebody who \
             keys the code number in a menu would be taken elsewhere. Write a number that begins otherwise"
        ));
    }
    Ok(code)
}

/// Why SIP to the PBX goes unencrypted: it is told wherever the trunk is.
pub fn plain(text: &str) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(format!("write the reason, 1 to {MAX_REASON} characters on one line"));
    }
    Ok(text.to_owned())
}

/// What is dialled before outside numbers, or nothing.
pub fn outside_prefix(text: &str) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || (text.len() <= 4 && dialable(text)) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no prefix; write the digits that get an outside line, such as 9, or nothing"))
}

/// The PBX's addresses, by comma or blank.
pub fn pbx_addresses(text: &str) -> Checked<Vec<IpAddr>> {
    let words = text.split([',', ' ', ';']).map(str::trim).filter(|word| !word.is_empty());
    let mut addresses = Vec::new();
    for word in words.take(MAX_ADDRESSES) {
        let found = address(word, "who may call is known by address")?;
        if !addresses.contains(&found) {
            addresses.push(found);
        }
    }
    if addresses.is_empty() {
        return Err("write the address that the PBX calls from, such as 10.20.0.10; several with commas".to_owned());
    }
    Ok(addresses)
}

/// The address of this machine that the PBX calls; never the PBX's own.
pub fn listen(text: &str, pbx: &[IpAddr]) -> Checked<IpAddr> {
    let own = address(text.trim(), "the PBX and the phones call an address")?;
    if pbx.contains(&own) {
        return Err(format!("{own} is the PBX; every call would go back to where it came from"));
    }
    if own.is_loopback() && !pbx.iter().any(IpAddr::is_loopback) {
        return Err(format!("{own} is heard on this machine alone; write its address on the voice network"));
    }
    Ok(own)
}

fn address(word: &str, why: &str) -> Checked<IpAddr> {
    let address: IpAddr = word.parse().map_err(|_| match word.parse::<std::net::SocketAddr>() {
        Ok(with_port) => format!("write {} without the port; it is 5060", with_port.ip()),
        Err(_) => format!("`{word}` is no IP address, and {why}; `getent hosts {word}` may tell it"),
    })?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(format!("nobody can call {address}; write the address on the voice network, such as 10.20.0.5"));
    }
    Ok(address)
}

/// The id that a name gives: "Mercy Harbor" is mercy-harbor, "Łukasz Nuñez" lukasz-nunez. Empty for a name without any Latin
/// letter or digit: how it is spelt in them is not for a program to say.
pub fn id(name: &str) -> String {
    let letters = name.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    let spelt = letters.flat_map(|letter| match letter {
        'a'..='z' | '0'..='9' => [Some(letter), None],
        // Letters of their own, which do not fall apart.
        'ß' => [Some('s'), Some('s')],
        'æ' => [Some('a'), Some('e')],
        'œ' => [Some('o'), Some('e')],
        'þ' => [Some('t'), Some('h')],
        'ø' => [Some('o'), None],
        'đ' | 'ð' => [Some('d'), None],
        'ħ' => [Some('h'), None],
        'ı' => [Some('i'), None],
        'ł' => [Some('l'), None],
        'ŧ' => [Some('t'), None],
        _ => [Some('-'), None],
    });
    let spelt: String = spelt.flatten().take(MAX_ID).collect();
    spelt.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: std::fmt::Debug>(answer: Checked<T>, words: &[&str]) {
        let said = answer.expect_err("refused");
        for word in words {
            assert!(said.contains(word), "`{word}` is missing in: {said}");
        }
    }

    #[test]
    fn a_time_zone_is_found_by_its_city_and_by_its_likeness() {
        assert_eq!(time_zone("america/new_york"), Ok("America/New_York".to_owned()));
        refused(time_zone("New York"), &["did you mean America/New_York?"]);
        refused(time_zone("Europe/Berln"), &["did you mean Europe/Berlin?"]);
        refused(time_zone("qqqqqqqqqq"), &["IANA name"]);
    }

    #[test]
    fn a_code_number_keeps_its_distance_from_the_hotline_and_from_the_keys() {
        assert_eq!(code_number("5555", "7100", "4000"), Ok("5555".to_owned()));
        refused(code_number("7101", "7100", "4000"), &["one slip"]);
        refused(code_number("7100", "7100", "4000"), &["one slip"]);
        refused(code_number("911", "7100", "4000"), &["begins with 9"]);
        refused(code_number("4000", "7100", "4000"), &["is the operator"]);
        refused(code_number("55 55", "7100", "4000"), &["digits alone"]);
        refused(operator("7100", "7100"), &["is the hotline"]);
    }

    #[test]
    fn a_pbx_is_known_by_addresses_and_by_nothing_else() {
        let two = pbx_addresses("10.20.0.10, 10.20.0.11 10.20.0.10").expect("two");
        assert_eq!(two.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.20.0.10", "10.20.0.11"]);
        refused(pbx_addresses("pbx.example"), &["no IP address", "getent hosts pbx.example"]);
        refused(pbx_addresses("10.20.0.10:5060"), &["without the port"]);
        refused(pbx_addresses(" , "), &["such as 10.20.0.10"]);
        refused(listen("0.0.0.0", &two), &["nobody can call"]);
        refused(listen("10.20.0.11", &two), &["is the PBX"]);
        refused(listen("127.0.0.1", &two), &["this machine alone"]);
        assert!(listen("2001:db8::5", &two).is_ok());
    }

    #[test]
    fn lengths_prefixes_and_names_are_bounded() {
        assert_eq!(extension_digits(" 5 "), Ok(5));
        refused(extension_digits("0"), &["how many digits"]);
        refused(extension_digits("4711"), &["how many digits"]);
        assert_eq!(plain(" our own VLAN "), Ok("our own VLAN".to_owned()));
        refused(plain(" "), &["the reason", "1 to 120"]);
        refused(plain("a\nb"), &["one line"]);
        assert_eq!(outside_prefix(""), Ok(String::new()));
        refused(outside_prefix("nine"), &["such as 9"]);
        refused(name(""), &["1 to 80"]);
        refused(name("a\nb"), &["one line"]);
        refused(name("···"), &["no Latin letter or digit"]);
    }

    #[test]
    fn an_id_is_spelt_in_latin_letters_and_made_up_for_no_other_script() {
        for (name, expected) in [
            ("Łukasz Żółć", "lukasz-zolc"),
            ("Zoë Ångström-Weiß", "zoe-angstrom-weiss"),
            ("Đặng Thị Ngọc", "dang-thi-ngoc"),
            ("İpek Işık", "ipek-isik"),
            ("Jürgen  O'Brien, MD", "jurgen-o-brien-md"),
            ("Jose\u{301} Nun\u{303}ez", "jose-nunez"),
            ("Dvořák Ěščřž Þórður Ærø", "dvorak-escrz-thordur-aero"),
            ("Ward №4", "ward-no4"),
            ("李雷 (Li Lei)", "li-lei"),
            ("Анна", ""),
        ] {
            assert_eq!(id(name), expected, "{name}");
        }
        refused(name("李雷"), &["`李雷` has no Latin letter", "李雷 (Li Lei)"]);
        assert!(name("李雷 (Li Lei)").is_ok());
    }
}
