-- What a member must keep secret, such as its share of a group's key: encrypted, each by a key that comes from the wallet's
-- seed and is there only while the wallet is unlocked.
create table dao_secrets (
    id integer primary key autoincrement,
    dao blob not null references daos (dao) on delete cascade,
    sealed blob not null
) strict;
create index dao_secrets_by_dao on dao_secrets (dao, id);
