//! What `kubectl get pods -o wide -w` printed: one line each time a row changed.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use peapod_kubectl::print::{TableOptions, rows};
use peapod_sim::cluster::Cluster;
use peapod_sim::trace::Change;

use super::mask::family;
use super::sequence::{self, FACTOR, SECONDS, Sequence, Shown};

/// A printed row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When it was printed, in seconds since the start.
    pub t: f64,
    /// NAME
    pub name: String,
    /// READY
    pub ready: String,
    /// STATUS
    pub status: String,
    /// RESTARTS without the age.
    pub restarts: String,
    /// The age of the last restart, in seconds.
    pub ago: Option<f64>,
    /// Whether there is an IP.
    pub ip: bool,
    /// Whether there is a NODE.
    pub node: bool,
    /// Whether there is a NOMINATED NODE.
    pub nominated: bool,
    /// READINESS GATES
    pub gates: String,
    /// Whether it is the last row of a pod that is gone.
    pub gone: bool,
}

/// The rows at the head of a `kubectl.txt`.
pub fn recorded(text: &str) -> Vec<Row> {
    let section = text.split("\n\n").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| {
        let (line, gone) = match line.trim().strip_suffix("(DELETED)") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let cells: Vec<String> = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect();
        let (t, cells) = cells.split_first()?;
        row(t.parse().ok()?, cells, gone)
    });
    rows.collect()
}

/// The rows that a client would have printed who watched the namespace of a simulated cluster.
pub fn simulated(cluster: &Cluster, namespace: &str) -> Vec<Row> {
    let options = TableOptions {
        wide: true,
        no_headers: true,
        ..TableOptions::default()
    };
    let mut newest: BTreeMap<String, Row> = BTreeMap::new();
    let mut all = Vec::new();
    for write in cluster.writes() {
        let object = &write.stored.object;
        if object.as_pod().is_none() || object.meta().namespace.as_deref() != Some(namespace) {
            continue;
        }
        let printed = rows("Pod", &[write.stored.json()], cluster.wall_at(write.at), &options);
        let seconds = (write.at.0 / 1_000_000) as f64 / 1000.0;
        let gone = write.change == Change::Deleted;
        let Some(row) = printed.first().and_then(|cells| row(seconds, cells, gone)) else {
            continue;
        };
        let known = newest.insert(row.name.clone(), row.clone());
        if known.is_none_or(|known| !known.same(&row)) {
            all.push(row);
        }
    }
    all
}

fn row(t: f64, cells: &[String], gone: bool) -> Option<Row> {
    let [name, ready, status, restarts, _age, ip, node, nominated, gates] = cells else {
        return None;
    };
    let (restarts, ago) = match restarts.split_once(" (") {
        Some((count, ago)) => (count, ago.strip_suffix(" ago)").and_then(seconds)),
        None => (restarts.as_str(), None),
    };
    let given = |cell: &str| cell != "<none>";
    Some(Row {
        t,
        name: name.clone(),
        ready: ready.clone(),
        status: status.clone(),
        restarts: restarts.to_owned(),
        ago,
        ip: given(ip),
        node: given(node),
        nominated: given(nominated),
        gates: gates.clone(),
        gone,
    })
}

/// `1h2m3s` in seconds.
fn seconds(text: &str) -> Option<f64> {
    let (mut sum, mut number) = (0.0, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86400.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * unit;
        number.clear();
    }
    number.is_empty().then_some(sum)
}

/// Everything in which the two disagree, in words; empty when they agree. `end`: how long both were watched, in seconds.
pub fn compare(recorded: &[Row], simulated: &[Row], end: f64) -> Vec<String> {
    sequence::compare([pods(recorded), pods(simulated)], family, end)
}

/// The rows of each pod, equal neighbours merged, in order of first appearance. A name that comes back is another pod.
fn pods(rows: &[Row]) -> Vec<(String, Sequence<Shape>)> {
    let mut lives: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: IndexMap<(&str, usize), Sequence<Shape>> = IndexMap::new();
    for row in rows {
        let life = lives.entry(&row.name).or_default();
        let sequence = found.entry((&row.name, *life)).or_default();
        if sequence.last().is_none_or(|(_, last)| !last.0.same(row)) {
            sequence.push((row.t, Shape(row.clone())));
        }
        *life += usize::from(row.gone);
    }
    found
        .into_iter()
        .map(|((name, _), sequence)| (name.to_owned(), sequence))
        .collect()
}

impl Row {
    /// Equal but for what the clock changes.
    fn same(&self, other: &Self) -> bool {
        self.without_age() == other.without_age()
    }

    fn without_age(&self) -> (&str, &str, &str, [bool; 4], &str) {
        let given = [self.ip, self.node, self.nominated, self.gone];
        (&self.ready, &self.status, &self.restarts, given, &self.gates)
    }
}

