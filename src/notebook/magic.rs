//! The `%` commands: for the clock, and for the cluster as a whole.

use std::sync::Arc;

use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::What;
use peapod_sim::version::Version;
use serde_json::Value;

use super::session::{Session, interrupted, stream};
use super::{Bundle, Failure, Output, show};
use crate::lab::{Cancel, duration, limit, nearest_hint};
use crate::workstation::{self, Held};

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Magic {
    /// Its name with `%` or `%%`.
    pub name: &'static str,
    /// What stands behind it.
    pub usage: &'static str,
    /// What it does.
    pub en: &'static str,
    /// The same in Korean.
    pub ko: &'static str,
}

macro_rules! magics {
    ($($name:literal $usage:literal $en:literal $ko:literal;)*) => {
        &[$(Magic { name: $name, usage: $usage, en: $en, ko: $ko }),*]
    };
}

/// All commands, by name.
pub const MAGICS: &[Magic] = magics! {
    "%advance" "TIME" "lets virtual time pass: %advance 30s" "가상 시간을 흘려보낸다: %advance 30s";
    "%clear" "" "clears what the cell has shown" "셀이 보여 준 것을 지운다";
    "%lsmagic" "" "lists these commands" "이 명령들을 늘어놓는다";
    "%now" "" "tells the virtual time" "가상 시각을 알려 준다";
    "%play" "TIME [SPEED]" "lets virtual time pass as slowly as real time, or SPEED times as fast" "가상 시간을 실제 시간처럼, 또는 SPEED배로 흘려보낸다";
    "%profile" "[VERSION]" "tells the version of Kubernetes, or begins anew with another one" "쿠버네티스 버전을 알려 주거나, 다른 버전으로 새로 시작한다";
    "%reset" "[--nodes N] [--profile VERSION] [--seed N] [--jitter real|none] [--set NAME=VALUE] [--lead TIME] [--strict]" "begins anew with a fresh cluster" "새 클러스터로 새로 시작한다";
    "%restore" "[NAME]" "goes back to what %snapshot kept" "%snapshot이 남긴 때로 돌아간다";
    "%seed" "[N]" "tells the seed of all chance, or begins anew with another one" "모든 우연의 씨앗을 알려 주거나, 다른 씨앗으로 새로 시작한다";
    "%settle" "[TIME]" "lets virtual time pass until nothing happens any more, at most 1h" "더는 아무 일도 없을 때까지 가상 시간을 흘려보낸다. 길어도 1시간";
    "%snapshot" "[NAME]" "keeps cluster and workstation as they are" "클러스터와 작업대를 그대로 남겨 둔다";
    "%step" "[N]" "goes to the next change of an object" "오브젝트가 다음에 바뀌는 때로 간다";
    "%timeline" "[KIND/NAME]" "draws what has happened" "일어난 일을 그린다";
    "%until" "KIND/NAME CONDITION [TIME]" "lets virtual time pass until an object is Ready, Running, deleted …" "오브젝트가 Ready, Running, deleted … 이 될 때까지 가상 시간을 흘려보낸다";
    "%why" "KIND/NAME" "tells what led to the last change of an object" "오브젝트가 마지막으로 바뀐 까닭을 알려 준다";
    "%%bash" "" "runs the cell in the workstation's shell" "셀을 작업대의 셸에서 실행한다";
    "%%experiment" "" "runs the cell as an experiment" "셀을 실험으로 실행한다";
    "%%kubectl" "ARGUMENTS" "runs one kubectl command" "kubectl 명령 하나를 실행한다";
    "%%sh" "" "runs the cell in the workstation's shell" "셀을 작업대의 셸에서 실행한다";
    "%%writefile" "NAME" "writes the cell into a file of the workstation" "셀을 작업대의 파일에 쓴다";
    "%%yaml" "" "applies the cell as a manifest" "셀을 매니페스트로 적용한다";
};

/// What was wrong with how a command was used.
fn usage(name: &str, message: impl Into<String>) -> Failure {
    let failure = Failure::new("UsageError", message);
    match MAGICS.iter().find(|magic| magic.name == name) {
        Some(magic) => failure.hint(format!("{name} {}", magic.usage).trim_end()),
        None => failure,
    }
}

