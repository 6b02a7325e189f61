//! What names, labels and keys may look like, and what is said of those that do not
//! (`apimachinery/pkg/util/validation/validation.go`).

use crate::version::{Gate, Profile};

const DNS1123_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS1123_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS1035_LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str = "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')";

fn dns(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if dns(*first) && dns(*last))
        && bytes.iter().all(|byte| dns(*byte) || *byte == b'-')
}

fn too_long(limit: usize, unit: &str) -> String {
    format!("must be no more than {limit} {unit}")
}

/// `IsDNS1123Label`
pub(super) fn dns1123_label(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 63 {
        reasons.push(too_long(63, "characters"));
    }
    if !is_dns_label(text) {
        if is_dns_subdomain(text) {
            // What is only too long in parts, or has dots, is told so.
            reasons.push("must not contain dots".to_owned());
        } else {
            reasons.push(DNS1123_LABEL.to_owned());
        }
    }
    reasons
}

fn is_dns_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

/// `IsDNS1123Subdomain`
pub(super) fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 253 {
        reasons.push(too_long(253, "characters"));
    }
    if !is_dns_subdomain(text) {
        reasons.push(DNS1123_SUBDOMAIN.to_owned());
    }
    reasons
}

/// `IsDNS1035Label`
pub(super) fn dns1035_label(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 63 {
        reasons.push(too_long(63, "characters"));
    }
    if !is_dns_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        reasons.push(DNS1035_LABEL.to_owned());
    }
    reasons
}

fn is_qualified_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// `IsQualifiedName`: a name, perhaps behind a DNS subdomain and a slash.
pub(super) fn label_key(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                reasons.push("prefix part must be non-empty".to_owned());
            } else {
                reasons.extend(
                    dns1123_subdomain(prefix)
                        .into_iter()
                        .map(|reason| format!("prefix part {reason}")),
                );
            }
            *name
        }
        _ => {
            reasons.push(format!(
                "a valid label key {QUALIFIED_NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
            return reasons;
        }
    };
    if name.is_empty() {
        reasons.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        reasons.push(format!("name part {}", too_long(63, "bytes")));
    }
    if !is_qualified_part(name) {
        reasons.push(format!("name part {QUALIFIED_NAME}"));
    }
    reasons
}

/// `IsValidLabelValue`
pub(super) fn label_value(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 63 {
        reasons.push(too_long(63, "bytes"));
    }
    if !text.is_empty() && !is_qualified_part(text) {
        reasons.push(LABEL_VALUE.to_owned());
    }
    reasons
}

/// `IsValidPortNum`
pub(super) fn port_number(port: i64) -> Option<String> {
    (!(1..=65535).contains(&port)).then(|| "must be between 1 and 65535, inclusive".to_owned())
}

/// `IsValidPortName`
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 15 {
        reasons.push(too_long(15, "characters"));
    }
    if text.is_empty() || !text.bytes().all(|byte| dns(byte) || byte == b'-') {
        reasons.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        reasons.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        reasons.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        reasons.push("must not begin or end with a hyphen".to_owned());
    }
    reasons
}

/// `IsConfigMapKey`
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 253 {
        reasons.push(too_long(253, "characters"));
    }
    if text.is_empty()
        || !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    {
        reasons.push(CONFIG_KEY.to_owned());
    }
    if text == "." {
        reasons.push("must not be '.'".to_owned());
    }
    if text == ".." {
        reasons.push("must not be '..'".to_owned());
    } else if text.starts_with("..") {
        reasons.push("must not start with '..'".to_owned());
    }
    reasons
}

/// `IsRelaxedEnvVarName`
pub(super) fn env_name(version: Profile, text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if !version.enabled(Gate::RelaxedEnvironmentVariableValidation) {
        return strict_env_name(text);
    }
    if text.is_empty() {
        reasons.push("environment variable name must not be empty".to_owned());
    }
    if text.chars().any(|c| !(' '..='~').contains(&c) || c == '=') {
        reasons.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    reasons
}

/// `IsEnvVarName`, which held before names were relaxed.
fn strict_env_name(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(inner) {
        reasons.push(ENV_NAME.to_owned());
    }
    // `hasChDirPrefix`
    match text {
        "." => reasons.push("must not be '.'".to_owned()),
        ".." => reasons.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => reasons.push("must not start with '..'".to_owned()),
        _ => {}
    }
    reasons
}

/// `IsValidIP`
pub(super) fn ip(text: &str) -> Option<String> {
    text.parse::<std::net::IpAddr>()
        .is_err()
        .then(|| "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned())
}
