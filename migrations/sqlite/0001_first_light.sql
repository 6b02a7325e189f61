-- Runs, their trials and traces, what they say about claims, and what readers predicted.
-- A shipped migration is never edited: its checksum is kept in every database.

-- All trials of one cell at one time. A row is written before the first trial starts.
create table runs (
    id          integer primary key autoincrement, -- never given twice: addresses of runs stay true
    note        text    not null,                  -- path in the vault, NFC, with '/'
    cell        text    not null,
    title       text    not null,
    source      text    not null,                  -- the text that was run
    source_hash text    not null,                  -- SHA-256 of it, hexadecimal
    scratch     integer not null,                  -- 1: a changed copy, not the note's own text
    experiment  text    not null,                  -- JSON
    settings    text    not null,                  -- JSON
    kubernetes  text    not null,
    peapod      text    not null,
    total       integer not null,                  -- number of trials
    status      text    not null check (status in ('running', 'finished', 'failed', 'cancelled', 'interrupted')),
    owner       text    not null,                  -- the process that runs it; see the lock files in live/
    tables      text    not null default '[]',     -- JSON
    diagnostics text    not null default '[]',     -- JSON
    started_at  integer not null,                  -- Unix time in milliseconds
    ended_at    integer
) strict;
create index runs_by_cell on runs (note, cell, id);
create index runs_that_run on runs (owner) where status = 'running';

-- A trace as zstd over JSON, named by the SHA-256 of that JSON: the same trial run again takes no room.
create table traces (
    digest text    primary key,
    size   integer not null,                       -- bytes of the JSON
    body   blob    not null
) strict;

-- One row a trial that ended.
create table trials (
    run         integer not null references runs (id) on delete cascade,
    number      integer not null,                  -- from 0
    failed      integer not null,                  -- 1: it ended with an error
    result      text    not null,                  -- JSON
    digest      text    references traces (digest),
    recorded_at integer not null,
    primary key (run, number)
) strict, without rowid;
create index trials_by_trace on trials (digest);

-- One row an expectation of a run that ended.
create table claims (
    run         integer not null references runs (id) on delete cascade,
    number      integer not null,                  -- from 0, in the order of the experiment
    claim       text    not null,                  -- what makes two results talk about the same claim: '^block', or the sentence
    verdict     text    not null,
    as_expected integer not null,
    result      text    not null,                  -- JSON
    primary key (run, number)
) strict, without rowid;

create table predictions (
    id          integer primary key autoincrement,
    note        text    not null,
    cell        text    not null,
    source_hash text    not null,
    ask         text    not null,
    answer      text    not null,                  -- JSON
    made_at     integer not null
) strict;
create index predictions_by_cell on predictions (note, cell, id);
