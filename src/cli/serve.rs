//! `peapod serve`: the notes in a browser.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::net::TcpListener;

use crate::store::Store;
use crate::web::{self, App};
use crate::workspace::Workspace;

/// How long requests that are being answered may take after the server was told to stop.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long runs may go on then.
const RUN_PATIENCE: Duration = Duration::from_secs(2);

/// Serve a vault of notes to a browser.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The folder of notes. Without it: `notes/` in a checkout of Peapod, otherwise the built-in library.
    vault: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7327")]
    listen: SocketAddr,
    /// Another name under which browsers may ask for this server (beside localhost and IP addresses).
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            vault: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 7327)),
            hosts: Vec::new(),
        }
    }
}

/// Serves until the process is told to stop.
pub fn run(arguments: &Serve) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the server cannot start: {error}")),
    };
    let code = match runtime.block_on(serve(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&why),
    };
    // A trial in flight must not keep a server alive that was told to stop; it is marked as interrupted.
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("peapod: {why}");
    ExitCode::from(2)
}

async fn serve(arguments: &Serve) -> Result<(), String> {
    let root = arguments.vault.clone().or_else(|| own_notes(Path::new(".")));
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "{} is taken by another program (perhaps another Peapod); stop that one, or choose another port: --listen 127.0.0.1:{}",
            arguments.listen,
            arguments.listen.port().wrapping_add(1).max(1024)
        ),
        _ => format!("{} cannot be listened on: {error}", arguments.listen),
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let workspace = Workspace::open(root.as_deref()).map_err(|error| error.to_string())?;
    let store = match workspace.root() {
        Some(root) => Store::of_vault(root),
        None => Store::in_folder(data_folder()),
    };
    store.open().await.map_err(|error| error.to_string())?;
    let _watching = workspace.watch();
    let app = App::new(workspace.clone(), store.clone(), arguments.hosts.clone());
    announce(address, &workspace, &store);
    let warm = workspace.clone();
    tokio::spawn(async move { warm.warm_search().await });

    let (told, mut stopping) = tokio::sync::watch::channel(false);
    let mut hurry = stopping.clone();
    tokio::spawn(async move {
        stop_signal().await;
        let _ = told.send(true);
    });
    let server = axum::serve(listener, web::router(app.clone())).with_graceful_shutdown(async move {
        let _ = stopping.wait_for(|told| *told).await;
    });
    // Event streams end only with their pages: what is still open after a moment is cut off.
    let cut_off = async move {
        let _ = hurry.wait_for(|told| *told).await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        ended = server => ended.map_err(|error| format!("the server ended: {error}"))?,
        () = cut_off => {}
    }
    app.rooms().settle().await;
    app.runs().settle(Instant::now() + RUN_PATIENCE).await;
    store.close().await;
    Ok(())
}

/// Says where the notes are, and what is served.
fn announce(address: SocketAddr, workspace: &Workspace, store: &Store) {
    let notes = workspace.snapshot().vault.notes().count();
    let vault = workspace
        .root()
        .map_or_else(|| "the built-in library".to_owned(), |root| root.display().to_string());
    let mut out = std::io::stdout();
    // A reader that went away (`peapod | head -1`) does not stop the server.
    let _ = writeln!(
        out,
        "Peapod {} serves {vault} ({notes} notes)",
        env!("CARGO_PKG_VERSION")
    );
    let _ = writeln!(out, "  notes    http://{address}");
    let _ = writeln!(out, "  results  {}", store.path().display());
    if !address.ip().is_loopback() {
        let _ = writeln!(
            out,
            "  Anyone who reaches {address} can read these notes and run their cells."
        );
    }
    let _ = writeln!(out, "  Ctrl-C stops it.");
    let _ = out.flush();
}

/// The notes of a checkout of Peapod.
fn own_notes(folder: &Path) -> Option<PathBuf> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let is_peapod = manifest.lines().any(|line| line.trim() == "name = \"peapod\"");
    let notes = folder.join("notes");
    (is_peapod && notes.is_dir()).then_some(notes)
}

/// Where results are kept when no vault is served.
fn data_folder() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(home);
    data.map_or_else(|| PathBuf::from(crate::store::FOLDER), |data| data.join("peapod"))
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            },
            Err(_) => {
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}
