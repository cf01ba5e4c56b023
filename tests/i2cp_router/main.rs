//! Sessions with a real router, `i2pd`, that reaches nothing but this machine.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use ministream::carrier::i2cp::MessageStatus;
use ministream::session::{
    Attempts, Event, LookupError, Query, SelfTest, SessionConfig, SessionError, Undelivered,
};
use ministream::wire::DestinationHash;
use ministream_fixtures::key_destination;
use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::needs;
use ministream_fixtures::router::Router;

mod user;

use user::{SOON, User, new_dsa_keys, new_keys, zero_hop};

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Message(_))
}

fn message(bytes: &[u8]) -> Event {
    Event::Message(bytes.to_vec().into())
}

/// Two sessions; a router takes up to 12 s for each.
fn pair(router: SocketAddr) -> (User, User) {
    let other = thread::spawn(move || User::ready(router, new_keys(), zero_hop()));
    let mut one = User::ready(router, new_keys(), zero_hop());
    while !other.is_finished() {
        one.run(Duration::from_millis(10));
    }
    (one, other.join().unwrap())
}

#[test]
fn two_sessions_exchange_messages_of_all_sizes() {
    needs!("i2pd");
    in_namespace("two_sessions_exchange_messages_of_all_sizes", || {
        let router = Router::start();
        let (mut a, mut b) = pair(router.i2cp());
        let to_b = a.reach(&mut b, b"first");
        b.reach(&mut a, b"back");
        for length in [0, 1, 4, 66, 67, 32_772, 40_960] {
            let bytes: Vec<u8> = (0..length).map(|_| rand::random()).collect();
            a.send(to_b, &bytes, Attempts::Once);
            assert_eq!(b.wait_for(SOON, is_message), message(&bytes));
        }
        // To oneself.
        let own = a.meet_itself();
        a.send(own, b"self", Attempts::Until(Instant::now() + SOON));
        assert_eq!(a.wait_for(SOON, is_message), message(b"self"));

        a.session.leave(Instant::now());
        a.wait_for(SOON, |event| *event == Event::Ended(Ok(())));
    });
}

#[test]
fn sessions_with_dsa_keys_and_with_ed25519_keys_reach_each_other() {
    needs!("i2pd");
    let name = "sessions_with_dsa_keys_and_with_ed25519_keys_reach_each_other";
    in_namespace(name, || {
        let router = Router::start();
        let address = router.i2cp();
        let others = [new_dsa_keys(), new_keys()]
            .map(|keys| thread::spawn(move || User::ready(address, keys, zero_hop())));
        let mut a = User::ready(address, new_dsa_keys(), zero_hop());
        assert_eq!(a.session.destination().as_bytes().len(), 387);
        for other in others {
            while !other.is_finished() {
                a.run(Duration::from_millis(10));
            }
            let mut b = other.join().unwrap();
            a.reach(&mut b, b"there");
            b.reach(&mut a, b"and back");
        }
    });
}

#[test]
fn destinations_are_found_by_hash_and_missing_ones_are_told() {
    needs!("i2pd");
    in_namespace(
        "destinations_are_found_by_hash_and_missing_ones_are_told",
        || {
            let router = Router::start();
            let address = router.i2cp();
            let other = thread::spawn(move || User::ready(address, new_keys(), zero_hop()));
            let mut impatient = zero_hop();
            impatient.lookup_timeout = Duration::from_secs(10);
            let mut a = User::ready(address, new_keys(), impatient);
            let b = other.join().unwrap();
            let hash = b.session.destination().hash();
            let lookup = a.session.look_up(Instant::now(), Query::Hash(hash));
            let result = Ok(b.session.destination().as_bytes().to_vec());
            let found = Event::LookedUp { lookup, result };
            a.wait_for(SOON, |event| *event == found);

            // A name, without an address book.
            let query = Query::Name("site.i2p".to_owned());
            let lookup = a.session.look_up(Instant::now(), query);
            let result = Err(LookupError::NotFound);
            let missing = Event::LookedUp { lookup, result };
            a.wait_for(SOON, |event| *event == missing);

            // A destination that nobody has.
            let to = a.meet_bytes(&key_destination(1));
            a.send(to, b"syn", Attempts::Once);
            let reason = Undelivered(MessageStatus::NO_LEASE_SET);
            let lost = Event::Undelivered {
                to,
                lane: None,
                reason,
            };
            a.wait_for(SOON, |event| *event == lost);
            assert_eq!(to, DestinationHash::of(&key_destination(1)));
        },
    );
}

