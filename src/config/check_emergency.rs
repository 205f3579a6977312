//! 911 stays with those who answer it: with the PBX, and within a call with the hospital operator (key 9, `operator` of every
//! plan; `ivr` holds that). So no hotline takes its number, and the desk dials it for nobody, in whatever way the digits come
//! about where calls may leave the hospital.

use std::collections::BTreeMap;

use crate::config::check::Files;
use crate::config::node::{Trunk, is_emergency};
use crate::config::raw_analysts::Reach;
use crate::config::raw_hospital::HospitalFile;
use crate::config::reader::{Problems, Spanned};
use crate::ids::{Extension, HospitalId, TrunkId};

pub fn check(hospitals: &BTreeMap<HospitalId, HospitalFile>, files: &Files, problems: &Problems) {
    for file in hospitals.values() {
        hotlines(file, files, problems);
        let own = file.trunk.as_ref().map(|trunk| &trunk.value);
        for target in &file.targets {
            let trunk = target.trunk.as_ref().map(|trunk| &trunk.value).or(own);
            dialled(&format!("target `{}`", target.id), &target.number, trunk, target.outside, files, problems);
        }
        if let Some(operator) = &file.operator {
            dialled("the operator", operator, own, false, files, problems);
        }
    }
    for analyst in &files.analysts {
        for phone in &analyst.phones {
            match &phone.reach {
                Reach::Trunk { trunk, number } => {
                    let who = format!("a phone of `{}`", analyst.id);
                    dialled(&who, number, Some(&trunk.value), phone.outside, files, problems);
                }
                Reach::Registered(_) | Reach::Sip(_) => {}
            }
        }
    }
}

/// Who dials 911, with or without the digit for an outside line, must not come to the desk.
fn hotlines(file: &HospitalFile, files: &Files, problems: &Problems) {
    for hotline in &file.hotlines {
        let number = hotline.number.value.as_str();
        let with_prefix =
            |trunk: &Trunk| trunk.outside_prefix.as_ref().is_some_and(|prefix| is_emergency(number, prefix));
        if is_emergency(number, "") || files.node.node.trunks.values().any(with_prefix) {
            let finding = hotline.number.place.error(format!("hotline {number} would take emergency calls"));
            let finding = finding.why("who dials it needs the public emergency line, which the PBX reaches");
            problems.push(finding.remedy("choose another number; 911 stays on the PBX"));
        }
    }
}

/// What the desk would dial for somebody.
fn dialled(
    what: &str,
    number: &Spanned<Extension>,
    trunk: Option<&TrunkId>,
    outside: bool,
    files: &Files,
    problems: &Problems,
) {
    let trunk = trunk.and_then(|trunk| files.node.node.trunks.get(trunk));
    let digits = trunk.map_or_else(|| number.value.to_string(), |trunk| trunk.dial(&number.value, outside));
    let emergency =
        trunk.map_or_else(|| is_emergency(&digits, ""), |trunk| trunk.dials_emergency(&number.value, outside));
    if emergency {
        let finding = number.place.error(format!("for {what} the desk would dial {digits}, an emergency call"));
        let finding = finding.why("the desk never dials 911: key 9 and 911 ring the hospital operator");
        problems.push(finding.remedy("write the number of those who are meant"));
    }
}
