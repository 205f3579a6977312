//! What is set at the PBX, in numbered steps with the names of its fields.
//!
//! The names are those of the makers' own documentation and of files that their products export; none of the steps has
//! been walked through at a hospital's PBX yet, and the page says so.

use std::fmt::Write as _;

use crate::config::first::answers::Answers;

/// PBXs with steps of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pbx {
    Cucm,
    Avaya,
    FreePbx,
    Other,
}

impl Pbx {
    pub const ALL: [Pbx; 4] = [Pbx::Cucm, Pbx::Avaya, Pbx::FreePbx, Pbx::Other];

    pub fn as_str(self) -> &'static str {
        match self {
            Pbx::Cucm => "cucm",
            Pbx::Avaya => "avaya",
            Pbx::FreePbx => "freepbx",
            Pbx::Other => "other",
        }
    }

    /// Reads the word of an answer.
    ///
    /// # Errors
    /// The sentence to show.
    pub fn read(text: &str) -> Result<Pbx, String> {
        let wanted = text.trim().to_lowercase();
        let known = Pbx::ALL.into_iter().find(|pbx| pbx.as_str() == wanted);
        known.ok_or_else(|| format!("`{wanted}` has no steps here; write cucm, avaya, freepbx or other"))
    }

    fn title(self) -> &'static str {
        match self {
            Pbx::Cucm => "Cisco Unified Communications Manager",
            Pbx::Avaya => "Avaya Aura (Communication Manager and Session Manager)",
            Pbx::FreePbx => "FreePBX",
            Pbx::Other => "the PBX",
        }
    }

    /// Where each menu path begins with the product's own words. `HOTLINE`, `NODE` and `DIGITS` stand for the answers.
    fn steps(self) -> &'static [&'static str] {
        match self {
            Pbx::Cucm => CUCM,
            Pbx::Avaya => AVAYA,
            Pbx::FreePbx => FREEPBX,
            Pbx::Other => OTHER,
        }
    }
}

const CUCM: &[&str] = &[
    "System > Security > SIP Trunk Security Profile: copy \"Non Secure SIP Trunk Profile\". Incoming Transport Type TCP+UDP, \
     Outgoing Transport Type UDP, Incoming Port 5060.",
    "Device > Device Settings > SIP Profile: copy \"Standard SIP Profile\". Tick \"Enable OPTIONS Ping to monitor destination \
     status for Trunks with Service Type None (Default)\". Set \"Early Offer support for voice and video calls\" to \
     \"Best Effort (no MTP inserted)\".",
    "Device > Trunk > Add New: Trunk Type and Protocol SIP, Service Type None. Destination Address NODE, port 5060; the two \
     profiles of steps 1 and 2. Leave \"Media Termination Point Required\" off. DTMF Signaling Method: RFC 2833.",
    "On that trunk, Outbound Calls: \"Calling Party Selection\" = Originator, \"Calling Line ID Presentation\" = Allowed. \
     Tick \"Asserted-Identity\", \"Asserted-Type\" = PAI, \"SIP Privacy\" = None. Tick \"Redirecting Diversion Header Delivery \
     - Outbound\".",
    "On that trunk leave \"Caller ID DN\" and \"Caller Name\" empty, and set no Calling Party Transformation CSS that \
     rewrites extensions: with any of them every call shows one number, and nobody knows which phone calls.",
    "On that trunk, Inbound Calls: Significant Digits = All; a Calling Search Space that reaches the operator, the wards' \
     extensions (callbacks), the analysts' phones and the on-call mobiles. It needs no route to 911.",
    "Call Routing > Route/Hunt > Route Pattern: HOTLINE to this trunk. \"Use Calling Party's External Phone Number Mask\" off, \
     Calling Party Transform Mask empty, \"Provide Outside Dial Tone\" off.",
    "System > Region Information > Region: 64 kbps (G.722, G.711) between the phones' regions and the trunk's.",
    "Save, Apply Config, Reset the trunk. Its status becomes \"Full Service\" once the node answers OPTIONS.",
];

