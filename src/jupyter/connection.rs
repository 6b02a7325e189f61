//! The file with which Jupyter tells a kernel where to listen.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// Where a kernel listens, and the key of its messages.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Connection {
    /// `tcp` or `ipc`.
    #[serde(default = "tcp")]
    pub transport: String,
    /// Address, or the beginning of a path.
    pub ip: String,
    /// Key of the signatures; empty for none.
    #[serde(default)]
    pub key: String,
    /// `hmac-sha256`
    #[serde(default = "scheme")]
    pub signature_scheme: String,
    /// Port of requests.
    pub shell_port: u16,
    /// Port of what everybody is told.
    pub iopub_port: u16,
    /// Port of questions to the user.
    pub stdin_port: u16,
    /// Port of requests that overtake others.
    pub control_port: u16,
    /// Port of the heartbeat.
    pub hb_port: u16,
}

fn tcp() -> String {
    "tcp".to_owned()
}

fn scheme() -> String {
    "hmac-sha256".to_owned()
}

impl Connection {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or asks for what this kernel cannot do.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("{} cannot be read: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| error.context(format!("{} is no connection file", path.display())))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        if value.get("registration_port").is_some() {
            anyhow::bail!("it asks for the registration handshake of protocol 5.6, which this kernel does not know");
        }
        let encrypted = ["curve_publickey", "curve_secretkey"].iter().any(|key| {
            value
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|key| !key.is_empty())
        });
        if encrypted {
            anyhow::bail!("it asks for CurveZMQ, which this kernel does not know");
        }
        let connection: Self = serde_json::from_value(value)?;
        if !connection.key.is_empty() && connection.signature_scheme != "hmac-sha256" {
            anyhow::bail!("signature_scheme {:?} is not hmac-sha256", connection.signature_scheme);
        }
        let transports: &[&str] = if cfg!(unix) { &["tcp", "ipc"] } else { &["tcp"] };
        if !transports.contains(&connection.transport.as_str()) {
            anyhow::bail!(
                "transport {:?} is not {}",
                connection.transport,
                transports.join(" or ")
            );
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_cannot_be_served_is_refused() {
        let ports = r#""ip":"127.0.0.1","shell_port":1,"iopub_port":2,"stdin_port":3,"control_port":4,"hb_port":5"#;
        let plain = Connection::parse(&format!("{{{ports},\"key\":\"k\",\"more\":1}}")).unwrap();
        assert_eq!((plain.transport.as_str(), plain.hb_port), ("tcp", 5));
        for more in [
            r#""transport":"pigeon""#,
            r#""key":"k","signature_scheme":"hmac-md5""#,
            r#""registration_port":1"#,
            r#""curve_publickey":"x""#,
        ] {
            assert!(Connection::parse(&format!("{{{ports},{more}}}")).is_err(), "{more}");
        }
        assert!(Connection::parse("{}").is_err());
    }
}
