//! Programs that serve and run until they are stopped: web servers, databases, `pause`, and what an unknown image is
//! assumed to run. How each answers signals and what it listens on is in one table.

use std::sync::Arc;

use super::options::Options;
use super::{Applet, run};
use crate::runtime::host::{Request, Response};
use crate::runtime::kernel::Wait;
use crate::runtime::process::Signal;
use crate::runtime::syscalls::{Ctx, Step};

/// A server under way.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    kind: Kind,
    /// Signals that end it, with the exit code.
    ends: Arc<[(Signal, i32)]>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Nothing is served.
    Idle,
    /// Files of a directory, by HTTP.
    Files { root: Arc<str>, log: Log, server: Arc<str> },
    /// The same text for every path.
    Text { text: Arc<str>, log: bool },
    /// agnhost's `netexec` and its kin.
    Agnhost { started_after: u64 },
    /// The gRPC health service beside a few pages by HTTP.
    Grpc {
        /// The port that speaks gRPC.
        port: u16,
        /// Services that it knows; the empty name is the server as a whole.
        services: Vec<Arc<str>>,
        serving: bool,
        /// After so many seconds it calls itself unhealthy.
        unhealthy_after: Option<u64>,
    },
    /// A port that accepts connections and answers a line protocol in the simplest way.
    Line { answer: Arc<str> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    None,
    Common,
    Python,
}

const MIB: u64 = 1 << 20;

