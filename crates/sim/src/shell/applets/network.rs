//! Applets that talk to others: `wget`, `curl`, `nc`, `nslookup`, `ping`. What they send goes through the host, which
//! knows pods and services.

use std::collections::VecDeque;
use std::sync::Arc;

use super::options::Options;
use super::{Applet, duration, run};
use crate::runtime::host::{NetError, Request, RequestId, Response};
use crate::runtime::kernel::{Pid, Wait};
use crate::runtime::process::ServeId;
use crate::runtime::syscalls::{Ctx, Open, Read, Step};
use crate::shell::program::Program;
use crate::time::{SimDuration, SimTime};

/// A client under way.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    Fetch(Box<Fetch>),
    Netcat(Box<Netcat>),
    Listen(Box<Listen>),
    Ping {
        address: Arc<str>,
        name: Arc<str>,
        sent: u32,
        count: u32,
        next: SimTime,
    },
}

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let result = match name {
        "wget" => wget(arguments),
        "curl" => curl(arguments),
        "nc" | "netcat" | "telnet" => netcat(arguments, ctx),
        "nslookup" | "host" | "getent" => return Some(Step::Exit(super::lookup::run(name, arguments, ctx))),
        "ping" | "ping6" => ping(arguments, ctx),
        _ => return None,
    };
    Some(match result {
        Ok(client) => run(Applet::Client(client)),
        Err((code, message)) => {
            ctx.complain(&format!("{name}: {message}"));
            Step::Exit(code)
        }
    })
}

type Made = Result<Client, (i32, String)>;

/// Which program speaks, for its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Wget,
    Curl,
}

/// `wget` and `curl`: one request after the other.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    voice: Voice,
    urls: VecDeque<Url>,
    method: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Where the answer goes: a file, or `-`.
    output: Option<String>,
    quiet: bool,
    show_errors: bool,
    fail: bool,
    show_headers: bool,
    head_only: bool,
    write_out: Option<String>,
    timeout: Option<SimDuration>,
    tries: u32,
    waiting: Option<(RequestId, Option<SimTime>)>,
    address: String,
    code: i32,
}

/// A place on the network.
#[derive(Clone, Debug)]
struct Url {
    text: String,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, default),
        };
        if host.is_empty() {
            return None;
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Some(Self {
            text: text.to_owned(),
            host: host.to_owned(),
            port,
            path,
        })
    }
}

