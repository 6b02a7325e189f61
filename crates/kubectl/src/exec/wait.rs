//! Waiting without blocking: a command says what it waits for, and whoever moves the clock asks again.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Failure, Info, Output, Session};
use crate::api::{Api, NoFiles, Verb};
use crate::command::{For, Targets};
use crate::resources::Resource;
use crate::value::{int, list, opt_int, text};

/// An object that is waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Its resource.
    pub resource: &'static Resource,
    /// Its namespace, empty if it has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, empty if any object of the name counts.
    pub uid: String,
}

impl Reference {
    pub(super) fn new(info: &Info, uid: &str) -> Reference {
        Reference {
            resource: info.resource,
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            uid: uid.to_owned(),
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.resource.singular_group(), self.name)
    }

    fn live(&self, api: &mut dyn Api) -> Result<Value, crate::api::Status> {
        api.request(&Session::request(self.resource, Verb::Get, &self.namespace, &self.name))
    }

    fn gone(&self, api: &mut dyn Api) -> bool {
        match self.live(api) {
            Ok(object) => !self.uid.is_empty() && text(&object, "/metadata/uid") != self.uid,
            Err(status) => status.code == 404,
        }
    }
}

/// A pod of a node that is drained.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaving {
    /// The pod.
    pub reference: Reference,
    /// Whether a budget has refused its eviction.
    pub refused: bool,
}

/// What a wait ends with.
#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// All these objects are gone.
    Gone(Vec<Reference>),
    /// Pods of a drained node are gone; evictions that were refused are sent again.
    Evicted {
        /// The node.
        node: String,
        /// The pods that are left.
        pods: Vec<Leaving>,
        /// DeleteOptions of the eviction, if any.
        options: Option<Value>,
        /// Whether pods are deleted instead of evicted.
        disable_eviction: bool,
        /// When refused evictions are sent again.
        retry: Timestamp,
        /// What was said so far.
        said: Box<Output>,
    },
    /// Each object fulfils a condition of `kubectl wait`; what is left of them.
    Met(For, Vec<Reference>),
    /// A rollout has ended; the revision asked for, and the line printed last.
    RolledOut {
        /// The workload.
        object: Reference,
        /// The revision that must be the latest, 0 for any.
        revision: i64,
        /// What was said last.
        said: String,
    },
    /// Objects are created once the wait before has ended.
    Replaced {
        /// What to create.
        objects: Vec<(Reference, Value)>,
    },
    /// One wait after another.
    Then(Box<Until>, Box<Until>),
    /// The last of several waits, and what those before it left.
    After(Box<Output>, Box<Until>),
}

/// What a command waits for, and how long at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// What ends it.
    pub until: Until,
    /// `--timeout` in milliseconds, counted from the command; `None` is for ever.
    pub timeout: Option<i64>,
}

impl Wait {
    pub(super) fn new(until: Until, timeout: Option<i64>) -> Wait {
        Wait { until, timeout }
    }

    /// The wait, unless it is over at once and without a word.
    pub(super) fn unless_done(mut self, api: &mut dyn Api) -> Option<Wait> {
        match poll(&mut self, api) {
            Some(_) => None,
            None => Some(self),
        }
    }
}

/// How often a refused eviction is sent again.
const EVICTION_RETRY: SignedDuration = SignedDuration::from_secs(5);

/// Looks whether a wait is over. `Some` holds what the command still prints. Progress that is printed on the way is
/// kept in the wait and comes with the end.
pub fn poll(wait: &mut Wait, api: &mut dyn Api) -> Option<Output> {
    step(&mut wait.until, api)
}

/// What a command has printed on the way, which comes with its end; for one that is ended before.
#[must_use]
pub fn said(wait: &Wait) -> Output {
    fn of(until: &Until) -> Output {
        match until {
            Until::Evicted { said, .. } => Output::clone(said),
            Until::RolledOut { said, .. } => Output {
                stdout: said.clone(),
                ..Output::default()
            },
            Until::Then(first, _) => of(first),
            Until::After(before, last) => {
                let mut out = Output::clone(before);
                out.append(&of(last));
                out
            }
            Until::Gone(_) | Until::Met(..) | Until::Replaced { .. } => Output::default(),
        }
    }
    of(&wait.until)
}

