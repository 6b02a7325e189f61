//! Comparing and classifying text.
