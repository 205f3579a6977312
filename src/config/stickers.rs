//! A page to be printed: one A6 sticker for each unit, to be stuck beside its phones. One HTML file without anything from
//! elsewhere; a browser's print dialogue does the rest.

use std::fmt::Write as _;

use crate::config::{Hospital, Hotline};
use crate::identity::Unit;

/// Millimetres that the number may be wide.
const NUMBER_MM: f64 = 89.0;
/// Its height at the most.
const LARGEST_MM: f64 = 38.0;
/// How wide a digit is, of its height: a bold sans serif.
const DIGIT: f64 = 0.62;
/// The unit's name, likewise.
const LETTER: f64 = 0.58;
const LARGEST_NAME_MM: f64 = 11.0;

const STYLE: &str = "
@page { size: A6 portrait; margin: 0 }
* { box-sizing: border-box }
html, body { margin: 0; background: #e8e8e8; color: #111; font-family: \"Helvetica Neue\", Helvetica, Arial, \"Liberation Sans\", sans-serif }
.sticker { width: 105mm; height: 148mm; padding: 8mm; background: #fff; display: flex; flex-direction: column;
  overflow: hidden; break-after: page; break-inside: avoid }
.sticker:last-child { break-after: auto }
.desk { font-size: 5.6mm; font-weight: 700 }
.unit { font-weight: 700; line-height: 1.1; margin-top: 2mm; border-bottom: 0.6mm solid #111; padding-bottom: 3mm }
.number { font-weight: 700; line-height: 1; margin: auto 0 0; text-align: center; font-variant-numeric: tabular-nums; white-space: nowrap }
.when { font-size: 4.6mm; text-align: center; margin: 2mm 0 auto }
dl { display: grid; grid-template-columns: 12mm 1fr; row-gap: 2mm; font-size: 5mm; margin: 0; align-items: center }
dt { width: 9mm; height: 9mm; border: 0.5mm solid #111; border-radius: 1.6mm; font-weight: 700; text-align: center; line-height: 8mm }
dd { margin: 0 }
.care { margin-top: 4mm; padding: 2.6mm 3mm; background: #111; color: #fff; font-size: 4.6mm; font-weight: 700;
  -webkit-print-color-adjust: exact; print-color-adjust: exact }
.foot { margin-top: 3mm; font-size: 3.4mm; display: flex; justify-content: space-between }
@media screen { .sticker { margin: 6mm auto; box-shadow: 0 0.5mm 2mm #0004 } }
";

/// The page for these units of a hospital.
pub fn page<'a>(hospital: &Hospital, hotline: &Hotline, units: impl Iterator<Item = &'a Unit>) -> String {
    let name = escaped(&hospital.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Stickers of {name}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n"
    );
    for unit in units {
        sticker(hospital, hotline, unit, &mut page);
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn sticker(hospital: &Hospital, hotline: &Hotline, unit: &Unit, page: &mut String) {
    let number = hotline.number.as_str();
    let size = fitting(number, DIGIT, LARGEST_MM);
    let name = fitting(&unit.name, LETTER, LARGEST_NAME_MM);
    let code = hospital.code_numbers.first().map(|code| format!("<span>Code team {}</span>", escaped(code.as_str())));
    let code = code.unwrap_or_default();
    // Writing into a String can't fail.
    let _ = write!(
        page,
        "<section class=\"sticker\">\n\
         <div class=\"desk\">Clinical service desk</div>\n\
         <div class=\"unit\" style=\"font-size:{name:.1}mm\">{unit}</div>\n\
         <div class=\"number\" style=\"font-size:{size:.1}mm\">{number}</div>\n\
         <div class=\"when\">Cannot chart, order or sign in? Call.</div>\n\
         <dl><dt>0</dt><dd>a person</dd><dt>9</dt><dd>the operator</dd></dl>\n\
         <div class=\"care\">Say nothing about patients: no names, no record numbers.</div>\n\
         <div class=\"foot\"><span>{hospital}</span>{code}</div>\n\
         </section>\n",
        unit = escaped(&unit.name),
        number = escaped(number),
        hospital = escaped(&hospital.name),
    );
}

/// The height in millimetres at which a text fits on one line; a long name takes two.
fn fitting(text: &str, width_of_one: f64, largest: f64) -> f64 {
    let letters = u32::try_from(text.chars().count().max(1)).unwrap_or(u32::MAX);
    (NUMBER_MM / (f64::from(letters) * width_of_one)).clamp(largest / 2.0, largest)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_large_as_the_paper_allows_and_never_too_small_to_read() {
        assert!((fitting("7100", DIGIT, LARGEST_MM) - 35.9).abs() < 0.1);
        assert!((fitting("71", DIGIT, LARGEST_MM) - LARGEST_MM).abs() < 0.01);
        assert!((fitting("15550107100", DIGIT, LARGEST_MM) - LARGEST_MM / 2.0).abs() < 0.01);
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        assert_eq!(escaped("A&E <\"North\">"), "A&amp;E &lt;&quot;North&quot;&gt;");
    }
}
