//! The pages, asked without a network: routes, headers, what is refused, and notes that are bad input.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use peapod::store::Store;
use peapod::web::{App, router};
use peapod::workspace::Workspace;
use tower::ServiceExt;

/// A server over a folder of notes; the folder goes with it.
struct Site {
    folder: tempfile::TempDir,
    router: Router,
}

impl Site {
    fn new(notes: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in notes {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("in the folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        let router = Self::over(folder.path());
        Self { folder, router }
    }

    fn over(folder: &Path) -> Router {
        let workspace = Workspace::open(Some(folder)).expect("a vault");
        router(App::new(
            workspace,
            Store::of_vault(folder),
            vec!["notes.lan".to_owned()],
        ))
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.expect("infallible")
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.get_in("ko", path).await
    }

    async fn get_in(&self, lang: &str, path: &str) -> (StatusCode, String) {
        let request = Request::get(encoded(path))
            .header(header::HOST, "127.0.0.1:7327")
            .header(header::ACCEPT_LANGUAGE, lang);
        text(self.send(request.body(Body::empty()).expect("a request")).await).await
    }

    async fn post(&self, path: &str, form: &str) -> Response<Body> {
        let request = Request::post(encoded(path))
            .header(header::HOST, "127.0.0.1:7327")
            .header(header::ORIGIN, "http://127.0.0.1:7327")
            .header(header::ACCEPT_LANGUAGE, "ko")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).expect("a request"))
            .await
    }

