//! The integration tests of the application: one binary, one file a subject.

mod cli;
mod sample;
mod store;
mod workspace;
mod report;
