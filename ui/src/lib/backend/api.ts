// Stands in for crates/node/bindings/api.ts until that has these shapes.
// Generated from crates/node/src/api.rs by `UPDATE=1 cargo test -p node --test bindings`.

export type ApiError = { 
code: string, 
message: string, };

export type BlobStats = { 
blob: string, 
served_bytes: number, 
fetched_bytes: number, };

export type BlockCommand = { "command": "add", 
id: string, } | { "command": "remove", 
id: string, } | { "command": "list" } | { "command": "share", 
name: string, } | { "command": "subscribe", 
list: string, };

export type Blocked = { 
blocked: Array<BlockedId>, };

export type BlockedId = { 
kind: string, 
id: string, };

export type Check = { 
name: string, 
ok: boolean, 
message: string, };

export type ConfigValues = { 
config: Record<string, unknown>, };

export type Credit = { 
name: string, 
role: string, 
peer_id: string | null, };

export type DayStats = { 
day: string, 
served_bytes: number, 
fetched_bytes: number, };

export type Doctor = { 
checks: Array<Check>, };

export type Done = Record<symbol, never>;

export type Downloaded = { 
files: Array<SavedFile>, };

export type Event = { "event": "release", 
release_id: string, 
title: string, 
artist: string, } | { "event": "release_gone", 
release_id: string, } | { "event": "catalogue_changed" } | { "event": "peer_up", 
peer_id: string, 
path: Path, } | { "event": "peer_down", 
peer_id: string, } | { "event": "progress" } & Progress | { "event": "found", 
query: string, 
result: SearchResult, } | { "event": "player" } & PlayerState | { "event": "identity_in_use_elsewhere" } | { "event": "warning" } & ApiError | { "event": "job_ended", job: string, error: ApiError | null } | { "event": "position", position_ms: number, buffered_ms: number } | { "event": "queue", version: number, length: number } | { "event": "dropped", 
count: number, };

export type Followed = { 
artist_id: string, 
name: string | null, 
public: boolean, };

export type Follows = { 
follows: Array<Followed>, };

export type GainMode = "off" | "track" | "album";

export type HistoryEntry = { release_id: string | null, track: number | null, file: number | null, played_at: number, title: string, artist: string, artist_id: string | null, release_title: string, cover: string | null, accent: number | null, duration_ms: number, };

export type IdentityRef = { 
peer_id: string, 
encrypted: boolean, };

export type Invite = { 
invite: string, };

export type Library = { totals: LibraryTotals, 
saved: Array<ReleaseInfo>, 
files: Array<LocalFile>, 
history: Array<HistoryEntry>, };

export type LibraryCommand = { command: "list" } | { command: "saved", offset: number, limit: number | null } | { command: "files", query: string, offset: number, limit: number | null } | { command: "save", release: string } | { command: "remove", release: string } | { command: "add_folder", folder: string, job: string | null } | { command: "remove_file", file: number } | { command: "remove_folder", folder: string } | { command: "history", offset: number, limit: number | null } | { command: "clear_history" };

export type LocalFile = { file: number, 
path: string, 
title: string, 
artist: string | null, 
album: string | null, 
duration_ms: number, };

export type Path = "direct" | "relayed";

export type PeerInfo = { 
peer_id: string, 
name: string | null, 
path: Path, 
rtt_ms: number, };

export type Peers = { 
peers: Array<PeerInfo>, };

export type Play = { 
release: string, 
track: number | null, 
output: string, 
from: number | null, 
seconds: number | null, 
job: string | null, };

export type PlaySource = "local" | "network";

export type Played = { 
first_sound_ms: number, 
played_ms: number, 
underruns: number, 
source: PlaySource, 
codec: string, };

export type PlayerCommand = { "command": "state" } | { "command": "play", 
items: Array<QueueItem>, 
start: number, } | { "command": "enqueue", 
items: Array<QueueItem>, 
next: boolean, } | { "command": "move", 
from: number, 
to: number, } | { "command": "remove", 
index: number, } | { "command": "clear" } | { "command": "jump", 
index: number, } | { "command": "resume" } | { "command": "pause" } | { "command": "next" } | { "command": "previous" } | { "command": "seek", 
position_ms: number, } | { "command": "volume", 
volume: number, } | { "command": "shuffle", 
on: boolean, } | { "command": "repeat", 
repeat: Repeat, } | { "command": "replay_gain", 
mode: GainMode, } | { "command": "crossfade", 
seconds: number, } | { "command": "sleep", 
minutes: number | null, } | { "command": "output", 
device: string, };