/// Starts one of these programs.
pub(super) fn start(name: &str, argv: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let arguments = argv.get(1..).unwrap_or_default();
    let graceful = |code: i32| -> Arc<[(Signal, i32)]> {
        [Signal::TERM, Signal::INT, Signal::QUIT]
            .into_iter()
            .map(|signal| (signal, code))
            .collect()
    };
    Some(match name {
        "pause" => serve(ctx, Kind::Idle, &[], graceful(0), 256 << 10),
        "assumed" => serve(ctx, Kind::Idle, &[], graceful(0), 16 * MIB),
        "ignores-signals" => serve(ctx, Kind::Idle, &[], Arc::from([]), 4 * MIB),
        "nginx" => {
            if arguments.iter().any(|argument| matches!(&**argument, "-v" | "-V")) {
                ctx.complain("nginx version: nginx/1.27.0");
                return Some(Step::Exit(0));
            }
            if arguments.iter().any(|argument| &**argument == "-t") {
                ctx.complain("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\nnginx: configuration file /etc/nginx/nginx.conf test is successful");
                return Some(Step::Exit(0));
            }
            let kind = Kind::Files {
                root: "/usr/share/nginx/html".into(),
                log: Log::Common,
                server: "nginx".into(),
            };
            serve(ctx, kind, &[80], graceful(0), 8 * MIB)
        }
        "apache" => {
            let kind = Kind::Files {
                root: "/usr/local/apache2/htdocs".into(),
                log: Log::Common,
                server: "Apache/2.4 (Unix)".into(),
            };
            let ends = [Signal::TERM, Signal::INT, Signal::WINCH]
                .into_iter()
                .map(|signal| (signal, 0))
                .collect();
            serve(ctx, kind, &[80], ends, 12 * MIB)
        }
        "httpd" => {
            // busybox's: in the background unless -f is given, and without handlers.
            let options = match Options::parse("fivp:h:c:u:r:", &[], arguments) {
                Ok(options) => options,
                Err(message) => {
                    ctx.complain(&format!("httpd: {message}"));
                    return Some(Step::Exit(1));
                }
            };
            let port = options
                .value('p')
                .and_then(|port| port.rsplit(':').next()?.parse().ok())
                .unwrap_or(80);
            let root = options.value('h').map_or_else(|| ctx.directory(), Arc::from);
            let kind = Kind::Files {
                root,
                log: Log::None,
                server: "httpd".into(),
            };
            if options.has('f') {
                return Some(serve(ctx, kind, &[port], Arc::from([]), MIB));
            }
            let argv = Arc::clone(&ctx.proc().argv);
            let server = Server {
                kind,
                ends: Arc::from([]),
            };
            let child = ctx.spawn(
                crate::shell::program::Program::Applet(Box::new(Applet::Server(server))),
                argv,
                &[],
            );
            let own = ctx.pid;
            ctx.pid = child.unwrap_or(own);
            let listening = ctx.listen(port);
            ctx.pid = own;
            if listening.is_err() {
                ctx.complain("httpd: bind: Address already in use");
                if let Some(child) = child {
                    ctx.kernel.signal(child, Signal::KILL);
                }
                return Some(Step::Exit(1));
            }
            Step::Exit(0)
        }
        "python" | "python3" => python(arguments, ctx),
        "http-echo" => {
            let mut text = String::new();
            let mut port = 5678;
            let mut rest = arguments.iter();
            while let Some(argument) = rest.next() {
                let argument = argument.trim_start_matches('-');
                let (key, value) = match argument.split_once('=') {
                    Some((key, value)) => (key, value.to_owned()),
                    None => (argument, rest.next().map(ToString::to_string).unwrap_or_default()),
                };
                match key {
                    "text" => text = value,
                    "listen" => {
                        port = value
                            .rsplit(':')
                            .next()
                            .and_then(|port| port.parse().ok())
                            .unwrap_or(port)
                    }
                    _ => {}
                }
            }
            if text.is_empty() {
                ctx.complain("Missing -text option!");
                return Some(Step::Exit(127));
            }
            let kind = Kind::Text {
                text: format!("{text}\n").into(),
                log: true,
            };
            serve(ctx, kind, &[port], graceful(0), 6 * MIB)
        }
        "hello-app" => {
            let hostname = ctx.kernel.spec.hostname.clone();
            ctx.complain("Server listening on port 8080");
            let text = format!("Hello, world!\nVersion: 1.0.0\nHostname: {hostname}\n").into();
            serve(ctx, Kind::Text { text, log: false }, &[8080], Arc::from([]), 6 * MIB)
        }
        "whoami-server" => {
            let port = ctx.env("PORT").and_then(|port| port.parse().ok()).unwrap_or(80);
            let hostname = ctx.kernel.spec.hostname.clone();
            serve(
                ctx,
                Kind::Text {
                    text: format!("Hostname: {hostname}\n").into(),
                    log: false,
                },
                &[port],
                graceful(2),
                6 * MIB,
            )
        }
        "agnhost" => agnhost(arguments, ctx),
        "etcd" => {
            ctx.complain("{\"level\":\"info\",\"msg\":\"ready to serve client requests\"}");
            let kind = Kind::Grpc {
                port: 2379,
                services: vec!["".into()],
                serving: true,
                unhealthy_after: None,
            };
            serve(ctx, kind, &[2379, 2380], graceful(0), 40 * MIB)
        }
        "redis-server" => {
            ctx.print("1:C * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n1:M * Ready to accept connections tcp\n");
            serve(
                ctx,
                Kind::Line {
                    answer: "+PONG\r\n".into(),
                },
                &[6379],
                graceful(0),
                8 * MIB,
            )
        }
        "mysqld" => {
            if [
                "MYSQL_ROOT_PASSWORD",
                "MYSQL_ALLOW_EMPTY_PASSWORD",
                "MYSQL_RANDOM_ROOT_PASSWORD",
            ]
            .iter()
            .all(|name| ctx.env(name).is_none())
            {
                ctx.complain("[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n    You need to specify one of the following as an environment variable:\n    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD");
                return Some(Step::Exit(1));
            }
            ctx.complain("[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. port: 3306");
            serve(ctx, Kind::Line { answer: "".into() }, &[3306], graceful(0), 360 * MIB)
        }
        "postgres" => {
            if ctx.env("POSTGRES_PASSWORD").is_none_or(|password| password.is_empty())
                && ctx.env("POSTGRES_HOST_AUTH_METHOD").is_none()
            {
                ctx.complain("Error: Database is uninitialized and superuser password is not specified.\n       You must specify POSTGRES_PASSWORD to a non-empty value for the\n       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".");
                return Some(Step::Exit(1));
            }
            ctx.complain("LOG:  database system is ready to accept connections");
            serve(ctx, Kind::Line { answer: "".into() }, &[5432], graceful(0), 40 * MIB)
        }
        "mongod" => serve(ctx, Kind::Line { answer: "".into() }, &[27017], graceful(0), 90 * MIB),
        "memcached" => serve(ctx, Kind::Line { answer: "".into() }, &[11211], graceful(0), 4 * MIB),
        "node" | "ruby" | "php" | "java" | "go" => {
            if arguments.is_empty() {
                // Without a terminal and with an empty standard input an interpreter has nothing to do.
                return Some(Step::Exit(0));
            }
            if arguments
                .iter()
                .any(|argument| matches!(&**argument, "--version" | "-v" | "-version"))
            {
                ctx.print(&format!("{name}\n"));
                return Some(Step::Exit(0));
            }
            ctx.notice(&format!(
                "not simulated: what {name} runs; it is assumed to run until it is stopped"
            ));
            serve(ctx, Kind::Idle, &[], graceful(143), 32 * MIB)
        }
        _ => return None,
    })
}

/// A program that is assumed to run until it is stopped.
pub(super) fn idle(ctx: &mut Ctx<'_>) -> Step {
    let ends = [(Signal::TERM, 143), (Signal::INT, 130)].into();
    serve(ctx, Kind::Idle, &[], ends, 32 * MIB)
}

fn serve(ctx: &mut Ctx<'_>, kind: Kind, ports: &[u16], ends: Arc<[(Signal, i32)]>, memory: u64) -> Step {
    let own = ctx.proc().argv.first().cloned().unwrap_or_default();
    let own = own.rsplit('/').next().unwrap_or_default().to_owned();
    let user = ctx.proc().user;
    for &port in ports {
        let error = if port < 1024 && user != 0 {
            Some("Permission denied".to_owned())
        } else {
            ctx.listen(port).err().map(|error| error.to_string())
        };
        if let Some(error) = error {
            let text = match own.as_str() {
                "nginx" => {
                    let number = if error.starts_with("Perm") { 13 } else { 98 };
                    format!("nginx: [emerg] bind() to 0.0.0.0:{port} failed ({number}: {error})")
                }
                _ => format!("{own}: bind: {error}"),
            };
            ctx.complain(&text);
            return Step::Exit(1);
        }
    }
    for (signal, _) in ends.iter() {
        ctx.set_signal(*signal, true, false);
    }
    ctx.set_memory(memory);
    run(Applet::Server(Server { kind, ends }))
}

fn python(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let ends: Arc<[(Signal, i32)]> = [(Signal::INT, 0)].into();
    match words.as_slice() {
        ["-V" | "--version", ..] => {
            ctx.print("Python 3.12.0\n");
            Step::Exit(0)
        }
        [] => Step::Exit(0),
        before if before.windows(2).any(|pair| pair == ["-m", "http.server"]) => {
            let after = before
                .iter()
                .position(|word| *word == "http.server")
                .map_or(0, |at| at + 1);
            let mut port = 8000;
            let mut root = ctx.directory();
            let mut rest = before[after..].iter();
            while let Some(word) = rest.next() {
                match *word {
                    "-d" | "--directory" => root = rest.next().map_or(root, |word| Arc::from(*word)),
                    "-b" | "--bind" => drop(rest.next()),
                    word => port = word.parse().unwrap_or(port),
                }
            }
            serve(
                ctx,
                Kind::Files {
                    root,
                    log: Log::Python,
                    server: "SimpleHTTP/0.6 Python/3.12".into(),
                },
                &[port],
                ends,
                12 * MIB,
            )
        }
        _ => {
            ctx.notice("not simulated: what python runs; it is assumed to run until it is stopped");
            serve(ctx, Kind::Idle, &[], ends, 12 * MIB)
        }
    }
}

/// `agnhost pause | netexec | serve-hostname | liveness …`, the test image of Kubernetes.
fn agnhost(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let command = arguments.first().map_or("pause", |argument| argument);
    let value = |names: &[&str]| {
        let mut words = arguments
            .iter()
            .flat_map(|argument| argument.split('='))
            .skip_while(|word| !names.contains(word));
        words.nth(1).map(str::to_owned)
    };
    let number = |names: &[&str], default: u16| value(names).and_then(|port| port.parse().ok()).unwrap_or(default);
    let port = |default: u16| number(&["--http-port", "--port"], default);
    let ends: Arc<[(Signal, i32)]> = [Signal::TERM, Signal::INT]
        .into_iter()
        .map(|signal| (signal, 0))
        .collect();
    match command {
        "pause" => serve(ctx, Kind::Idle, &[], ends, 8 * MIB),
        "netexec" => serve(ctx, Kind::Agnhost { started_after: 0 }, &[port(8080)], ends, 10 * MIB),
        "liveness" => serve(
            ctx,
            Kind::Agnhost { started_after: 10 },
            &[port(8080)],
            Arc::from([]),
            10 * MIB,
        ),
        "serve-hostname" => {
            let hostname = ctx.kernel.spec.hostname.clone();
            serve(
                ctx,
                Kind::Text {
                    text: hostname.into(),
                    log: false,
                },
                &[port(9376)],
                ends,
                8 * MIB,
            )
        }
        "grpc-health-checking" => {
            let (grpc, http) = (number(&["--port"], 5000), number(&["--http-port"], 8080));
            ctx.complain(&format!("Http server starting to listen on :{http}"));
            ctx.complain(&format!("gRPC server starting to listen on :{grpc}"));
            let delay = value(&["--delay-unhealthy-sec"]).and_then(|text| text.parse().ok());
            let kind = Kind::Grpc {
                port: grpc,
                services: vec![value(&["--service"]).unwrap_or_default().into()],
                serving: true,
                unhealthy_after: delay,
            };
            serve(ctx, kind, &[grpc, http], ends, 10 * MIB)
        }
        command => {
            ctx.notice(&format!(
                "not simulated: agnhost {command}; it is assumed to run until it is stopped"
            ));
            serve(ctx, Kind::Idle, &[], ends, 8 * MIB)
        }
    }
}

impl Server {
    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        while let Some(signal) = ctx.take_signal() {
            if let Some((_, code)) = self.ends.iter().find(|(own, _)| *own == signal) {
                return Step::Exit(*code);
            }
        }
        while let Some((port, id, request)) = ctx.take_request() {
            let response = match health_service(&request) {
                Some(service) => self.health(ctx, port, &service),
                None => self.answer(ctx, &request),
            };
            ctx.respond(id, Ok(response));
        }
        Step::Wait(Wait::Request)
    }

    /// The answer of `grpc.health.v1.Health/Check`. A server that speaks HTTP/1.1 only does not understand the first words.
    fn health(&mut self, ctx: &mut Ctx<'_>, at: u16, service: &str) -> Response {
        ctx.spend(20);
        let Kind::Grpc {
            port,
            services,
            serving,
            unhealthy_after,
        } = &self.kind
        else {
            if matches!(self.kind, Kind::Idle | Kind::Line { .. }) {
                return Response::Tcp { data: Vec::new() };
            }
            self.log(ctx, "PRI", "*", 400, 0);
            return Response::Http {
                status: 400,
                headers: Vec::new(),
                body: Vec::new(),
            };
        };
        if at != *port {
            return Response::Tcp { data: Vec::new() };
        }
        let started = ctx.proc().started;
        let age = ctx.now().since(started).as_secs();
        let healthy = *serving && unhealthy_after.is_none_or(|after| age < after);
        let known = services.iter().any(|known| **known == *service);
        let (status, message, body) = match (known, healthy) {
            (false, _) => ("5", "unknown service", ""),
            (true, true) => ("0", "", "SERVING"),
            (true, false) => ("0", "", "NOT_SERVING"),
        };
        Response::Http {
            status: 200,
            headers: vec![
                ("content-type".to_owned(), GRPC.to_owned()),
                ("grpc-status".to_owned(), status.to_owned()),
                ("grpc-message".to_owned(), message.to_owned()),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    fn answer(&mut self, ctx: &mut Ctx<'_>, request: &Request) -> Response {
        ctx.spend(20);
        let Request::Http { method, path, .. } = request else {
            let data = match &self.kind {
                Kind::Line { answer } => answer.as_bytes().to_vec(),
                _ => Vec::new(),
            };
            return Response::Tcp { data };
        };
        let (status, body) = match &mut self.kind {
            Kind::Idle | Kind::Line { .. } => return Response::Tcp { data: Vec::new() },
            Kind::Text { text, .. } => (200, text.as_bytes().to_vec()),
            Kind::Files { root, .. } => file(ctx, root, path),
            Kind::Agnhost { started_after } => agnhost_answer(ctx, path, *started_after),
            Kind::Grpc { serving, .. } => match path.as_str() {
                "/make-serving" | "/make-not-serving" => {
                    *serving = path == "/make-serving";
                    (200, b"OK".to_vec())
                }
                "/health" => (200, b"{\"health\":\"true\",\"reason\":\"\"}".to_vec()),
                _ => (404, b"404 page not found\n".to_vec()),
            },
        };
        self.log(ctx, method, path, status, body.len());
        let server = match &self.kind {
            Kind::Files { server, .. } => server,
            _ => "",
        };
        let kind = if matches!(&self.kind, Kind::Files { .. }) {
            "text/html"
        } else {
            "text/plain; charset=utf-8"
        };
        let mut headers = vec![
            ("Content-Type".to_owned(), kind.to_owned()),
            ("Content-Length".to_owned(), body.len().to_string()),
        ];
        if !server.is_empty() {
            headers.insert(0, ("Server".to_owned(), server.to_string()));
        }
        let body = if method == "HEAD" { Vec::new() } else { body };
        Response::Http { status, headers, body }
    }

    fn log(&self, ctx: &mut Ctx<'_>, method: &str, path: &str, status: u16, length: usize) {
        let style = match &self.kind {
            Kind::Files { log, .. } => *log,
            Kind::Text { log: true, .. } => Log::Common,
            _ => Log::None,
        };
        let stamp = ctx.wall_now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        match style {
            Log::None => {}
            Log::Common => ctx.print(&format!(
                "10.244.0.1 - - [{stamp}] \"{method} {path} HTTP/1.1\" {status} {length} \"-\" \"-\" \"-\"\n"
            )),
            Log::Python => {
                let stamp = ctx.wall_now().strftime("%d/%b/%Y %H:%M:%S").to_string();
                ctx.complain(&format!(
                    "10.244.0.1 - - [{stamp}] \"{method} {path} HTTP/1.1\" {status} -"
                ));
            }
        }
    }
}

/// What a gRPC request and its answer call their content.
const GRPC: &str = "application/grpc";

/// The service that a gRPC health check asks about.
fn health_service(request: &Request) -> Option<String> {
    let Request::Http {
        path, headers, body, ..
    } = request
    else {
        return None;
    };
    let grpc = headers
        .iter()
        .any(|(name, value)| name == "content-type" && value == GRPC);
    (grpc && path == "/grpc.health.v1.Health/Check").then(|| String::from_utf8_lossy(body).into_owned())
}

/// A file below a directory; nothing above it can be asked for.
fn file(ctx: &mut Ctx<'_>, root: &str, path: &str) -> (u16, Vec<u8>) {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let names: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    let refuse = |status: u16, text: &str| {
        (status, format!("<html>\n<head><title>{status} {text}</title></head>\n<body>\n<center><h1>{status} {text}</h1></center>\n</body>\n</html>\n").into_bytes())
    };
    if names.contains(&"..") {
        return refuse(400, "Bad Request");
    }
    let mut full = format!("{}/{}", root.trim_end_matches('/'), names.join("/"));
    match ctx.stat(&full, true) {
        Ok(node) if node.is_directory() => {
            full = format!("{}/index.html", full.trim_end_matches('/'));
            if ctx.stat(&full, true).is_err() {
                return refuse(403, "Forbidden");
            }
        }
        Ok(_) => {}
        Err(_) => return refuse(404, "Not Found"),
    }
    match ctx.slurp(&full) {
        Ok(data) => (200, data),
        Err(crate::runtime::files::Errno::Access) => refuse(403, "Forbidden"),
        Err(_) => refuse(404, "Not Found"),
    }
}

fn agnhost_answer(ctx: &mut Ctx<'_>, path: &str, started_after: u64) -> (u16, Vec<u8>) {
    let started = ctx.proc().started;
    let age = ctx.now().since(started).as_secs();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        // The liveness image answers 500 after its first ten seconds.
        "/healthz" if started_after > 0 && age > started_after => (500, format!("error: {age}.0").into_bytes()),
        "/healthz" => (200, b"ok".to_vec()),
        "/hostname" => (200, ctx.kernel.spec.hostname.clone().into_bytes()),
        "/clientip" => (200, b"10.244.0.1:40000".to_vec()),
        "/echo" => (
            200,
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix("msg="))
                .unwrap_or_default()
                .as_bytes()
                .to_vec(),
        ),
        "/" => {
            let now = ctx.wall_now().to_string();
            (200, format!("NOW: {now}").into_bytes())
        }
        _ => (404, b"404 page not found\n".to_vec()),
    }
}
