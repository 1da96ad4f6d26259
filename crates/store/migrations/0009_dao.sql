-- Signed records of DAOs: `about` is the DAO, of a charter its own slot, of a ballot the proposal. `id` is the record's.
create table dao_records (
    id integer primary key references records (id),
    kind integer not null,
    network integer not null,
    about blob not null
) strict;
create index dao_records_about on dao_records (about, kind, id);
create index dao_records_by_kind on dao_records (kind, network, id);

-- Private: the DAOs that this node takes part in or watches.
create table daos (
    dao blob not null primary key check (length(dao) = 32),
    network integer not null,
    opened_at integer not null
) strict, without rowid;

-- What a member must not forget, in the order in which it happened. One row is one step that happened whole or not at
-- all: it is on the disk before anything that depends on it is sent.
create table dao_changes (
    id integer primary key autoincrement,
    dao blob not null references daos (dao) on delete cascade,
    body blob not null
) strict;
create index dao_changes_by_dao on dao_changes (dao, id);

-- What somebody did wrong, the newest ones.
create table dao_incidents (
    id integer primary key autoincrement,
    dao blob not null references daos (dao) on delete cascade,
    peer blob,
    code text not null,
    at_ms integer not null
) strict;
create index dao_incidents_by_dao on dao_incidents (dao, id);
