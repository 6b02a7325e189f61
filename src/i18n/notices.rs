//! What the simulator says it does not simulate, in the reader's language. The simulator speaks English; each of its sentences
//! has its Korean here, with `{}` where a name or a number stands. A sentence that is not known is shown as it is.

use super::Lang;

/// English and Korean, the special before the general.
const SENTENCES: &[(&str, &str)] = &[
    (
        "not simulated: {} (it is stored, and has no effect)",
        "시뮬레이션하지 않음: {} (저장되지만 아무 효과가 없다)",
    ),
    (
        "not simulated: {} (it is stored, and nothing acts on it)",
        "시뮬레이션하지 않음: {} (저장되지만 이를 처리하는 것이 없다)",
    ),
    (
        "dropped by the API server: {} (its feature gate is off in this version)",
        "API 서버가 버림: {} (이 버전에서 기능 게이트가 꺼져 있다)",
    ),
    (
        "not simulated: ephemeral containers (they are stored and never start)",
        "시뮬레이션하지 않음: ephemeral container (저장되지만 시작하지 않는다)",
    ),
    (
        "not simulated: timeZone {} of a CronJob; its schedule is read in UTC",
        "시뮬레이션하지 않음: CronJob의 timeZone {}; 일정은 UTC로 읽는다",
    ),
    (
        "not simulated: metrics of type {} (only Resource is)",
        "시뮬레이션하지 않음: {} 유형의 메트릭 (Resource만 된다)",
    ),
    (
        "not simulated: names outside of the cluster ({} is unknown here)",
        "시뮬레이션하지 않음: 클러스터 밖의 이름 (여기서 {}의 주소는 알 수 없다)",
    ),
    (
        "not simulated: what {} runs; it is assumed to run until it is stopped",
        "시뮬레이션하지 않음: {}의 실행 내용; 멈출 때까지 실행된다고 본다",
    ),
    (
        "not simulated: agnhost {}; it is assumed to run until it is stopped",
        "시뮬레이션하지 않음: agnhost {}; 멈출 때까지 실행된다고 본다",
    ),
    (
        "not simulated: a limit set by ulimit is shown, but not enforced",
        "시뮬레이션하지 않음: ulimit의 한도는 보이기만 하고 지켜지지는 않는다",
    ),
    (
        "not simulated: factor looks for divisors up to a million only",
        "시뮬레이션하지 않음: factor는 백만까지의 약수만 찾는다",
    ),
    (
        "not simulated: the interpreter {} of {}",
        "시뮬레이션하지 않음: 인터프리터 {} ({})",
    ),
    ("not simulated: the program {}", "시뮬레이션하지 않음: 프로그램 {}"),
    ("not simulated: feature gate {}", "시뮬레이션하지 않음: 기능 게이트 {}"),
    (
        "not simulated: more than {} bytes on the standard input of {}",
        "시뮬레이션하지 않음: {}바이트를 넘는 {}의 표준 입력",
    ),
    (
        "not simulated: lines to sort beyond {} bytes",
        "시뮬레이션하지 않음: {}바이트를 넘는 줄의 정렬",
    ),
    (
        "not simulated: what a line has beyond {} bytes",
        "시뮬레이션하지 않음: 한 줄에서 {}바이트를 넘는 부분",
    ),
    ("not simulated: {}", "시뮬레이션하지 않음: {}"),
    (
        "NFS servers are not simulated: a share is an empty directory that all nodes see",
        "NFS 서버는 시뮬레이션하지 않음: 공유 디렉터리는 모든 노드가 보는 빈 디렉터리이다",
    ),
    (
        "the storage of volume {} is not simulated: it is an empty directory",
        "볼륨 {}의 저장소는 시뮬레이션하지 않음: 빈 디렉터리이다",
    ),
    (
        "volume of type {} is not simulated: it is an empty directory",
        "{} 유형의 볼륨은 시뮬레이션하지 않음: 빈 디렉터리이다",
    ),
    (
        "grpc probes are answered as TCP probes: a port that listens is healthy",
        "grpc 프로브에는 TCP 프로브처럼 답한다: 열린 포트는 건강하다고 본다",
    ),
    (
        "no node is ready: the node controller holds all evictions back (master disruption mode)",
        "Ready인 노드가 없다: 노드 컨트롤러가 모든 축출을 미룬다 (master disruption mode)",
    ),
    (
        "a container uses CPU without a pause: its speed is simulated coarsely",
        "쉬지 않고 CPU를 쓰는 컨테이너가 있다: 그 속도는 대략으로만 시뮬레이션한다",
    ),
    (
        "image {} is not in the catalogue: it is assumed to run until it is stopped",
        "이미지 {}: 목록에 없다. 멈출 때까지 실행된다고 본다",
    ),
    (
        "the image is not in the catalogue: whether it has the program {} is not known",
        "이미지가 목록에 없어 프로그램 {}의 유무를 알 수 없다",
    ),
    (
        "the image is not in the catalogue: {} is assumed to run until it is stopped",
        "이미지가 목록에 없다: {}의 실행은 멈출 때까지 이어진다고 본다",
    ),
    (
        "without a trace it is not known who owned the fields of {} {} before it was applied",
        "추적을 남기지 않아 {} {}의 필드가 apply 전에 누구 것이었는지 알 수 없다",
    ),
    (
        "StorageClass {}: no provisioner {} runs in this cluster; the one that does is {}",
        "StorageClass {}: 이 클러스터에는 provisioner {}의 드라이버가 없다. 있는 것은 {}뿐이다",
    ),
    (
        "what pods use is told, not measured: the annotation {} of a pod, or {} of what is scaled",
        "파드의 사용량은 재지 않고 적힌 대로 본다: 파드의 어노테이션 {}, 또는 스케일 대상의 {}",
    ),
    (
        "no eviction threshold watches the {} of {}: its want changes nothing there (cluster.settings: evictionHard)",
        "축출 기준 중에 {}에 대한 것이 {}에 없다: 모자라도 아무 일도 일어나지 않는다 (cluster.settings: evictionHard)",
    ),
    (
        "awk: a program that loops without an end was given up",
        "awk: 끝나지 않는 반복을 그만두었다",
    ),
    (
        "awk: a text that grows without an end was given up",
        "awk: 끝없이 커지는 텍스트를 그만두었다",
    ),
    (
        "awk: a program that holds more than {} bytes was given up",
        "awk: {}바이트를 넘게 쥔 프로그램을 그만두었다",
    ),
    (
        "sed: a script that loops without an end was given up",
        "sed: 끝나지 않는 반복을 그만두었다",
    ),
    (
        "sed: a pattern space of more than {} bytes was given up",
        "sed: {}바이트를 넘는 패턴 공간을 그만두었다",
    ),
    (
        "seq is cut off after a million lines",
        "seq의 출력은 백만 줄에서 잘린다",
    ),
];

