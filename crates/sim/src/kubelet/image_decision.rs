//! The decisions about images that depend on nothing but what they are given (`pkg/kubelet/images/image_manager.go
//! EnsureImageExists`), and their words.

use base64::Engine;

use crate::lenient64;
use crate::runtime::catalogue::Reference;
use crate::time::SimDuration;

/// What a container asks of its image, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// As the spec names it.
    pub image: &'a str,
    /// `Always`, `IfNotPresent`, `Never`.
    pub policy: &'a str,
    /// Whether it is on the node.
    pub present: bool,
    /// What the runtime says instead of telling; empty when it tells.
    pub inspect_error: &'a str,
    /// Whether the pod may use what is there without showing its credentials.
    pub may_use: bool,
    /// Whether the kubelet looks after that (`KubeletEnsureSecretPulledImages`).
    pub verified: bool,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is there: the message of the event `Pulled`.
    Present(String),
    /// The container cannot start: reason of the warning, waiting reason, message of both.
    Refused(&'static str, &'static str, String),
    /// It has to be pulled.
    Pull(Reference),
}

/// What becomes of a container's image before anything is pulled (`EnsureImageExists`, `imagePullPrecheck`).
pub fn ensure_image_exists(asked: Asked<'_>) -> Answer {
    let image = asked.image;
    let reference = match Reference::parse(image) {
        Ok(reference) => reference,
        Err(error) => {
            let message = format!(
                "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {error}"
            );
            return Answer::Refused("InspectFailed", "InvalidImageName", message);
        }
    };
    if asked.policy == "Always" {
        return Answer::Pull(reference);
    }
    if !asked.inspect_error.is_empty() {
        let message = format!("Failed to inspect image \"{image}\": {}", asked.inspect_error);
        return Answer::Refused("InspectFailed", "ImageInspectError", message);
    }
    if asked.present && asked.may_use {
        let mut message = format!("Container image \"{image}\" already present on machine");
        if asked.verified {
            message += " and can be accessed by the pod";
        }
        return Answer::Present(message);
    }
    if asked.policy == "Never" {
        let message = format!("Container image \"{image}\" is not present with pull policy of Never");
        return Answer::Refused("ErrImageNeverPull", "ErrImageNeverPull", message);
    }
    Answer::Pull(reference)
}

/// The waiting reason and message after a pull that failed (`evalCRIPullErr`).
pub fn pull_failure(image: &str, error: &str) -> (&'static str, String) {
    for (code, why) in [
        ("RegistryUnavailable", "the registry is unavailable"),
        ("SignatureValidationFailed", "the signature validation failed"),
    ] {
        if let Some(rest) = error.strip_prefix(code) {
            return (code, format!("image pull failed for {image} because {why}{rest}"));
        }
    }
    ("ErrImagePull", error.to_owned())
}

/// The message of the event `Pulled` after a pull; the size is said from 1.30 on.
pub fn pulled(image: &str, took: SimDuration, waited: SimDuration, size: Option<u64>) -> String {
    let millis = |span: SimDuration| SimDuration(span.0 / 1_000_000 * 1_000_000);
    let message = format!(
        "Successfully pulled image \"{image}\" in {} ({} including waiting)",
        millis(took),
        millis(waited)
    );
    match size {
        Some(size) => format!("{message}. Image size: {size} bytes."),
        None => message,
    }
}

/// A registry's login as a pod's `imagePullSecrets` give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// UID of the secret.
    pub secret: String,
    /// Registry, perhaps with a part of the path.
    pub registry: String,
    /// `user:password`
    pub login: String,
}

/// The logins in the content of a secret of type `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg`.
pub(crate) fn logins(secret: &str, content: &[u8]) -> Vec<Login> {
    let document: serde_json::Value = serde_json::from_slice(content).unwrap_or_default();
    let auths = document.get("auths").unwrap_or(&document);
    let entries = auths.as_object().into_iter().flatten();
    entries
        .map(|(registry, entry)| {
            let text = |name: &str| entry.get(name).and_then(|value| value.as_str()).unwrap_or_default();
            let login = match (text("username"), text("auth")) {
                ("", auth) => lenient64::STANDARD
                    .decode(auth.trim())
                    .ok()
                    .and_then(|login| String::from_utf8(login).ok())
                    .unwrap_or_default(),
                (user, _) => format!("{user}:{}", text("password")),
            };
            Login {
                secret: secret.to_owned(),
                registry: normal_registry(registry),
                login,
            }
        })
        .collect()
}

/// `https://index.docker.io/v1/` is `docker.io`, as an image's name has it.
fn normal_registry(text: &str) -> String {
    let bare = text.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.trim_end_matches('/');
    let bare = bare
        .strip_suffix("/v1")
        .or_else(|| bare.strip_suffix("/v2"))
        .unwrap_or(bare);
    match bare {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        bare => bare.to_owned(),
    }
}

impl Login {
    /// Whether it is for this repository.
    pub(crate) fn fits(&self, repository: &str) -> bool {
        let rest = repository.strip_prefix(self.registry.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_read_from_secrets() {
        let content = br#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6c2VjcmV0"},"reg.example.com/team":{"username":"u","password":"p"}}}"#;
        let found = logins("uid", content);
        let shown: Vec<(&str, &str)> = found
            .iter()
            .map(|login| (login.registry.as_str(), login.login.as_str()))
            .collect();
        assert_eq!(shown, [("docker.io", "me:secret"), ("reg.example.com/team", "u:p")]);
        assert!(found[0].fits("docker.io/library/nginx"));
        assert!(found[1].fits("reg.example.com/team/app") && !found[1].fits("reg.example.com/teams/app"));
        assert!(logins("uid", b"no json").is_empty());
    }
}
