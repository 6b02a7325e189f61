//! Peapod: a study notebook for Kubernetes whose notes run.

pub mod lab;
pub mod timeline;