/// A notice in that language.
pub fn notice(lang: Lang, text: &str) -> String {
    if lang == Lang::En {
        return text.to_owned();
    }
    let found = SENTENCES.iter().find_map(|(english, korean)| {
        let values = places(english, text)?;
        let mut parts = korean.split("{}");
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for (value, part) in values.iter().zip(parts) {
            shown.push_str(value);
            shown.push_str(part);
        }
        Some(shown)
    });
    found.unwrap_or_else(|| text.to_owned())
}

/// What stands at the places of a sentence, if the text is that sentence.
fn places<'a>(sentence: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = sentence.split("{}").peekable();
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut values = Vec::new();
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() {
            rest.len()
                .checked_sub(part.len())
                .filter(|end| rest.get(*end..) == Some(part))?
        } else {
            rest.find(part)?
        };
        values.push(rest.get(..end)?);
        rest = rest.get(end + part.len()..)?;
    }
    rest.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_said_in_korean_with_their_names() {
        for (english, korean) in [
            (
                "not simulated: containers.stdin (it is stored, and has no effect)",
                "시뮬레이션하지 않음: containers.stdin (저장되지만 아무 효과가 없다)",
            ),
            (
                "not simulated: the interpreter ruby of /x",
                "시뮬레이션하지 않음: 인터프리터 ruby (/x)",
            ),
            ("something else", "something else"),
        ] {
            assert_eq!(notice(Lang::Ko, english), korean);
            assert_eq!(notice(Lang::En, english), english);
        }
        for (english, korean) in SENTENCES {
            let count = |text: &str| text.matches("{}").count();
            assert_eq!(count(english), count(korean), "{english}");
        }
    }

    /// Every sentence of the simulator's source has its Korean.
    #[test]
    fn no_notice_is_left_untranslated() {
        let mut left = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/crates/sim/src"
        ))];
        let mut seen = 0;
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(
                    std::fs::read_dir(&path)
                        .expect("a folder")
                        .map(|entry| entry.expect("an entry").path()),
                );
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for call in text.split(".notice(").skip(1) {
                let literal = call.trim_start().strip_prefix("&format!(").unwrap_or(call).trim_start();
                let Some(literal) = literal.strip_prefix('"') else {
                    continue;
                };
                let said = sample(literal);
                assert_ne!(
                    notice(Lang::Ko, &said),
                    said,
                    "{}: `{said}` has no Korean",
                    path.display()
                );
                seen += 1;
            }
        }
        assert!(seen > 15, "only {seen} sentences were found");
    }

    /// The text of a literal, names in place of what it takes.
    fn sample(literal: &str) -> String {
        let (mut said, mut chars) = (String::new(), literal.chars().peekable());
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => {
                    chars.next();
                    while chars.peek().is_some_and(|c| c.is_whitespace()) {
                        chars.next();
                    }
                }
                '{' => {
                    while chars.next().is_some_and(|c| c != '}') {}
                    said.push_str("name");
                }
                c => said.push(c),
            }
        }
        said
    }
}