export type PlayerState = { 
status: string, 
queue_version: number, queue_length: number, current: QueueEntry | null, buffered_ms: number, sleep: number | null, device: string, 
index: number | null, 
title: string | null, 
artist: string | null, 
position_ms: number, 
duration_ms: number, 
volume: number, 
shuffle: boolean, 
repeat: Repeat, 
replay_gain: GainMode, 
crossfade: number, 
error: ApiError | null, };

export type Playlist = { 
playlist: number, 
title: string, 
count: number, 
items: Array<PlaylistItem>, };

export type PlaylistCommand = { command: "list", playlist: number | null } | { command: "create", title: string } | { command: "rename", playlist: number, title: string } | { command: "add", playlist: number, items: Array<QueueItem>, at: number | null } | { command: "move", playlist: number, from: number, to: number } | { command: "remove", playlist: number, index: number } | { command: "delete", playlist: number } | { command: "restore", playlist: number };

export type PlaylistItem = { release_id: string | null, track: number | null, file: number | null, title: string, artist: string, artist_id: string | null, release_title: string, cover: string | null, accent: number | null, duration_ms: number, };

export type Playlists = { 
playlists: Array<Playlist>, };

export type Profile = { releases: number, followers: number, followed: boolean, mine: boolean, reports: Array<ReportInfo>,  
peer_id: string, 
name: string | null, 
bio: string | null, 
links: Array<string>, 
avatar: string | null, };

export type ProfileEdit = { 
name: string | null, 
bio: string | null, 
links: Array<string> | null, 
avatar: string | null, };

export type Progress = { 
job: string, 
stage: string, 
item: string, 
done: number, 
total: number, };

export type Publish = { 
paths: Array<string>, 
title: string | null, 
artist: string | null, 
license: string | null, 
date: string | null, 
tags: Array<string>, 
cover: string | null, 
job: string | null, };

export type Published = { 
release_id: string, 
tracks: Array<TrackInfo>, 
warnings: Array<string>, };

export type QueueItem = { release: string, track: number } | { file: number };

export type ReleaseDetail = { liked: boolean, mine: boolean, accent: number | null, duration_ms: number, have: number, published_at: number, tag_details: Array<TagInfo>, reports: Array<ReportInfo>,  
tracks: Array<TrackInfo>, 
description: string | null, 
collaborators: Array<Credit>, 
waveforms: string | null, 
release_id: string, 
title: string, 
artist: string, 
artist_id: string, 
license: string, 
date: string | null, 
track_count: number, 
tags: Array<string>, 
cover: string | null, 
likes: number, 
saved: boolean, };

export type ReleaseInfo = { liked: boolean, mine: boolean, accent: number | null, duration_ms: number, have: number, published_at: number,  
release_id: string, 
title: string, 
artist: string, 
artist_id: string, 
license: string, 
date: string | null, 
track_count: number, 
tags: Array<string>, 
cover: string | null, 
likes: number, 
saved: boolean, };

export type ReleaseQuery = { followed: boolean, liked: boolean, similar_to: string | null,  
tag: string | null, 
artist: string | null, 
license: string | null, 
sort: Sort, 
limit: number | null, 
offset: number, };

export type ReleaseRef = { 
release_id: string, };

export type Releases = { total: number,  
releases: Array<ReleaseInfo>, };

export type Repeat = "off" | "one" | "all";

export type Request = { "method": "status" } | { "method": "invite" } | { "method": "peers" } | { "method": "join", "params": { 
invite: string, } } | { "method": "profile_set", "params": ProfileEdit } | { "method": "profile_show", "params": { 
peer: string | null, } } | { "method": "publish", "params": Publish } | { "method": "releases", "params": ReleaseQuery } | { "method": "search", "params": SearchQuery } | { "method": "show", "params": { 
release: string, } } | { "method": "play", "params": Play } | { "method": "player", "params": PlayerCommand } | { "method": "download", "params": { 
release: string, 
to: string, 
job: string | null, } } | { "method": "tag", "params": { 
release: string, 
track: number | null, 
tag: string, 
remove: boolean, } } | { "method": "like", "params": { 
release: string, 
track: number | null, 
remove: boolean, } } | { "method": "withdraw", "params": { 
release: string, } } | { "method": "block", "params": BlockCommand } | { "method": "follow", "params": { 
artist: string, 
public: boolean, 
remove: boolean, } } | { "method": "follows" } | { "method": "library", "params": LibraryCommand } | { "method": "playlist", "params": PlaylistCommand } | { "method": "seed", "params": { 
release: string | null, 
remove: boolean, 
job: string | null, } } | { "method": "stats" } | { "method": "doctor" } | { "method": "config_get", "params": { 
key: string | null, } } | { "method": "config_set", "params": { 
key: string, 
value: string, } } | { "method": "identity_export", "params": { 
file: string, 
passphrase: string | null, } } | { "method": "identity_import", "params": { 
file: string, 
passphrase: string | null, } } | { "method": "identity_take_over" } | { "method": "cancel", "params": { 
job: string, } } | { "method": "shutdown" } | { "method": "tags_top", params: { limit: number | null } } | { "method": "queue", params: { offset: number, limit: number | null } } | { "method": "devices" } | { "method": "hide", params: HideCommand } | { "method": "report", params: { release: string | null, artist: string | null, reason: ReportReason, note: string | null, remove: boolean } } | { "method": "identity_backup", params: { passphrase: string } } | { "method": "identity_words" } | { "method": "identity_restore", params: { text: string, passphrase: string | null } } | { "method": "jobs" };

