-- Ids, keys and hashes are blobs of 32 bytes. Times are unix milliseconds. Booleans are 0 and 1.
-- `seq` and `created_at` of a record are whatever its author signed: 64 bits, read back as unsigned.

-- What there is one of.
create table node (
    only_row integer primary key check (only_row = 1),
    owner blob not null,
    own_seq integer not null
) strict;

-- The record of every slot, without its bytes, so that a start reads little.
create table records (
    id integer primary key,
    slot blob not null unique check (length(slot) = 32),
    record blob not null unique check (length(record) = 32),
    author blob not null check (length(author) = 32),
    kind integer not null,
    seq integer not null,
    created_at integer not null,
    len integer not null,
    withdrawn integer not null
) strict;
create index records_by_author on records (author, kind);
create index records_by_kind on records (kind, id);

create table bodies (
    id integer primary key references records (id) on delete cascade,
    bytes blob not null
) strict;

create table evicted (
    id integer primary key autoincrement,
    record blob not null unique
) strict;

create table proofs (
    author blob primary key,
    one blob not null,
    two blob not null
) strict, without rowid;

-- `what`: 0 author, 1 release, 2 blob.
create table blocked (
    what integer not null,
    id blob not null,
    primary key (what, id)
) strict, without rowid;

-- Every blob that a stored record names. `role`: 1 track, 2 cover, 3 track list, 4 waveforms, 5 avatar.
create table blob_refs (
    blob blob not null,
    record integer not null references records (id) on delete cascade,
    role integer not null,
    number integer not null,
    size integer not null,
    primary key (blob, record, role, number)
) strict, without rowid;
create index blob_refs_by_record on blob_refs (record);

-- Contents of blobs that list the tracks of long releases.
create table track_lists (
    blob blob primary key,
    bytes blob not null
) strict, without rowid;

-- What is shown, derived from the records above in the transaction that writes them. `id` is the record's.
create table releases (
    id integer primary key references records (id),
    slot blob not null unique,
    author blob not null,
    title text not null,
    title_key text not null,
    artist text not null,
    artist_key text not null,
    date text,
    license text not null,
    cover blob,
    cover_size integer,
    track_count integer not null,
    track_list blob,
    track_list_size integer,
    published_at integer not null,
    updated_at integer not null
) strict;
create index releases_by_age on releases (published_at, id);
create index releases_by_title on releases (title_key, id);
create index releases_by_author on releases (author, published_at);
create index releases_by_artist on releases (artist_key, published_at);
create index releases_by_license on releases (license, published_at);
create index releases_by_track_list on releases (track_list) where track_list is not null;

-- `id` is 256 times the release's plus the track's number.
create table tracks (
    id integer primary key,
    title text not null,
    title_key text not null,
    artist text,
    artist_key text,
    blob blob not null,
    size integer not null,
    duration_ms integer not null,
    codec integer not null,
    sample_rate integer not null,
    channels integer not null,
    loudness integer,
    peak integer
) strict;
create index tracks_by_title on tracks (title_key);

create table profiles (
    id integer primary key references records (id),
    author blob not null unique,
    name text not null,
    name_key text not null
) strict;
create index profiles_by_name on profiles (name_key);

-- Tags by records of their own, and those in a release's body, which stand under the release's record.
-- `track` is 0 for the whole release.
create table tags (
    record integer not null references records (id),
    text text not null,
    author blob not null,
    release blob not null,
    track integer not null,
    created_at integer not null,
    primary key (record, text)
) strict, without rowid;
create index tags_by_release on tags (release, track, text, author);
create index tags_by_age on tags (created_at);

-- Tags that are shown: of two authors, of the artist or of the owner.
create table shown_tags (
    release integer not null references releases (id),
    track integer not null,
    text text not null,
    authors integer not null,
    primary key (release, track, text)
) strict, without rowid;
create index shown_tags_by_text on shown_tags (text, release);

create table tag_totals (
    text text primary key,
    uses integer not null
) strict, without rowid;
create trigger shown_tags_insert after insert on shown_tags begin
    insert into tag_totals (text, uses) values (new.text, 1) on conflict (text) do update set uses = uses + 1;
