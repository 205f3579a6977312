//! G.711 µ-law and A-law (ITU-T G.711), by tables that the compiler computes from the definition.

/// µ-law byte to linear sample.
static ULAW_TO_LINEAR: [i16; 256] = table_i16(true);
/// A-law byte to linear sample.
static ALAW_TO_LINEAR: [i16; 256] = table_i16(false);
/// µ-law byte to the nearest A-law byte, and back: a bridge of the two laws needs no samples in between.
static ULAW_TO_ALAW: [u8; 256] = table_u8(true);
static ALAW_TO_ULAW: [u8; 256] = table_u8(false);

/// The µ-law byte of silence.
pub const ULAW_SILENCE: u8 = 0xFF;
/// The A-law byte of silence.
pub const ALAW_SILENCE: u8 = 0xD5;

/// Added before the µ-law segment is found, so that each segment begins at a power of two (G.711 table 2).
const ULAW_BIAS: i32 = 132;
/// The largest magnitude µ-law can hold once the bias is added.
const ULAW_CLIP: i32 = 32_635;

/// One linear sample to µ-law.
pub const fn ulaw(sample: i16) -> u8 {
    let wide = sample as i32;
    let sign = if wide < 0 { 0x80 } else { 0 };
    let magnitude = if wide < 0 { -wide } else { wide };
    let biased = (if magnitude > ULAW_CLIP { ULAW_CLIP } else { magnitude }) + ULAW_BIAS;
    let top = 31 - biased.leading_zeros();
    let segment = top - 7;
    let step = (biased >> (segment + 3)) & 0x0F;
    !(sign | ((segment as u8) << 4) | step as u8)
}

/// One µ-law byte to linear.
const fn ulaw_linear(byte: u8) -> i16 {
    let bits = !byte;
    let segment = (bits >> 4) & 0x07;
    let step = (bits & 0x0F) as i32;
    let magnitude = (((step << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
    if bits & 0x80 != 0 { -magnitude as i16 } else { magnitude as i16 }
}

/// One linear sample to A-law (even bits inverted, as G.711 sends it).
pub const fn alaw(sample: i16) -> u8 {
    let wide = sample as i32;
    let magnitude = (if wide >= 0 { wide } else { !wide }) >> 4;
    let code = if magnitude > 15 {
        let top = 31 - magnitude.leading_zeros();
        let segment = top - 3;
        ((segment << 4) as i32) | ((magnitude >> (top - 4)) & 0x0F)
    } else {
        magnitude
    };
    let sign = if wide >= 0 { 0x80 } else { 0 };
    (code as u8 | sign) ^ 0x55
}

/// One A-law byte to linear.
const fn alaw_linear(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let segment = (bits >> 4) & 0x07;
    let step = (bits & 0x0F) as i32;
    let magnitude = if segment == 0 { (step << 4) + 8 } else { (((step + 16) << 4) + 8) << (segment - 1) };
    if bits & 0x80 != 0 { magnitude as i16 } else { -magnitude as i16 }
}

const fn table_i16(mu: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if mu { ulaw_linear(byte as u8) } else { alaw_linear(byte as u8) };
        byte += 1;
    }
    table
}

const fn table_u8(from_mu: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if from_mu { alaw(ulaw_linear(byte as u8)) } else { ulaw(alaw_linear(byte as u8)) };
        byte += 1;
    }
    table
}

/// Appends the samples of a µ-law payload.
pub fn decode_ulaw(payload: &[u8], samples: &mut Vec<i16>) {
    samples.extend(payload.iter().map(|byte| ULAW_TO_LINEAR[usize::from(*byte)]));
}

/// Appends the samples of an A-law payload.
pub fn decode_alaw(payload: &[u8], samples: &mut Vec<i16>) {
    samples.extend(payload.iter().map(|byte| ALAW_TO_LINEAR[usize::from(*byte)]));
}

/// Rewrites a µ-law payload as A-law, in place.
pub fn ulaw_to_alaw(payload: &mut [u8]) {
    payload.iter_mut().for_each(|byte| *byte = ULAW_TO_ALAW[usize::from(*byte)]);
}

/// Rewrites an A-law payload as µ-law, in place.
pub fn alaw_to_ulaw(payload: &mut [u8]) {
    payload.iter_mut().for_each(|byte| *byte = ALAW_TO_ULAW[usize::from(*byte)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_two_laws() {
        assert_eq!(ulaw(0), 0xFF);
        assert_eq!(ulaw(-1), 0x7F);
        assert_eq!(ulaw(32_767), 0x80);
        assert_eq!(ulaw(-32_768), 0x00);
        assert_eq!(ulaw_linear(0x80), 32_124);
        assert_eq!(ulaw_linear(0x00), -32_124);
        assert_eq!(ulaw_linear(0xFF), 0);
        assert_eq!(alaw(0), 0xD5);
        assert_eq!(alaw(-1), 0x55);
        assert_eq!(alaw(32_767), 0xAA);
        assert_eq!(alaw(-32_768), 0x2A);
        assert_eq!(alaw_linear(0xAA), 32_256);
        assert_eq!(alaw_linear(0xD5), 8);
    }

    #[test]
    fn every_byte_survives_a_round_trip() {
        for byte in 0..=255u8 {
            let again = ulaw(ulaw_linear(byte));
            // 0x7F is negative zero, which comes back as zero.
            assert_eq!(again, if byte == 0x7F { 0xFF } else { byte });
            assert_eq!(alaw(alaw_linear(byte)), byte);
        }
    }

    #[test]
    fn error_stays_within_half_a_step() {
        for sample in (-32_600..32_600).step_by(7) {
            let back = i32::from(ulaw_linear(ulaw(sample as i16)));
            assert!((back - sample).abs() <= sample.abs() / 16 + 8, "µ-law {sample} came back as {back}");
            let back = i32::from(alaw_linear(alaw(sample as i16)));
            assert!((back - sample).abs() <= sample.abs() / 16 + 16, "A-law {sample} came back as {back}");
        }
    }
}
