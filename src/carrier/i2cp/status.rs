//! Reports of routers on sessions and messages: the codes of SessionStatus and MessageStatus (I2CP
//! specification).

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$code_doc:meta])* $name:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $type(pub u8);

        impl $type {
            $($(#[$code_doc])* pub const $name: Self = Self($code);)*
        }
    };
}

codes! {
    /// The fate of a session: the byte in SessionStatus.
    SessionStatus {
        /// It is over.
        DESTROYED = 0,
        /// It was made.
        CREATED = 1,
        /// Its options were changed.
        UPDATED = 2,
        /// The request for it is not in order, its signature for example.
        INVALID = 3,
        /// The router takes no more sessions.
        REFUSED = 4,
    }
}

codes! {
    /// The fate of a message: the byte in MessageStatus.
    MessageStatus {
        /// A message for us waits to be fetched.
        AVAILABLE = 0,
        /// The router has a message of ours and will try to send it.
        ACCEPTED = 1,
        /// It was sent; nobody is asked whether it arrived.
        BEST_EFFORT_SUCCESS = 2,
        /// It was not sent.
        BEST_EFFORT_FAILURE = 3,
        /// It was sent, and arrived as far as the router knows.
        GUARANTEED_SUCCESS = 4,
        /// It was not sent, or did not arrive.
        GUARANTEED_FAILURE = 5,
        /// It was handed to another session of the same router.
        LOCAL_SUCCESS = 6,
        /// The session has no tunnels to send through.
        NO_LOCAL_TUNNELS = 16,
        /// The destination's lease set was not found.
        NO_LEASE_SET = 21,
    }
}