fn headers(options: &Options, letter: char) -> Vec<(String, String)> {
    let pairs = options.values(letter).filter_map(|header| header.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn wget(arguments: &[Arc<str>]) -> Made {
    let long = [
        ("spider", 's'),
        ("timeout", 'T'),
        ("quiet", 'q'),
        ("output-document", 'O'),
        ("header", 'H'),
        ("post-data", 'p'),
        ("tries", 't'),
        ("no-check-certificate", 'n'),
        ("server-response", 'S'),
        ("no-verbose", 'n'),
        ("directory-prefix", 'P'),
    ];
    let options = Options::parse("cqSO:o:U:P:Y:T:t:sH:p:n", &long, arguments).map_err(|message| (1, message))?;
    let url = options.operands.first().ok_or((1, "missing URL".to_owned()))?;
    let url = Url::parse(url).ok_or_else(|| (1, format!("not an http or ftp url: {url}")))?;
    let name = url
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let name = if name.is_empty() { "index.html".to_owned() } else { name };
    let name = options.value('P').map_or(name.clone(), |directory| {
        format!("{}/{name}", directory.trim_end_matches('/'))
    });
    Ok(Client::Fetch(Box::new(Fetch {
        voice: Voice::Wget,
        urls: VecDeque::from([url]),
        method: if options.has('p') { "POST" } else { "GET" }.to_owned(),
        headers: headers(&options, 'H'),
        body: options.value('p').unwrap_or_default().as_bytes().to_vec(),
        output: Some(options.value('O').map_or(name, str::to_owned)),
        quiet: options.has('q'),
        show_errors: true,
        fail: true,
        show_headers: options.has('S'),
        head_only: options.has('s'),
        write_out: None,
        timeout: options.value('T').and_then(duration),
        tries: options.value('t').and_then(|tries| tries.parse().ok()).unwrap_or(1),
        waiting: None,
        address: String::new(),
        code: 0,
    })))
}

fn curl(arguments: &[Arc<str>]) -> Made {
    let long = [
        ("silent", 's'),
        ("show-error", 'S'),
        ("fail", 'f'),
        ("output", 'o'),
        ("head", 'I'),
        ("include", 'i'),
        ("request", 'X'),
        ("data", 'd'),
        ("data-raw", 'd'),
        ("data-binary", 'd'),
        ("header", 'H'),
        ("max-time", 'm'),
        ("connect-timeout", 'c'),
        ("write-out", 'w'),
        ("location", 'L'),
        ("insecure", 'k'),
        ("verbose", 'v'),
        ("retry", 'r'),
        ("user", 'u'),
        ("user-agent", 'A'),
        ("no-progress-meter", 's'),
        ("url", 'U'),
        ("retry-delay", 'y'),
        ("compressed", 'k'),
        ("http1.1", 'k'),
        ("fail-with-body", 'f'),
        ("retry-connrefused", 'k'),
    ];
    let options =
        Options::parse("sSfo:OIiX:d:H:m:c:w:LkvgNr:u:A:U:y:4", &long, arguments).map_err(|message| (2, message))?;
    let texts = options.operands.iter().map(AsRef::as_ref).chain(options.values('U'));
    let mut urls = VecDeque::new();
    for text in texts {
        urls.push_back(Url::parse(text).ok_or_else(|| (3, format!("(3) URL rejected: {text}")))?);
    }
    let Some(first) = urls.front() else {
        return Err((2, "(2) no URL specified".to_owned()));
    };
    let name = first.path.rsplit('/').next().unwrap_or_default().to_owned();
    let method = match options.value('X') {
        Some(method) => method.to_owned(),
        None if options.has('I') => "HEAD".to_owned(),
        None if options.has('d') => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    Ok(Client::Fetch(Box::new(Fetch {
        voice: Voice::Curl,
        urls,
        method,
        headers: headers(&options, 'H'),
        body: options.values('d').collect::<Vec<_>>().join("&").into_bytes(),
        output: options
            .value('o')
            .map(str::to_owned)
            .or_else(|| options.has('O').then_some(name)),
        quiet: options.has('s'),
        show_errors: !options.has('s') || options.has('S'),
        fail: options.has('f'),
        show_headers: options.has('i') || options.has('I'),
        head_only: options.has('I'),
        write_out: options.value('w').map(str::to_owned),
        timeout: options.value('m').or(options.value('c')).and_then(duration),
        tries: options
            .value('r')
            .and_then(|tries| tries.parse::<u32>().ok())
            .unwrap_or(0)
            + 1,
        waiting: None,
        address: String::new(),
        code: 0,
    })))
}

/// How long a connection is tried when nobody says.
const PATIENCE: SimDuration = SimDuration::from_secs(130);

impl Fetch {
    fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        loop {
            let Some(url) = self.urls.front().cloned() else {
                return Step::Exit(self.code);
            };
            let Some((id, until)) = self.waiting else {
                if let Err(error) = self.send(ctx, &url) {
                    self.fail_with(ctx, &url, &error, None);
                    continue;
                }
                continue;
            };
            match ctx.take_answer(id) {
                Some(Ok(response)) => {
                    self.waiting = None;
                    self.urls.pop_front();
                    self.received(ctx, &url, response);
                }
                Some(Err(error)) => {
                    self.waiting = None;
                    self.fail_with(ctx, &url, &error, None);
                }
                None if until.is_some_and(|until| until <= ctx.now()) => {
                    self.waiting = None;
                    let span = self.timeout;
                    self.fail_with(ctx, &url, &NetError::TimedOut, span);
                }
                None => return Step::Wait(Wait::Answer(id, until)),
            }
            if !ctx.proc().out.is_empty() {
                return Step::Yield;
            }
        }
    }

    fn send(&mut self, ctx: &mut Ctx<'_>, url: &Url) -> Result<(), NetError> {
        self.address = ctx
            .host
            .resolve(&url.host)?
            .into_iter()
            .next()
            .ok_or_else(|| NetError::NoSuchHost(url.host.clone()))?;
        if self.voice == Voice::Wget && !self.quiet {
            ctx.complain(&format!(
                "Connecting to {}:{} ({}:{})",
                url.host, url.port, self.address, url.port
            ));
        }
        let mut headers = vec![(
            "Host".to_owned(),
            if url.port == 80 {
                url.host.clone()
            } else {
                format!("{}:{}", url.host, url.port)
            },
        )];
        let agent = if self.voice == Voice::Wget {
            "Wget"
        } else {
            "curl/8.10.1"
        };
        headers.push(("User-Agent".to_owned(), agent.to_owned()));
        headers.extend(self.headers.iter().cloned());
        let request = Request::Http {
            method: self.method.clone(),
            path: url.path.clone(),
            headers,
            body: self.body.clone(),
        };
        let id = ctx.send(&self.address, url.port, &request)?;
        self.waiting = Some((id, Some(ctx.now() + self.timeout.unwrap_or(PATIENCE))));
        Ok(())
    }

    fn fail_with(&mut self, ctx: &mut Ctx<'_>, url: &Url, error: &NetError, span: Option<SimDuration>) {
        self.tries = self.tries.saturating_sub(1);
        if self.tries > 0 && self.voice == Voice::Curl {
            return;
        }
        self.urls.pop_front();
        let (code, text) = match (self.voice, error) {
            (Voice::Wget, NetError::NoSuchHost(name)) => (1, format!("wget: bad address '{name}'")),
            (Voice::Wget, NetError::TimedOut) if span.is_some() => (1, "wget: download timed out".to_owned()),
            (Voice::Wget, NetError::Reset) => (1, "wget: error getting response: Connection reset by peer".to_owned()),
            (Voice::Wget, error) => (
                1,
                format!("wget: can't connect to remote host ({}): {error}", self.address),
            ),
            (Voice::Curl, NetError::NoSuchHost(name)) => (6, format!("curl: (6) Could not resolve host: {name}")),
            (Voice::Curl, NetError::TimedOut) => {
                let millis = span.unwrap_or(PATIENCE).0 / 1_000_000;
                (
                    28,
                    format!("curl: (28) Connection timed out after {millis} milliseconds"),
                )
            }
            (Voice::Curl, NetError::Reset) => (52, "curl: (52) Empty reply from server".to_owned()),
            (Voice::Curl, _) => (
                7,
                format!(
                    "curl: (7) Failed to connect to {} port {} after 0 ms: Could not connect to server",
                    url.host, url.port
                ),
            ),
        };
        self.code = code;
        if self.show_errors {
            ctx.complain(&text);
        }
        if let Some(format) = &self.write_out {
            let text = write_out(format, 0, 0, url);
            ctx.print(&text);
        }
    }

    fn received(&mut self, ctx: &mut Ctx<'_>, url: &Url, response: Response) {
        let (status, headers, body) = match response {
            Response::Http { status, headers, body } => (status, headers, body),
            Response::Tcp { .. } | Response::Output { .. } => {
                self.urls.push_front(url.clone());
                self.tries = 1;
                self.fail_with(ctx, url, &NetError::Reset, None);
                return;
            }
        };
        let line = format!("HTTP/1.1 {status} {}", reason(status));
        let mut head = format!("{line}\r\n");
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.voice == Voice::Wget {
            if self.show_headers {
                ctx.complain(
                    &head
                        .lines()
                        .map(|line| format!("  {line}"))
                        .collect::<Vec<_>>()
                        .join("\n"),
                );
            }
            if status >= 400 {
                ctx.complain(&format!("wget: server returned error: {line}"));
                self.code = 1;
                return;
            }
            if self.head_only {
                if !self.quiet {
                    ctx.complain("remote file exists");
                }
                return;
            }
        } else {
            if status >= 400 && self.fail {
                self.code = 22;
                if self.show_errors {
                    ctx.complain(&format!("curl: (22) The requested URL returned error: {status}"));
                }
                if let Some(format) = &self.write_out {
                    let text = write_out(format, status, 0, url);
                    ctx.print(&text);
                }
                return;
            }
            if self.show_headers {
                ctx.print(&format!("{head}\r\n"));
            }
        }
        let body = if self.head_only { Vec::new() } else { body };
        let length = body.len();
        match self.output.as_deref() {
            None | Some("-") => {
                if self.voice == Voice::Wget && !self.quiet {
                    ctx.complain("writing to stdout");
                }
                let _ = ctx.write(1, &body);
                if self.voice == Voice::Wget && !self.quiet {
                    ctx.complain("written to stdout");
                }
            }
            Some(path) => match ctx.open(path, Open::WRITE) {
                Ok(file) => {
                    ctx.kernel.retain(file);
                    let user = ctx.proc().user;
                    let _ = ctx.kernel.write(file, &body, &mut *ctx.host, user);
                    ctx.kernel.release(file);
                    if self.voice == Voice::Wget && !self.quiet {
                        ctx.complain(&format!("saving to '{path}'\n'{path}' saved"));
                    }
                }
                Err(error) => {
                    let text = if self.voice == Voice::Wget {
                        format!("wget: can't open '{path}': {error}")
                    } else {
                        format!("curl: (23) Failure writing output to destination: {error}")
                    };
                    ctx.complain(&text);
                    self.code = if self.voice == Voice::Wget { 1 } else { 23 };
                }
            },
        }
        if let Some(format) = &self.write_out {
            let text = write_out(format, status, length, url);
            ctx.print(&text);
        }
    }
}

fn write_out(format: &str, status: u16, length: usize, url: &Url) -> String {
    format
        .replace("%{http_code}", &format!("{status:03}"))
        .replace("%{response_code}", &format!("{status:03}"))
        .replace("%{size_download}", &length.to_string())
        .replace("%{url_effective}", &url.text)
        .replace("%{time_total}", "0.001000")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

/// `nc host port`: standard input goes there, what comes back is written.
#[derive(Clone, Debug)]
pub(crate) struct Netcat {
    host: String,
    port: u16,
    scan: bool,
    verbose: bool,
    timeout: Option<SimDuration>,
    data: Vec<u8>,
    waiting: Option<(RequestId, Option<SimTime>)>,
    read: bool,
}

/// `nc -l`: answers connections with standard input or with what a command writes.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    port: u16,
    again: bool,
    command: Option<Vec<Arc<str>>>,
    /// Standard input, and whether it was read to its end.
    input: Vec<u8>,
    read: bool,
    child: Option<(Pid, u32, Vec<u8>, ServeId, bool)>,
}

fn netcat(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Made {
    // Everything after -e is the command.
    let split = arguments.iter().position(|argument| {
        argument.starts_with('-') && !argument.starts_with("--") && argument.ends_with('e') && argument.len() > 1
    });
    let (own, command) = match split {
        Some(at) => {
            let flags = arguments[at].trim_end_matches('e');
            let mut own = arguments[..at].to_vec();
            if flags.len() > 1 {
                own.push(flags.into());
            }
            (own, Some(arguments[at + 1..].to_vec()))
        }
        None => (arguments.to_vec(), None),
    };
    let options = Options::parse("lkp:w:zvniu46q:s:N", &[], &own).map_err(|message| (1, message))?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| (1, format!("bad port '{text}'")));
    if options.has('l') {
        let port = match options.value('p').or(options.operands.last().map(|operand| &**operand)) {
            Some(port) => number(port)?,
            None => return Err((1, "a port is needed: -p PORT".to_owned())),
        };
        ctx.listen(port).map_err(|error| (1, format!("bind: {error}")))?;
        return Ok(Client::Listen(Box::new(Listen {
            port,
            again: options.has('k'),
            command,
            input: Vec::new(),
            read: false,
            child: None,
        })));
    }
    let [host, port] = options.operands.as_slice() else {
        return Err((1, "usage: nc [OPTIONS] HOST PORT".to_owned()));
    };
    Ok(Client::Netcat(Box::new(Netcat {
        host: host.to_string(),
        port: number(port)?,
        scan: options.has('z'),
        verbose: options.has('v'),
        timeout: options.value('w').and_then(duration),
        data: Vec::new(),
        waiting: None,
        read: options.has('z'),
    })))
}

/// Bytes of standard input that are sent at most.
const MAX_SENT: usize = 4 << 20;

/// Takes standard input to its end, or gives what comes before that.
fn standard_input(ctx: &mut Ctx<'_>, data: &mut Vec<u8>) -> Result<(), Step> {
    while data.len() <= MAX_SENT {
        match ctx.read(0, 65_536) {
            Ok(Read::Data(more)) => data.extend(more),
            Ok(Read::Wait(wait)) => return Err(Step::Wait(wait)),
            Ok(Read::End) | Err(_) => return Ok(()),
        }
        if ctx.steps == 0 {
            return Err(Step::Yield);
        }
    }
    ctx.notice(&format!("not simulated: what nc is to send beyond {MAX_SENT} bytes"));
    Ok(())
}

impl Netcat {
    fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        if !self.read {
            if let Err(step) = standard_input(ctx, &mut self.data) {
                return step;
            }
            self.read = true;
        }
        let Some((id, until)) = self.waiting else {
            let address = match ctx.host.resolve(&self.host) {
                Ok(addresses) => addresses.into_iter().next().unwrap_or_default(),
                Err(error) => {
                    ctx.complain(&format!("nc: {error}"));
                    return Step::Exit(1);
                }
            };
            let request = self.request();
            return match ctx.send(&address, self.port, &request) {
                Ok(id) => {
                    self.waiting = Some((id, Some(ctx.now() + self.timeout.unwrap_or(PATIENCE))));
                    Step::Yield
                }
                Err(error) => self.refused(ctx, &error),
            };
        };
        match ctx.take_answer(id) {
            None if until.is_some_and(|until| until <= ctx.now()) => {
                ctx.complain("nc: timed out");
                Step::Exit(1)
            }
            None => Step::Wait(Wait::Answer(id, until)),
            Some(Err(error)) => self.refused(ctx, &error),
            Some(Ok(response)) => {
                if self.scan {
                    if self.verbose {
                        ctx.complain(&format!("{} ({}:{}) open", self.host, self.host, self.port));
                    }
                    return Step::Exit(0);
                }
                let bytes = match response {
                    Response::Tcp { data } | Response::Output { stdout: data, .. } => data,
                    Response::Http { status, headers, body } => {
                        let mut bytes = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
                        for (name, value) in headers {
                            bytes.extend(format!("{name}: {value}\r\n").bytes());
                        }
                        bytes.extend(b"\r\n");
                        bytes.extend(body);
                        bytes
                    }
                };
                let _ = ctx.write(1, &bytes);
                Step::Exit(0)
            }
        }
    }

    fn refused(&self, ctx: &mut Ctx<'_>, error: &NetError) -> Step {
        if !self.scan || self.verbose {
            ctx.complain(&format!("nc: {} ({}:{}): {error}", self.host, self.host, self.port));
        }
        Step::Exit(1)
    }

    /// What was typed, as an HTTP request if it is one.
    fn request(&self) -> Request {
        let text = String::from_utf8_lossy(&self.data).into_owned();
        let mut words = text.lines().next().unwrap_or_default().split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(method), Some(path), Some(version)) if version.starts_with("HTTP/") => {
                let headers = text
                    .lines()
                    .skip(1)
                    .take_while(|line| !line.trim().is_empty())
                    .filter_map(|line| line.split_once(':'));
                let headers = headers
                    .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                    .collect();
                Request::Http {
                    method: method.to_owned(),
                    path: path.to_owned(),
                    headers,
                    body: Vec::new(),
                }
            }
            _ => Request::Tcp {
                data: self.data.clone(),
            },
        }
    }
}

