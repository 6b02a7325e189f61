//! What the processes of a container may ask of the machine around them. Everything outside of a container is behind
//! this one trait, so that processes are plain data and a kubelet, a test or the command line can host them.

use std::fmt;

use jiff::Timestamp;

use super::files::{Ino, Tree};
use super::namespaces::Ipc;
use crate::time::SimTime;

/// The machine around a container, for the length of one call.
pub trait Host {
    /// Now in virtual time.
    fn now(&self) -> SimTime;

    /// Now on the wall clock, for `date`.
    fn wall_now(&self) -> Timestamp;

    /// A number below `bound`, from the cluster's seed.
    fn random(&mut self, bound: u64) -> u64;

    /// A line that the main process or a descendant wrote to its standard output or standard error; without the newline.
    fn write_log(&mut self, stderr: bool, line: &str);

    /// Bytes that the main process or a descendant wrote, as they come; true when that is all the host wants and no lines
    /// are made of them.
    fn write_output(&mut self, stderr: bool, bytes: &[u8]) -> bool {
        let _ = (stderr, bytes);
        false
    }

    /// Bytes that came on the main process's standard input, at most so many; none at its end.
    fn read_input(&mut self, limit: usize) -> Vec<u8> {
        let _ = limit;
        Vec::new()
    }

    /// The container's own root file system.
    fn root(&mut self) -> &mut Tree;

    /// The files of a mounted volume, by the `volume` of its [`Mount`].
    fn volume(&mut self, name: &str) -> Option<&mut Tree> {
        let _ = name;
        None
    }

    /// Bytes that files of a mounted volume, or of the root file system, may still grow by.
    fn room(&mut self, volume: Option<&str>) -> u64 {
        let _ = volume;
        u64::MAX
    }

    /// Says that something is accepted without being simulated, or assumed. The same text may come many times.
    fn notice(&mut self, text: &str) {
        let _ = text;
    }

    /// Takes a port of the pod's address for a process of this container.
    ///
    /// # Errors
    /// [`NetError::AddressInUse`] when another process of the pod listens there.
    fn listen(&mut self, port: u16) -> Result<(), NetError> {
        let _ = port;
        Ok(())
    }

    /// Gives a port back.
    fn close(&mut self, port: u16) {
        let _ = port;
    }

    /// The ports of the pod's address on which somebody listens, in order.
    fn ports(&mut self) -> Vec<u16> {
        Vec::new()
    }

    /// The addresses behind a name; a dotted address is its own.
    ///
    /// # Errors
    /// [`NetError::NoSuchHost`] when the name is unknown.
    fn resolve(&mut self, name: &str) -> Result<Vec<String>, NetError> {
        if name == "localhost" || is_address(name) {
            return Ok(vec![if name == "localhost" {
                "127.0.0.1".to_owned()
            } else {
                name.to_owned()
            }]);
        }
        Err(NetError::NoSuchHost(name.to_owned()))
    }

    /// The name server and the domains that it is asked with (`/etc/resolv.conf`); no server when there is none.
    fn resolver(&mut self) -> (Option<String>, Vec<String>) {
        (None, Vec::new())
    }

    /// What the name server says to one complete name.
    fn lookup(&mut self, name: &str) -> Lookup {
        let _ = name;
        Lookup::default()
    }

    /// The names that the name server knows of an address.
    fn reverse(&mut self, address: &str) -> Vec<String> {
        let _ = address;
        Vec::new()
    }

    /// Sends a request to an address and port. The answer comes later through [`super::process::Processes::answer`]
    /// with this id; `127.0.0.1` is the pod itself.
    ///
    /// # Errors
    /// What is known at once, such as a refused connection.
    fn send(&mut self, id: RequestId, address: &str, port: u16, request: &Request) -> Result<(), NetError> {
        let _ = (id, request);
        Err(NetError::Refused {
            address: address.to_owned(),
            port,
        })
    }

    /// Whether the machine runs commands of its own for processes ([`Host::command`]), such as `kubectl` on a workstation.
    fn runs_commands(&self) -> bool {
        false
    }

    /// A command that the machine runs for a process: its words with the program's name, the directory in which it was
    /// started, and what was piped into it. Its [`Response::Output`] comes later, as that of [`Host::send`].
    fn command(&mut self, id: RequestId, argv: Vec<String>, directory: &str, stdin: Vec<u8>) {
        let _ = (id, argv, directory, stdin);
    }

    /// The System V objects that the container sees.
    fn ipc(&mut self) -> Option<&mut Ipc> {
        None
    }

    /// The pod's address.
    fn address(&mut self) -> String {
        "127.0.0.1".to_owned()
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// A name server's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Whether the name exists.
    pub exists: bool,
    /// The aliases that were followed: a name, and what it stands for.
    pub aliases: Vec<(String, String)>,
    /// IPv4 addresses.
    pub addresses: Vec<String>,
}

/// A request that a process of this container has sent and whose answer it awaits. Unique within the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// What is sent to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// An HTTP/1.1 request.
    Http {
        /// `GET`, `POST` …
        method: String,
        /// Path and query.
        path: String,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// A TCP connection that sends these bytes and closes its side. Empty bytes only ask whether somebody listens.
    Tcp {
        /// What is sent.
        data: Vec<u8>,
    },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// An HTTP answer.
    Http {
        /// Status code.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// What a command of the machine has printed since the last such answer.
    Output {
        /// What it wrote to standard output.
        stdout: Vec<u8>,
        /// What it wrote to standard error.
        stderr: Vec<u8>,
        /// Its exit code, once it has ended; until then more follows under the same id.
        exit_code: Option<i32>,
    },
    /// The bytes that came over a TCP connection until it was closed.
    Tcp {
        /// What was received.
        data: Vec<u8>,
    },
}

/// Why the network refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetError {
    /// Somebody else listens on the port.
    AddressInUse,
    /// Nobody listens there.
    Refused {
        /// Address.
        address: String,
        /// Port.
        port: u16,
    },
    /// No answer.
    TimedOut,
    /// No way to there.
    Unreachable,
    /// The name is unknown.
    NoSuchHost(String),
    /// The other side closed the connection without an answer.
    Reset,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressInUse => f.write_str("Address already in use"),
            Self::Refused { .. } => f.write_str("Connection refused"),
            Self::TimedOut => f.write_str("Connection timed out"),
            Self::Unreachable => f.write_str("No route to host"),
            Self::NoSuchHost(name) => write!(f, "bad address '{name}'"),
            Self::Reset => f.write_str("Connection reset by peer"),
        }
    }
}

/// A volume at a place in the container's file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path in the container.
    pub path: String,
    /// Name by which [`Host::volume`] gives its files.
    pub volume: String,
    /// The part of the volume that is mounted; empty for all of it.
    pub sub_path: String,
    /// The file or directory itself, once it is found: what takes its place later is not seen through the mount.
    pub root: Option<Ino>,
    /// Whether writes fail with "Read-only file system".
    pub read_only: bool,
}