end;
create trigger shown_tags_delete after delete on shown_tags begin
    update tag_totals set uses = uses - 1 where text = old.text;
    delete from tag_totals where text = old.text and uses <= 0;
end;

create table likes (
    id integer primary key references records (id),
    author blob not null,
    release blob not null,
    track integer not null,
    created_at integer not null
) strict;
create index likes_by_release on likes (release, track, author);
create index likes_by_author on likes (author, created_at);
create index likes_by_age on likes (created_at);

create table like_totals (
    release blob not null,
    track integer not null,
    likes integer not null,
    primary key (release, track)
) strict, without rowid;
create trigger likes_insert after insert on likes begin
    insert into like_totals (release, track, likes) values (new.release, new.track, 1)
    on conflict (release, track) do update set likes = likes + 1;
end;
create trigger likes_delete after delete on likes begin
    update like_totals set likes = likes - 1 where release = old.release and track = old.track;
    delete from like_totals where release = old.release and track = old.track and likes <= 0;
end;

create table public_follows (
    id integer primary key references records (id),
    author blob not null,
    artist blob not null
) strict;
create index public_follows_by_author on public_follows (author);
create index public_follows_by_artist on public_follows (artist);

-- The full-text index holds words that were folded and split before: the tokenizer only cuts at spaces. It stores no
-- text and no positions; what is deleted leaves its pages. Beginnings of words are indexed up to six letters, beyond
-- which few enough words share one.
create virtual table search using fts5 (
    words, content = '', detail = none, columnsize = 0, prefix = '1 2 3 4 5 6', tokenize = 'ascii'
);
insert into search (search, rank) values ('secure-delete', 1);

-- In how many documents a word stands.
create table words (
    id integer primary key,
    word text not null unique,
    docs integer not null
) strict;
-- Hashes of a word's beginning with one letter left out: two words that share one are one slip apart.
create table slips (
    hash integer not null,
    word integer not null,
    primary key (hash, word)
) strict, without rowid;

-- Private from here on: nothing below is ever sent to anybody.
create table saved (
    release blob not null,
    track integer not null,
    saved_at integer not null,
    primary key (release, track)
) strict, without rowid;
create index saved_by_age on saved (saved_at);

create table follows (
    artist blob primary key,
    public integer not null,
    since integer not null
) strict, without rowid;

create table files (
    id integer primary key autoincrement,
    path text not null unique,
    size integer not null,
    modified integer not null,
    title text not null,
    artist text not null,
    album text not null,
    number integer,
    duration_ms integer not null,
    codec integer,
    sample_rate integer not null,
    channels integer not null,
    loudness integer,
    peak integer,
    added_at integer not null,
    search_key text not null
) strict;

create table playlists (
    id integer primary key autoincrement,
    name text not null,
    created_at integer not null,
    updated_at integer not null
) strict;

-- Either a release's track or a file.
create table playlist_items (
    id integer primary key autoincrement,
    playlist integer not null references playlists (id) on delete cascade,
    position integer not null,
    release blob,
    track integer,
    file integer,
    check ((release is null) = (track is null) and (release is null) <> (file is null))
) strict;
create index playlist_items_in_order on playlist_items (playlist, position);

create table history (
    id integer primary key autoincrement,
    at integer not null,
    release blob,
    track integer,
    file integer,
    played_ms integer not null,
    finished integer not null,
    check ((release is null) = (track is null) and (release is null) <> (file is null))
) strict;

create table settings (
    key text primary key,
    value text not null
) strict, without rowid;

create table peers (
    peer blob primary key,
    addresses text not null,
    last_seen integer not null,
    score integer not null
) strict, without rowid;

-- `reason`: 0 played, 1 seeded, 2 downloaded, 3 published.
create table blobs (
    hash blob primary key,
    size integer not null,
    have integer not null,
    complete integer not null,
    pinned integer not null,
    reason integer not null,
    last_used integer not null
) strict, without rowid;
create index blobs_by_use on blobs (reason, pinned, last_used);

create table traffic (
    day integer primary key,
    served integer not null,
    fetched integer not null
) strict;

create table blob_traffic (
    blob blob primary key,
    served integer not null,
    fetched integer not null,
    last_day integer not null
) strict, without rowid;
create index blob_traffic_by_day on blob_traffic (last_day);
