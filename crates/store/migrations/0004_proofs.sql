-- In the order in which they came, so that the oldest can go first.
alter table proofs rename to unordered_proofs;
create table proofs (
    id integer primary key autoincrement,
    author blob not null unique,
    one blob not null,
    two blob not null
) strict;
insert into proofs (author, one, two) select author, one, two from unordered_proofs;
drop table unordered_proofs;
