//! The statements. All of them are constants: nothing that a person wrote ever becomes part of one.

pub(super) const INSERT_RUN: &str = "
    insert into runs (note, cell, title, source, source_hash, scratch, experiment, settings, kubernetes, peapod, total, status, owner, started_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?)";
pub(super) const INSERT_TRACE: &str = "
    insert into traces (digest, size, body) values (?, ?, ?)
    on conflict (digest) do update set size = excluded.size, body = excluded.body where body <> excluded.body";
pub(super) const INSERT_TRIAL: &str = "
    insert into trials (run, number, failed, result, digest, recorded_at) values (?, ?, ?, ?, ?, ?)
    on conflict (run, number) do update
    set failed = excluded.failed, result = excluded.result, digest = excluded.digest, recorded_at = excluded.recorded_at";
pub(super) const END_RUN: &str = "update runs set status = ?, tables = ?, diagnostics = ?, ended_at = ? where id = ?";
pub(super) const DELETE_CLAIMS: &str = "delete from claims where run = ?";
pub(super) const INSERT_CLAIM: &str =
    "insert into claims (run, number, claim, verdict, as_expected, result) values (?, ?, ?, ?, ?, ?)";
pub(super) const RUNNING: &str = "select id, owner from runs where status = 'running'";
pub(super) const INTERRUPT: &str =
    "update runs set status = 'interrupted', ended_at = ? where id = ? and status = 'running' and owner = ?";
pub(super) const STATUS: &str = "select status, owner from runs where id = ?";
pub(super) const RESUME: &str = "
    update runs set status = 'running', owner = ?, ended_at = null, tables = '[]', diagnostics = '[]'
    where id = ? and status in ('interrupted', 'cancelled')";
pub(super) const DELETE_RUN: &str = "delete from runs where id = ?";
pub(super) const TRIALS_TRACES: &str = "select distinct digest from trials where run = ? and digest is not null";
pub(super) const DELETE_UNUSED_TRACE: &str =
    "delete from traces where digest = ?1 and not exists (select 1 from trials where trials.digest = ?1)";
pub(super) const RUNS: &str = "
    select id, note, cell, title, source_hash, scratch, status, total, kubernetes, peapod, started_at, ended_at,
           (select count(*) from trials where run = runs.id) as done,
           (select count(*) from trials where run = runs.id and failed = 1) as failed,
           (select count(*) from claims where run = runs.id) as claims,
           (select count(*) from claims where run = runs.id and as_expected = 1) as as_expected
    from runs
    where (?1 is null or note = ?1) and (?2 is null or cell = ?2) and (?3 = 1 or scratch = 0) and (?4 is null or id < ?4)
      and (?6 is null or id = ?6)
    order by id desc limit ?5";
pub(super) const RUN: &str = "select source, settings, experiment, tables, diagnostics from runs where id = ?";
pub(super) const SOURCE: &str = "select source from runs where id = ?";
pub(super) const NEWEST_FINISHED: &str = "
    select id from runs where note = ? and cell = ? and scratch = 0 and status = 'finished' order by id desc limit 1";
pub(super) const TRIALS: &str = "select number, result from trials where run = ? order by number";
pub(super) const TRIAL: &str = "select result from trials where run = ? and number = ?";
pub(super) const TRACE: &str = "
    select traces.digest, traces.size, traces.body from trials join traces on traces.digest = trials.digest
    where trials.run = ? and trials.number = ?";
pub(super) const CLAIMS: &str = "select result from claims where run = ? order by number";
pub(super) const NEWEST_CLAIMS: &str = "
    select run, cell, source_hash, ended_at, result from (
        select claims.run, claims.number, claims.result, runs.cell, runs.source_hash, runs.ended_at,
               row_number() over (partition by runs.cell, claims.claim order by runs.id desc) as place
        from claims join runs on runs.id = claims.run
        where runs.note = ? and runs.status = 'finished' and runs.scratch = 0)
    where place = 1 order by run desc, number";
pub(super) const INSERT_PREDICTION: &str =
    "insert into predictions (note, cell, source_hash, ask, answer, made_at) values (?, ?, ?, ?, ?, ?)";
pub(super) const PREDICTIONS: &str = "
    select id, note, cell, source_hash, ask, answer, made_at from predictions where note = ? and cell = ? order by id desc";
pub(super) const DELETE_PREDICTION: &str = "delete from predictions where id = ?";
pub(super) const INSERT_SESSION: &str = "insert into sessions (title, note, content, changed_at) values (?, ?, ?, ?)";
pub(super) const UPDATE_SESSION: &str =
    "update sessions set title = ?, note = ?, content = ?, changed_at = ? where id = ?";
pub(super) const SESSION: &str = "select title, note, content from sessions where id = ?";
pub(super) const SESSIONS: &str =
    "select id, title, note, changed_at from sessions order by changed_at desc, id desc limit 500";
pub(super) const DELETE_SESSION: &str = "delete from sessions where id = ?";