impl Listen {
    fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        if let Some((pid, file, mut data, id, http)) = self.child.take() {
            loop {
                match ctx.read_file(file, 65_536) {
                    Ok(Read::Data(more)) => data.extend(more),
                    Ok(Read::Wait(wait)) => {
                        self.child = Some((pid, file, data, id, http));
                        return Step::Wait(wait);
                    }
                    Ok(Read::End) | Err(_) => break,
                }
            }
            if ctx.try_wait(pid).is_none() {
                self.child = Some((pid, file, data, id, http));
                return Step::Wait(Wait::Child(pid, None));
            }
            ctx.kernel.release(file);
            ctx.respond(id, Ok(answer(&data, http)));
            if !self.again {
                return Step::Exit(0);
            }
        }
        if self.command.is_none() && !self.read {
            // Standard input is what the caller gets; with nothing to read there is nothing to wait for.
            if let Err(step) = standard_input(ctx, &mut self.input) {
                return step;
            }
            self.read = true;
        }
        let Some((_, id, request)) = ctx.take_request() else {
            return Step::Wait(Wait::Request);
        };
        let (text, http) = received(&request);
        if text.is_empty() && !http {
            // Somebody only looked whether the port is open.
            ctx.respond(id, Ok(Response::Tcp { data: Vec::new() }));
            if self.command.is_none() && !self.again {
                return Step::Exit(0);
            }
            return Step::Yield;
        }
        let Some(command) = self.command.clone() else {
            let _ = ctx.write(1, text.as_bytes());
            ctx.respond(id, Ok(answer(&self.input, http)));
            if self.again {
                return Step::Yield;
            }
            ctx.stop_listening(self.port);
            return Step::Exit(0);
        };
        let input = ctx.kernel.open(
            crate::runtime::kernel::FileKind::Text(text.into_bytes().into()),
            true,
            false,
        );
        let (read, write) = ctx.pipe();
        ctx.kernel.retain(read);
        ctx.kernel.retain(write);
        let name = command.first().cloned().unwrap_or_default();
        let path = ctx.env("PATH").unwrap_or_default();
        let program: Result<Program, _> = if name.contains('/') {
            crate::shell::program::load(ctx, &name)
        } else {
            crate::shell::program::find_on_path(ctx, &name, &path)
                .and_then(|path| crate::shell::program::load(ctx, &path))
        };
        let child = match program {
            Ok(program) => ctx.spawn(program, command.into(), &[(0, input), (1, write)]),
            Err(error) => {
                ctx.complain(&format!("nc: can't execute '{name}': {error}"));
                None
            }
        };
        ctx.kernel.release(write);
        match child {
            Some(pid) => {
                self.child = Some((pid, read, Vec::new(), id, http));
                Step::Yield
            }
            None => {
                ctx.kernel.release(read);
                ctx.respond(id, Err(NetError::Reset));
                if self.again { Step::Yield } else { Step::Exit(1) }
            }
        }
    }
}