#[test]
fn a_destination_that_is_connected_is_refused() {
    needs!("i2pd");
    in_namespace("a_destination_that_is_connected_is_refused", || {
        let router = Router::start();
        let keys = new_keys();
        let _first = User::ready(router.i2cp(), keys.clone(), zero_hop());
        let mut second = User::connect(router.i2cp(), keys, zero_hop());
        let refused = Event::Ended(Err(SessionError::Invalid));
        second.wait_for(SOON, |event| *event == refused);
    });
}

fn with_self_test() -> SessionConfig {
    let mut config = zero_hop();
    config.self_test = SelfTest::On;
    config
}

#[test]
fn a_killed_router_ends_the_session_and_a_new_one_takes_it_up() {
    needs!("i2pd");
    in_namespace(
        "a_killed_router_ends_the_session_and_a_new_one_takes_it_up",
        || {
            let mut router = Router::start();
            let keys = new_keys();
            let mut user = User::ready(router.i2cp(), keys.clone(), with_self_test());
            user.wait_for(SOON, |event| *event == Event::Reachable);
            router.kill();
            let closed = Event::Ended(Err(SessionError::Closed));
            user.wait_for(SOON, |event| *event == closed);
            // A router that starts again has forgotten the old lease set.
            router.restart();
            let mut user = User::ready(router.i2cp(), keys, with_self_test());
            user.wait_for(SOON, |event| *event == Event::Reachable);
        },
    );
}

#[test]
fn a_destination_that_comes_back_at_once_notices_that_nobody_reaches_it() {
    needs!("i2pd");
    in_namespace(
        "a_destination_that_comes_back_at_once_notices_that_nobody_reaches_it",
        || {
            let router = Router::start();
            let keys = new_keys();
            let mut user = User::ready(router.i2cp(), keys.clone(), with_self_test());
            user.wait_for(SOON, |event| *event == Event::Reachable);
            user.session.leave(Instant::now());
            user.wait_for(SOON, |event| *event == Event::Ended(Ok(())));
            let mut user = User::ready(router.i2cp(), keys, with_self_test());
            user.wait_for(SOON, |event| *event == Event::Unreachable);
        },
    );
}

#[test]
fn a_bulk_transfer_arrives_whole_and_in_order() {
    needs!("i2pd");
    const MESSAGES: u32 = 1_000;
    const BYTES: u32 = 32_768;
    in_namespace("a_bulk_transfer_arrives_whole_and_in_order", || {
        let router = Router::start();
        let (mut sender, mut receiver) = pair(router.i2cp());
        let to = sender.reach(&mut receiver, b"first");
        let start = Instant::now();
        let sending = thread::spawn(move || {
            for number in 0..MESSAGES {
                sender.send(to, &numbered(number, BYTES), Attempts::Once);
                while sender.session.waiting_bytes() > 256 * 1024 {
                    sender.run(Duration::from_millis(1));
                }
            }
            assert!(sender.stays_without(Duration::from_secs(2), |event| {
                matches!(event, Event::Undelivered { .. } | Event::Ended(_))
            }));
        });
        for number in 0..MESSAGES {
            let arrived = receiver.wait_for(SOON, is_message);
            let is = |number| arrived == message(&numbered(number, BYTES));
            let instead = || (0..MESSAGES).find(|number| is(*number));
            assert!(is(number), "not {number} but {:?}", instead());
        }
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = f64::from(MESSAGES * BYTES) / 1e6;
        eprintln!(
            "{megabytes:.0} MB in {seconds:.1} s: {:.1} MB/s",
            megabytes / seconds
        );
        sending.join().unwrap();
    });
}

/// Bytes that no two messages share and that hardly compress.
fn numbered(number: u32, length: u32) -> Vec<u8> {
    let words = (0..length / 4).map(|place| (number * length + place).wrapping_mul(0x9e37_79b1));
    words.flat_map(u32::to_be_bytes).collect()
}