/// Runs a command.
pub(super) fn run(
    session: &mut Session,
    name: &str,
    arguments: &str,
    cancel: &Cancel,
    out: &mut dyn FnMut(Output),
) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let takes = |least: usize, most: usize| {
        if words.len() < least || words.len() > most {
            Err(usage(name, format!("{name} takes other words behind it")))
        } else {
            Ok(())
        }
    };
    let span = |text: &str| duration::parse(text).map_err(|message| usage(name, message));
    match name {
        "%now" => {
            takes(0, 0)?;
            out(Output::Result(now(session)));
        }
        "%advance" => {
            takes(1, 1)?;
            let until = session.now.cluster.now() + bounded(span(words[0])?);
            advance(session, until, cancel)?;
            out(Output::Result(now(session)));
        }
        "%settle" => {
            takes(0, 1)?;
            let cap = words
                .first()
                .map_or(Ok(limit::SETTLED_CAP), |text| span(text).map(bounded))?;
            settle(session, cap, cancel)?;
            out(Output::Result(now(session)));
        }
        "%step" => {
            takes(0, 1)?;
            let count = number(name, words.first().copied().unwrap_or("1"))?;
            step(session, count, cancel)?;
            out(Output::Result(now(session)));
        }
        "%play" => {
            takes(1, 2)?;
            play(session, bounded(span(words[0])?), words.get(1).copied(), cancel, out)?;
        }
        "%until" => {
            takes(2, 3)?;
            let timeout = words.get(2).map_or(Ok(limit::WAIT_TIMEOUT), |text| span(text))?;
            until(session, words[0], words[1], timeout, cancel, out)?;
        }
        "%reset" => {
            let settings = reset(session, &words)?;
            begin(session, name, settings, out)?;
        }
        "%profile" | "%seed" if words.is_empty() => {
            let text = match name {
                "%seed" => session.settings().seed.to_string(),
                _ => format!("Kubernetes {}", session.settings().version.git_version()),
            };
            out(Output::Result(Bundle::new(text)));
        }
        "%profile" => {
            takes(1, 1)?;
            let mut settings = session.settings().clone();
            settings.version = version(name, words[0])?;
            begin(session, name, settings, out)?;
        }
        "%seed" => {
            takes(1, 1)?;
            let mut settings = session.settings().clone();
            settings.seed = number(name, words[0])?;
            begin(session, name, settings, out)?;
        }
        "%snapshot" => {
            takes(0, 1)?;
            let key = words.first().copied().unwrap_or("").to_owned();
            session.kept.insert(key, session.now.clone());
            out(Output::Result(now(session)));
        }
        "%restore" => {
            takes(0, 1)?;
            let key = words.first().copied().unwrap_or("");
            let Some(kept) = session.kept.get(key).cloned() else {
                let known: Vec<&str> = session.kept.keys().map(String::as_str).collect();
                let message = match (key, known.is_empty()) {
                    ("", _) | (_, true) => "nothing was kept; %snapshot keeps what is now".to_owned(),
                    (key, false) => format!("there is no snapshot {key:?}; there is {}", known.join(", ")),
                };
                return Err(Failure::new("NotFound", message));
            };
            session.now = kept;
            session.generation += 1;
            out(Output::Result(now(session)));
        }
        "%timeline" => {
            takes(0, 1)?;
            let mut trace = session.now.cluster.trace();
            let title = match words.first() {
                Some(word) => {
                    let object = named(session, name, word)?;
                    show::only(&mut trace, &object.0, &object.1);
                    format!("{}/{}", object.0, object.1)
                }
                None => format!("Kubernetes {}", session.settings().version),
            };
            let bundle = show::timeline(&trace, &title, session.settings().lang);
            out(Output::Display { id: None, bundle });
        }
        "%why" => {
            takes(1, 1)?;
            let (kind, object) = named(session, name, words[0])?;
            let trace = session.now.cluster.trace();
            let last = trace.records.iter().rposition(|record| {
                let own = record.object.as_ref();
                let is = own.is_some_and(|own| own.kind == kind && own.name == object);
                is && matches!(&record.what, What::Write { summary, .. } if !summary.is_empty())
            });
            let last = last.or_else(|| {
                trace.records.iter().rposition(|record| {
                    let own = record.object.as_ref();
                    own.is_some_and(|own| own.kind == kind && own.name == object)
                })
            });
            let Some(last) = last else {
                return Err(Failure::new(
                    "NotFound",
                    format!("nothing has happened to {kind} {object}"),
                ));
            };
            out(Output::Result(show::why(&trace, last, session.settings().lang)));
        }
        "%clear" => {
            takes(0, 0)?;
            out(Output::Clear { wait: false });
        }
        "%lsmagic" => {
            takes(0, 0)?;
            out(Output::Result(show::magics(session.settings().lang)));
        }
        other => {
            let known: Vec<&str> = MAGICS.iter().map(|magic| magic.name).collect();
            let failure = Failure::new("UsageError", format!("there is no command {other}"));
            return Err(match nearest_hint(other, known) {
                Some(hint) => failure.hint(&hint),
                None => failure.hint("%lsmagic lists the commands"),
            });
        }
    }
    Ok(())
}

