//! Messages of the Jupyter protocol as parts of a ZeroMQ message: signed, with the parent's header byte for byte.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::zmtp::{Frames, PeerId};

/// What stands between the addresses of a message and its signature.
const DELIMITER: &[u8] = b"<IDS|MSG>";

/// The version of the protocol that is spoken.
pub const PROTOCOL: &str = "5.4";

/// Signs messages, and knows who made them.
#[derive(Clone)]
pub struct Signer {
    key: Vec<u8>,
}

impl Signer {
    /// HMAC-SHA256 with a key; without one, nothing is signed.
    pub fn new(key: &str) -> Self {
        Self {
            key: key.as_bytes().to_vec(),
        }
    }

    fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        if self.key.is_empty() {
            return None;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac)
    }

    fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        let Some(mac) = self.mac(parts) else {
            return Vec::new();
        };
        let digest = mac.finalize().into_bytes();
        digest
            .iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect()
    }

    /// Whether a signature is right; the time that it takes does not tell how nearly.
    fn verifies(&self, signature: &[u8], parts: &[&[u8]]) -> bool {
        let Some(mac) = self.mac(parts) else { return true };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes: Option<Vec<u8>> = signature
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect();
        bytes.is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who sent it.
    pub peer: PeerId,
    /// Parts before the delimiter: addresses that others have put there.
    addresses: Frames,
    /// Its header, as it came.
    header: Vec<u8>,
    /// `execute_request` …
    pub kind: String,
    /// What it asks.
    pub content: Value,
}

impl Request {
    /// Reads a message; `None` for one that is none or that somebody else has signed.
    pub fn read(peer: PeerId, mut frames: Frames, signer: &Signer) -> Option<Self> {
        let at = frames.iter().position(|frame| frame == DELIMITER)?;
        let parts = frames.split_off(at + 1);
        frames.pop();
        let [signature, header, parent, metadata, content, ..] = parts.as_slice() else {
            return None;
        };
        if !signer.verifies(signature, &[header, parent, metadata, content]) {
            return None;
        }
        let fields: Value = serde_json::from_slice(header).ok()?;
        let kind = fields.get("msg_type")?.as_str()?.to_owned();
        let content = serde_json::from_slice(content).ok().filter(Value::is_object)?;
        Some(Self {
            peer,
            addresses: frames,
            header: header.clone(),
            kind,
            content,
        })
    }

    /// The parent header of what answers it.
    pub fn parent(&self) -> &[u8] {
        &self.header
    }

    /// A text of its content.
    pub fn text(&self, field: &str) -> &str {
        self.content.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A switch of its content.
    pub fn on(&self, field: &str, default: bool) -> bool {
        self.content.get(field).and_then(Value::as_bool).unwrap_or(default)
    }

    /// A number of its content.
    pub fn number(&self, field: &str) -> Option<i64> {
        self.content.get(field).and_then(Value::as_i64)
    }
}

/// Makes the messages of one kernel.
pub struct Writer {
    signer: Signer,
    session: String,
    count: std::sync::atomic::AtomicU64,
}

impl Writer {
    /// A writer of a session that no other process has.
    pub fn new(signer: Signer, session: String) -> Self {
        Self {
            signer,
            session,
            count: std::sync::atomic::AtomicU64::new(0),
        }
    }

    fn parts(&self, first: Frames, kind: &str, parent: &[u8], content: &Value) -> Frames {
        let count = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let header = json!({
            "msg_id": format!("{}_{count}", self.session),
            "session": self.session,
            "username": "peapod",
            "date": jiff::Timestamp::now().to_string(),
            "msg_type": kind,
            "version": PROTOCOL,
        })
        .to_string()
        .into_bytes();
        let content = content.to_string().into_bytes();
        let parent = if parent.is_empty() { b"{}" } else { parent };
        let signature = self.signer.sign(&[&header, parent, b"{}", &content]);
        let mut frames = first;
        frames.extend([
            DELIMITER.to_vec(),
            signature,
            header,
            parent.to_vec(),
            b"{}".to_vec(),
            content,
        ]);
        frames
    }

    /// The answer to a request.
    pub fn reply(&self, to: &Request, kind: &str, content: &Value) -> Frames {
        self.parts(to.addresses.clone(), kind, &to.header, content)
    }

    /// Something that is told to everybody.
    pub fn broadcast(&self, kind: &str, parent: &[u8], content: &Value) -> Frames {
        self.parts(vec![format!("kernel.{kind}").into_bytes()], kind, parent, content)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(key: &str, header: &str, content: &str) -> Frames {
        let (signer, empty) = (Signer::new(key), b"{}");
        let signature = signer.sign(&[header.as_bytes(), empty, empty, content.as_bytes()]);
        let texts = [header.as_bytes(), empty, empty, content.as_bytes()];
        let mut frames = vec![b"route".to_vec(), DELIMITER.to_vec(), signature];
        frames.extend(texts.map(<[u8]>::to_vec));
        frames
    }

    #[test]
    fn only_signed_messages_are_read() {
        let peer = PeerId::for_test();
        let header = r#"{"msg_type":"x",  "subshell_id": 7}"#;
        let frames = message("k", header, r#"{"a":"b"}"#);
        let request = Request::read(peer, frames.clone(), &Signer::new("k")).unwrap();
        assert_eq!((request.kind.as_str(), request.text("a")), ("x", "b"));
        assert_eq!(request.parent(), header.as_bytes());
        assert!(Request::read(peer, frames.clone(), &Signer::new("other")).is_none());
        for at in 2..7 {
            let mut changed = frames.clone();
            changed[at].push(b' ');
            assert!(Request::read(peer, changed, &Signer::new("k")).is_none(), "{at}");
        }
        assert!(Request::read(peer, frames[..5].to_vec(), &Signer::new("k")).is_none());
        assert!(Request::read(peer, message("", header, "[]"), &Signer::new("")).is_none());
        assert!(Request::read(peer, message("", header, "{}"), &Signer::new("")).is_some());
    }

    #[test]
    fn answers_go_back_with_the_header_as_it_came() {
        let header = r#"{"msg_type":"x",  "b":1, "a":2}"#;
        let request = Request::read(PeerId::for_test(), message("k", header, "{}"), &Signer::new("k")).unwrap();
        let frames = Writer::new(Signer::new("k"), "s".to_owned()).reply(&request, "y", &json!({}));
        assert_eq!(frames[0], b"route");
        assert_eq!(frames[4], header.as_bytes());
        assert!(Request::read(PeerId::for_test(), frames, &Signer::new("k")).is_some());
    }

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let signer = Signer::new("Jefe");
        let signature = signer.sign(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(
            String::from_utf8(signature).unwrap(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
