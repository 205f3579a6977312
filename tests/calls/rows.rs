//! HOTLINE.md's table, one test a row.

use wardline::ids::AnalystId;
use wardline::ticket::Lifecycle;

use crate::phone::Pickup;
use crate::world::{GENERALISTS, World};

#[test]
fn known_ward_phone() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("ana", Pickup::Answers(6_000));
    world.dial("4710");
    world.run_to(20_000);
    world.hang_up("4710");
    world.run(3_000);
    world.press("ana", '1');
    world.run(5_000);
    world.expect_ladder(
        r#"
             0 4710 > desk: INVITE +sdp
             5 desk > 4710: 200 INVITE +sdp
             5 desk > ana: INVITE +sdp
             5 desk > ben: INVITE +sdp
            10 4710 > desk: ACK
            10 ana > desk: 180 INVITE
            10 ben > desk: 180 INVITE
           415 4710 hears "Clinical service desk. four west."
          2545 4710 hears "Ringing your analyst."
          3750 4710 hears ~ringback
          5005 4710 hears "Key your badge, or just wait."
          6010 ana > desk: 200 INVITE +sdp
          6015 4710 hears nothing
          6015 4710 = ana
          6015 desk > ana: ACK
          6015 desk > ben: CANCEL
          6020 ben > desk: 200 CANCEL
          6020 ben > desk: 487 INVITE
          6025 desk > ben: ACK
         20000 4710 > desk: BYE
         20005 ana hears "Solved? One yes, two no."
         20005 desk > 4710: 200 BYE
         23030 desk > ana: BYE
         23035 ana > desk: 200 BYE
        "#,
    );
    let ticket = world.ticket();
    assert_eq!(ticket.unit_name(), Some("4 West"));
    assert_eq!(ticket.analyst().map(AnalystId::as_str), Some("ana"));
    assert_eq!(world.ms(ticket.first_offer.expect("an offer")), 5);
    assert_eq!(ticket.solved(), Some(true));
    assert_eq!(ticket.state(), Lifecycle::Closed);
}
