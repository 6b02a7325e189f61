//! A trace as one compressed blob, named by its digest.

use peapod_sim::trace::Trace;
use sha2::{Digest, Sha256};

use super::model::hex;

/// At most so many bytes of JSON are read back from one blob: a damaged or forged one cannot fill the memory.
pub const MAX_TRACE_BYTES: u64 = 1 << 30;
/// zstd's own default: traces shrink by a factor of ten to forty, and higher levels gain little.
const LEVEL: i32 = 3;

/// A trace ready to be stored. Making one is work for the processor: do it on the trial's own thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedTrace {
    /// Lower-case hexadecimal SHA-256 of the trace's JSON.
    pub digest: String,
    /// Bytes of the JSON.
    pub size: u64,
    /// The JSON, compressed with zstd.
    pub body: Vec<u8>,
}

impl EncodedTrace {
    /// Encodes a trace.
    ///
    /// # Errors
    /// When the trace cannot be written as JSON.
    pub fn new(trace: &Trace) -> Result<Self, serde_json::Error> {
        Ok(Self::of_json(&serde_json::to_vec(trace)?))
    }

    /// Encodes a trace whose JSON is at hand.
    pub fn of_json(json: &[u8]) -> Self {
        let body = zstd::bulk::compress(json, LEVEL).expect("compressing into memory fails only for a wrong level");
        Self {
            digest: hex(&Sha256::digest(json)),
            size: json.len() as u64,
            body,
        }
    }

    /// Gives the trace back, after comparing it with the digest.
    ///
    /// # Errors
    /// A sentence that says what is damaged.
    pub fn decode(&self) -> Result<Trace, String> {
        if self.size > MAX_TRACE_BYTES {
            return Err(format!(
                "it says it has {} bytes; at most {MAX_TRACE_BYTES} are read",
                self.size
            ));
        }
        let capacity = usize::try_from(self.size).map_err(|_| "it is too large for this machine".to_owned())?;
        let json = zstd::bulk::decompress(&self.body, capacity)
            .map_err(|error| format!("it cannot be decompressed: {error}"))?;
        let digest = hex(&Sha256::digest(&json));
        if digest != self.digest {
            return Err(format!("its digest is {digest}, not {}", self.digest));
        }
        serde_json::from_slice(&json).map_err(|error| format!("it is not a trace: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::instant::tests::crash_loop;

    #[test]
    fn a_trace_comes_back_as_it_was() {
        let trace = crash_loop();
        let encoded = EncodedTrace::new(&trace).expect("JSON");
        assert_eq!(encoded.decode().expect("intact"), trace);
        assert!(
            (encoded.body.len() as u64) < encoded.size / 2,
            "{} of {}",
            encoded.body.len(),
            encoded.size
        );
        assert_eq!(
            EncodedTrace::new(&trace).expect("JSON"),
            encoded,
            "the same trace gives the same bytes"
        );
    }

    #[test]
    fn damage_is_named() {
        let encoded = EncodedTrace::new(&crash_loop()).expect("JSON");
        let mut cut = encoded.clone();
        cut.body.truncate(cut.body.len() / 2);
        assert!(cut.decode().expect_err("cut").contains("decompressed"));
        let other = EncodedTrace {
            digest: encoded.digest.clone(),
            ..EncodedTrace::of_json(b"{}")
        };
        assert!(other.decode().expect_err("another").contains("digest"));
        assert!(
            EncodedTrace::of_json(b"[]")
                .decode()
                .expect_err("no trace")
                .contains("not a trace")
        );
        let huge = EncodedTrace {
            size: u64::MAX,
            ..encoded
        };
        assert!(huge.decode().expect_err("huge").contains("at most"));
    }
}
