//! Output for people: tables, text, JSON, pages, statistics. Everything here writes and nothing
//! decides; a [`Selection`](crate::select::Selection) chooses what is shown.

#[cfg(feature = "endpoints")]
pub mod conform;
pub mod conversations;
pub mod detail;
pub mod follow;
pub mod grid;
pub mod html;
pub mod json;
#[cfg(feature = "endpoints")]
mod junit;
pub mod ladder;
pub mod lines;
#[cfg(feature = "endpoints")]
pub mod proxy;
#[cfg(feature = "endpoints")]
pub mod replay;
pub mod reporter;
pub mod spec;
pub mod statistics;
pub mod style;
pub mod table;

mod describe;
pub(crate) mod heading;
mod hexdump;
mod markup;
#[cfg(feature = "endpoints")]
pub(crate) mod message;
pub(crate) mod near;
mod sorted;
mod temporary;
pub(crate) mod titles;
mod traffic;

pub use reporter::Reporter;
pub use temporary::TemporaryError;
