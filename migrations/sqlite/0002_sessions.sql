-- Sessions of notes and scratch pages: their cells and what was done with them, never a cluster. The simulation is
-- deterministic, so doing it again gives the same.
create table sessions (
    id         integer primary key autoincrement, -- never given twice: addresses of sessions stay true
    title      text    not null,
    note       text,                              -- path in the vault, NFC, with '/'; null for a scratch page
    content    text    not null,                  -- JSON
    changed_at integer not null                   -- Unix time in milliseconds
) strict;
create index sessions_by_note on sessions (note);
