//! Published vectors, roll-overs, copies and forgeries.

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn master(suite: Suite, hex: &str) -> MasterKey {
    let mut random = [0; 30];
    random.iter_mut().zip(bytes(hex)).for_each(|(place, byte)| *place = byte);
    MasterKey::new(suite, random)
}

/// Of RFC 3711 appendix B.3.
fn aes_cm() -> MasterKey {
    master(Suite::AesCm128HmacSha1, "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6")
}

/// Of libsrtp's own tests, as are the packets.
fn gcm() -> MasterKey {
    master(Suite::AeadAes128Gcm, "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab")
}

const RTP: &str = "800f1234 decafbad cafebabe abababababababababababababababab";
const RTCP: &str = "81c8000b cafebabe abababababababababababababababab";

fn packet(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    rtp::write(&rtp::Packet { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc, payload }, &mut packet);
    packet
}

fn sealed(sealer: &mut Sealer, packet: &[u8]) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    sealer.rtp(&mut bytes, 0).expect("sealed");
    bytes
}

fn pair(master: &MasterKey) -> (Sealer, Opener) {
    (Sealer::new(master).expect("a key"), Opener::new(master).expect("a key"))
}

#[test]
fn keys_are_derived_as_appendix_b_3_shows() {
    assert_eq!(derive::<16>(&aes_cm(), Label::RtpCipher).to_vec(), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derive::<14>(&aes_cm(), Label::RtpSalt).to_vec(), bytes("30CBBC08863D8C85D49DB34A9AE1"));
    let tag = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4";
    assert_eq!(derive::<20>(&aes_cm(), Label::RtpTag).to_vec(), bytes(tag));
}

#[test]
fn packets_of_both_suites_are_sealed_as_published_and_open_again() {
    let rtp = [
        (aes_cm(), "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb"),
        (gcm(), "c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392"),
    ];
    for (master, tail) in rtp {
        let (mut sealer, mut opener) = pair(&master);
        let mut wire = sealed(&mut sealer, &bytes(RTP));
        assert_eq!(wire, [bytes(&RTP[..26]), bytes(tail)].concat(), "{master:?}");
        assert_eq!(opener.rtp(&mut wire), Ok(&bytes(RTP)[..]));
    }
    let rtcp = [
        (aes_cm(), "7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798"),
        (gcm(), "c98b8b5df0392a55852b6c21ac8e7025 c52c6fbea2b3b446ea31123ba88ce61e 80000001"),
    ];
    for (master, tail) in rtcp {
        let (mut sealer, mut opener) = pair(&master);
        let mut wire = bytes(RTCP);
        sealer.rtcp(&mut wire, 0).expect("sealed");
        assert_eq!(wire, [bytes(&RTCP[..17]), bytes(tail)].concat(), "{master:?}");
        assert_eq!(opener.rtcp(&mut wire.clone()), Ok(&bytes(RTCP)[..]));
        assert_eq!(opener.rtcp(&mut wire), Err(Refused::Replayed));
    }
}

#[test]
fn sources_and_an_extension_stay_in_clear() {
    let head = bytes("910f0001 00000000 cafebabe 11111111 bede0001 22222222");
    for master in [aes_cm(), gcm()] {
        let (mut sealer, mut opener) = pair(&master);
        let whole = [head.clone(), vec![7; 20]].concat();
        let mut wire = sealed(&mut sealer, &whole);
        assert_eq!((&wire[..24], &wire[24..44] != [7; 20].as_slice()), (&head[..], true));
        assert_eq!(opener.rtp(&mut wire), Ok(&whole[..]));
    }
}

#[test]
fn e66_the_number_wraps_and_the_stream_goes_on_with_losses_and_out_of_order() {
    for master in [aes_cm(), gcm()] {
        let (mut sealer, mut opener) = pair(&master);
        let mut wire: Vec<Vec<u8>> = (0..300_000u32)
            .step_by(1_000)
            .map(|n| sealed(&mut sealer, &packet(n as u16, 9, &n.to_be_bytes())))
            .collect();
        wire.swap(65, 66);
        wire.swap(131, 133);
        let open = |mut datagram: Vec<u8>| opener.rtp(&mut datagram).map(|packet| packet[12..].to_vec());
        let heard: Vec<_> = wire.into_iter().map(open).collect();
        let late = [66, 132, 133];
        for (place, heard) in heard.iter().enumerate() {
            assert_eq!(heard.is_err(), late.contains(&place), "a thousand behind is too old: {place} {heard:?}");
        }
    }
}

