//! The integration tests of the application: one binary, one file a subject.

mod branch;
mod claims;
mod cli;
mod cluster_api;
mod fuzz;
mod golden;
mod lab;
mod notebook;
mod refute;
mod report;
mod sample;
mod schema;
mod shell;
mod store;
mod vault;
mod vectors;
mod web;
mod workspace;
