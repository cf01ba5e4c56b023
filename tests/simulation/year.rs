//! A year in virtual time: what lives long ends as it began.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ministream::carrier::i2cp::MessageStatus;
use ministream::endpoint::Config;
use ministream::keys::Keys;
use ministream::session::{Attempts, Event, Lane, LaneOrder, Session, SessionConfig, Undelivered};
use ministream::wire::{Destination, DestinationHash};
use ministream_fixtures::i2cp::{
    message_payload, message_status, request_variable_lease_set, session_status, set_date, wrap,
};
use ministream_fixtures::key_destination;
use rand::rngs::{ChaCha12Rng, Xoshiro256PlusPlus};
use rand::{RngExt, SeedableRng};

use crate::applications::Applications;
use crate::pair::{Network, Pair};
use crate::pick;

const DAYS: u32 = 365;
const MINUTE: Duration = Duration::from_secs(60);

/// Every day conversations of all kinds in three bursts, every week or so the link breaks.
#[test]
fn a_year_of_conversations_leaves_both_endpoints_as_they_began() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(365);
    let configs = [(), ()].map(|()| Config::default());
    let mut applications =
        Applications::new(Pair::new(configs, Network::with("latency=25ms±25ms"), 1));
    for day in 0..DAYS {
        for _ in 0..3 {
            for _ in 0..40 {
                applications.act(&mut rng);
                let pause = pick(&mut rng, &[0, 0, 1, 20, 200, 6_000]);
                applications.run_for(Duration::from_millis(pause));
            }
            applications.run_for(MINUTE * rng.random_range(1..400));
        }
        applications.close_everything();
        applications.run_until_quiet();
        applications.assert_all_ended();
        applications.assert_streams_equal();
        applications.begin_anew();
        applications.run_for(MINUTE * 60);
        assert!(applications.is_at_rest(), "day {day}");
    }
    let [one, other] = applications.stats();
    assert!(one.opened_count + other.opened_count > 5_000, "{one:?}");
}

/// A router without sockets: it does with what a session sends what its kind does.
struct Router {
    session: Session,
    now: Instant,
    /// Whether it reports as Java does, or as i2pd.
    is_java: bool,
    next_id: u32,
    lease_sets: u32,
    /// Messages that came out of the session.
    messages: u32,
    /// Messages to lose, of those that come next.
    to_lose: u32,
    events: VecDeque<Event>,
}

const SESSION: u16 = 0x0102;

impl Router {
    /// It has just started, and a session with it is ready.
    fn start(keys: &Arc<Keys>, now: Instant, is_java: bool) -> Self {
        let mut config = SessionConfig::default();
        config.order = LaneOrder::Auto;
        let mut router = Self {
            session: Session::new(now, Arc::clone(keys), config, [3; 32]),
            now,
            is_java,
            next_id: 1,
            lease_sets: 0,
            messages: 0,
            to_lose: 0,
            events: VecDeque::new(),
        };
        for says in [
            set_date(),
            session_status(SESSION, 1),
            request_variable_lease_set(SESSION),
        ] {
            router.say(&says);
            router.carry();
        }
        assert_eq!(router.lease_sets, 1);
        assert_eq!(router.events.drain(..).last(), Some(Event::Ready));
        router
    }

    fn say(&mut self, frame: &[u8]) {
        self.session.handle_bytes(self.now, frame);
    }

    fn fresh_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// Takes what the session sends, and answers it, until there is no more.
    fn carry(&mut self) {
        while let Some(frame) = self.session.poll_transmit(self.now) {
            match frame.get(4) {
                // The protocol byte comes alone.
                None => {}
                Some(4) => self.lease_sets += 1,
                Some(5) => self.report(&frame),
                Some(1 | 3 | 32) => {}
                Some(other) => panic!("a frame of type {other}"),
            }
        }
        self.events
            .extend(std::iter::from_fn(|| self.session.poll_event()));
    }

    fn report(&mut self, frame: &[u8]) {
        let nonce = frame.last_chunk().expect("a nonce is its end");
        let nonce = u32::from_be_bytes(*nonce);
        let accepted = self.fresh_id();
        let (done, its_nonce) = if self.is_java {
            (accepted, accepted & 0xff)
        } else {
            (self.fresh_id(), nonce)
        };
        let status = match self.to_lose {
            0 => 4,
            _ => 5,
        };
        self.to_lose = self.to_lose.saturating_sub(1);
        self.messages += 1;
        self.say(&message_status(SESSION, accepted, 1, 0, nonce));
        self.say(&message_status(SESSION, done, status, 0, its_nonce));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.carry();
        }
        self.now = until;
    }
}

/// Messages and new leases every ten minutes, as they come from a real one, one lost message a
/// day, and a new router every month.
#[test]
fn a_year_at_routers_leaves_nothing_on_its_way_and_no_timer() {
    let keys = Arc::new(Keys::generate(&mut ChaCha12Rng::from_seed([7; 32])));
    let peer = key_destination(1);
    let peer = Destination::split(&peer).expect("it is one").0;
    for is_java in [true, false] {
        let mut now = Instant::now();
        let mut sent = 0;
        for month in 0..12 {
            let mut router = Router::start(&keys, now, is_java);
            let to: DestinationHash = router.session.learn(peer);
            for ten_minutes in 0..30 * 24 * 6_u32 {
                if is_java {
                    router.say(&request_variable_lease_set(SESSION));
                }
                let is_lossy = ten_minutes % 144 == 143;
                router.to_lose = u32::from(is_lossy);
                for number in 0..3 {
                    let lane = Some(Lane(ten_minutes % 5));
                    let sending = router.session.send(to, b"message", Attempts::Once, lane);
                    sending.expect("it is ready");
                    sent += 1;
                    if number == 1 {
                        router.carry();
                    }
                }
                router.say(&message_payload(SESSION, ten_minutes, &wrap(b"answer")));
                router.carry();
                let lost = router.events.iter().filter(|event| {
                    matches!(
                        event,
                        Event::Undelivered {
                            reason: Undelivered(MessageStatus::GUARANTEED_FAILURE),
                            ..
                        }
                    )
                });
                assert_eq!(lost.count(), usize::from(is_lossy), "{month} {ten_minutes}");
                let arrived = router.events.drain(..).filter(
                    |event| matches!(event, Event::Message(bytes) if bytes[..] == b"answer"[..]),
                );
                assert_eq!(arrived.count(), 1);
                router.pass(10 * MINUTE);
                assert_eq!(router.session.waiting_bytes(), 0);
                assert_eq!(router.session.poll_timeout(), None, "nothing is due");
            }
            assert_eq!(router.session.is_ordered(), is_java);
            let sets = if is_java { 1 + 30 * 24 * 6 } else { 1 };
            assert_eq!(router.lease_sets, sets);
            router.session.leave(router.now);
            router.carry();
            router.say(&session_status(SESSION, 0));
            router.carry();
            assert_eq!(
                router.events.drain(..).next_back(),
                Some(Event::Ended(Ok(())))
            );
            now = router.now;
        }
        assert_eq!(sent, 12 * 30 * 24 * 6 * 3);
    }
}
