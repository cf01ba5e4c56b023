//! What the carriers call a way, the network layer calls a side.

use crate::carrier::Way;
use crate::net::Side;

/// The carriers' word for what the network layer calls a side.
pub(super) const fn way_of(side: Side) -> Way {
    match side {
        Side::Initiator => Way::Forward,
        Side::Responder => Way::Backward,
    }
}

pub(super) const fn side_of(way: Way) -> Side {
    match way {
        Way::Forward => Side::Initiator,
        Way::Backward => Side::Responder,
    }
}