/// No command passes more virtual time than a trial may have.
fn bounded(span: SimDuration) -> SimDuration {
    span.min(limit::VIRTUAL_TIME)
}

fn number(name: &str, text: &str) -> Result<u64, Failure> {
    text.parse()
        .map_err(|_| usage(name, format!("{text:?} is no whole number")))
}

fn version(name: &str, text: &str) -> Result<Version, Failure> {
    Version::named(text.trim_start_matches('v')).ok_or_else(|| {
        let known: Vec<String> = Version::all().map(|version| version.to_string()).collect();
        usage(
            name,
            format!("Kubernetes {text} is not simulated; there is {}", known.join(", ")),
        )
    })
}

/// The instant that is now.
fn now(session: &Session) -> Bundle {
    let cluster = &session.now.cluster;
    let wall = cluster.wall_now().strftime("%Y-%m-%d %H:%M:%S UTC");
    Bundle::new(format!("t = {} ({wall})", cluster.now()))
}

pub(super) fn advance(session: &mut Session, until: SimTime, cancel: &Cancel) -> Result<(), Failure> {
    let cluster = &mut session.now.cluster;
    if workstation::pass(&mut Held { cluster, cancel }, until) || !cancel.is_cancelled() {
        return Ok(());
    }
    Err(interrupted(&session.now.cluster))
}

fn settle(session: &mut Session, cap: SimDuration, cancel: &Cancel) -> Result<(), Failure> {
    let cluster = &mut session.now.cluster;
    let deadline = cluster.now() + cap;
    while !cluster.settled() {
        if cancel.is_cancelled() {
            return Err(interrupted(cluster));
        }
        match cluster.next_event_at() {
            Some(next) if next <= deadline && cluster.step() => {}
            _ => {
                if cluster.problem().is_none() {
                    cluster.run_until(deadline);
                }
                break;
            }
        }
    }
    Ok(())
}

fn step(session: &mut Session, count: u64, cancel: &Cancel) -> Result<(), Failure> {
    let cluster = &mut session.now.cluster;
    for _ in 0..count {
        let before = cluster.revision();
        let deadline = cluster.now() + limit::SETTLED_CAP;
        while cluster.revision() == before {
            if cancel.is_cancelled() {
                return Err(interrupted(cluster));
            }
            match cluster.next_event_at() {
                Some(next) if next <= deadline && cluster.step() => {}
                _ => return Ok(()),
            }
        }
    }
    Ok(())
}

/// Follows real time. What it leaves behind depends on the virtual time alone.
fn play(
    session: &mut Session,
    span: SimDuration,
    speed: Option<&str>,
    cancel: &Cancel,
    out: &mut dyn FnMut(Output),
) -> Result<(), Failure> {
    /// Pictures a second.
    const RATE: u64 = 5;
    let speed = match speed {
        None => 1.0,
        Some(text) => text
            .trim_end_matches(['x', '×'])
            .parse::<f64>()
            .ok()
            .filter(|speed| *speed > 0.0 && speed.is_finite())
            .ok_or_else(|| usage("%play", format!("{text:?} is no speed, such as 2 or 0.5")))?,
    };
    let (id, lang) = (session.display_id(), session.settings().lang);
    let title = format!("Kubernetes {}", session.settings().version);
    let picture = |session: &Session| show::timeline(&session.now.cluster.trace(), &title, lang);
    let end = session.now.cluster.now() + span;
    out(Output::Display {
        id: Some(id.clone()),
        bundle: picture(session),
    });
    let stride = SimDuration(((1_000_000_000 / RATE) as f64 * speed).clamp(1e6, 1e15) as u64);
    while session.now.cluster.now() < end {
        if !session.hurries {
            std::thread::sleep(std::time::Duration::from_millis(1000 / RATE));
        }
        let before = session.now.cluster.revision();
        let until = (session.now.cluster.now() + stride).min(end);
        let passed = advance(session, until, cancel);
        if session.now.cluster.revision() != before || until == end || passed.is_err() {
            out(Output::Update {
                id: id.clone(),
                bundle: picture(session),
            });
        }
        passed?;
        if session.now.cluster.problem().is_some() {
            break;
        }
    }
    Ok(())
}

