-- The tables of a state, as both databases have them: SQLite reads this file as it stands, for
-- PostgreSQL a few words of type are replaced (`postgresql.py`). Keys are short and binary;
-- instants are whole microseconds since 1970 (UTC).
--
-- SQLite makes only an INTEGER primary key the number of the row; PostgreSQL gets a BIGINT for it.
-- A changed table needs a migration as well, which brings the states that are there to it.

CREATE TABLE feeds (
    number SMALLINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_success BIGINT,
    last_failure BIGINT,
    -- The first success after a failure.
    last_recovery BIGINT,
    error TEXT,
    paused TEXT,
    objects BIGINT NOT NULL DEFAULT 0,
    reread SMALLINT NOT NULL DEFAULT 0
);

CREATE TABLE collections (
    number INTEGER NOT NULL PRIMARY KEY,
    feed SMALLINT NOT NULL,
    key TEXT NOT NULL,
    title TEXT NOT NULL,
    cursor TEXT,
    run BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX collections_by_key ON collections (feed, key);

-- Which objects a whole collection (a bundle) showed in its latest run.
CREATE TABLE members (
    collection INTEGER NOT NULL,
    object INTEGER NOT NULL,
    run BIGINT NOT NULL,
    PRIMARY KEY (collection, object)
) WITHOUT ROWID;
CREATE INDEX members_by_object ON members (object);

-- Pages of runs under way, where a run counts only as a whole.
CREATE TABLE staged_pages (
    collection INTEGER NOT NULL,
    number BIGINT NOT NULL,
    cursor TEXT NOT NULL,
    ended SMALLINT NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (collection, number)
);

-- When a feed's objects were last compared with ours, and which of ours it had no longer.
CREATE TABLE inventories (
    feed SMALLINT NOT NULL PRIMARY KEY,
    taken BIGINT NOT NULL
);

CREATE TABLE absences (
    object INTEGER NOT NULL PRIMARY KEY,
    feed SMALLINT NOT NULL
);
CREATE INDEX absences_by_feed ON absences (feed);

-- Spans of time whose objects a feed no longer serves; open until a person acknowledges them.
CREATE TABLE gaps (
    feed SMALLINT NOT NULL,
    collection TEXT NOT NULL,
    after BIGINT NOT NULL,
    until BIGINT NOT NULL,
    noted BIGINT NOT NULL,
    acknowledged_at BIGINT,
    acknowledged_by TEXT,
    PRIMARY KEY (feed, collection, after)
);

-- What each feed brought since the span under way began, and what it kept before.
CREATE TABLE habits (
    feed SMALLINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    began BIGINT NOT NULL,
    kept BIGINT NOT NULL,
    came BIGINT NOT NULL DEFAULT 0,
    gone BIGINT NOT NULL DEFAULT 0,
    strangers BIGINT NOT NULL DEFAULT 0,
    claims BIGINT NOT NULL DEFAULT 0,
    odd BIGINT NOT NULL DEFAULT 0,
    twins BIGINT NOT NULL DEFAULT 0
);

-- The producers (as digests) and kinds of observable that a feed named, and first in which span.
CREATE TABLE feed_names (
    feed SMALLINT NOT NULL,
    name TEXT NOT NULL,
    span BIGINT NOT NULL,
    PRIMARY KEY (feed, name)
);

-- What somebody should look at in a feed.
CREATE TABLE alarms (
    feed SMALLINT NOT NULL,
    name TEXT NOT NULL,
    words TEXT NOT NULL,
    since BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (feed, name)
);

-- What many objects share word for word: creator, labels, types, markings, as one JSON text.
CREATE TABLE attributes (
    number INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
);

-- Each object of a feed, with its bytes as received, packed; without them once disposed of.
CREATE TABLE objects (
    number INTEGER NOT NULL PRIMARY KEY,
    feed SMALLINT NOT NULL,
    key BLOB NOT NULL,
    state SMALLINT NOT NULL,
    modified BIGINT NOT NULL,
    valid_from BIGINT,
    valid_until BIGINT,
    confidence SMALLINT,
    attributes INTEGER NOT NULL,
    received BIGINT NOT NULL,
    context INTEGER NOT NULL DEFAULT 0,
    sighted BIGINT,
    dictionary SMALLINT,
    packed BLOB
);
CREATE UNIQUE INDEX objects_by_key ON objects (key, feed);

CREATE TABLE dictionaries (
    number SMALLINT NOT NULL PRIMARY KEY,
    feed SMALLINT NOT NULL,
    body BLOB NOT NULL
);

-- Revocations by others than the creator, as far as is known: the latest of each object.
CREATE TABLE disputes (
    object INTEGER NOT NULL PRIMARY KEY,
    modified BIGINT NOT NULL
);

-- What feeds define markings as: a file of a feed for itself, all that comes by a cursor as 0.
CREATE TABLE markings (
    feed SMALLINT NOT NULL,
    id TEXT NOT NULL,
    collection INTEGER NOT NULL,
    run BIGINT NOT NULL,
    version BIGINT NOT NULL,
    gone SMALLINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (feed, id, collection)
);
CREATE INDEX markings_by_collection ON markings (collection);

-- Markings of a feed whose objects may not be held from an instant on, or (`spill`) ever; when the
-- store is next searched for them, whether any was lost by it, and how many wait for a person.
CREATE TABLE disposals (
    feed SMALLINT NOT NULL,
    marking TEXT NOT NULL,
    at BIGINT NOT NULL,
    spill TEXT NOT NULL,
    turn BIGINT,
    lost SMALLINT NOT NULL DEFAULT 0,
    waiting BIGINT,
    since BIGINT,
    PRIMARY KEY (feed, marking)
);
CREATE INDEX disposals_by_turn ON disposals (turn);

-- Observables whose value is to be forgotten once no target holds them.
CREATE TABLE disposed_values (
    observable INTEGER NOT NULL PRIMARY KEY
);

-- What context objects say of indicators: the objects, the ways between them, and what comes out.
CREATE TABLE nodes (
    object INTEGER NOT NULL PRIMARY KEY,
    key BLOB NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX nodes_by_key ON nodes (key);

CREATE TABLE edges (
    source BLOB NOT NULL,
    target BLOB NOT NULL,
    link SMALLINT NOT NULL,
    object INTEGER NOT NULL,
    PRIMARY KEY (source, target, link, object)
) WITHOUT ROWID;
CREATE INDEX edges_by_object ON edges (object);
CREATE INDEX edges_by_target ON edges (target);

CREATE TABLE contexts (
    number INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
);

CREATE TABLE observables (
    number INTEGER NOT NULL PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    type SMALLINT NOT NULL,
    value TEXT NOT NULL,
    touched BIGINT NOT NULL
);
CREATE INDEX observables_by_touch ON observables (touched);

-- What each object says about one observable; 0 where it names none.
CREATE TABLE claims (
    number INTEGER NOT NULL PRIMARY KEY,
    object INTEGER NOT NULL,
    observable INTEGER NOT NULL,
    kind SMALLINT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX claims_by_object ON claims (object);
CREATE INDEX claims_by_observable ON claims (observable);

-- Claims that are gone: every list takes them out of its counts as it passes `touched`.
CREATE TABLE departures (
    claim INTEGER NOT NULL PRIMARY KEY,
    touched BIGINT NOT NULL
);
CREATE INDEX departures_by_touch ON departures (touched);

CREATE TABLE lists (
    number SMALLINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    seq BIGINT NOT NULL DEFAULT 0,
    touched BIGINT NOT NULL DEFAULT -1,
    claim INTEGER NOT NULL DEFAULT 0,
    decided_at BIGINT,
    wanted BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE entries (
    list SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    wanted SMALLINT NOT NULL,
    claim INTEGER NOT NULL,
    reason SMALLINT NOT NULL,
    seq BIGINT NOT NULL,
    stamp BIGINT NOT NULL,
    rank BIGINT NOT NULL,
    since BIGINT NOT NULL,
    recheck BIGINT,
    -- What all claims that are taken say together; the claim only carries the entry.
    confidence SMALLINT,
    until BIGINT,
    tlp SMALLINT NOT NULL DEFAULT 4,
    first_seen BIGINT,
    -- The feed that alone claims it; 0 where several do.
    source SMALLINT NOT NULL DEFAULT 0,
    PRIMARY KEY (list, observable)
) WITHOUT ROWID;
CREATE INDEX entries_by_recheck ON entries (list, recheck)
    WHERE recheck IS NOT NULL;
CREATE INDEX entries_by_seq ON entries (list, seq);

-- One byte a claim, in compressed blocks by claim number: why it is, or is not, on the list.
CREATE TABLE buckets (
    list SMALLINT NOT NULL,
    block INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (list, block)
);

-- How many claims of a list, entries of an output, notes on a feed or times each bucket has.
CREATE TABLE tallies (
    kind SMALLINT NOT NULL,
    owner SMALLINT NOT NULL,
    bucket SMALLINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (kind, owner, bucket)
);

-- The highest number of a change that each poll brought, and when, until all lists passed it.
CREATE TABLE touches (
    number INTEGER NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);

-- The groups of the allowlist that ever kept something off a list, by their reason byte's place.
CREATE TABLE protectors (
    number SMALLINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- What people added to the allowlist by command; rows stay, so that they also tell its history.
CREATE TABLE exceptions (
    number INTEGER NOT NULL PRIMARY KEY,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    why TEXT NOT NULL,
    ticket TEXT NOT NULL,
    owner TEXT NOT NULL,
    until BIGINT,
    created BIGINT NOT NULL,
    removed BIGINT,
    removed_by TEXT,
    changed BIGINT NOT NULL
);

-- Each output with its ledger, and where that list is kept: adapter, options without secrets, places.
-- What an output left when it moved, or the file dropped, stays as a row of its own.
CREATE TABLE outputs (
    number SMALLINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    standing TEXT NOT NULL DEFAULT 'kept',
    since BIGINT,
    adapter TEXT,
    options TEXT,
    types TEXT,
    folder TEXT,
    places TEXT,
    list SMALLINT NOT NULL,
    seq BIGINT NOT NULL DEFAULT 0,
    setup BLOB NOT NULL,
    verified_at BIGINT,
    unread SMALLINT NOT NULL DEFAULT 0,
    stamp TEXT,
    -- When the output was first in step with its list.
    began BIGINT,
    inactive SMALLINT NOT NULL DEFAULT 0,
    -- How many entries the target takes at once, where it ever refused more.
    largest_batch INTEGER,
    -- The number of the latest whole list; it only grows, also after a lost state.
    version BIGINT NOT NULL DEFAULT 0,
    last_success BIGINT,
    last_failure BIGINT,
    last_recovery BIGINT,
    error TEXT,
    paused TEXT
);
CREATE UNIQUE INDEX outputs_kept_by_name ON outputs (name) WHERE standing = 'kept';

-- What adapters keep for themselves, by the name of the output.
CREATE TABLE texts (
    output TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (output, name)
);

-- When outputs last found nothing to do: apart from their own rows, which are long, as it is often.
CREATE TABLE quiet_cycles (
    output SMALLINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
) WITHOUT ROWID;

-- When clients of the list server last fetched a file, or were first named by ours (without a file,
-- until the first fetch); told is 1 from when one has been silent for too long until it is back.
CREATE TABLE fetches (
    client TEXT NOT NULL,
    file TEXT NOT NULL,
    at BIGINT NOT NULL,
    status SMALLINT NOT NULL,
    etag TEXT NOT NULL,
    told SMALLINT NOT NULL,
    PRIMARY KEY (client, file)
);

-- The certificate that the list server shows; problem says why a renewed one is not in force.
CREATE TABLE served_certificates (
    ends BIGINT NOT NULL,
    problem TEXT
);

CREATE TABLE drifts (
    output SMALLINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    missing INTEGER NOT NULL,
    altered INTEGER NOT NULL,
    foreigners INTEGER NOT NULL,
    total BIGINT NOT NULL
);

CREATE TABLE ledger (
    output SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    digest BIGINT NOT NULL,
    since BIGINT NOT NULL,
    why TEXT,
    handle TEXT,
    -- When the entry was to expire by what was known as it was written (never moved forward since),
    -- and the feed that alone claimed it then; 0 where several did.
    ends BIGINT NOT NULL,
    source SMALLINT NOT NULL,
    PRIMARY KEY (output, observable)
) WITHOUT ROWID;
-- What is kept off because its row would stop what the allowlist protects (state 10), until `ends`.
CREATE INDEX ledger_by_protection ON ledger (output, ends) WHERE state = 10;

-- What we removed lately from targets that hold others' entries as well.
CREATE TABLE former_entries (
    output SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    digest BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (output, observable)
) WITHOUT ROWID;
CREATE INDEX former_entries_by_time ON former_entries (output, at);

-- The row that an entry is at its target, where the adapter says that several may be one.
CREATE TABLE folds (
    output SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    fold BIGINT NOT NULL,
    PRIMARY KEY (output, observable)
) WITHOUT ROWID;
CREATE INDEX folds_by_row ON folds (output, fold);

-- When an entry ends at a target that ends entries by itself, and by the list when it was written;
-- and when it has to be renewed.
CREATE TABLE ends (
    output SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    at BIGINT NOT NULL,
    until BIGINT NOT NULL,
    renew BIGINT NOT NULL,
    PRIMARY KEY (output, observable)
) WITHOUT ROWID;
CREATE INDEX ends_by_renewal ON ends (output, renew);

-- What a target took and did not have when it was read back: how often in a row, and when last.
CREATE TABLE lost_entries (
    output SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    times INTEGER NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (output, observable)
) WITHOUT ROWID;

-- How many values of each type a target gave in no canonical form when it was last read.
CREATE TABLE odd_values (
    output SMALLINT NOT NULL,
    type TEXT NOT NULL,
    count INTEGER NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (output, type)
);

-- How many entries of ours a target held in a pool when it said that it is full.
CREATE TABLE full_pools (
    output SMALLINT NOT NULL,
    pool TEXT NOT NULL,
    held INTEGER NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (output, pool)
);

-- What broke a limit and waits for a person, or was decided by one; and which changes are left of it.
CREATE TABLE holds (
    id TEXT NOT NULL,
    output SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    sentences TEXT NOT NULL,
    -- How many changes are left.
    adds BIGINT NOT NULL,
    removals BIGINT NOT NULL,
    by_whom TEXT,
    why TEXT,
    until BIGINT,
    PRIMARY KEY (id, output)
);
CREATE INDEX holds_by_state ON holds (output, state);

-- Each with what caused it as the hold was made: the reason of a removal, and the one feed behind it.
CREATE TABLE held_changes (
    output SMALLINT NOT NULL,
    hold TEXT NOT NULL,
    verb SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    reason SMALLINT NOT NULL,
    feed SMALLINT NOT NULL,
    PRIMARY KEY (output, hold, verb, observable)
) WITHOUT ROWID;
CREATE INDEX held_changes_by_observable ON held_changes (output, observable);

-- Additions that wait until they have stood (since when, if at all) at another output for a while.
CREATE TABLE rollouts (
    output SMALLINT NOT NULL,
    observable INTEGER NOT NULL,
    upstream SMALLINT NOT NULL,
    stood BIGINT,
    PRIMARY KEY (output, observable)
) WITHOUT ROWID;
CREATE INDEX rollouts_by_time ON rollouts (output, stood);
CREATE INDEX rollouts_by_upstream ON rollouts (upstream, observable);

-- How much of what limits count was written, by hour.
CREATE TABLE counted_changes (
    output SMALLINT NOT NULL,
    hour BIGINT NOT NULL,
    added BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    PRIMARY KEY (output, hour)
);

CREATE TABLE audit (
    number INTEGER NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    output TEXT NOT NULL,
    action TEXT NOT NULL,
    plan TEXT NOT NULL,
    result TEXT NOT NULL,
    count BIGINT NOT NULL,
    entries BLOB NOT NULL,
    -- The hold under which it was done, and who accepted (or refused) it and why.
    hold TEXT,
    by_whom TEXT,
    why TEXT
);
CREATE INDEX audit_by_time ON audit (at);

-- What Alembic reads: the newest migration that this state has.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