const AVAYA: &[&str] = &[
    "System Manager > Elements > Routing > SIP Entities > New: FQDN or IP Address NODE, Type \"SIP Trunk\", SIP Link \
     Monitoring \"Link Monitoring Enabled\" (that is OPTIONS).",
    "Routing > Entity Links > New: from the Session Manager to this entity, Protocol UDP (or TCP), Port 5060, Connection \
     Policy \"trusted\".",
    "Routing > Routing Policies > New with this entity as destination; Routing > Dial Patterns > New: Pattern HOTLINE, Min and \
     Max its length, that policy.",
    "At the SAT, so that CM sends HOTLINE to the Session Manager: `change uniform-dialplan`, `change aar analysis`, and a \
     `route-pattern` with the trunk group to the Session Manager.",
    "`change trunk-group`: Numbering Format \"private\" (or \"unk-pvt\"), \"Send Diversion Header\" y, Telephone Event Payload \
     Type 101. \"Replace Restricted Numbers\" n.",
    "`change private-numbering`: an entry of length DIGITS for the extensions with this trunk group and no prefix, so that the \
     extension itself is sent. A public-unknown-numbering entry with one main number makes every call show that number.",
    "`change signaling-group`: DTMF over IP \"rtp-payload\". `change ip-codec-set`: G.711MU (or G.711A), G.722 if you like; no \
     G.729 alone; Media Encryption none.",
    "Calls from the node must reach the operator, the wards, the analysts and the on-call mobiles: Dial Patterns with the \
     node's Originating Location, and the COR of the trunk group. It needs no route to 911.",
    "Session Manager > System Status > SIP Entity Monitoring shows the link as up once the node answers OPTIONS.",
];

const FREEPBX: &[&str] = &[
    "Connectivity > Trunks > Add Trunk > Add SIP (chan_pjsip) Trunk. General: Outbound CallerID empty, CID Options \"Allow Any \
     CID\".",
    "pjsip Settings, General: Authentication None, Registration None, SIP Server NODE, SIP Server Port 5060, Context \
     from-internal, so that callbacks, the operator and analysts' phones are reached. It needs no route to 911.",
    "pjsip Settings, Advanced: Qualify Frequency 60 (that is OPTIONS), DTMF Mode RFC 4733, Send RPID/PAI \"Send \
     P-Asserted-Identity header\", Match (Permit) NODE, From User empty: with a From User every call shows it.",
    "pjsip Settings, Codecs: ulaw, alaw, g722.",
    "Connectivity > Outbound Routes > Add: Route Type \"Intra-Company\", which keeps the extension as caller ID; Route CID \
     empty; this trunk. Dial Patterns: match pattern HOTLINE. Put it above the routes to the outside.",
    "Applications > Extensions: an Outbound CID replaces the extension on other routes; on the Intra-Company route the \
     extension goes out.",
    "Apply Config. `asterisk -rx \"pjsip show contacts\"` shows the trunk as Avail once the node answers OPTIONS.",
];

const OTHER: &[&str] = &[
    "Make a SIP trunk to NODE, UDP or TCP, port 5060, without registration. G.711 or G.722; keys as telephone-event (RFC \
     4733), else SIP INFO.",
    "Let the PBX send OPTIONS to it: the node answers, and answers 503 while it drains.",
    "Route HOTLINE to the trunk.",
    "The PBX must send each phone's own extension, in P-Asserted-Identity or as the user part of From. A main number set on \
     trunk or route makes every call look alike, and nobody knows which phone calls.",
    "Let it send Diversion or History-Info for forwarded calls, and no SIP privacy.",
    "Calls from NODE must reach the operator, the wards (callbacks), the analysts' extensions and on-call mobiles. It needs \
     no route to 911.",
];

/// What every PBX has in common, after its own steps.
const LAST: &[&str] = &[
    "911 and its like stay on the PBX: no phone may reach a public emergency number through this node.",
    "Try it: `wardline doctor` sees the trunk answer; dial HOTLINE from two phones, then `wardline tickets list`: two \
     different numbers must stand there. Once over 90 % of calls show one number, `wardline doctor` says so.",
];

/// Numbered steps, each one paragraph.
pub fn steps(answers: &Answers) -> Vec<String> {
    let (node, digits) = (answers.listen.to_string(), answers.extension_digits.to_string());
    let all = answers.pbx.steps().iter().chain(LAST);
    all.map(|step| step.replace("HOTLINE", &answers.hotline).replace("NODE", &node).replace("DIGITS", &digits))
        .collect()
}

/// The page that lies beside the files.
pub fn page(answers: &Answers) -> String {
    let mut page = format!(
        "# {} and Wardline\n\nHotline {}, this node {}, port 5060.\n\nThe field names are those of the maker's documentation; \
         the steps are **not proven on site yet**. Releases differ: where a field is called otherwise, go by what it does.\n",
        answers.pbx.title(),
        answers.hotline,
        answers.listen,
    );
    for (index, step) in steps(answers).iter().enumerate() {
        // Writing into a String can't fail.
        let _ = write!(page, "\n{}. {step}\n", index + 1);
    }
    page
}
