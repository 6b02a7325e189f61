//! The integration tests of the application: one binary, one file a subject.

mod cli;
mod cluster_api;
mod sample;
mod shell;
mod store;
mod vault;
mod web;
mod workspace;
mod report;
