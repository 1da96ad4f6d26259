-- Private: what a wallet's own payments are for, and the records that have to be published before they are sent. A row
-- is written in the transaction that writes the payment's signature.
create table wallet_payments (
    id integer primary key autoincrement,
    wallet text not null references wallets (name) on delete cascade,
    txid text not null,
    -- The asker's name for the wish, by which it is not carried out twice.
    wish text,
    purpose text not null,
    detail text not null,
    records text not null,
    published integer not null,
    created_at integer not null,
    unique (wallet, txid)
) strict;
create index wallet_payments_by_wish on wallet_payments (wallet, wish) where wish is not null;
create index wallet_payments_unpublished on wallet_payments (wallet, id) where published = 0;
