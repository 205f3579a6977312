//! Keys through an exchange: events, tones in the audio, and what becomes of them behind a bridge (lines E64 and E65).

use super::*;

#[test]
fn e64_a_key_reaches_switch_and_peer_under_its_payload_type() {
    let mut to_b = session(B, Codec::Pcmu);
    to_b.telephone_event = Some(TelephoneEvent { send: 96, receive: 97 });
    let mut world = World::bridged(session(A, Codec::Pcmu), to_b);
    world.talks(A, Codec::Pcmu, 5, 0x11);
    world.presses(A, 101, Digit::D7);
    world.presses(A, 101, Digit::D7);
    world.talks(A, Codec::Pcmu, 5, 0x11);
    assert_eq!(world.keys(), "77");
    let sent = world.to(B);
    assert_eq!(sent.iter().filter(|sent| sent.payload_type == 96).count(), 16);
    let mut phone = EventReceiver::default();
    let heard: Vec<_> = sent
        .iter()
        .filter(|sent| sent.payload_type == 96)
        .filter_map(|sent| {
            let Sent { ssrc, sequence, timestamp, marker, ref payload, .. } = *sent;
            phone.receive(Instant::from_millis(sent.ms), &EventPacket { ssrc, sequence, timestamp, marker, payload })
        })
        .collect();
    assert_eq!(heard, [Digit::D7, Digit::D7]);
    for pair in sent.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
    }
}

#[test]
fn e64_a_key_held_while_the_call_is_bridged_stays_ours() {
    for held in [A, B] {
        let mut world = World::new();
        world.open(A, session(A, Codec::Pcmu));
        world.open(B, session(B, Codec::Pcmu));
        // "1" in the menu, or "press one to accept": the bridge comes with its first packets.
        world.holds(held, 101, Digit::D1, 0, 1..=3);
        world.order(MediaCommand::Bridge { a: A, b: B });
        world.talks(held, Codec::Pcmu, 1, 0x11);
        world.holds(held, 101, Digit::D1, 0, 4..=8);
        world.talks(held, Codec::Pcmu, 1, 0x11);
        assert_eq!(world.keys(), "1");
        let other = if held == A { B } else { A };
        let events = |world: &World| world.to(other).iter().filter(|sent| sent.payload_type == 101).count();
        assert_eq!(events(&world), 0, "the rest of the key is nobody's");
        assert_one_stream(&world.to(other)[..2]);
        world.presses(held, 101, Digit::D1);
        assert_eq!(world.keys(), "11");
        assert_eq!(events(&world), 8, "the next key is the other phone's");
        // What is no key (a hook flash) was never ours.
        world.order(MediaCommand::Unbridge { a: A, b: B });
        world.order(MediaCommand::Bridge { a: A, b: B });
        world.says(held, 101, true, 50_000, &[16, 0x0A, 0, 160]);
        assert_eq!(events(&world), 9);
    }
}

#[test]
fn e64_a_key_becomes_a_tone_for_a_phone_without_events() {
    let mut to_b = session(B, Codec::Pcmu);
    to_b.telephone_event = None;
    let mut world = World::bridged(session(A, Codec::Pcmu), to_b);
    world.presses(A, 101, Digit::Pound);
    world.run(500);
    let mut samples = Vec::new();
    world.to(B).iter().for_each(|sent| Decoder::new(Codec::Pcmu).decode(&sent.payload, &mut samples));
    samples.extend([0; 400]);
    let mut heard = String::new();
    ToneDetector::default().listen(&samples, |digit| heard.push(digit.as_char()));
    assert_eq!(heard, "#");
    assert!(world.to(B).iter().all(|sent| sent.payload_type == 0));
}

#[test]
fn keys_are_dialled_one_after_the_other_as_events() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    for digit in [Digit::D4, Digit::D4] {
        world.order(MediaCommand::SendDigit { leg: A, digit, duration: Duration::from_millis(100) });
    }
    world.run(1_000);
    let sent = world.to(A);
    assert!(sent.iter().all(|sent| sent.payload_type == 101));
    assert_eq!(sent.len(), 2 * (5 + 2));
    assert_eq!(sent.iter().filter(|sent| sent.payload[1] & 0x80 != 0).count(), 6);
    let (first, second) = (&sent[0], &sent[7]);
    assert!(first.marker && second.marker);
    let apart = second.timestamp.wrapping_sub(first.timestamp);
    assert!((1_200..2_400).contains(&apart), "{apart}");
}

#[test]
fn e65_in_band_keys_and_events_together_are_one() {
    let mut world = World::new();
    world.open(A, session(A, Codec::G722));
    world.sounds(A, Codec::G722, Digit::D9);
    assert_eq!(world.keys(), "9");
    assert!(matches!(
        world.events.iter().find(|(_, event)| matches!(event, MediaEvent::Key { .. })),
        Some((_, MediaEvent::Key { source: DigitSource::InBand, .. }))
    ));
    world.presses(A, 101, Digit::D9);
    assert_eq!(world.keys(), "9", "the event tells of the same press");
    world.run(3_000);
    world.presses(A, 101, Digit::D9);
    assert_eq!(world.keys(), "99");
}

#[test]
fn e65_tones_of_a_gateway_that_agreed_on_events_are_heard_until_it_sends_one() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    world.open(B, session(B, Codec::Pcmu));
    world.sounds(A, Codec::Pcmu, Digit::D0);
    assert_eq!(world.keys(), "0");
    // Two that talk with each other are passed on unread.
    world.order(MediaCommand::Bridge { a: A, b: B });
    world.sounds(A, Codec::Pcmu, Digit::D1);
    assert_eq!(world.keys(), "0");
    world.order(MediaCommand::Unbridge { a: A, b: B });
    world.sounds(A, Codec::Pcmu, Digit::D2);
    assert_eq!(world.keys(), "02");
    // Who sends events has its tones taken out, or says the same twice.
    world.run(3_000);
    world.presses(A, 101, Digit::D3);
    world.run(3_000);
    world.sounds(A, Codec::Pcmu, Digit::D4);
    assert_eq!(world.keys(), "023");
    // Without events agreed, tones are all there is, also in a talk.
    world.order(MediaCommand::Session {
        leg: A,
        session: MediaSession { telephone_event: None, ..session(A, Codec::Pcmu) },
    });
    world.order(MediaCommand::Bridge { a: A, b: B });
    world.sounds(A, Codec::Pcmu, Digit::D5);
    assert_eq!(world.keys(), "0235");
}

#[test]
fn e64_keys_pass_a_transcoding_bridge_once() {
    let mut world = World::bridged(session(A, Codec::G722), session(B, Codec::Pcmu));
    world.talks(A, Codec::G722, 10, 0xFA);
    world.presses(A, 101, Digit::D3);
    world.talks(A, Codec::G722, 20, 0xFA);
    assert_eq!(world.keys(), "3");
    let starts = world.to(B).iter().filter(|sent| sent.payload_type == 101 && sent.marker).count();
    assert_eq!(starts, 1);
}