/// Waits as `kubectl wait` does.
fn until(
    session: &mut Session,
    object: &str,
    condition: &str,
    timeout: SimDuration,
    cancel: &Cancel,
    out: &mut dyn FnMut(Output),
) -> Result<(), Failure> {
    let what = match condition {
        "deleted" | "gone" => "delete".to_owned(),
        "Pending" | "Running" | "Succeeded" | "Failed" => format!("jsonpath={{.status.phase}}={condition}"),
        text if text.starts_with("jsonpath=") || text.starts_with("condition=") => text.to_owned(),
        text if text.starts_with('{') => format!("jsonpath={text}"),
        text => format!("condition={text}"),
    };
    let words = [
        "wait".to_owned(),
        object.to_owned(),
        format!("--for={what}"),
        format!("--timeout={timeout}"),
    ];
    let cluster = &mut session.now.cluster;
    let mut held = Held { cluster, cancel };
    let output = crate::cluster_api::kubectl_words(&mut held, &words, &peapod_kubectl::NoFiles);
    if cancel.is_cancelled() {
        return Err(interrupted(&session.now.cluster));
    }
    if output.exit_code != 0 {
        let text = output.stderr.trim_end();
        let name = if text.contains("timed out") {
            "TimedOut"
        } else {
            "CommandFailed"
        };
        return Err(Failure::new(name, text.strip_prefix("error: ").unwrap_or(text)));
    }
    stream(out, true, &output.stderr);
    out(Output::Result(now(session)));
    Ok(())
}

/// What `%reset` takes.
pub(super) const RESET_FLAGS: &[&str] = &[
    "--nodes",
    "--profile",
    "--seed",
    "--jitter",
    "--set",
    "--lead",
    "--strict",
];

fn reset(session: &Session, words: &[&str]) -> Result<super::Settings, Failure> {
    let mut settings = super::Settings {
        lang: session.settings().lang,
        ..super::Settings::default()
    };
    let name = "%reset";
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let (flag, own) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word, None),
        };
        if flag == "--strict" {
            settings.strict = own != Some("false");
            continue;
        }
        if !RESET_FLAGS.contains(&flag) {
            let failure = usage(name, format!("{flag} is not known"));
            return Err(match nearest_hint(flag, RESET_FLAGS.iter().copied()) {
                Some(hint) => failure.hint(&hint),
                None => failure,
            });
        }
        let Some(value) = own.or_else(|| words.next()) else {
            return Err(usage(name, format!("{flag} needs a value")));
        };
        match flag {
            "--nodes" => {
                settings.nodes = usize::try_from(number(name, value)?).unwrap_or(usize::MAX);
                if !(1..=MAX_NODES).contains(&settings.nodes) {
                    return Err(usage(name, format!("a cluster has 1 to {MAX_NODES} nodes")));
                }
            }
            "--profile" => settings.version = version(name, value)?,
            "--seed" => settings.seed = number(name, value)?,
            "--jitter" => {
                settings.jitter = match value {
                    "real" => true,
                    "none" => false,
                    other => return Err(usage(name, format!("jitter is real or none, not {other}"))),
                }
            }
            "--lead" => settings.lead = duration::parse(value).map_err(|message| usage(name, message))?,
            _ => match value.split_once('=') {
                Some((setting, value)) => settings.settings.push((setting.to_owned(), value.to_owned())),
                None => return Err(usage(name, format!("--set {value}: a setting is NAME=VALUE"))),
            },
        }
    }
    Ok(settings)
}

/// Nodes of a session's cluster.
const MAX_NODES: usize = 1_000;

fn begin(
    session: &mut Session,
    name: &str,
    settings: super::Settings,
    out: &mut dyn FnMut(Output),
) -> Result<(), Failure> {
    session.reset(settings).map_err(|message| usage(name, message))?;
    let settings = session.settings();
    out(Output::Result(Bundle::new(format!(
        "Kubernetes {}, {} {}, seed {}",
        settings.version.git_version(),
        settings.nodes,
        if settings.nodes == 1 { "node" } else { "nodes" },
        settings.seed
    ))));
    Ok(())
}

/// The kind and the name of an object that is written `pod/web`.
fn named(session: &Session, name: &str, word: &str) -> Result<(String, String), Failure> {
    let Some((kind, object)) = word.split_once('/') else {
        return Err(usage(
            name,
            format!("{word:?} is no object: write its kind and name, such as pod/web"),
        ));
    };
    let Some(resource) = peapod_kubectl::resources::find(kind) else {
        return Err(Failure::new("NotFound", format!("there is no kind {kind:?}")));
    };
    let cluster = &session.now.cluster;
    let was = cluster.writes().iter().any(|write| {
        let key = &write.stored.key;
        key.kind.resource().name == resource.kind && &*key.name == object
    });
    let is = || {
        let named = |known: &Arc<Value>| known.pointer("/metadata/name").and_then(Value::as_str) == Some(object);
        cluster.objects(resource.kind).iter().any(named)
    };
    if !was && !is() {
        let message = format!("there is and was no {} {object:?}", resource.kind);
        return Err(Failure::new("NotFound", message));
    }
    Ok((resource.kind.to_owned(), object.to_owned()))
}
