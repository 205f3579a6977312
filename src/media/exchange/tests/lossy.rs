//! Lines E63, E64, E66 and E67 over a network that loses, doubles, delays and reorders what a phone sends, by a seed.

use super::*;

/// Doubled packets in a hundred.
const COPY_PERCENT: u64 = 2;
const JITTER_MS: u64 = 80;
const TALK_MS: u64 = 20_000;

/// What a phone has sent and has not arrived yet.
struct Network {
    loss_percent: u64,
    jitter_ms: u64,
    state: u64,
    under_way: BTreeMap<(u64, u64), (String, Vec<u8>)>,
    serial: u64,
}

impl Network {
    fn new(seed: u64, loss_percent: u64, jitter_ms: u64) -> Network {
        Network { loss_percent, jitter_ms, state: seed, under_way: BTreeMap::new(), serial: 0 }
    }

    /// SplitMix64, below `bound`.
    fn draw(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn send(&mut self, now_ms: u64, source: &str, bytes: &[u8]) {
        if self.draw(100) < self.loss_percent {
            return;
        }
        let copies = if self.draw(100) < COPY_PERCENT { 2 } else { 1 };
        for _ in 0..copies {
            let at = now_ms + 5 + self.draw(self.jitter_ms + 1);
            self.serial += 1;
            self.under_way.insert((at, self.serial), (source.to_owned(), bytes.to_vec()));
        }
    }

    /// Lets time pass; what arrives goes to leg A.
    fn run(&mut self, world: &mut World, ms: u64) {
        for _ in 0..ms {
            while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= world.ms) {
                let (source, bytes) = first.remove();
                world.datagram(A, &source, &bytes);
            }
            world.run(1);
        }
    }
}

/// What a phone writes next.
struct Phone {
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Phone {
    fn packet(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        written(&packet)
    }

    /// 20 ms of audio.
    fn frame(&mut self, payload_type: u8, byte: u8) -> Vec<u8> {
        self.timestamp = self.timestamp.wrapping_add(160);
        self.packet(payload_type, false, self.timestamp, &[byte; 160])
    }
}

fn home() -> String {
    address(A).to_string()
}

/// A speaks G.722, B PCMU: decoded, so the jitter buffer is in the way.
fn transcoding() -> World {
    World::bridged(session(A, Codec::G722), session(B, Codec::Pcmu))
}

/// Longest time between two packets to B, in ms.
fn longest_hole(sent: &[Sent]) -> u64 {
    sent.windows(2).map(|pair| pair[1].ms - pair[0].ms).max().unwrap_or(u64::MAX)
}

#[test]
fn e63_loss_jitter_reordering_and_copies_change_no_length_and_make_no_drift() {
    for (seed, loss, jitter) in [(1, 0, 0), (2, 5, 40), (3, 10, JITTER_MS), (4, 20, JITTER_MS)] {
        let (mut world, mut network) = (transcoding(), Network::new(seed, loss, jitter));
        let mut phone = Phone { sequence: 7, timestamp: 1_000, ssrc: 5 };
        for _ in 0..TALK_MS / 20 {
            network.send(world.ms, &home(), &phone.frame(9, 0xD5));
            network.run(&mut world, 20);
        }
        let sent = world.to(B);
        assert_one_stream(&sent);
        let (first, last) = (sent.first().expect("audio").ms, sent.last().expect("audio").ms);
        assert!(first <= 300, "seed {seed}: begins at {first} ms");
        let heard = sent.len() as i64 * 20;
        let lasted = (last - first + 20) as i64;
        assert!((heard - lasted).abs() <= 40, "seed {seed}: {heard} ms of audio in {lasted} ms");
        assert!(lasted >= TALK_MS as i64 - 400, "seed {seed}: only {lasted} ms");
        assert!(longest_hole(&sent) <= 60, "seed {seed}: a hole of {} ms", longest_hole(&sent));
    }
}

#[test]
fn e64_keys_come_once_each_whatever_the_network_does() {
    let digits = "1234567890*#";
    for (seed, loss) in [(11, 0), (12, 5), (13, 10), (14, 20), (15, 20), (16, 20)] {
        let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
        let mut network = Network::new(seed, loss, JITTER_MS);
        let mut phone = Phone { sequence: 65_500, timestamp: 0, ssrc: 9 };
        for key in digits.chars() {
            let digit = Digit::from_char(key).expect("a key");
            for _ in 0..10 {
                network.send(world.ms, &home(), &phone.frame(0, 0xFF));
                network.run(&mut world, 20);
            }
            // 100 ms, then its end three times (RFC 4733 section 2.5.1.4).
            let start = phone.timestamp.wrapping_add(160);
            for n in 1..=8u16 {
                let [d0, d1] = (n.min(5) * 160).to_be_bytes();
                let flags = if n >= 5 { 0x8A } else { 0x0A };
                let packet = phone.packet(101, n == 1, start, &[digit.event(), flags, d0, d1]);
                network.send(world.ms, &home(), &packet);
                network.run(&mut world, 20);
            }
            phone.timestamp = start.wrapping_add(8 * 160);
        }
        network.run(&mut world, 500);
        assert_eq!(world.keys(), digits, "seed {seed}, {loss} % lost");
    }
}

#[test]
fn e66_wraps_jumps_and_a_new_source_make_no_hole_on_a_lossy_network_either() {
    for (seed, loss) in [(21, 0), (22, 5), (23, 10)] {
        let (mut world, mut network) = (transcoding(), Network::new(seed, loss, JITTER_MS));
        let mut phone = Phone { sequence: 65_530, timestamp: u32::MAX - 1_600, ssrc: 3 };
        for frame in 0..600 {
            match frame {
                200 => phone.timestamp = phone.timestamp.wrapping_add(1_000_000),
                400 => phone = Phone { sequence: 40, timestamp: 77, ssrc: 4 },
                _ => {}
            }
            network.send(world.ms, &home(), &phone.frame(9, 0xD5));
            network.run(&mut world, 20);
        }
        let sent = world.to(B);
        assert_one_stream(&sent);
        assert!(longest_hole(&sent) <= 60, "seed {seed}: a hole of {} ms", longest_hole(&sent));
    }
}

#[test]
fn e67_an_attacker_between_late_and_lost_packets_neither_hears_nor_is_heard() {
    let attacker = "198.51.100.66:4000";
    for seed in 31..41 {
        let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
        let mut network = Network::new(seed, 10, JITTER_MS);
        let mut phone = Phone { sequence: 7, timestamp: 0, ssrc: 5 };
        // It knows everything but the address: numbers, time and source as the phone's.
        let mut forger = Phone { sequence: 7, timestamp: 0, ssrc: 5 };
        for _ in 0..250 {
            network.send(world.ms, attacker, &forger.frame(0, 0x2A));
            network.send(world.ms, &home(), &phone.frame(0, 0xD0));
            network.run(&mut world, 10);
            world.says(B, 0, false, (world.ms * 8) as u32, &[0xB0; 160]);
            network.run(&mut world, 10);
        }
        assert!(world.to(B).iter().any(|sent| sent.payload.contains(&0xD0)), "seed {seed}: the phone is heard");
        assert!(world.to(B).iter().all(|sent| !sent.payload.contains(&0x2A)), "seed {seed}: the attacker is not");
        assert!(
            !world.to(A).is_empty() && world.sent.iter().all(|sent| sent.to != attacker),
            "seed {seed}: nor does it hear"
        );
    }
}
