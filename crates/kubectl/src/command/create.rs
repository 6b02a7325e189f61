//! `create`: from files, or from a few words.

use super::{Action, Grammar, Line, ParseError, Write, split_commas};
use crate::flags::{switches, value, values};

/// `kubectl create TYPE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// `create namespace NAME`
    Namespace,
    /// `create configmap NAME`
    ConfigMap,
    /// `create secret generic NAME`, with its `--type`
    Secret(Option<String>),
    /// `create serviceaccount NAME`
    ServiceAccount,
    /// `create deployment NAME --image=… --replicas=… --port=…`
    Deployment {
        /// `--replicas`
        replicas: i64,
        /// `--port`
        port: Option<i64>,
    },
    /// `create job NAME`, with `--from=cronjob/…`
    Job {
        /// `--from`
        from: Option<String>,
    },
    /// `create cronjob NAME --schedule=…`
    CronJob {
        /// `--schedule`
        schedule: String,
        /// `--restart`
        restart: String,
    },
    /// `create service TYPE NAME --tcp=…`
    Service {
        /// `ClusterIP`, `NodePort` …
        kind: &'static str,
        /// `--tcp`
        tcp: Vec<String>,
        /// `--clusterip`
        cluster_ip: Option<String>,
    },
    /// `create poddisruptionbudget NAME --selector=…`
    PodDisruptionBudget {
        /// `--selector`
        selector: String,
        /// `--min-available`
        min_available: Option<String>,
        /// `--max-unavailable`
        max_unavailable: Option<String>,
    },
    /// `create priorityclass NAME --value=…`
    PriorityClass {
        /// `--value`
        value: i64,
        /// `--global-default`
        global_default: bool,
        /// `--description`
        description: String,
        /// `--preemption-policy`
        preemption_policy: String,
    },
    /// `create quota NAME --hard=…`
    Quota {
        /// `--hard`
        hard: String,
    },
}

/// A `create` with a generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generate {
    /// What to create.
    pub generator: Generator,
    /// Its name.
    pub name: String,
    /// `--image`
    pub images: Vec<String>,
    /// `--from-literal`
    pub literals: Vec<String>,
    /// `--from-file`
    pub files: Vec<String>,
    /// `--from-env-file`
    pub env_files: Vec<String>,
    /// Words after `--`.
    pub command: Vec<String>,
    /// How to report.
    pub write: Write,
}

pub(super) const CREATE: Grammar = Grammar {
    names: &["create"],
    flags: &[
        &values([
            "image",
            "port",
            "from-literal",
            "from-file",
            "from-env-file",
            "from",
            "schedule",
            "restart",
            "type",
            "tcp",
            "clusterip",
            "min-available",
            "max-unavailable",
            "value",
            "description",
            "preemption-policy",
            "hard",
        ]),
        &switches(["global-default", "append-hash", "edit"]),
        &[value("replicas").short('r')],
    ],
    subcommands: &[
        "namespace",
        "ns",
        "configmap",
        "cm",
        "secret",
        "serviceaccount",
        "sa",
        "deployment",
        "deploy",
        "job",
        "cronjob",
        "cj",
        "service",
        "svc",
        "poddisruptionbudget",
        "pdb",
        "priorityclass",
        "pc",
        "quota",
        "resourcequota",
    ],
    read: |line| match line.subcommand {
        Some(kind) => Ok(Action::Generate(generate(kind, line)?)),
        None if line.given.args.is_empty() => Ok(Action::Create(
            line.needed_files()?,
            line.given.on("save-config"),
            line.write()?,
        )),
        None => Err(line.usage(format!("Unexpected args: [{}]", line.given.args.join(" ")))),
    },
};

fn generate(kind: &str, line: &Line) -> Result<Generate, ParseError> {
    let given = &line.given;
    let mut args = given.args.clone();
    let need = |flag: &str| {
        given
            .text(flag)
            .ok_or_else(|| ParseError::new(format!("required flag(s) \"{flag}\" not set")))
    };
    let generator = match kind {
        "namespace" | "ns" => Generator::Namespace,
        "configmap" | "cm" => Generator::ConfigMap,
        "secret" => {
            if args.first().is_none_or(|word| word != "generic") {
                return Err(ParseError::new(
                    "create secret: only `create secret generic NAME` is supported",
                ));
            }
            args.remove(0);
            Generator::Secret(given.text("type"))
        }
        "serviceaccount" | "sa" => Generator::ServiceAccount,
        "deployment" | "deploy" => {
            need("image")?;
            Generator::Deployment {
                replicas: line.int("replicas")?.unwrap_or(1),
                port: line.int("port")?,
            }
        }
        "job" => {
            let from = given.text("from");
            match (given.get("image"), &from) {
                (None, None) => return Err(ParseError::new("either --image or --from must be specified")),
                (Some(_), Some(_)) => {
                    return Err(ParseError::new("either --image or --from must be specified, not both"));
                }
                _ => {}
            }
            Generator::Job { from }
        }
        "cronjob" | "cj" => {
            need("image")?;
            Generator::CronJob {
                schedule: need("schedule")?,
                restart: given.text("restart").unwrap_or_else(|| "OnFailure".to_owned()),
            }
        }
        "service" | "svc" => {
            let kind = match args.first().map(String::as_str) {
                Some("clusterip") => "ClusterIP",
                Some("nodeport") => "NodePort",
                Some("loadbalancer") => "LoadBalancer",
                _ => {
                    return Err(ParseError::new(
                        "create service needs one of: clusterip, nodeport, loadbalancer",
                    ));
                }
            };
            args.remove(0);
            Generator::Service {
                kind,
                tcp: split_commas(&given.all("tcp")),
                cluster_ip: given.text("clusterip"),
            }
        }
        "poddisruptionbudget" | "pdb" => {
            let (min_available, max_unavailable) = (given.text("min-available"), given.text("max-unavailable"));
            if min_available.is_none() && max_unavailable.is_none() {
                return Err(ParseError::new(
                    "one of min-available or max-unavailable must be specified",
                ));
            }
            if min_available.is_some() && max_unavailable.is_some() {
                return Err(ParseError::new(
                    "min-available and max-unavailable cannot be both specified",
                ));
            }
            Generator::PodDisruptionBudget {
                selector: given
                    .text("selector")
                    .ok_or_else(|| ParseError::new("a selector must be specified"))?,
                min_available,
                max_unavailable,
            }
        }
        "priorityclass" | "pc" => Generator::PriorityClass {
            value: line.int("value")?.unwrap_or(0),
            global_default: given.on("global-default"),
            description: given.text("description").unwrap_or_default(),
            preemption_policy: given
                .text("preemption-policy")
                .unwrap_or_else(|| "PreemptLowerPriority".to_owned()),
        },
        _ => Generator::Quota {
            hard: given.text("hard").unwrap_or_default(),
        },
    };
    let name = match args.as_slice() {
        [name] => name.clone(),
        // Words before `--` of a job belong to the name only by mistake.
        _ => return Err(line.usage(format!("exactly one NAME is required, got {}", args.len()))),
    };
    Ok(Generate {
        generator,
        name,
        images: split_commas(&given.all("image")),
        literals: given.all("from-literal"),
        files: given.all("from-file"),
        env_files: given.all("from-env-file"),
        command: given.rest.clone().unwrap_or_default(),
        write: line.write()?,
    })
}
