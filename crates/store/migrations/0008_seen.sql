-- Counts the changes of the records that ledgers are made of, so that what was read of them is read again only after one.
-- Artists share counters by the first byte of their ids, so that there are few, whatever strangers send.
create table ledger_revisions (
    bucket integer primary key,
    revision integer not null
) strict;

-- Private: what was seen of the chain for artists whose money was asked about, so that it need not be looked for again.
-- The chain gives all of it anew.
create table seen_artists (
    id integer primary key,
    network integer not null,
    artist blob not null check (length(artist) = 32),
    -- The scripts that were looked for.
    covered text not null,
    -- Blocks up to which all was seen, the newest last: by their hashes a reorganisation is noticed.
    blocks text not null,
    -- Those asked about last have the highest numbers.
    used integer not null,
    unique (network, artist)
) strict;
create index seen_artists_by_use on seen_artists (used);

create table seen_transactions (
    artist integer not null references seen_artists (id) on delete cascade,
    height integer not null,
    position integer not null,
    body text not null,
    primary key (artist, height, position)
) strict, without rowid;
