//! Image references: `nginx`, `nginx:1.27`, `registry.k8s.io/pause@sha256:…`. Grammar, normalization and words of
//! `github.com/distribution/reference`, which the kubelet (`pkg/util/parsers ParseImageName`) and containerd use.

use std::fmt;

/// An image reference in its full form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Registry and path, such as `docker.io/library/busybox`.
    pub repository: String,
    /// Tag; `latest` when neither a tag nor a digest was given.
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

/// Longest repository name.
const MAX_NAME: usize = 255;

impl Reference {
    /// Reads a reference as `ParseNormalizedNamed` does; a missing tag is `latest`.
    ///
    /// # Errors
    /// Its text from `invalid reference format` on. The kubelet's event is `Failed to apply default image tag "X": couldn't
    /// parse image name "X": ` and this.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORMAT: &str = "invalid reference format";
        if text.len() == 64
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        {
            return Err(format!(
                "invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            ));
        }
        let (domain, path) = split_domain(text);
        let name_end = path.find(':').or_else(|| path.find('@')).unwrap_or(path.len());
        if path[..name_end].bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(format!(
                "{FORMAT}: repository name ({}) must be lowercase",
                &path[..name_end]
            ));
        }
        let (rest, digest) = path
            .split_once('@')
            .map_or((path.as_str(), None), |(rest, digest)| (rest, Some(digest)));
        let (name, tag) = rest
            .split_once(':')
            .map_or((rest, None), |(name, tag)| (name, Some(tag)));
        let valid = is_domain(&domain)
            && name.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(|digest| digest_ok(digest).is_some());
        if !valid {
            return Err(FORMAT.to_owned());
        }
        if name.len() > MAX_NAME {
            return Err(format!("repository name must not be more than {MAX_NAME} characters"));
        }
        if let Some(digest) = digest
            && digest_ok(digest) == Some(false)
        {
            return Err("invalid checksum digest length".to_owned());
        }
        let tag = match (tag, digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self {
            repository: format!("{domain}/{name}"),
            tag,
            digest: digest.map(str::to_owned),
        })
    }

    /// containerd's text for an image that the registry does not have, as it follows `Failed to pull image "X": `.
    pub fn not_found(&self) -> String {
        format!(
            "rpc error: code = NotFound desc = failed to pull and unpack image \"{self}\": failed to resolve reference \"{self}\": {self}: not found"
        )
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// The registry and what follows it: a first part that cannot be a registry belongs to Docker Hub.
fn split_domain(text: &str) -> (String, String) {
    let (domain, path) = match text.split_once('/') {
        Some((domain, path))
            if domain.contains(['.', ':']) || domain == "localhost" || domain.to_lowercase() != domain =>
        {
            (domain.to_owned(), path.to_owned())
        }
        _ => ("docker.io".to_owned(), text.to_owned()),
    };
    let domain = if domain == "index.docker.io" {
        "docker.io".to_owned()
    } else {
        domain
    };
    let path = if domain == "docker.io" && !path.contains('/') {
        format!("library/{path}")
    } else {
        path
    };
    (domain, path)
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = domain
        .split_once(':')
        .map_or((domain, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let mut rest = component.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    loop {
        let run = rest.iter().take_while(|byte| alphanumeric(byte)).count();
        if run == 0 {
            return false;
        }
        rest = &rest[run..];
        let separator = match rest {
            [] => return true,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            [b'-', ..] => rest.iter().take_while(|byte| **byte == b'-').count(),
            _ => return false,
        };
        rest = &rest[separator..];
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.bytes()
        .enumerate()
        .all(|(index, byte)| word(byte) || index > 0 && matches!(byte, b'.' | b'-'))
        && !tag.is_empty()
        && tag.len() <= 128
}

/// Whether a digest has its algorithm's length; `None` when it is no digest at all.
fn digest_ok(digest: &str) -> Option<bool> {
    let (algorithm, hex) = digest.split_once(':')?;
    if hex.len() < 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) || algorithm.is_empty() {
        return None;
    }
    Some(match algorithm {
        "sha256" => hex.len() == 64,
        "sha512" => hex.len() == 128,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_a_full_form() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, full) in [
            ("nginx", "docker.io/library/nginx:latest".to_owned()),
            ("busybox:1.36", "docker.io/library/busybox:1.36".to_owned()),
            ("hashicorp/http-echo", "docker.io/hashicorp/http-echo:latest".to_owned()),
            (
                "registry.k8s.io/e2e-test-images/agnhost:2.53",
                "registry.k8s.io/e2e-test-images/agnhost:2.53".to_owned(),
            ),
            ("localhost:5000/app", "localhost:5000/app:latest".to_owned()),
            ("localhost/app:1", "localhost/app:1".to_owned()),
            (&format!("nginx@{digest}"), format!("docker.io/library/nginx@{digest}")),
            (
                &format!("nginx:1@{digest}"),
                format!("docker.io/library/nginx:1@{digest}"),
            ),
            (
                "index.docker.io/library/redis",
                "docker.io/library/redis:latest".to_owned(),
            ),
        ] {
            assert_eq!(
                Reference::parse(text).map(|reference| reference.to_string()),
                Ok(full),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_in_the_real_words() {
        for (text, error) in [
            (
                "BusyBox:1.36",
                "invalid reference format: repository name (library/BusyBox) must be lowercase",
            ),
            ("nginx:", "invalid reference format"),
            ("nginx:a b", "invalid reference format"),
            ("", "invalid reference format"),
            ("-x", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("nginx@sha256:abc", "invalid reference format"),
            (":x", "invalid reference format"),
        ] {
            assert_eq!(Reference::parse(text), Err(error.to_owned()), "{text}");
        }
    }
}