export type Response = { "type": "status", "body": Status } | { "type": "invite", "body": Invite } | { "type": "peers", "body": Peers } | { "type": "profile", "body": Profile } | { "type": "published", "body": Published } | { "type": "releases", "body": Releases } | { "type": "search", "body": SearchResults } | { "type": "release", "body": ReleaseDetail } | { "type": "played", "body": Played } | { "type": "player", "body": PlayerState } | { "type": "downloaded", "body": Downloaded } | { "type": "tags", "body": Tags } | { "type": "release_ref", "body": ReleaseRef } | { "type": "blocked", "body": Blocked } | { "type": "follows", "body": Follows } | { "type": "library", "body": Library } | { "type": "playlists", "body": Playlists } | { "type": "seeds", "body": Seeds } | { "type": "stats", "body": Stats } | { "type": "doctor", "body": Doctor } | { "type": "config", "body": ConfigValues } | { "type": "identity", "body": IdentityRef } | { "type": "done", "body": Done };

export type SavedFile = { 
path: string, 
size: number, 
blake3: string, };

export type SearchQuery = { 
query: string, 
remote: boolean, 
limit: number | null, 
wait_ms: number | null, };

export type SearchResult = { release_title: string | null, cover: string | null, accent: number | null, duration_ms: number | null,  
kind: string, 
release_id: string | null, 
track: number | null, 
title: string, 
artist: string, 
artist_id: string | null, 
source: Source, };

export type SearchResults = { 
results: Array<SearchResult>, };

export type Seeds = { 
seeds: Array<ReleaseRef>, };

export type Sort = "new" | "trending" | "title";

export type Source = "local" | "remote";

export type Stats = { 
served_bytes: number, 
fetched_bytes: number, 
days: Array<DayStats>, 
blobs: Array<BlobStats>, };

export type Status = { nearby: number, direct: number, relayed: number, online: boolean, searching: boolean, metered: boolean, private_session: boolean, fresh: boolean,  
peer_id: string, 
name: string | null, 
version: string, 
data: string, 
listen: Array<string>, 
peers: number, 
releases: number, 
records: number, 
stored_bytes: number, 
uptime_ms: number, 
can_publish: boolean, 
dropped_events: number, };

export type Tags = { 
release_id: string, 
tags: Array<string>, };

export type TrackInfo = { likes: number, liked: boolean,  
number: number, 
title: string, 
artist: string | null, 
blob: string, 
size: number, 
duration_ms: number, 
codec: string, 
loudness: number | null, 
have: number, };

export type Listed = { title: string, artist: string, artist_id: string | null, release_title: string, cover: string | null, accent: number | null, duration_ms: number, };

export type QueueEntry = { entry: number, release: string | null, track: number | null, file: number | null, title: string, artist: string, artist_id: string | null, release_title: string, cover: string | null, accent: number | null, duration_ms: number, };

export type Queue = { version: number, length: number, index: number | null, offset: number, entries: Array<QueueEntry> };

export type Devices = { devices: Array<string> };

export type LibraryTotals = { saved: number, files: number, history: number };

export type TagInfo = { tag: string, track: number | null, count: number, own: boolean };

export type ReportReason = "other" | "not_theirs" | "mislabelled" | "spam" | "harmful";

export type ReportInfo = { peer_id: string, name: string | null, reason: ReportReason, note: string | null, artist: boolean, own: boolean };

export type TagsTop = { tags: Array<{ tag: string, count: number }> };

export type Jobs = { jobs: Array<JobInfo> };

export type JobInfo = { job: string, kind: string, running_ms: number, progress: Progress | null };

export type HideTarget = { release: string } | { artist: string } | { tag: string };

export type HideCommand = { command: "add", what: HideTarget } | { command: "remove", what: HideTarget } | { command: "list" };

export type HiddenThing = { what: HideTarget, title: string };

export type Hidden = { hidden: Array<HiddenThing> };

export type Backup = { name: string, text: string };

export type Words = { words: Array<string> };
