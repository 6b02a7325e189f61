//! Peapod: a study notebook for Kubernetes whose notes run.

pub mod cli;
pub mod cluster_api;
mod following;
pub mod golden;
pub mod i18n;
pub mod jupyter;
pub mod lab;
pub mod notebook;
pub mod report;
pub mod store;
pub mod timeline;
pub mod web;
pub mod workspace;
pub mod workstation;
