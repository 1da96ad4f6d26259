-- Signed records about money: whose income is meant, and what they are about: the offer of a note, the release of a
-- payment, the payment of thanks. `id` is the record's.
create table money_records (
    id integer primary key references records (id),
    kind integer not null,
    network integer not null,
    artist blob not null,
    author blob not null,
    about blob
) strict;
create index money_records_by_artist on money_records (artist, network, kind, id);
create index money_records_by_author on money_records (author, network, kind, id);
create index money_records_by_kind on money_records (kind, network, id);
create index money_records_about on money_records (about, kind, id) where about is not null;