#[test]
fn a_packet_that_comes_late_over_the_wrap_is_taken_once() {
    let (mut sealer, mut opener) = pair(&aes_cm());
    let numbers = [65_533u16, 65_534, 65_535, 0, 1];
    let wire: Vec<Vec<u8>> = numbers.iter().map(|number| sealed(&mut sealer, &packet(*number, 9, b"audio"))).collect();
    for place in [0, 3, 1, 4, 2] {
        assert!(opener.rtp(&mut wire[place].clone()).is_ok(), "{place}");
    }
    for datagram in &wire {
        assert_eq!(opener.rtp(&mut datagram.clone()), Err(Refused::Replayed));
    }
}

#[test]
fn no_number_is_sealed_twice() {
    let (mut sealer, _) = pair(&gcm());
    sealed(&mut sealer, &packet(7, 9, b"one"));
    let mut twice = [b"before".to_vec(), packet(7, 9, b"two")].concat();
    assert_eq!(sealer.rtp(&mut twice, 6), Err(Refused::Replayed));
    assert_eq!(twice, b"before", "it does not leave");
}

#[test]
fn e70_ten_thousand_forgeries_leave_nothing_behind_and_the_call_goes_on() {
    for master in [aes_cm(), gcm()] {
        let (mut sealer, mut opener) = pair(&master);
        let mut wire = sealed(&mut sealer, &packet(1, 9, b"audio"));
        assert!(opener.rtp(&mut wire).is_ok());
        for n in 0..10_000u32 {
            let mut forged = packet(n as u16 + 2, if n % 2 == 0 { 9 } else { n }, &[0; 30]);
            assert_eq!(opener.rtp(&mut forged), Err(Refused::Forged));
        }
        assert_eq!(opener.streams.0.len(), 1);
        let mut wire = sealed(&mut sealer, &packet(2, 9, b"audio"));
        assert!(opener.rtp(&mut wire).is_ok());
    }
}

#[test]
fn a_peer_with_ever_new_sources_is_heard_and_remembered_within_bounds() {
    let (mut sealer, mut opener) = pair(&aes_cm());
    for ssrc in 0..100 {
        let mut wire = sealed(&mut sealer, &packet(1, ssrc, b"audio"));
        assert!(opener.rtp(&mut wire).is_ok());
    }
    assert_eq!((sealer.streams.0.len(), opener.streams.0.len()), (MAX_STREAMS, MAX_STREAMS));
}

#[test]
fn another_key_opens_nothing_and_rtcp_in_clear_is_refused() {
    let (mut sealer, _) = pair(&aes_cm());
    let other = master(Suite::AesCm128HmacSha1, "00");
    let mut wire = sealed(&mut sealer, &packet(1, 9, b"audio"));
    assert_eq!(Opener::new(&other).expect("a key").rtp(&mut wire), Err(Refused::Forged));
    let mut clear = [bytes(RTCP), bytes("00000001 993e08cd54d6c1230798")].concat();
    assert_eq!(Opener::new(&aes_cm()).expect("a key").rtcp(&mut clear), Err(Refused::Forged));
}

proptest! {
    #[test]
    fn any_datagram_is_opened_or_refused(mut datagram in proptest::collection::vec(any::<u8>(), 0..120), suite: bool) {
        let mut opener = Opener::new(&if suite { gcm() } else { aes_cm() }).expect("a key");
        prop_assert!(opener.rtp(&mut datagram.clone()).is_err());
        prop_assert!(opener.rtcp(&mut datagram).is_err());
    }

    #[test]
    fn what_is_sealed_opens_and_any_bit_turned_does_not(payload in proptest::collection::vec(any::<u8>(), 0..200),
                                                        sequence: u16, ssrc: u32, bit: prop::sample::Index, suite: bool) {
        let (mut sealer, mut opener) = pair(&if suite { gcm() } else { aes_cm() });
        let whole = packet(sequence, ssrc, &payload);
        let mut wire = sealed(&mut sealer, &whole);
        let mut turned = wire.clone();
        let bit = bit.index(turned.len() * 8);
        turned[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(opener.rtp(&mut turned).is_err());
        prop_assert_eq!(opener.rtp(&mut wire), Ok(&whole[..]));
    }
}