    /// Runs a cell to its end and gives the run's address.
    async fn run(&self, note: &str, cell: &str) -> String {
        let response = self
            .post("/run", &format!("note={}&cell={}", encoded(note), encoded(cell)))
            .await;
        let status = response.status();
        let location = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        assert_eq!(status, StatusCode::SEE_OTHER, "{}", text(response).await.1);
        let run = location.expect("a location");
        let started = Instant::now();
        loop {
            let (_, page) = self.get(&run).await;
            if !page.contains("data-going=") {
                return run;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "the run does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

/// An address as a browser sends it.
fn encoded(path: &str) -> String {
    path.bytes()
        .map(|b| {
            if b.is_ascii_graphic() {
                (b as char).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

const POD: &str = "# 파드\n짧은 노트. [[없는 노트]] [[둘]] #공부\n\n```yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: nginx\nspec:\n  containers:\n  - name: nginx\n    image: nginx:1.14.2\n```\n";

const EXPERIMENT: &str = r#"# 실험
Never이고 0이 아니면 Failed가 된다. ^never

```experiment
id: exits
title: 종료 코드와 정책
variables:
  restartPolicy: [Always, Never]
  exitCode: [0, 1]
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec:
        restartPolicy: {{ restartPolicy }}
        containers:
        - name: app
          image: busybox:1.36
          command: [sh, -c, "sleep 2; exit {{ exitCode }}"]
until: 2m
observe:
  phase: pod('demo').status.phase
expect:
  - claim: ^never
    when: restartPolicy == 'Never' && exitCode != 0
    eventually: phase == 'Failed'
```
"#;

#[tokio::test]
async fn every_page_answers_in_both_languages() {
    let site = Site::new(&[("파드.md", POD), ("폴더/둘.md", "# 둘\n[[파드]]로\n")]);
    for path in [
        "/",
        "/notes",
        "/n/파드",
        "/n/폴더/둘",
        "/search",
        "/search?q=파드",
        "/settings",
        "/tag/공부",
        "/quick.json",
        "/history/파드?cell=pod-nginx",
    ] {
        for lang in ["ko", "en"] {
            let (status, page) = site.get_in(lang, path).await;
            assert_eq!(status, StatusCode::OK, "{path}: {page}");
            assert!(
                path.ends_with("json") || page.contains(&format!("<html lang=\"{lang}\"")),
                "{path}"
            );
        }
    }
    let (_, page) = site.get("/n/파드").await;
    for part in ["실행", "pod-nginx", "#공부", "/n/없는%20노트", "data-cell"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let (_, page) = site.get("/n/폴더/둘").await;
    assert!(page.contains("이 노트를 가리키는 노트") && page.contains("/n/파드"));
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_readers_language() {
    let site = Site::new(&[("파드.md", POD)]);
    for (path, words) in [
        ("/n/없는 노트", "없는 노트"),
        ("/nothing", "이 주소에는 아무것도 없다"),
        ("/r/999", "그런 실행 기록이 없다"),
        ("/r/x", "그런 실행 기록이 없다"),
        ("/r/999/1", "그런 실행 기록이 없다"),
        ("/file/none.png", "이 주소에는 아무것도 없다"),
        ("/export/none", "이 주소에는 아무것도 없다"),
    ] {
        let (status, page) = site.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            page.contains(words) && page.contains("<html lang=\"ko\""),
            "{path}: {page}"
        );
    }
    // The page of a name that no note has says who links to it.
    assert!(site.get("/n/없는 노트").await.1.contains("href=\"/n/파드\""));
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_no_page_anything_inline() {
    let site = Site::new(&[("파드.md", POD)]);
    for path in ["/", "/n/파드", "/n/nowhere", "/static/css/tokens.css", "/nothing"] {
        let request = Request::get(encoded(path))
            .header(header::HOST, "localhost:7327")
            .body(Body::empty())
            .expect("a request");
        let response = site.send(request).await;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned()
        };
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'")
                && policy.contains("frame-ancestors 'none'")
                && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        let page = text(response).await.1;
        if page.starts_with("<!doctype") {
            for bad in [
                " style=",
                "<script>",
                "<style",
                " onclick=",
                "javascript:",
                "http://",
                "https://",
            ] {
                assert!(
                    !page.replace("http://www.w3.org/", "").contains(bad),
                    "{path} has {bad}"
                );
            }
        }
    }
}

#[tokio::test]
async fn foreign_names_and_foreign_sites_are_refused() {
    let site = Site::new(&[("파드.md", POD)]);
    for (host, origin, method, expected) in [
        ("evil.example", "", "GET", StatusCode::FORBIDDEN),
        ("127.0.0.1.evil.example:7327", "", "GET", StatusCode::FORBIDDEN),
        ("notes.lan:7327", "", "GET", StatusCode::OK),
        ("localhost:7327", "", "GET", StatusCode::OK),
        ("localhost:7327", "http://evil.example", "POST", StatusCode::FORBIDDEN),
        ("localhost:7327", "null", "POST", StatusCode::FORBIDDEN),
        (
            "localhost:7327",
            "http://localhost:7327",
            "POST",
            StatusCode::METHOD_NOT_ALLOWED,
        ),
    ] {
        let mut request = Request::builder().method(method).uri("/").header(header::HOST, host);
        if !origin.is_empty() {
            request = request.header(header::ORIGIN, origin);
        }
        let response = site.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(response.status(), expected, "{method} {host} {origin}");
    }
    // Nothing ran.
    let request = Request::post("/run")
        .header(header::HOST, "localhost")
        .header(header::ORIGIN, "http://evil.example");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let response = site
        .send(request.body(Body::from("note=x&cell=pod-nginx")).expect("a request"))
        .await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(!site.folder.path().join(".peapod").exists());
}

#[tokio::test]
async fn no_path_leaves_the_vault() {
    let site = Site::new(&[
        (
            "파드.md",
            "# 파드\n![[../../etc/passwd]] [[../../etc/passwd]] [x](../../etc/passwd)\n",
        ),
        ("그림.png", "not really"),
    ]);
    for path in [
        "/file/../../etc/passwd",
        "/file/..%2f..%2fetc%2fpasswd",
        "/file/%2e%2e/%2e%2e/etc/passwd",
        "/file//etc/passwd",
        "/file/.peapod/peapod.db",
        "/static/../Cargo.toml",
        "/static/..%2fCargo.toml",
        "/n/../../etc/passwd",
        "/n/..%2f..%2fetc%2fpasswd",
        "/export/..%2f..%2fetc%2fpasswd",
    ] {
        let (status, page) = site.get(path).await;
        assert!(status.is_client_error(), "{path}: {status}");
        assert!(!page.contains("root:") && !page.contains("[package]"), "{path}");
    }
    let (status, page) = site.get("/n/파드").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("root:"));
    assert_eq!(
        site.get("/file/그림.png").await,
        (StatusCode::OK, "not really".to_owned())
    );
}

#[tokio::test]
async fn bad_input_is_shown_where_it_is_and_the_rest_of_the_page_with_it() {
    let loops = "```yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: loop}\nspec:\n  containers: [{name: a, image: \"busybox:1.36\", command: [sh, -c, \"while true; do :; done\"]}]\n```\n";
    let million = "```experiment\nid: many\nvariables:\n  a: [1,2,3,4,5,6,7,8,9,10]\n  b: [1,2,3,4,5,6,7,8,9,10]\n  c: [1,2,3,4,5,6,7,8,9,10]\n  d: [1,2,3,4,5,6,7,8,9,10]\n  e: [1,2,3,4,5,6,7,8,9,10]\n  f: [1,2,3,4,5,6,7,8,9,10]\nsteps:\n  - apply: |\n      apiVersion: v1\n      kind: Pod\n      metadata: {name: a}\n      spec: {containers: [{name: a, image: nginx}]}\n```\n";
    let after = "\n끝까지 보인다.\n";
    let site = Site::new(&[
        (
            "broken.md",
            &format!("# 깨진\n\n```experiment\nid: x\n  bad: [\n```\n{after}"),
        ),
        (
            "misspelt.md",
            &format!(
                "# 오타\n\n```yaml\napiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n  - name: a\n    imagee: nginx\n```\n{after}"
            ),
        ),
        ("million.md", &format!("# 많은\n\n{million}{after}")),
        ("loops.md", &format!("# 도는\n\n{loops}{after}")),
        ("properties.md", &format!("---\ntags: [a\n---\n# 속성\n{after}")),
    ]);
    for (note, words) in [
        ("broken", &["broken.md:5:", "문제"][..]),
        ("misspelt", &["misspelt.md:10:5", "imagee"][..]),
        ("million", &["million.md:", "10000"][..]),
        ("loops", &["실행"][..]),
        ("properties", &["properties.md:"][..]),
    ] {
        let (status, page) = site.get(&format!("/n/{note}")).await;
        assert_eq!(status, StatusCode::OK, "{note}");
        let plain = page.replace("10,000", "10000");
        for word in words.iter().chain(&["끝까지 보인다."]) {
            assert!(plain.contains(word), "{note}: no {word} in {page}");
        }
    }
    // A container that only burns virtual CPU does not hang the run.
    let run = site.run("loops", "pod-loop").await;
    assert!(site.get(&run).await.1.contains("끝남"));
}

#[tokio::test]
async fn a_large_note_is_shown_and_does_not_hang() {
    let large = format!("# 큰 노트\n{}", "한 줄이 있다. [[파드]]\n".repeat(400_000));
    assert!(large.len() > 10_000_000);
    let site = Site::new(&[("큰.md", &large), ("파드.md", POD)]);
    let started = Instant::now();
    let (status, page) = site.get("/n/큰").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("큰.md") && page.contains("한 줄이 있다."));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_run_is_shown_from_its_note_to_one_instant_and_outlives_the_server() {
    let site = Site::new(&[("실험.md", EXPERIMENT)]);
    let (_, page) = site.get("/n/실험").await;
    assert!(page.contains("아직 실행하지 않았다"));
    let run = site.run("실험", "exits").await;

    let (status, page) = site.get(&run).await;
    assert_eq!(status, StatusCode::OK);
    for part in ["끝남", "맞음", "grid-table", "Failed", "⇔", "시행 4", "data-viewer"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let (_, page) = site.get("/n/실험").await;
    assert!(
        page.contains("class=\"verdict holds\"") && page.contains("grid-table"),
        "{page}"
    );

    for (query, words) in [
        ("", &["시행 4", "kubectl get pods", "demo"][..]),
        ("?t=0", &["0:00.000"][..]),
        ("?t=3.5&view=describe", &["kubectl describe pod demo"][..]),
        ("?t=10&view=yaml", &["restartPolicy: Never"][..]),
        ("?t=10&view=logs&object=Pod/default/demo", &["kubectl logs demo"][..]),
        ("?view=why&axis=linear", &["class=\"why\""][..]),
        ("?t=1m&view=events", &["kubectl get events"][..]),
    ] {
        let (status, page) = site.get(&format!("{run}/4{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}");
        for word in words {
            assert!(page.contains(word), "{query}: no {word} in {page}");
        }
    }
    assert_eq!(
        site.get(&format!("{run}/4?t=yesterday")).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(site.get(&format!("{run}/5")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(site.get(&format!("{run}/0")).await.0, StatusCode::NOT_FOUND);

    let again = Site::over(site.folder.path());
    let request = Request::get(encoded("/n/실험"))
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .expect("a request");
    let page = text(again.oneshot(request).await.expect("infallible")).await.1;
    assert!(page.contains("grid-table") && page.contains("class=\"verdict holds\""));
    let (status, report) = site.get("/export/실험?to=html").await;
    assert_eq!(status, StatusCode::OK);
    assert!(report.contains("Failed"));
}

#[tokio::test]
async fn a_changed_copy_runs_and_leaves_the_note_alone() {
    let site = Site::new(&[("실험.md", EXPERIMENT)]);
    let source = EXPERIMENT
        .split("```experiment\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the fence");
    let changed = source.replace("exitCode: [0, 1]", "exitCode: [3]");
    let form = |source: &str| {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        format!("note={}&cell=exits&source={}", encode("실험"), encode(source))
    };
    let response = site.post("/run", &form(&changed)).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        std::fs::read_to_string(site.folder.path().join("실험.md")).expect("there"),
        EXPERIMENT
    );
    let (status, page) = text(site.post("/run", &form("id: exits\nvariabels: {}\n")).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("variabels"), "{page}");
    assert!(
        site.get("/n/실험").await.1.contains("아직 실행하지 않았다"),
        "a changed copy gives the note no result"
    );
}

#[tokio::test]
async fn choices_are_kept_in_cookies() {
    let site = Site::new(&[("파드.md", POD)]);
    let response = site.post("/settings", "lang=en&theme=dark&back=%2Fn%2F파드").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        response.headers().get(header::LOCATION).expect("a location"),
        "/n/%ED%8C%8C%EB%93%9C"
    );
    assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 2);
    let request = Request::get("/")
        .header(header::HOST, "localhost")
        .header(header::ACCEPT_LANGUAGE, "ko");
    let request = request
        .header(header::COOKIE, "peapod_lang=en; peapod_theme=dark")
        .body(Body::empty())
        .expect("a request");
    let page = text(site.send(request).await).await.1;
    assert!(page.contains("<html lang=\"en\" data-theme=\"dark\""));
}

#[tokio::test]
async fn progress_comes_as_a_stream_that_can_be_taken_up_again() {
    let site = Site::new(&[("실험.md", EXPERIMENT)]);
    let run = site.run("실험", "exits").await;
    let request = Request::get(format!("{run}/events"))
        .header(header::HOST, "localhost")
        .header("last-event-id", "7");
    let response = site.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(
        response.headers().get(header::CONTENT_TYPE).expect("a type"),
        "text/event-stream"
    );
    let stream = text(response).await.1;
    assert!(
        stream.contains("event: end") && stream.contains("id: 8") && stream.contains("\"status\":\"finished\""),
        "{stream}"
    );
}

#[tokio::test]
async fn static_files_are_kept_by_their_hash() {
    let site = Site::new(&[]);
    let ask = |tag: Option<String>| {
        let mut request = Request::get("/static/css/tokens.css").header(header::HOST, "localhost");
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        request.body(Body::empty()).expect("a request")
    };
    let response = site.send(ask(None)).await;
    let tag = response
        .headers()
        .get(header::ETAG)
        .and_then(|tag| tag.to_str().ok())
        .expect("a tag")
        .to_owned();
    assert_eq!(site.send(ask(Some(tag))).await.status(), StatusCode::NOT_MODIFIED);
}