/// What the command prints when its `--timeout` has passed.
#[must_use]
pub fn time_out(wait: &Wait) -> Output {
    let on = |reference: &Reference| {
        format!(
            "error: timed out waiting for the condition on {}/{}\n",
            reference.resource.plural, reference.name
        )
    };
    let stderr = match &wait.until {
        Until::Gone(left) | Until::Met(_, left) => left.iter().map(on).collect(),
        Until::Evicted { node, pods, said, .. } => {
            let after = wait
                .timeout
                .map(|millis| format!(": {}", crate::print::age::go_duration(millis)));
            let after = after.unwrap_or_default();
            let left: Vec<String> = pods
                .iter()
                .map(|pod| {
                    let (name, namespace) = (&pod.reference.name, &pod.reference.namespace);
                    if pod.refused {
                        format!("error when evicting pods/\"{name}\" -n \"{namespace}\": global timeout reached{after}")
                    } else {
                        format!("error when waiting for pod \"{name}\" in namespace \"{namespace}\" to terminate: global timeout reached{after}")
                    }
                })
                .collect();
            let error = match left.as_slice() {
                [one] => one.clone(),
                many => format!("[{}]", many.join(", ")),
            };
            let mut out = Output::clone(said);
            out.stderr.push_str(&format!(
                "error: unable to drain node \"{node}\" due to error: {error}, continuing command...\nThere are pending nodes to be drained:\n {node}\n{}\n",
                left.join("\n")
            ));
            out.exit_code = 1;
            return out;
        }
        Until::RolledOut { said, .. } => {
            return Output {
                stdout: said.clone(),
                stderr: "error: timed out waiting for the condition\n".to_owned(),
                exit_code: 1,
                ..Output::default()
            };
        }
        Until::Replaced { .. } => "error: timed out waiting for the condition\n".to_owned(),
        Until::Then(first, _) => {
            return time_out(&Wait {
                until: (**first).clone(),
                timeout: None,
            });
        }
        Until::After(before, last) => {
            let mut out = Output::clone(before);
            out.append(&time_out(&Wait {
                until: (**last).clone(),
                timeout: None,
            }));
            return out;
        }
    };
    Output {
        stderr,
        exit_code: 1,
        ..Output::default()
    }
}

fn step(until: &mut Until, api: &mut dyn Api) -> Option<Output> {
    match until {
        Until::Gone(left) => {
            left.retain(|reference| !reference.gone(api));
            left.is_empty().then(Output::default)
        }
        Until::Evicted {
            node,
            pods,
            options,
            disable_eviction,
            retry,
            said,
        } => {
            let again = api.now() >= *retry;
            pods.retain_mut(|pod| {
                let own = &pod.reference;
                if own.gone(api) {
                    let word = if *disable_eviction { "deleted" } else { "evicted" };
                    said.stdout.push_str(&format!("{} {word}\n", own.shown()));
                    return false;
                }
                if again && pod.refused {
                    said.stdout
                        .push_str(&format!("evicting pod {}/{}\n", own.namespace, own.name));
                    let answer = api.request(&eviction(own, options.as_ref()));
                    pod.refused = matches!(&answer, Err(status) if status.code == 429);
                    if let (true, Err(status)) = (pod.refused, answer) {
                        said.stderr.push_str(&refusal(&pod.reference, &status.message));
                    }
                }
                true
            });
            if again {
                *retry = api.now() + EVICTION_RETRY;
            }
            if !pods.is_empty() {
                return None;
            }
            said.stdout.push_str(&format!("node/{node} drained\n"));
            Some(Output::clone(said))
        }
        Until::Met(what, left) => met(what, left, api),
        Until::RolledOut { object, revision, said } => {
            let live = match object.live(api) {
                Ok(live) => live,
                Err(status) => return Some(failed(&Failure::Status(status), said)),
            };
            match super::rollout::status(&live, object.resource.kind, *revision) {
                Err(message) => Some(failed(&Failure::Message(message), said)),
                Ok((line, done)) => {
                    if !said.ends_with(&line) || said.is_empty() {
                        said.push_str(&line);
                    }
                    done.then(|| Output {
                        stdout: said.clone(),
                        ..Output::default()
                    })
                }
            }
        }
        Until::Replaced { objects } => {
            let mut session = Session {
                api,
                files: &NoFiles,
                namespace: String::new(),
                explicit_namespace: false,
                all_namespaces: false,
                out: Output::default(),
            };
            for (reference, object) in objects {
                match session.create_one(
                    reference.resource,
                    &reference.namespace,
                    object.clone(),
                    "kubectl-replace",
                    crate::command::DryRun::None,
                ) {
                    Ok(_) => session.say(format!("{} replaced", reference.shown())),
                    Err(status) => session.fail(&Failure::Status(status)),
                }
            }
            Some(session.out)
        }
        Until::Then(first, second) => {
            let before = step(first, api)?;
            *until = Until::After(Box::new(before), second.clone());
            step(until, api)
        }
        Until::After(before, last) => {
            let after = step(last, api)?;
            before.append(&after);
            Some(Output::clone(before))
        }
    }
}

