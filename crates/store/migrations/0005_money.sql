-- Private: wallets, by a name within this node. Their seeds are not here.
create table wallets (
    name text not null primary key,
    created_at integer not null
) strict, without rowid;

-- Every wallet as its changes in the order in which they happened; merged they are the wallet. One row is one step that
-- happened whole or not at all: a payment's signature, the coins that it spends and what is to be sent to others.
create table wallet_changes (
    id integer primary key autoincrement,
    wallet text not null references wallets (name) on delete cascade,
    body text not null
) strict;
create index wallet_changes_by_wallet on wallet_changes (wallet, id);
