//! What the carriers call a direction of a flow, the network layer calls the side it comes from.

use crate::carrier::FlowDirection;
use crate::net::Side;

/// The direction of what this side sends.
pub(crate) const fn direction_of(side: Side) -> FlowDirection {
    match side {
        Side::Initiator => FlowDirection::Forward,
        Side::Responder => FlowDirection::Backward,
    }
}

/// The side that sends in this direction.
pub(crate) const fn side_of(direction: FlowDirection) -> Side {
    match direction {
        FlowDirection::Forward => Side::Initiator,
        FlowDirection::Backward => Side::Responder,
    }
}
