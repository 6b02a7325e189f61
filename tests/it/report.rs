//! Reports: complete by themselves, and readable.

use jiff::Timestamp;
use peapod::i18n::Lang;
use peapod::report::{self, Material};
use peapod::store::{Conclusion, Store};
use peapod::workspace::Workspace;
use peapod_vault::{FileRef, Layer};

use super::sample;

const NOTE: &str = "---
tags: [kubernetes/pod]
---
# 파드가 failed 뜨는 상황이란

[[파드에 대해서]]를 정리하다가. ![[그림.png]] ![밖](https://example.com/x.png)

> [!tip] 제목
> 본문

```experiment
id: exit-by-policy
title: 파드는 언제 Failed가 되는가
```

Never이고 종료 코드가 0이 아니면 파드는 Failed가 된다. ^never-fails

Always이면 Failed가 되지 않는다. ^always-never-fails

<script>alert(1)</script>
";

/// One red pixel.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8,
    2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, b'I', b'D', b'A', b'T', 8, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0,
    3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// The material of the note, with or without results.
async fn material(run: bool) -> (tempfile::TempDir, Material) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.md"), NOTE).expect("written");
    std::fs::write(folder.path().join("그림.png"), PNG).expect("written");
    let workspace = Workspace::open(Some(folder.path())).expect("a vault");
    let store = Store::of_vault(folder.path());
    if run {
        let run = store.start_run(&sample::new_run("a.md")).await.expect("started");
        let trials: Vec<_> = (0..4).map(sample::trial).collect();
        store.record_trials(run, &trials).await.expect("recorded");
        store
            .end_run(run, &Conclusion::from(&sample::result()))
            .await
            .expect("ended");
    }
    let file = FileRef {
        layer: Layer::User,
        path: "a.md".to_owned(),
    };
    let material = Material::gather(&workspace, &store, &file, Timestamp::UNIX_EPOCH)
        .await
        .expect("gathered");
    (folder, material)
}

#[tokio::test]
async fn html_needs_nothing_else() {
    let (_folder, material) = material(true).await;
    assert_eq!(material.lang(), Lang::Ko);
    let html = report::html(&material, Lang::Ko).expect("written");
    for wanted in [
        "<html lang=\"ko\">",
        "default-src 'none'",
        "data:image/png;base64,iVBORw0KGgo",
        "파드는 언제 Failed가 되는가",
        "class=\"verdict holds\"",
        "restartPolicy = Never ∧ exitCode = 1",
        "<svg class=\"timeline\"",
        "18446744073709551615",
        "시뮬레이션하지 않음: seccompProfile",
        "끝 &lt;b&gt;",
    ] {
        assert!(html.contains(wanted), "{wanted} is not in\n{html}");
    }
    for unwanted in [
        "<script",
        "<link",
        "src=\"http",
        "src=\"/",
        "<iframe",
        " style=\"",
        "@import",
        "url(http",
        "onclick",
    ] {
        assert!(!html.contains(unwanted), "{unwanted} is in\n{html}");
    }
    assert_eq!(
        html,
        report::html(&material, Lang::Ko).expect("written"),
        "the same material gives the same bytes"
    );
}

#[tokio::test]
async fn a_note_without_results_says_so() {
    let (_folder, material) = material(false).await;
    let html = report::html(&material, Lang::En).expect("written");
    assert!(html.contains("Not run yet"), "{html}");
    let markdown = report::markdown(&material, Lang::En).expect("written");
    assert!(markdown.contains("Results of 0 of 1 cell\n"), "{markdown}");
}

#[tokio::test]
async fn markdown_keeps_the_note_and_adds_callouts() {
    let (_folder, material) = material(true).await;
    let markdown = report::markdown(&material, Lang::Ko).expect("written");
    let expected = "```

> [!success] 결과: 파드는 언제 Failed가 되는가
> - ✓ **맞음** · Never이고 종료 코드가 0이 아니면 파드는 Failed가 된다. [[#^never-fails|^never-fails]] (1/1 시행 · 늦어도 3.1초)
> - ✓ **맞음** · Always이면 Failed가 되지 않는다. [[#^always-never-fails|^always-never-fails]] (2/2 시행)
>
> | restartPolicy | exitCode = 0 | exitCode = 1 |
> |---|---|---|
> | Always | **Running** | **Running** |
> | Never | **Succeeded** | **Failed** |
>
> - phase = **Failed** ⇔ restartPolicy = Never ∧ exitCode = 1
> - phase = **Running** ⇔ restartPolicy = Always
>
> > [!example]- 시행 1 · restartPolicy = Always, exitCode = 0
";
    assert!(markdown.contains(expected), "{markdown}");
    assert!(
        markdown.starts_with(
            "---\ntags: [kubernetes/pod]\n---\n# 파드가 failed 뜨는 상황이란\n> [!abstract] 연구 보고서\n"
        ),
        "{markdown}"
    );
    for line in NOTE.lines() {
        assert!(markdown.contains(line), "{line} is kept");
    }
}