fn failed(failure: &Failure, said: &str) -> Output {
    Output {
        stdout: said.to_owned(),
        stderr: failure.stderr(),
        exit_code: 1,
        ..Output::default()
    }
}

/// What is said of an eviction that a budget refuses.
pub(super) fn refusal(pod: &Reference, message: &str) -> String {
    let (name, namespace) = (&pod.name, &pod.namespace);
    format!("error when evicting pods/\"{name}\" -n \"{namespace}\" (will retry after 5s): {message}\n")
}

/// The request that evicts a pod.
pub(super) fn eviction(pod: &Reference, options: Option<&Value>) -> crate::api::Request {
    let mut request = Session::request(pod.resource, Verb::Create, &pod.namespace, &pod.name);
    "eviction".clone_into(&mut request.subresource);
    let mut body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name, "namespace": pod.namespace}});
    if let Some(options) = options {
        body["deleteOptions"] = options.clone();
    }
    request.body = Some(body);
    request
}

fn met(what: &For, left: &[Reference], api: &mut dyn Api) -> Option<Output> {
    let mut out = Output::default();
    for reference in left.iter() {
        let live = reference.live(api);
        let fulfilled = match (what, &live) {
            (For::Delete, _) => reference.gone(api),
            (For::Create, live) => live.is_ok(),
            (_, Err(_)) => false,
            (For::Condition(name, value), Ok(object)) => {
                // A condition about an older generation of the object says nothing about this one.
                let found = list(object, "/status/conditions")
                    .iter()
                    .find(|found| text(found, "/type").eq_ignore_ascii_case(name));
                found.is_some_and(|found| {
                    let observed =
                        opt_int(found, "/observedGeneration").or_else(|| opt_int(object, "/status/observedGeneration"));
                    text(found, "/status").eq_ignore_ascii_case(value)
                        && observed.is_none_or(|observed| observed >= int(object, "/metadata/generation"))
                })
            }
            (For::JsonPath(path, value), Ok(object)) => match crate::print::jsonpath::evaluate_first(path, object) {
                Ok(Some(found)) => value
                    .as_ref()
                    .is_none_or(|value| *value == crate::value::scalar(&found)),
                _ => false,
            },
        };
        if !fulfilled {
            return None;
        }
        out.stdout.push_str(&format!("{} condition met\n", reference.shown()));
    }
    Some(out)
}

impl Session<'_> {
    pub(super) fn wait(&mut self, what: &For, targets: &Targets, timeout: i64) -> Result<(), Failure> {
        let references = if *what == For::Create {
            let found = Session::resolve(&targets.args)?;
            found
                .into_iter()
                .map(|target| Reference {
                    resource: target.resource,
                    namespace: self.scope(target.resource),
                    name: target.name.unwrap_or_default(),
                    uid: String::new(),
                })
                .collect()
        } else {
            let (infos, failures) = self.visit(targets, "wait")?;
            if *what == For::Delete {
                // What is gone already needs no wait; anything else is told.
                self.finish(failures.into_iter().filter(|failure| !failure.is_not_found()).collect())?;
            } else if let Some(failure) = failures.into_iter().next() {
                return Err(failure);
            } else if infos.is_empty() {
                return Err("no matching resources found".into());
            }
            infos
                .iter()
                .map(|info| Reference::new(info, text(&info.object, "/metadata/uid")))
                .collect::<Vec<_>>()
        };
        let mut wait = Wait::new(Until::Met(what.clone(), references), Some(timeout));
        match poll(&mut wait, self.api) {
            Some(done) => self.out.append(&done),
            // A timeout of zero means: look once.
            None if timeout == 0 => {
                let out = time_out(&wait);
                self.out.stderr.push_str(&out.stderr);
                self.out.exit_code = 1;
            }
            None => self.out.waits_for = Some(wait),
        }
        Ok(())
    }
}