/// A request as bytes on the wire, and whether it is HTTP.
fn received(request: &Request) -> (String, bool) {
    match request {
        Request::Tcp { data } => (String::from_utf8_lossy(data).into_owned(), false),
        Request::Http {
            method,
            path,
            headers,
            body,
        } => {
            let mut text = format!("{method} {path} HTTP/1.1\r\n");
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            text.push_str(&String::from_utf8_lossy(body));
            (text, true)
        }
    }
}

/// Bytes on the wire as an answer: an HTTP one if they are and that was asked for.
fn answer(data: &[u8], http: bool) -> Response {
    if !http {
        return Response::Tcp { data: data.to_vec() };
    }
    let text = String::from_utf8_lossy(data).into_owned();
    let status = text
        .strip_prefix("HTTP/")
        .and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    let Some(status) = status else {
        return Response::Tcp { data: data.to_vec() };
    };
    let (head, body) = text
        .split_once("\r\n\r\n")
        .or_else(|| text.split_once("\n\n"))
        .unwrap_or((&text, ""));
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Response::Http {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

fn ping(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Made {
    let options = Options::parse("c:w:W:i:qs:I:46", &[], arguments).map_err(|message| (1, message))?;
    let name = options
        .operands
        .first()
        .cloned()
        .ok_or((1, "a host is needed".to_owned()))?;
    let address = ctx
        .host
        .resolve(&name)
        .map_err(|error| (1, error.to_string()))?
        .into_iter()
        .next()
        .unwrap_or_default();
    let count = options
        .value('c')
        .and_then(|count| count.parse().ok())
        .unwrap_or(u32::MAX);
    ctx.print(&format!("PING {name} ({address}): 56 data bytes\n"));
    Ok(Client::Ping {
        address: address.into(),
        name,
        sent: 0,
        count,
        next: ctx.now(),
    })
}

impl Client {
    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        match self {
            Self::Fetch(fetch) => fetch.step(ctx),
            Self::Netcat(netcat) => netcat.step(ctx),
            Self::Listen(listen) => listen.step(ctx),
            Self::Ping {
                address,
                name,
                sent,
                count,
                next,
            } => {
                if ctx.now() < *next {
                    return Step::Wait(Wait::Until(*next));
                }
                if *sent >= *count {
                    ctx.print(&format!("\n--- {name} ping statistics ---\n{sent} packets transmitted, {sent} packets received, 0% packet loss\nround-trip min/avg/max = 0.050/0.060/0.070 ms\n"));
                    return Step::Exit(0);
                }
                ctx.print(&format!("64 bytes from {address}: seq={sent} ttl=64 time=0.060 ms\n"));
                *sent += 1;
                *next = ctx.now()
                    + if *sent >= *count {
                        SimDuration::ZERO
                    } else {
                        SimDuration::from_secs(1)
                    };
                Step::Yield
            }
        }
    }
}
