//! The sockets of a kernel: the server's side of ZMTP 3.0 (<https://rfc.zeromq.org/spec/23/>) with the NULL mechanism, over
//! TCP or a Unix socket.
//!
//! Every peer has a writer and a queue of its own, so that one that stops reading harms no other: when its queue is
//! full it is disconnected, as a publisher may. Sending never waits and may be done from any thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};

/// The parts of a message.
pub type Frames = Vec<Vec<u8>>;

/// Bytes of one message.
const MAX_MESSAGE: u64 = 256 << 20;
/// Parts of one message.
const MAX_FRAMES: usize = 1024;
/// Bytes that may wait for one peer.
const MAX_WAITING: usize = 64 << 20;
/// How long a peer may take to say who it is.
const GREETING_TIME: Duration = Duration::from_secs(10);

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// What a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Answers go to the peer that asked.
    Router,
    /// The same, in turn.
    Rep,
    /// Everybody who has subscribed gets what is published, and its owner is told who subscribes.
    Xpub,
}

impl Socket {
    fn name(self) -> &'static str {
        match self {
            Self::Router => "ROUTER",
            Self::Rep => "REP",
            Self::Xpub => "XPUB",
        }
    }
}

/// A connected peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(u64);

#[cfg(test)]
impl PeerId {
    pub(super) fn for_test() -> Self {
        Self(0)
    }
}

/// What comes from a peer.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(PeerId, Frames),
    /// It wants what begins with this.
    Subscribed(PeerId, Vec<u8>),
}

enum Outgoing {
    Message(Arc<Frames>),
    Command(Vec<u8>),
    Flush(oneshot::Sender<()>),
}

struct Peer {
    queue: mpsc::UnboundedSender<Outgoing>,
    waiting: Arc<AtomicUsize>,
    topics: Vec<Vec<u8>>,
    stop: Option<oneshot::Sender<()>>,
}

/// The peers of one socket. Clones are of the same socket.
#[derive(Clone, Default)]
pub struct Peers {
    peers: Arc<Mutex<BTreeMap<PeerId, Peer>>>,
}

impl Peers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message to one peer; one that has gone gets nothing.
    pub fn send(&self, to: PeerId, frames: Frames) {
        let frames = Arc::new(frames);
        self.push(&mut self.lock(), to, &frames);
    }

    /// Sends a message to everybody who has subscribed to what its first part begins with.
    pub fn publish(&self, frames: Frames) {
        let frames = Arc::new(frames);
        let mut peers = self.lock();
        let topic = frames.first().map(Vec::as_slice).unwrap_or_default();
        let wants = |peer: &Peer| peer.topics.iter().any(|own| topic.starts_with(own));
        let to: Vec<PeerId> = peers
            .iter()
            .filter(|(_, peer)| wants(peer))
            .map(|(id, _)| *id)
            .collect();
        for id in to {
            self.push(&mut peers, id, &frames);
        }
    }

    fn push(&self, peers: &mut BTreeMap<PeerId, Peer>, to: PeerId, frames: &Arc<Frames>) {
        let Some(peer) = peers.get_mut(&to) else { return };
        let size = size_of_message(frames);
        if peer.waiting.fetch_add(size, Ordering::Relaxed) + size > MAX_WAITING {
            // It does not read. Its connection ends; it may come again.
            peers.remove(&to);
            return;
        }
        let _ = peer.queue.send(Outgoing::Message(Arc::clone(frames)));
    }

    /// Waits until everything was handed to the system for those who read, at most so long.
    pub async fn flush(&self, longest: Duration) {
        let done: Vec<oneshot::Receiver<()>> = self
            .lock()
            .values()
            .map(|peer| {
                let (sender, receiver) = oneshot::channel();
                let _ = peer.queue.send(Outgoing::Flush(sender));
                receiver
            })
            .collect();
        let all = async {
            for one in done {
                let _ = one.await;
            }
        };
        let _ = tokio::time::timeout(longest, all).await;
    }
}

fn size_of_message(frames: &Frames) -> usize {
    frames.iter().map(|frame| frame.len() + 9).sum()
}

