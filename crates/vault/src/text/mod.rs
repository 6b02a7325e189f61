//! Comparing, classifying and naming text.

pub(crate) mod chars;
mod fold;
pub(crate) mod hangul;
mod percent;
mod slug;

pub use fold::{fold, heading_key, nfc};
pub use percent::{decode as percent_decode, encode as percent_encode};
pub(crate) use slug::Slugs;