/// What of a row is compared.
#[derive(Clone, Debug)]
struct Shape(Row);

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }
}

impl Shown for Shape {
    fn starting(&self) -> bool {
        let status = self.0.status.as_str();
        self.0.restarts == "0"
            && (matches!(status, "Pending" | "ContainerCreating" | "PodInitializing") || status.starts_with("Init:0/"))
    }

    fn backs_off(&self) -> bool {
        self.0.status.ends_with("CrashLoopBackOff")
    }

    fn without_backoff(&self) -> Self {
        // Of an ended container the row says why it ended, which may be any word; those of waiting and of running are known.
        const OTHERS: &[&str] = &[
            "Pending",
            "SchedulingGated",
            "ContainerCreating",
            "PodInitializing",
            "Running",
            "NotReady",
            "Terminating",
            "ErrImagePull",
            "ImagePullBackOff",
            "InvalidImageName",
            "ErrImageNeverPull",
            "CreateContainerConfigError",
            "CreateContainerError",
            "RunContainerError",
            "PostStartHookError",
        ];
        let status = self.0.status.as_str();
        let word = status.strip_prefix("Init:").unwrap_or(status);
        let lives = OTHERS.contains(&word) || word.contains('/');
        let mut row = self.0.clone();
        if !lives {
            row.status = status.replace(word, "wait");
        }
        Self(row)
    }

    fn title(&self) -> String {
        self.0.status.clone()
    }

    fn differences(&self, simulated: &Self) -> String {
        format!("recorded `{}`, simulated `{}`", self.0.words(), simulated.0.words())
    }

    fn apart(&self, simulated: &Self) -> Option<String> {
        let (Some(real), Some(ours)) = (self.0.ago, simulated.0.ago) else {
            return (self.0.ago.is_some() != simulated.0.ago.is_some())
                .then(|| "only one names the last restart".to_owned());
        };
        let ratio = (ours + 1.0) / (real + 1.0);
        let agree = (real - ours).abs() <= SECONDS || (1.0 / FACTOR..=FACTOR).contains(&ratio);
        (!agree).then(|| format!("last restart {real} s ago in the recording, {ours} s ago here"))
    }
}

impl Row {
    fn words(&self) -> String {
        let given = |given: bool, what: &str| if given { format!(" {what}") } else { String::new() };
        format!(
            "{} {} {}{}{}{}{}{}",
            self.ready,
            self.status,
            self.restarts,
            given(self.ip, "IP"),
            given(self.node, "NODE"),
            given(self.nominated, "NOMINATED"),
            given(self.gates != "<none>", &self.gates),
            given(self.gone, "(DELETED)"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "# kubectl get pods -o wide -w
        t   NAME    READY   STATUS              RESTARTS        AGE     IP            NODE     NOMINATED NODE   READINESS GATES
    0.682   crash   0/1     ContainerCreating   0               1s      <none>        node-1   <none>           <none>
    1.477   crash   1/1     Running             0               1s      10.244.1.11   node-1   <none>           <none>
    9.066   crash   0/1     Error               0               3s      10.244.1.11   node-1   <none>           <none>
   20.279   crash   1/1     Running             1 (11s ago)     3s      10.244.1.11   node-1   <none>           <none>
   30.096   crash   0/1     Completed           1 (1m21s ago)   5s      10.244.1.11   node-1   <none>           <none>            (DELETED)
";

    #[test]
    fn rows_are_read_as_they_were_printed() {
        let rows = recorded(RECORDED);
        assert_eq!(rows.len(), 5);
        assert!(!rows[0].ip && rows[1].ip && rows[4].gone);
        assert_eq!(
            (rows[3].restarts.as_str(), rows[3].ago, rows[4].ago),
            ("1", Some(11.0), Some(81.0))
        );
    }

    #[test]
    fn what_a_real_cluster_could_show_agrees_and_nothing_else() {
        let changed = |change: fn(&mut Vec<Row>)| {
            let mut rows = recorded(RECORDED);
            change(&mut rows);
            rows
        };
        let cases = [
            ("the same", changed(|_| ()), true),
            (
                "another status",
                changed(|rows| rows[2].status = "OOMKilled".to_owned()),
                false,
            ),
            ("no address", changed(|rows| rows[2].ip = false), false),
            ("another restart", changed(|rows| rows[3].ago = Some(60.0)), false),
            ("a brief row less", changed(|rows| drop(rows.remove(0))), true),
            ("a row less", changed(|rows| drop(rows.remove(2))), false),
        ];
        for (what, simulated, agrees) in cases {
            let problems = compare(&recorded(RECORDED), &simulated, 1000.0);
            assert_eq!(problems.is_empty(), agrees, "{what}: {problems:?}");
        }
    }
}
