//! The network between pods: what kube-proxy makes of Services on every node, and what the cluster's DNS answers.

pub(crate) mod dns;
pub(crate) mod proxy;
