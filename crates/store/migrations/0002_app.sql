-- The colour that an artist's program took from the cover.
alter table releases add column accent integer;

create index tag_totals_by_uses on tag_totals (uses desc, text);

-- Why people report an artist, a release or a file. `what` as in `blocked`. `id` is the record's.
create table reports (
    id integer primary key references records (id),
    author blob not null,
    what integer not null,
    target blob not null,
    reason integer not null,
    note text
) strict;
create index reports_by_target on reports (what, target);

-- Private: what the user does not want to see in lists and searches. `what`: 0 artist, 1 release, 2 tag.
create table hidden (
    what integer not null,
    id blob not null,
    hidden_at integer not null,
    primary key (what, id)
) strict, without rowid;