/// Where a socket listens.
pub enum Listener {
    /// A TCP port.
    Tcp(tokio::net::TcpListener),
    /// A path.
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

impl Listener {
    /// Binds `tcp://ip:port` or `ipc://ip-port`.
    ///
    /// # Errors
    /// When the address is taken or cannot be.
    pub async fn bind(transport: &str, ip: &str, port: u16) -> io::Result<Self> {
        match transport {
            "tcp" => Ok(Self::Tcp(tokio::net::TcpListener::bind((ip, port)).await?)),
            #[cfg(unix)]
            "ipc" => {
                let path = format!("{ip}-{port}");
                // A socket that a kernel before this one has left.
                let _ = std::fs::remove_file(&path);
                Ok(Self::Unix(tokio::net::UnixListener::bind(path)?))
            }
            other => Err(io::Error::other(format!("transport {other:?} is not known"))),
        }
    }

    /// Serves every peer that comes, for as long as the runtime lives.
    pub fn serve(self, socket: Socket, incoming: mpsc::UnboundedSender<Incoming>) -> Peers {
        let peers = Peers::default();
        let own = peers.clone();
        tokio::spawn(async move {
            static NEXT: AtomicU64 = AtomicU64::new(1);
            loop {
                let id = PeerId(NEXT.fetch_add(1, Ordering::Relaxed));
                let (peers, incoming) = (own.clone(), incoming.clone());
                match &self {
                    Self::Tcp(listener) => match listener.accept().await {
                        Ok((stream, _)) => {
                            let _ = stream.set_nodelay(true);
                            let (read, write) = stream.into_split();
                            tokio::spawn(connected(socket, id, read, write, peers, incoming));
                        }
                        // Out of file descriptors, most likely: it passes.
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    },
                    #[cfg(unix)]
                    Self::Unix(listener) => match listener.accept().await {
                        Ok((stream, _)) => {
                            let (read, write) = stream.into_split();
                            tokio::spawn(connected(socket, id, read, write, peers, incoming));
                        }
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    },
                }
            }
        });
        peers
    }
}

async fn connected(
    socket: Socket,
    id: PeerId,
    read: impl AsyncRead + Unpin + Send + 'static,
    mut write: impl AsyncWrite + Unpin + Send + 'static,
    peers: Peers,
    incoming: mpsc::UnboundedSender<Incoming>,
) {
    let mut read = BufReader::with_capacity(64 << 10, read);
    match tokio::time::timeout(GREETING_TIME, greet(socket, &mut read, &mut write)).await {
        Ok(Ok(())) => {}
        _ => return,
    }
    let (queue, waiting_queue) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let peer = Peer {
        queue,
        waiting: Arc::clone(&waiting),
        topics: Vec::new(),
        stop: Some(stop),
    };
    peers.lock().insert(id, peer);
    let reading = reader(socket, id, read, &peers, &incoming);
    // Whichever ends first ends the connection: the peer goes, or it is thrown out because it does not read.
    tokio::select! {
        () = reading => {}
        () = writer(write, waiting_queue, waiting) => {}
        _ = stopped => {}
    }
    peers.lock().remove(&id);
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// Greeting and handshake.
async fn greet(
    socket: Socket,
    read: &mut (impl AsyncRead + Unpin),
    write: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut own = [0_u8; 64];
    (own[0], own[9], own[10]) = (0xff, 0x7f, 3);
    own[12..16].copy_from_slice(b"NULL");
    write.write_all(&own).await?;
    write.flush().await?;
    let mut theirs = [0_u8; 64];
    read.read_exact(&mut theirs).await?;
    let is_zmtp = theirs[0] == 0xff && theirs[9] & 1 == 1 && theirs[10] >= 3;
    if !is_zmtp || &theirs[12..17] != b"NULL\0" {
        return Err(io::Error::other("another protocol"));
    }
    let mut ready = command("READY");
    property(&mut ready, "Socket-Type", socket.name().as_bytes());
    property(&mut ready, "Identity", b"");
    write_frame(write, COMMAND, &ready).await?;
    write.flush().await?;
    let (flags, body) = read_frame(read, 64 << 10).await?;
    if flags & COMMAND == 0 || !body.starts_with(b"\x05READY") {
        return Err(io::Error::other("no handshake"));
    }
    Ok(())
}

fn command(name: &str) -> Vec<u8> {
    let mut body = vec![u8::try_from(name.len()).unwrap_or(0)];
    body.extend(name.as_bytes());
    body
}

fn property(body: &mut Vec<u8>, name: &str, value: &[u8]) {
    body.extend(command(name));
    body.extend(u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
    body.extend(value);
}

async fn reader(
    socket: Socket,
    id: PeerId,
    mut read: impl AsyncRead + Unpin,
    peers: &Peers,
    incoming: &mpsc::UnboundedSender<Incoming>,
) {
    let (mut frames, mut left) = (Frames::new(), MAX_MESSAGE);
    while let Ok((flags, body)) = read_frame(&mut read, left).await {
        if flags & COMMAND != 0 {
            if let Some(context) = body.strip_prefix(b"\x04PING".as_slice()) {
                let mut pong = command("PONG");
                pong.extend(context.get(2..).unwrap_or_default());
                if let Some(peer) = peers.lock().get(&id) {
                    let _ = peer.queue.send(Outgoing::Command(pong));
                }
            } else if let Some(topic) = body.strip_prefix(b"\x09SUBSCRIBE".as_slice()) {
                subscribe(id, topic, peers, incoming);
            } else if let Some(topic) = body.strip_prefix(b"\x06CANCEL".as_slice()) {
                unsubscribe(id, topic, peers);
            }
            continue;
        }
        left = left.saturating_sub(body.len() as u64);
        frames.push(body);
        if frames.len() > MAX_FRAMES {
            return;
        }
        if flags & MORE != 0 {
            continue;
        }
        let message = std::mem::take(&mut frames);
        left = MAX_MESSAGE;
        if socket == Socket::Xpub {
            match message.first().and_then(|body| body.split_first()) {
                Some((1, topic)) => subscribe(id, topic, peers, incoming),
                Some((0, topic)) => unsubscribe(id, topic, peers),
                _ => {}
            }
        } else if incoming.send(Incoming::Message(id, message)).is_err() {
            return;
        }
    }
}

fn subscribe(id: PeerId, topic: &[u8], peers: &Peers, incoming: &mpsc::UnboundedSender<Incoming>) {
    if let Some(peer) = peers.lock().get_mut(&id) {
        peer.topics.push(topic.to_vec());
    }
    let _ = incoming.send(Incoming::Subscribed(id, topic.to_vec()));
}

fn unsubscribe(id: PeerId, topic: &[u8], peers: &Peers) {
    if let Some(peer) = peers.lock().get_mut(&id)
        && let Some(at) = peer.topics.iter().position(|own| own == topic)
    {
        peer.topics.remove(at);
    }
}

async fn writer(
    mut write: impl AsyncWrite + Unpin,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    waiting: Arc<AtomicUsize>,
) {
    while let Some(outgoing) = queue.recv().await {
        let written = match outgoing {
            Outgoing::Command(body) => {
                let mut bytes = Vec::new();
                encode(&mut bytes, COMMAND, &body);
                write.write_all(&bytes).await
            }
            Outgoing::Flush(done) => {
                let flushed = write.flush().await;
                let _ = done.send(());
                flushed
            }
            Outgoing::Message(frames) => {
                let mut bytes = Vec::with_capacity(size_of_message(&frames));
                for (index, frame) in frames.iter().enumerate() {
                    encode(&mut bytes, if index + 1 < frames.len() { MORE } else { 0 }, frame);
                }
                let written = write.write_all(&bytes).await;
                waiting.fetch_sub(size_of_message(&frames), Ordering::Relaxed);
                written
            }
        };
        if written.is_err() {
            return;
        }
    }
    // Thrown out: what is queued is gone with the queue.
}

fn encode(bytes: &mut Vec<u8>, flags: u8, body: &[u8]) {
    match u8::try_from(body.len()) {
        Ok(length) => bytes.extend([flags, length]),
        Err(_) => {
            bytes.push(flags | LONG);
            bytes.extend((body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(body);
}

async fn write_frame(write: &mut (impl AsyncWrite + Unpin), flags: u8, body: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::new();
    encode(&mut bytes, flags, body);
    write.write_all(&bytes).await
}

async fn read_frame(read: &mut (impl AsyncRead + Unpin), most: u64) -> io::Result<(u8, Vec<u8>)> {
    let flags = read.read_u8().await?;
    if flags & !(MORE | LONG | COMMAND) != 0 {
        return Err(io::Error::other("no frame"));
    }
    let length = match flags & LONG {
        0 => u64::from(read.read_u8().await?),
        _ => read.read_u64().await?,
    };
    if length > most {
        return Err(io::Error::other("a message of that length is not taken"));
    }
    // What is announced may never come: room is made for what is there.
    let mut body = Vec::new();
    let got = read.take(length).read_to_end(&mut body).await?;
    if got as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((flags, body))
}
