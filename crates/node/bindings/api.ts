// Generated from crates/node/src/api.rs by `UPDATE=1 cargo test -p node --test bindings`.

/**
 * What went wrong: a code that never changes for programs, words for people.
 */
export type ApiError = { 
/**
 * Stable, snake_case.
 */
code: string, 
/**
 * One sentence that says what happened and what to do.
 */
message: string, };

/**
 * What anyone can recompute.
 */
export type Audit = { 
/**
 * Canonical JSON: equal inputs give equal bytes on every peer.
 */
json: string, };

/**
 * The identity as a text.
 */
export type Backup = { 
/**
 * A name for the file.
 */
name: string, 
/**
 * The encrypted identity (age, armored), for [`super::Request::IdentityRestore`].
 */
text: string, };

/**
 * One file.
 */
export type BlobStats = { 
/**
 * Which.
 */
blob: string, 
/**
 * Bytes.
 */
served_bytes: number, 
/**
 * Bytes.
 */
fetched_bytes: number, };

/**
 * What to block.
 */
export type BlockCommand = { "command": "add", 
/**
 * 64 hexadecimal digits.
 */
id: string, } | { "command": "remove", 
/**
 * 64 hexadecimal digits.
 */
id: string, } | { "command": "list" } | { "command": "share", 
/**
 * The list's name.
 */
name: string, } | { "command": "subscribe", 
/**
 * The list's slot.
 */
list: string, } | { "command": "unsubscribe", 
/**
 * The list's slot.
 */
list: string, };

/**
 * What is blocked.
 */
export type Blocked = { 
/**
 * In order of id.
 */
blocked: Array<BlockedId>, 
/**
 * The lists of others that are subscribed to.
 */
lists: Array<FollowedList>, 
/**
 * After sharing: the slot of the list, by which others subscribe to it.
 */
shared?: string | null, };

/**
 * One blocked thing.
 */
export type BlockedId = { 
/**
 * `artist`, `release` or `blob`.
 */
kind: string, 
/**
 * 64 hexadecimal digits.
 */
id: string, };

/**
 * What to think of before a payment is confirmed.
 */
export type Caution = { "code": "fee_high", 
/**
 * In percent of the amount.
 */
percent: number, } | { "code": "links_accounts" } | { "code": "paid_before" } | { "code": "tip_waits" } | { "code": "loss_possible" } | { "code": "income_uncertain" } | { "code": "earnings_bounded" } | { "code": "too_little_to_send", 
/**
 * How much.
 */
sat: number, 
/**
 * To how many.
 */
payees: number, };

/**
 * What the node knows of the Bitcoin network.
 */
export type ChainStatus = { 
/**
 * Which.
 */
network: string, 
/**
 * The newest block.
 */
height: number, 
/**
 * Its hash.
 */
block_hash: string, 
/**
 * Whether that is the newest that the peers know.
 */
synced: boolean, 
/**
 * How many Bitcoin nodes are connected.
 */
peers: number, 
/**
 * What is wrong with the nodes that the settings name.
 */
problems: Array<string>, 
/**
 * Why nothing moves, in words, where that is so.
 */
waiting: string | null, 
/**
 * What a payment costs now; none while no node answers.
 */
fees: Fees | null, };

/**
 * One check.
 */
export type Check = { 
/**
 * What was checked.
 */
name: string, 
/**
 * Whether it is well.
 */
ok: boolean, 
/**
 * What was found, and what to do about it.
 */
message: string, };

/**
 * One coin.
 */
export type Coin = { 
/**
 * `txid:vout`.
 */
outpoint: string, 
/**
 * How much.
 */
amount_sat: number, 
/**
 * Where it lies.
 */
address: string, 
/**
 * Blocks on it, its own included.
 */
confirmations: number, 
/**
 * Whether it came to the public income account.
 */
income: boolean, 
/**
 * Whether it is kept by hand.
 */
frozen: boolean, 
/**
 * The user's word beside it.
 */
label: string | null, };

/**
 * The coins.
 */
export type Coins = { 
/**
 * Largest first.
 */
coins: Array<Coin>, };

/**
 * Settings.
 */
export type ConfigValues = { 
/**
 * By key.
 */
config: Record<string, unknown>, };

/**
 * Somebody who made a release with its artist.
 */
export type Credit = { 
/**
 * Name.
 */
name: string, 
/**
 * What they did.
 */
role: string, 
/**
 * Their identity, where they have one.
 */
peer_id: string | null, };

/**
 * A DAO: everything on its public page.
 */
export type Dao = { 
/**
 * Its charter's id.
 */
dao_id: string, 
/**
 * Its name.
 */
name: string, 
/**
 * What it is for.
 */
purpose: string, 
/**
 * Which money.
 */
network: string, 
/**
 * Who wrote the charter.
 */
creator: string, 
/**
 * A `musicdao:` link that brings somebody to it.
 */
invite: string, 
/**
 * The same with the fewest addresses, for a QR code.
 */
code: string, 
/**
 * Where its life stands.
 */
stage: DaoStage, 
/**
 * What the owner is in it.
 */
membership: DaoState, 
/**
 * The charter as it holds now.
 */
charter: DaoCharter, 
/**
 * The number of its key set, from 0; none before the start.
 */
epoch: number | null, 
/**
 * How many keys must sign.
 */
threshold: number, 
/**
 * How many keys there are.
 */
keys: number, 
/**
 * Its members; before the start those who registered.
 */
members: Array<DaoMember>, 
/**
 * Where its coin is, as `txid:vout`.
 */
coin: string | null, 
/**
 * Blocks on that coin.
 */
confirmations: number, 
/**
 * The coin's value.
 */
treasury_sat: number, 
/**
 * The sum of all claims.
 */
claims_sum_sat: number, 
/**
 * What nobody has a claim to yet.
 */
unassigned_sat: number, 
/**
 * Kept for the refund's fee.
 */
reserve_sat: number, 
/**
 * Coins at its addresses that are not part of the one coin yet, and that no refund covers.
 */
unprotected_sat: number, 
/**
 * What of them came in at an address of keys that guard the coin no more.
 */
under_old_keys_sat: number, 
/**
 * What the owner could take away now.
 */
claim_sat: number, 
/**
 * How unequal the claims are, between 0 and 1.
 */
gini: number, 
/**
 * How few members have more than half of all claims.
 */
nakamoto: number, 
/**
 * Part of the counted members that voted, over the last proposals, between 0 and 1; none where there was none.
 */
turnout: number | null, 
/**
 * As whom the owner's node votes.
 */
delegate: string | null, 
/**
 * The transaction that is being made.
 */
signing: DaoSigning | null, 
/**
 * The transactions of the coin, newest first, 50 at most.
 */
turns: Array<DaoTurn>, 
/**
 * The block from which the refund can be sent, where the coin does not move before.
 */
refund_height: number | null, 
/**
 * The refund by which the DAO ended, once it is in a block.
 */
refunded: string | null, 
/**
 * Something of late that somebody did wrong, newest first, 20 at most.
 */
incidents: Array<DaoIncident>, 
/**
 * Why figures are not of now, in words.
 */
waiting: string | null, };

/**
 * The accounts of a DAO as anyone recomputes them.
 */
export type DaoAudit = { 
/**
 * Which.
 */
dao_id: string, 
/**
 * The coin's value on the chain.
 */
treasury_sat: number, 
/**
 * The sum of all claims.
 */
claims_sum_sat: number, 
/**
 * What nobody has a claim to.
 */
unassigned_sat: number, 
/**
 * Kept for the refund's fee.
 */
reserve_sat: number, 
/**
 * Whether it all adds up.
 */
ok: boolean, 
/**
 * What does not, as stable codes.
 */
problems: Array<string>, };

/**
 * What a DAO is to be.
 */
export type DaoCharter = { 
/**
 * The name to show.
 */
name: string, 
/**
 * What it is for.
 */
purpose: string, 
/**
 * Least that a joiner pays in; all of it is the joiner's claim.
 */
fee_sat: number, 
/**
 * Percentage of the keys that spend and of the members that approve; 60 where none is said.
 */
threshold_percent: number | null, 
/**
 * Fewest founders; 3 where none is said.
 */
founders: number | null, 
/**
 * Members that must vouch for a person before it is counted; 2 where none is said.
 */
vouches: number | null, 
/**
 * Blocks of silence after which the refund may be sent; 25,920, about half a year, where none is said.
 */
recovery_blocks: number | null, 
/**
 * Confirmations that a joiner's coin needs; 6 where none is said.
 */
depth: number | null, 
/**
 * Who may join; whoever pays the fee where nothing is said.
 */
policy: DaoPolicy, 
/**
 * How its keys guard the coin.
 */
construction: DaoConstruction, 
/**
 * Most that proposals may pay in 2,016 blocks, in percent of all claims; 100 where none is said.
 */
spending_percent: number | null, 
/**
 * Blocks of membership before a person is counted; none where none is said.
 */
season_blocks: number | null, 
/**
 * Most members newly counted in 2,016 blocks, in percent of the counted; no limit where none is said.
 */
growth_percent: number | null, };

/**
 * A vote.
 */
export type DaoChoice = "yes" | "no" | "abstain";

/**
 * What to do with DAOs. Amounts are whole satoshis.
 */
export type DaoCommand = { "command": "create" } & DaoCharter | { "command": "list" } | { "command": "show", 
/**
 * Which.
 */
dao: string, } | { "command": "join", 
/**
 * Which.
 */
dao: string, 
/**
 * More than the entrance fee, where the claim is to begin higher.
 */
deposit_sat: number | null, 
/**
 * How it is paid; `dry_run` says what it would cost.
 */
pay: Pay, } | { "command": "start", 
/**
 * Which.
 */
dao: string, 
/**
 * The wallet's passphrase, where it is locked.
 */
passphrase: string | null, } | { "command": "vouch", 
/**
 * Which.
 */
dao: string, 
/**
 * For whom.
 */
peer: string, } | { "command": "leave", 
/**
 * Which.
 */
dao: string, } | { "command": "propose", 
/**
 * To which.
 */
dao: string, 
/**
 * A few words.
 */
title: string, 
/**
 * More of it in words, at most 500 characters.
 */
words: string | null, 
/**
 * What is to be done.
 */
intent: DaoIntent, 
/**
 * Blocks until it can no longer be approved; 1,008 where none is said.
 */
expiry_blocks: number | null, } | { "command": "proposals", 
/**
 * Whose.
 */
dao: string, } | { "command": "vote", 
/**
 * In which DAO.
 */
dao: string, 
/**
 * On what.
 */
proposal: string, 
/**
 * What.
 */
choice: DaoChoice, } | { "command": "delegate", 
/**
 * In which DAO.
 */
dao: string, 
/**
 * As whom; nobody to end it.
 */
to: string | null, } | { "command": "refunds", 
/**
 * Of which.
 */
dao: string, } | { "command": "recover", 
/**
 * Of which.
 */
dao: string, } | { "command": "bump", 
/**
 * Of which.
 */
dao: string, 
/**
 * Which transaction; the one that waits where none is said.
 */
txid: string | null, 
/**
 * How it is paid; `dry_run` says what it would cost.
 */
pay: Pay, } | { "command": "audit", 
/**
 * Of which.
 */
dao: string, };

/**
 * How keys guard the coin.
 */
export type DaoConstruction = "multi_a" | "musig2" | "frost" | "sortedmulti";

/**
 * A new DAO.
 */
export type DaoCreated = { 
/**
 * Its charter's id.
 */
dao_id: string, 
/**
 * A `musicdao:` link that brings somebody to it, and in.
 */
invite: string, 
/**
 * The same with the fewest addresses, for a QR code.
 */
code: string, };

/**
 * Something that somebody did wrong.
 */
export type DaoIncident = { 
/**
 * Who, where it is known.
 */
peer_id: string | null, 
/**
 * That person's name.
 */
name: string | null, 
/**
 * What, as a stable code.
 */
code: string, 
/**
 * Unix milliseconds.
 */
at_ms: number, };

/**
 * What is to be done.
 */
export type DaoIntent = { "kind": "invest", 
/**
 * Which.
 */
offer: string, 
/**
 * How much.
 */
amount_sat: number, } | { "kind": "pay", 
/**
 * Whom and how much.
 */
outputs: Array<DaoOutput>, } | { "kind": "set", 
/**
 * `entrance_fee`, `policy`, `threshold`, `spending`, `vouches`, `season` or `growth`.
 */
parameter: string, 
/**
 * To what.
 */
value: number, } | { "kind": "admit", 
/**
 * Whom.
 */
peer: string, } | { "kind": "remove", 
/**
 * Whom.
 */
peer: string, } | { "kind": "refresh" } | { "kind": "dissolve" };

/**
 * A member of a DAO, or somebody who wants to be.
 */
export type DaoMember = { 
/**
 * Who.
 */
peer_id: string, 
/**
 * That person's name.
 */
name: string, 
/**
 * What of the treasury is theirs.
 */
claim_sat: number, 
/**
 * Of it set aside for what is approved and not paid yet.
 */
reserved_sat: number, 
/**
 * Whether they vote.
 */
counted: boolean, 
/**
 * Whether they have a key of the coin.
 */
keyholder: boolean, 
/**
 * Where they are between wanting in and wanting out.
 */
state: DaoState, 
/**
 * How many counted members vouch for them.
 */
vouches: number, 
/**
 * Whether the owner does.
 */
vouched_by_me: boolean, };

/**
 * What somebody is in a DAO now.
 */
export type DaoMembership = { 
/**
 * In which.
 */
dao_id: string, 
/**
 * Who.
 */
peer_id: string, 
/**
 * What.
 */
state: DaoState, 
/**
 * The transaction that lets in or out, where there is one.
 */
txid: string | null, 
/**
 * What is paid in, or paid out.
 */
amount_sat: number, 
/**
 * About what it costs, at most.
 */
fee_sat: number, 
/**
 * What to think of before confirming.
 */
warnings: Array<Caution>, };

/**
 * Something that is paid.
 */
export type DaoOutput = { 
/**
 * Where to.
 */
address: string, 
/**
 * How much.
 */
amount_sat: number, };

/**
 * What a proposal takes from somebody's claim.
 */
export type DaoPart = { 
/**
 * Whose.
 */
peer_id: string, 
/**
 * How much.
 */
sat: number, 
/**
 * What of the claim is left then, reservations for other proposals taken off; none once it was paid.
 */
left_sat: number | null, };

/**
 * Who may join.
 */
export type DaoPolicy = "open" | "vouched" | "admitted";

/**
 * A proposal and what became of it.
 */
export type DaoProposal = { 
/**
 * Its record.
 */
proposal_id: string, 
/**
 * In which DAO.
 */
dao_id: string, 
/**
 * Who proposed it.
 */
author: string, 
/**
 * That person's name.
 */
author_name: string, 
/**
 * A few words.
 */
title: string, 
/**
 * More of it.
 */
words: string | null, 
/**
 * `invest`, `pay`, `set`, `admit`, `remove`, `refresh` or `dissolve`.
 */
kind: string, 
/**
 * What is to be done; an investment with the address it pays.
 */
intent: DaoIntent, 
/**
 * Exactly what is paid, and where to.
 */
outputs: Array<DaoOutput>, 
/**
 * Where it stands.
 */
state: DaoProposalState, 
/**
 * Votes for it.
 */
yes: number, 
/**
 * Votes against it.
 */
no: number, 
/**
 * Votes for neither.
 */
abstain: number, 
/**
 * How many may vote.
 */
electorate: number, 
/**
 * How many votes approve it.
 */
needed: number, 
/**
 * The owner's vote.
 */
my_vote: DaoChoice | null, 
/**
 * Whether the owner may vote.
 */
may_vote: boolean, 
/**
 * The last block at which it can be approved.
 */
expiry: number, 
/**
 * The transaction that carries it out.
 */
txid: string | null, 
/**
 * Blocks on it.
 */
confirmations: number, 
/**
 * The note that an investment makes.
 */
note_id: string | null, 
/**
 * What it takes from the owner's claim.
 */
my_part_sat: number, 
/**
 * What it takes from whose claim: as if it were approved now, or as it was frozen when it was. Empty where it pays
 * nothing, and where the claims do not cover it.
 */
parts: Array<DaoPart>, 
/**
 * Members who signed two differing votes on it.
 */
voted_twice: Array<string>, 
/**
 * Unix milliseconds.
 */
at_ms: number, };

/**
 * Where a proposal stands.
 */
export type DaoProposalState = "open" | "approved" | "signing" | "broadcast" | "confirmed" | "rejected" | "expired" | "superseded" | "revocable";

/**
 * Proposals.
 */
export type DaoProposals = { 
/**
 * Newest first.
 */
proposals: Array<DaoProposal>, };

/**
 * A refund that was sent.
 */
export type DaoRecovered = { 
/**
 * Its first transaction.
 */
txid: string, };

/**
 * A transaction of the refund.
 */
export type DaoRefund = { 
/**
 * Its id.
 */
txid: string, 
/**
 * The first block that may hold it; none while the one before it has none.
 */
spendable_at: number | null, 
/**
 * What it pays out.
 */
sat: number, 
/**
 * How many claims it pays.
 */
claims: number, };

/**
 * How everybody gets their money after a long silence.
 */
export type DaoRefunds = { 
/**
 * The transactions, the first one first.
 */
refunds: Array<DaoRefund>, 
/**
 * What the owner gets of it.
 */
my_part_sat: number, };

/**
 * A transaction of the coin that is being made.
 */
export type DaoSigning = { 
/**
 * Its id.
 */
txid: string, 
/**
 * Whether everybody's way out is signed and stored, so that the coin may be signed.
 */
refund_ready: boolean, 
/**
 * How many signed the coin.
 */
signed: number, 
/**
 * How many must.
 */
needed: number, 
/**
 * Whether it is complete and waits for its block.
 */
sent: boolean, };

/**
 * Where the life of a DAO stands.
 */
export type DaoStage = "founding" | "starting" | "active" | "ended";

/**
 * A DAO that begins.
 */
export type DaoStarted = { 
/**
 * Which.
 */
dao_id: string, 
/**
 * The number of its key set, from 0.
 */
epoch: number, 
/**
 * The transaction that funds the coin; none while its signatures come in.
 */
txid: string | null, };

/**
 * What somebody is in a DAO.
 */
export type DaoState = "none" | "requested" | "signing" | "member" | "counted" | "leaving";

/**
 * A DAO in short.
 */
export type DaoSummary = { 
/**
 * Its charter's id.
 */
dao_id: string, 
/**
 * Its name.
 */
name: string, 
/**
 * What it is for.
 */
purpose: string, 
/**
 * Which money.
 */
network: string, 
/**
 * Where its life stands.
 */
stage: DaoStage, 
/**
 * What the owner is in it.
 */
membership: DaoState, 
/**
 * How many members it has; founders who registered, before the start.
 */
members: number, 
/**
 * Least that a joiner pays in.
 */
fee_sat: number, 
/**
 * Its coin.
 */
treasury_sat: number, 
/**
 * What of it is the owner's.
 */
claim_sat: number, };

/**
 * A transaction of the coin.
 */
export type DaoTurn = { 
/**
 * Its number, from 0.
 */
number: number, 
/**
 * Its id.
 */
txid: string, 
/**
 * Its block; none while it waits for one.
 */
height: number | null, 
/**
 * Those it let in.
 */
joined: Array<string>, 
/**
 * Those it paid out.
 */
left: Array<string>, 
/**
 * The proposals it carried out.
 */
proposals: Array<string>, 
/**
 * The coin after it.
 */
treasury_sat: number, 
/**
 * Its fee.
 */
fee_sat: number, };

/**
 * The DAOs that are known here.
 */
export type Daos = { 
/**
 * Those that one is a member of first, then by name.
 */
daos: Array<DaoSummary>, };

/**
 * One day.
 */
export type DayStats = { 
/**
 * `YYYY-MM-DD` in UTC.
 */
day: string, 
/**
 * Bytes.
 */
served_bytes: number, 
/**
 * Bytes.
 */
fetched_bytes: number, };

/**
 * Sound devices.
 */
export type Devices = { 
/**
 * Names that the player can be given.
 */
devices: Array<string>, };

/**
 * What a check of the surroundings found.
 */
export type Doctor = { 
/**
 * In the order they were made.
 */
checks: Array<Check>, };

/**
 * It is done, and there is nothing to say of it.
 */
export type Done = Record<symbol, never>;

/**
 * One release that is kept, or is to be.
 */
export type DownloadInfo = { 
/**
 * Which.
 */
release: ReleaseInfo, 
/**
 * Bytes of it that are here.
 */
have_bytes: number, 
/**
 * All its bytes.
 */
total_bytes: number, 
/**
 * Whether some of it is on its way.
 */
active: boolean, 
/**
 * Whether it is kept and served until one says otherwise.
 */
seeded: boolean, 
/**
 * Where its files were last saved to.
 */
folder: string | null, };

/**
 * What was saved where.
 */
export type Downloaded = { 
/**
 * In playing order.
 */
files: Array<SavedFile>, };

/**
 * What is kept whole on this disk.
 */
export type Downloads = { 
/**
 * Latest first.
 */
downloads: Array<DownloadInfo>, };

/**
 * What would be published.
 */
export type Draft = { 
/**
 * The files' album, else the first title.
 */
title: string, 
/**
 * The files' artist, else the profile's name; empty where neither is known.
 */
artist: string, 
/**
 * The files'.
 */
date: string | null, 
/**
 * The files', where it is one that can be published (SPDX).
 */
license: string | null, 
/**
 * From the files' genres.
 */
tags: Array<string>, 
/**
 * A picture beside the files, else in them.
 */
cover: DraftCover | null, 
/**
 * In the album's order where the files tell one.
 */
tracks: Array<DraftTrack>, 
/**
 * What is no track, and why; the first 1,000.
 */
skipped: Array<Skipped>, };

/**
 * The cover of a draft.
 */
export type DraftCover = { 
/**
 * A file to publish.
 */
path: string, 
/**
 * By this it is loaded as other images are, until it is published or discarded.
 */
hash: string, 
/**
 * Its most vivid colour, `0xRRGGBB`.
 */
accent: number | null, };

/**
 * One file of a draft.
 */
export type DraftTrack = { 
/**
 * Where it is.
 */
path: string, 
/**
 * By its tags, else its name.
 */
title: string, 
/**
 * By its tags.
 */
artist: string | null, 
/**
 * By its tags.
 */
album: string | null, 
/**
 * By its tags.
 */
number: number | null, 
/**
 * Exact length.
 */
duration_ms: number, 
/**
 * How it is encoded; empty where it could not be read.
 */
codec: string, 
/**
 * Bytes.
 */
size: number, 
/**
 * Integrated loudness in LUFS.
 */
loudness: number | null, 
/**
 * What is odd about it.
 */
warnings: Array<ApiError>, 
/**
 * Why it cannot be published.
 */
error: ApiError | null, };

/**
 * Whether a backup would bring this wallet back.
 */
export type Drill = { 
/**
 * It would.
 */
restores: boolean, 
/**
 * How many labels, notes and payments it holds beside the seed; none for words.
 */
extras: number | null, };

/**
 * What the node tells unasked. A reader that stops reading misses events; it never stalls the node.
 */
export type Event = { "event": "release", 
/**
 * Which.
 */
release_id: string, 
/**
 * Its title.
 */
title: string, 
/**
 * Its artist.
 */
artist: string, } | { "event": "release_gone", 
/**
 * Which.
 */
release_id: string, } | { "event": "catalogue_changed" } | { "event": "library_changed" } | { "event": "peer_up", 
/**
 * Who.
 */
peer_id: string, 
/**
 * How.
 */
path: Path, } | { "event": "peer_down", 
/**
 * Who.
 */
peer_id: string, } | { "event": "progress" } & Progress | { "event": "found", 
/**
 * The search's text.
 */
query: string, 
/**
 * What was found.
 */
result: SearchResult, } | { "event": "job_ended", 
/**
 * The job's name.
 */
job: string, 
/**
 * The release that came of it, where one was published.
 */
release_id: string | null, 
/**
 * Why it came to nothing.
 */
error: ApiError | null, } | { "event": "player" } & PlayerState | { "event": "position", 
/**
 * Where in the current track.
 */
position_ms: number, 
/**
 * Up to where it can be played without waiting.
 */
buffered_ms: number, } | { "event": "queue", 
/**
 * Grows with every change.
 */
version: number, 
/**
 * How many entries it has.
 */
length: number, } | { "event": "identity_in_use_elsewhere" } | { "event": "wallet_changed" } | { "event": "payment", 
/**
 * Names the payment.
 */
txid: string, 
/**
 * How much it brings.
 */
amount_sat: number, 
/**
 * What it is: a tip, an investment, a payout; none for others.
 */
purpose: string | null, 
/**
 * Blocks on it: told when it is first seen, and again with its first block.
 */
confirmations: number, } | { "event": "dao_changed", 
/**
 * Which.
 */
dao_id: string, } | { "event": "chain", 
/**
 * The newest block.
 */
height: number, 
/**
 * Whether that is the newest that the peers know.
 */
synced: boolean, 
/**
 * How many Bitcoin nodes are connected.
 */
peers: number, } | { "event": "warning" } & ApiError | { "event": "dropped", 
/**
 * How many.
 */
count: number, };

/**
 * How an income would split.
 */
export type Example = { 
/**
 * What came in, in all.
 */
income_sat: number, 
/**
 * To all investors together.
 */
investors_sat: number, 
/**
 * To collaborators.
 */
collaborators_sat: number, 
/**
 * To the artist.
 */
artist_sat: number, };

/**
 * How soon a payment is to confirm.
 */
export type Fee = { "speed": "fast" } | { "speed": "normal" } | { "speed": "slow" } | { "speed": "custom", 
/**
 * Satoshis for each virtual byte.
 */
sat_per_vb: number, };

/**
 * What a payment costs now, in satoshis for each virtual byte.
 */
export type Fees = { 
/**
 * In the next blocks.
 */
fast: number, 
/**
 * Within the hour or so.
 */
normal: number, 
/**
 * Within the day or so.
 */
slow: number, };

/**
 * One followed artist.
 */
export type Followed = { 
/**
 * Who.
 */
artist_id: string, 
/**
 * The name of their profile.
 */
name: string | null, 
/**
 * Whether everybody may know.
 */
public: boolean, };

/**
 * Somebody's list, of which everything is blocked here, too.
 */
export type FollowedList = { 
/**
 * The list's slot.
 */
list: string, 
/**
 * Its name; none where it was withdrawn or is not known any more.
 */
name: string | null, 
/**
 * Who keeps it.
 */
author_id: string | null, 
/**
 * The name of their profile.
 */
author: string | null, 
/**
 * How many things it names.
 */
count: number, };

/**
 * Whom this node follows.
 */
export type Follows = { 
/**
 * In order of name.
 */
follows: Array<Followed>, };

/**
 * What loudness is levelled by.
 */
export type GainMode = "off" | "track" | "album";

/**
 * What is hidden.
 */
export type Hidden = { 
/**
 * The last first.
 */
hidden: Array<HiddenThing>, };

/**
 * One hidden thing.
 */
export type HiddenThing = { 
/**
 * What.
 */
what: HideTarget, 
/**
 * The release's title, the artist's name or the tag; empty where not known.
 */
title: string, };

/**
 * What to hide.
 */
export type HideCommand = { "command": "add", 
/**
 * What.
 */
what: HideTarget, } | { "command": "remove", 
/**
 * What.
 */
what: HideTarget, } | { "command": "list" };

/**
 * Something that can be hidden.
 */
export type HideTarget = { 
/**
 * Which.
 */
release: string, } | { 
/**
 * Whom.
 */
artist: string, } | { 
/**
 * The word.
 */
tag: string, };

/**
 * Something that was played.
 */
export type HistoryEntry = { 
/**
 * The release; none for a private file.
 */
release_id: string | null, 
/**
 * The track's number from 1.
 */
track: number | null, 
/**
 * The private file's number in the library.
 */
file: number | null, 
/**
 * When, in Unix milliseconds.
 */
played_at: number, 
/**
 * Its title.
 */
title: string, 
/**
 * Who plays it.
 */
artist: string, 
/**
 * Who published it; none for a file.
 */
artist_id: string | null, 
/**
 * The release's title, or the file's album.
 */
release_title: string, 
/**
 * Image.
 */
cover: string | null, 
/**
 * The cover's colour, `0xRRGGBB`.
 */
accent: number | null, 
/**
 * Its length.
 */
duration_ms: number, };

/**
 * The own identity.
 */
export type IdentityRef = { 
/**
 * Who.
 */
peer_id: string, 
/**
 * Whether the file is encrypted.
 */
encrypted: boolean, };

/**
 * What came in.
 */
export type Income = { 
/**
 * Confirmed.
 */
confirmed_sat: number, 
/**
 * Waiting for a block.
 */
pending_sat: number, 
/**
 * Owed to investors now, over all offers.
 */
owed_sat: number, 
/**
 * By day, oldest first; days without income are left out.
 */
days: Array<IncomeOf>, 
/**
 * By release, most first; income that names none is under an empty name.
 */
releases: Array<IncomeOf>, 
/**
 * By supporter, most first; income that names nobody is under an empty name.
 */
supporters: Array<IncomeOf>, 
/**
 * Why amounts are not of now, in words, where the Bitcoin network does not answer.
 */
waiting: string | null, };

/**
 * One bar of the chart.
 */
export type IncomeOf = { 
/**
 * A day as `2026-01-31`, a release's or a person's id.
 */
id: string, 
/**
 * Its name.
 */
name: string, 
/**
 * How much.
 */
sat: number, 
/**
 * In how many payments.
 */
count: number, };

/**
 * An investment that was made, or would be.
 */
export type Invested = { 
/**
 * Its record; none for a trial.
 */
note_id: string | null, 
/**
 * The payment; none for a trial.
 */
txid: string | null, 
/**
 * To the network, on top.
 */
fee_sat: number, 
/**
 * Invested.
 */
principal_sat: number, 
/**
 * Most that it can earn.
 */
cap_sat: number, 
/**
 * What to think of before confirming.
 */
warnings: Array<Caution>, };

/**
 * A link that lets a friend in.
 */
export type Invite = { 
/**
 * A `musicdao:` link.
 */
invite: string, 
/**
 * How many addresses of other machines' reach and how many helpers it names. With none it leads here only on this
 * machine, or where the friend finds this node by itself: in the same network, or by the DHT.
 */
ways: number, };

/**
 * One long piece of work.
 */
export type JobInfo = { 
/**
 * Its name.
 */
job: string, 
/**
 * What is done: the method that was asked for, such as `publish`.
 */
kind: string, 
/**
 * How long it has been under way.
 */
running_ms: number, 
/**
 * How far it is, where it has told.
 */
progress: Progress | null, };

/**
 * What is under way.
 */
export type Jobs = { 
/**
 * In the order in which they began.
 */
jobs: Array<JobInfo>, };

/**
 * How many labels were taken.
 */
export type Labels = { 
/**
 * So many, those of things that this wallet does not know, too.
 */
imported: number, };

/**
 * The library.
 */
export type Library = { 
/**
 * Saved releases, latest first.
 */
saved: Array<ReleaseInfo>, 
/**
 * One's own private files.
 */
files: Array<LocalFile>, 
/**
 * What was played, latest first.
 */
history: Array<HistoryEntry>, 
/**
 * How many there are of each, on whatever page.
 */
totals: LibraryTotals, };

/**
 * What to do with the library.
 */
export type LibraryCommand = { "command": "list" } | { "command": "saved", 
/**
 * After so many.
 */
offset: number, 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, } | { "command": "files", 
/**
 * Only with all of these words in title, artist or album.
 */
query: string, 
/**
 * After so many.
 */
offset: number, 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, } | { "command": "save", 
/**
 * Which.
 */
release: string, } | { "command": "remove", 
/**
 * Which.
 */
release: string, } | { "command": "add_folder", 
/**
 * An existing folder.
 */
folder: string, 
/**
 * For progress and cancelling.
 */
job: string | null, } | { "command": "add_files", 
/**
 * Where they are, the whole paths.
 */
paths: Array<string>, 
/**
 * For progress and cancelling.
 */
job: string | null, } | { "command": "remove_file", 
/**
 * Its number.
 */
file: number, } | { "command": "remove_folder", 
/**
 * The folder.
 */
folder: string, } | { "command": "history", 
/**
 * After so many.
 */
offset: number, 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, } | { "command": "clear_history" };

/**
 * How much the library's lists hold.
 */
export type LibraryTotals = { 
/**
 * Saved releases that are still known.
 */
saved: number, 
/**
 * One's own private files; where words were asked for, those that have them.
 */
files: number, 
/**
 * Plays.
 */
history: number, };

/**
 * A link to share.
 */
export type Link = { 
/**
 * A `musicdao:` link.
 */
link: string, };

/**
 * One private file.
 */
export type LocalFile = { 
/**
 * Its number in the library.
 */
file: number, 
/**
 * Where.
 */
path: string, 
/**
 * By its tags, else its name.
 */
title: string, 
/**
 * By its tags.
 */
artist: string | null, 
/**
 * By its tags.
 */
album: string | null, 
/**
 * Exact length.
 */
duration_ms: number, };

/**
 * The words of a track.
 */
export type Lyrics = { 
/**
 * With line breaks; none where the file has none.
 */
text: string | null, };

/**
 * What to do with money for music. Amounts are whole satoshis.
 */
export type MoneyCommand = { "command": "tip", 
/**
 * Whom.
 */
artist: string | null, 
/**
 * Or for what.
 */
release: string | null, 
/**
 * How much.
 */
amount_sat: number, 
/**
 * A word to the artist, which everyone can read.
 */
memo: string | null, 
/**
 * Pays at once, although the fee eats a good part of it; such a tip waits for others otherwise.
 */
now: boolean, 
/**
 * How it is paid.
 */
pay: Pay, } | { "command": "send_tips", 
/**
 * How they are paid.
 */
pay: Pay, } | { "command": "payments", 
/**
 * After so many.
 */
offset: number, 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, } | { "command": "thank", 
/**
 * Which.
 */
payment: string, 
/**
 * At most 280 characters.
 */
text: string, } | { "command": "offer_create", 
/**
 * How much is asked for.
 */
goal_sat: number, 
/**
 * Part of the income that goes to investors, in hundredths of a per cent.
 */
share_bp: number, 
/**
 * Most that an investment earns, in hundredths of itself; 150 where none is said.
 */
cap_percent: number | null, 
/**
 * Income before investors earn.
 */
floor_sat: number | null, 
/**
 * The day it ends, as `2027-12-31`.
 */
expiry: string, 
/**
 * What it is for.
 */
title: string | null, 
/**
 * Who else shares in the artist's part.
 */
splits: Array<Split>, 
/**
 * Only says how it would split.
 */
dry_run: boolean, } | { "command": "offers", 
/**
 * Whose; everybody's where none is named.
 */
artist: string | null, } | { "command": "offer_show", 
/**
 * Which.
 */
offer: string, } | { "command": "invest", 
/**
 * Which.
 */
offer: string, 
/**
 * How much.
 */
amount_sat: number, 
/**
 * How it is paid.
 */
pay: Pay, } | { "command": "notes" } | { "command": "payout", 
/**
 * Which offer's.
 */
offer: string, 
/**
 * Exactly so much to the notes, in proportion and never above a cap; all that is owed where none is said.
 */
amount_sat: number | null, 
/**
 * Presents beside that.
 */
rewards: Array<Reward>, 
/**
 * How it is paid.
 */
pay: Pay, } | { "command": "refund", 
/**
 * Which note.
 */
note: string, 
/**
 * How it is paid.
 */
pay: Pay, } | { "command": "income" } | { "command": "audit", 
/**
 * Whose.
 */
artist: string, };

/**
 * A wallet that was just made.
 */
export type NewWallet = { 
/**
 * To be written down in order, and by nobody else.
 */
words: Array<string>, 
/**
 * Which money.
 */
network: string, };

/**
 * An investment in an offer.
 */
export type Note = { 
/**
 * Its record.
 */
note_id: string, 
/**
 * In which offer.
 */
offer_id: string, 
/**
 * Whose offer.
 */
artist_id: string, 
/**
 * That person's name.
 */
artist: string, 
/**
 * Whose investment.
 */
investor: string, 
/**
 * That person's name.
 */
investor_name: string, 
/**
 * How much was invested.
 */
principal_sat: number, 
/**
 * Most that it can earn.
 */
cap_sat: number, 
/**
 * Earned and not paid yet.
 */
owed_sat: number, 
/**
 * Paid back.
 */
paid_sat: number, 
/**
 * Where it is.
 */
status: NoteStatus, 
/**
 * The payment.
 */
txid: string, 
/**
 * Unix milliseconds of the offer's end.
 */
expiry_ms: number, };

/**
 * Where an investment is.
 */
export type NoteStatus = "pending" | "active" | "late" | "complete" | "expired" | "refundable" | "refunded" | "invalid";

/**
 * Investments.
 */
export type Notes = { 
/**
 * Newest first.
 */
notes: Array<Note>, 
/**
 * Why amounts are not of now, in words, where the Bitcoin network does not answer.
 */
waiting: string | null, };

/**
 * An artist's offer to share income with investors.
 */
export type Offer = { 
/**
 * Its record; none for a trial.
 */
offer_id: string | null, 
/**
 * Whose.
 */
artist_id: string, 
/**
 * That person's name.
 */
artist: string, 
/**
 * What it is for.
 */
title: string | null, 
/**
 * Which money.
 */
network: string, 
/**
 * How much is asked for.
 */
goal_sat: number, 
/**
 * How much has come, confirmed, up to the goal.
 */
raised_sat: number, 
/**
 * Part of the income that goes to investors, in hundredths of a per cent.
 */
share_bp: number, 
/**
 * Most that an investment earns, in hundredths of itself.
 */
cap_percent: number, 
/**
 * Income before investors earn.
 */
floor_sat: number, 
/**
 * Unix milliseconds of its end.
 */
expiry_ms: number, 
/**
 * The end, as a day.
 */
expiry: string, 
/**
 * Who else shares in the artist's part.
 */
splits: Array<Split>, 
/**
 * Whether it can be invested in now.
 */
open: boolean, 
/**
 * Income that came to the published addresses since the offer, confirmed.
 */
income_sat: number, 
/**
 * Owed to investors now.
 */
owed_sat: number, 
/**
 * Paid to investors.
 */
paid_sat: number, 
/**
 * The investments; left out in lists.
 */
notes: Array<Note>, 
/**
 * How incomes from a tenth of the goal to ten times the goal would split; for a trial alone.
 */
example: Array<Example>, 
/**
 * Why amounts are not of now, in words, where the Bitcoin network does not answer.
 */
waiting: string | null, };

/**
 * Offers.
 */
export type Offers = { 
/**
 * Those that end first, first.
 */
offers: Array<Offer>, 
/**
 * Why amounts are not of now, in words, where the Bitcoin network does not answer.
 */
waiting: string | null, };

/**
 * What a link leads to.
 */
export type Opened = { 
/**
 * `joined`, `release` or `artist`.
 */
kind: string, 
/**
 * The release or the artist; the peer for a plain invite.
 */
id: string, 
/**
 * Whether the release or the artist is known here by now.
 */
known: boolean, 
/**
 * Why whoever gave the link could not be reached.
 */
unreachable: ApiError | null, };

/**
 * A payout that was made, or would be.
 */
export type PaidOut = { 
/**
 * The payment; none for a trial.
 */
txid: string | null, 
/**
 * To the network, on top.
 */
fee_sat: number, 
/**
 * Who gets what.
 */
lines: Array<PayoutLine>, 
/**
 * What to think of before confirming.
 */
warnings: Array<Caution>, };

/**
 * How a peer is reached.
 */
export type Path = "direct" | "relayed";

/**
 * How something is paid.
 */
export type Pay = { 
/**
 * How soon it is to confirm.
 */
fee: Fee, 
/**
 * Only says what it would cost.
 */
dry_run: boolean, 
/**
 * The wallet's passphrase, where it is locked.
 */
passphrase: string | null, 
/**
 * Names this wish, at most 64 characters chosen by the asker: the same wish asked for again, as after a crash, is
 * answered with the payment that was made, and pays nothing.
 */
key: string | null, };

/**
 * What an address or a link asks for.
 */
export type PayTo = { 
/**
 * An address of this wallet's network.
 */
address: string, 
/**
 * How much, where the link says so.
 */
amount_sat: number | null, 
/**
 * Who asks, where the link says so.
 */
label: string | null, 
/**
 * For what, where the link says so.
 */
message: string | null, };

/**
 * One tip.
 */
export type Payment = { 
/**
 * Its record.
 */
payment_id: string, 
/**
 * Who paid.
 */
from: string, 
/**
 * That person's name.
 */
from_name: string, 
/**
 * Who was paid.
 */
artist_id: string, 
/**
 * That person's name.
 */
artist: string, 
/**
 * For which release.
 */
release_id: string | null, 
/**
 * How much.
 */
amount_sat: number, 
/**
 * The payer's words.
 */
memo: string | null, 
/**
 * The payment; empty while the tip waits to go with others.
 */
txid: string, 
/**
 * Blocks on it; 0 while it waits for one, none where the chain does not bear it out.
 */
confirmations: number | null, 
/**
 * Whether it waits to go with others.
 */
waiting: boolean, 
/**
 * Unix milliseconds.
 */
at_ms: number, 
/**
 * The artist's answer.
 */
thanks: string | null, };

/**
 * Tips that were given and received.
 */
export type Payments = { 
/**
 * Newest first.
 */
payments: Array<Payment>, 
/**
 * How many there are in all.
 */
total: number, };

/**
 * A payee.
 */
export type PayoutLine = { 
/**
 * For which note; none for a present or a collaborator.
 */
note_id: string | null, 
/**
 * Who.
 */
peer: string, 
/**
 * That person's name.
 */
name: string, 
/**
 * Where to.
 */
address: string, 
/**
 * How much.
 */
sat: number, };

/**
 * One connected peer.
 */
export type PeerInfo = { 
/**
 * Who.
 */
peer_id: string, 
/**
 * The name of its profile, where known.
 */
name: string | null, 
/**
 * How it is reached.
 */
path: Path, 
/**
 * Round trip.
 */
rtt_ms: number, };

/**
 * Who is connected.
 */
export type Peers = { 
/**
 * In order of id.
 */
peers: Array<PeerInfo>, };

/**
 * What to play, and where to.
 */
export type Play = { 
/**
 * Which.
 */
release: string, 
/**
 * The track's number from 1, or all.
 */
track: number | null, 
/**
 * `default`, `null`, the path of a new `.wav` file, or a device's name.
 */
output: string, 
/**
 * Start within the first track, in seconds.
 */
from: number | null, 
/**
 * Stop after so many seconds.
 */
seconds: number | null, 
/**
 * For progress and cancelling.
 */
job: string | null, };

/**
 * Where a track's bytes come from.
 */
export type PlaySource = "local" | "network";

/**
 * How playing went.
 */
export type Played = { 
/**
 * From the request to the first sample.
 */
first_sound_ms: number, 
/**
 * Sound that came out.
 */
played_ms: number, 
/**
 * Times that the sound had to wait for data.
 */
underruns: number, 
/**
 * Where the first track's bytes were.
 */
source: PlaySource, 
/**
 * How the first track is encoded.
 */
codec: string, };

/**
 * What the player that has the queue can be told.
 */
export type PlayerCommand = { "command": "state" } | { "command": "play", 
/**
 * The new queue.
 */
items: Array<QueueItem>, 
/**
 * Where to start, from 0.
 */
start: number, } | { "command": "enqueue", 
/**
 * What.
 */
items: Array<QueueItem>, 
/**
 * Right after the current one, instead of at the end.
 */
next: boolean, } | { "command": "move", 
/**
 * From which place, from 0.
 */
from: number, 
/**
 * To which place.
 */
to: number, } | { "command": "remove", 
/**
 * Which place, from 0.
 */
index: number, } | { "command": "clear" } | { "command": "jump", 
/**
 * Which place, from 0.
 */
index: number, } | { "command": "resume" } | { "command": "pause" } | { "command": "next" } | { "command": "previous" } | { "command": "seek", 
/**
 * In milliseconds.
 */
position_ms: number, } | { "command": "volume", 
/**
 * 0 to 1.
 */
volume: number, } | { "command": "shuffle", 
/**
 * Whether.
 */
on: boolean, } | { "command": "repeat", 
/**
 * What.
 */
repeat: Repeat, } | { "command": "replay_gain", 
/**
 * By what.
 */
mode: GainMode, } | { "command": "crossfade", 
/**
 * 0 to 12.
 */
seconds: number, } | { "command": "sleep", 
/**
 * After so many minutes; 0 after this track; none never.
 */
minutes: number | null, } | { "command": "output", 
/**
 * A device's name, or `default`.
 */
device: string, };

/**
 * How the player is.
 */
export type PlayerState = { 
/**
 * `stopped`, `playing`, `paused` or `buffering`.
 */
status: string, 
/**
 * Grows with every change of the queue, which [`super::Request::Queue`] shows.
 */
queue_version: number, 
/**
 * How many entries the queue has.
 */
queue_length: number, 
/**
 * The current place in the queue, from 0.
 */
index: number | null, 
/**
 * The current track's title.
 */
title: string | null, 
/**
 * The current track's artist.
 */
artist: string | null, 
/**
 * The current entry.
 */
current: QueueEntry | null, 
/**
 * Where in it.
 */
position_ms: number, 
/**
 * Its length.
 */
duration_ms: number, 
/**
 * Up to where it can be played without waiting.
 */
buffered_ms: number, 
/**
 * 0 to 1.
 */
volume: number, 
/**
 * Whether shuffling.
 */
shuffle: boolean, 
/**
 * What repeats.
 */
repeat: Repeat, 
/**
 * What loudness is levelled by.
 */
replay_gain: GainMode, 
/**
 * Seconds.
 */
crossfade: number, 
/**
 * The sleep timer as it was set: minutes, 0 for the end of the track, or none.
 */
sleep: number | null, 
/**
 * The chosen output device.
 */
device: string, 
/**
 * What last went wrong.
 */
error: ApiError | null, };

/**
 * One private playlist.
 */
export type Playlist = { 
/**
 * Which.
 */
playlist: number, 
/**
 * Its title.
 */
title: string, 
/**
 * How many items.
 */
count: number, 
/**
 * In playing order; only where one playlist was asked for.
 */
items: Array<PlaylistItem>, };

/**
 * What to do with private playlists.
 */
export type PlaylistCommand = { "command": "list", 
/**
 * Which.
 */
playlist: number | null, } | { "command": "create", 
/**
 * Its title.
 */
title: string, } | { "command": "rename", 
/**
 * Which.
 */
playlist: number, 
/**
 * The new title.
 */
title: string, } | { "command": "add", 
/**
 * Which.
 */
playlist: number, 
/**
 * What.
 */
items: Array<QueueItem>, 
/**
 * Before which place, from 0.
 */
at: number | null, } | { "command": "move", 
/**
 * Which.
 */
playlist: number, 
/**
 * From which place, from 0.
 */
from: number, 
/**
 * To which place.
 */
to: number, } | { "command": "remove", 
/**
 * Which.
 */
playlist: number, 
/**
 * Which place, from 0.
 */
index: number, } | { "command": "delete", 
/**
 * Which.
 */
playlist: number, } | { "command": "restore", 
/**
 * Which.
 */
playlist: number, };

/**
 * One item of a private playlist.
 */
export type PlaylistItem = { 
/**
 * The release; none for a private file.
 */
release_id: string | null, 
/**
 * The track's number from 1.
 */
track: number | null, 
/**
 * The private file's number in the library.
 */
file: number | null, 
/**
 * Its title.
 */
title: string, 
/**
 * Who plays it.
 */
artist: string, 
/**
 * Who published it; none for a file.
 */
artist_id: string | null, 
/**
 * The release's title, or the file's album.
 */
release_title: string, 
/**
 * Image.
 */
cover: string | null, 
/**
 * The cover's colour, `0xRRGGBB`.
 */
accent: number | null, 
/**
 * Its length.
 */
duration_ms: number, };

/**
 * Private playlists.
 */
export type Playlists = { 
/**
 * In order of title.
 */
playlists: Array<Playlist>, };

/**
 * Who somebody is.
 */
export type Profile = { 
/**
 * Who.
 */
peer_id: string, 
/**
 * The name to show; null where nobody has seen a profile.
 */
name: string | null, 
/**
 * A few words.
 */
bio: string | null, 
/**
 * Web addresses.
 */
links: Array<string>, 
/**
 * Image.
 */
avatar: string | null, 
/**
 * How many releases of theirs are known.
 */
releases: number, 
/**
 * How many people follow them in public.
 */
followers: number, 
/**
 * Whether this node follows them.
 */
followed: boolean, 
/**
 * Whether it is this node's own.
 */
mine: boolean, 
/**
 * What people one follows find wrong with them.
 */
reports: Array<ReportInfo>, };

/**
 * What to change of the own profile; what is absent stays.
 */
export type ProfileEdit = { 
/**
 * The name to show.
 */
name: string | null, 
/**
 * A few words; empty removes them.
 */
bio: string | null, 
/**
 * Web addresses.
 */
links: Array<string> | null, 
/**
 * An image file.
 */
avatar: string | null, };

/**
 * How far a job is.
 */
export type Progress = { 
/**
 * The job's name.
 */
job: string, 
/**
 * What is being done: `reading`, `storing` or `fetching`.
 */
stage: string, 
/**
 * The file or track at hand.
 */
item: string, 
/**
 * What `done` and `total` count.
 */
unit: Unit, 
/**
 * Done so far.
 */
done: number, 
/**
 * The whole.
 */
total: number, };

/**
 * What to publish.
 */
export type Publish = { 
/**
 * Files, and folders whose files are taken in order; not looked at where `tracks` are given.
 */
paths: Array<string>, 
/**
 * The tracks one by one, in the album's order.
 */
tracks: Array<PublishTrack>, 
/**
 * Which own release this is a new version of: it keeps its id, and what is not said here stays as it was.
 */
replaces: string | null, 
/**
 * By default the files' album, else the first title.
 */
title: string | null, 
/**
 * By default the files' artist, else the profile's name.
 */
artist: string | null, 
/**
 * SPDX; by default the files', else `CC-BY-4.0`.
 */
license: string | null, 
/**
 * By default the files'; empty removes it.
 */
date: string | null, 
/**
 * The artist's own tags.
 */
tags: Array<string> | null, 
/**
 * Liner notes; empty removes them.
 */
description: string | null, 
/**
 * Who else made it.
 */
collaborators: Array<Credit> | null, 
/**
 * An image file; by default the files' cover.
 */
cover: string | null, 
/**
 * Publishes without a cover.
 */
no_cover: boolean, 
/**
 * The user declares to have the right to publish this under its licence; without that nothing is published.
 */
rights_declared: boolean, 
/**
 * For progress and cancelling.
 */
job: string | null, };

/**
 * One track to publish.
 */
export type PublishTrack = { 
/**
 * A file.
 */
path: string | null, 
/**
 * Or the number of a track of the release that is replaced, from 1.
 */
track: number | null, 
/**
 * By default as it was, else the file's title or name.
 */
title: string | null, 
/**
 * By default as it was, else the file's, where it is not the release's; empty removes it.
 */
artist: string | null, };

/**
 * What was published.
 */
export type Published = { 
/**
 * Keeps through all edits.
 */
release_id: string, 
/**
 * In playing order.
 */
tracks: Array<TrackInfo>, 
/**
 * What was odd about the files, in words.
 */
warnings: Array<string>, };

/**
 * A part of the queue.
 */
export type Queue = { 
/**
 * Grows with every change of the queue.
 */
version: number, 
/**
 * How many entries there are in all.
 */
length: number, 
/**
 * The current place in the queue, from 0.
 */
index: number | null, 
/**
 * After how many the entries begin.
 */
offset: number, 
/**
 * In playing order.
 */
entries: Array<QueueEntry>, };

/**
 * One entry of the queue, with what is shown of it.
 */
export type QueueEntry = { 
/**
 * Stays the same while the entry moves.
 */
entry: number, 
/**
 * The release; none for a private file.
 */
release: string | null, 
/**
 * The track's number from 1.
 */
track: number | null, 
/**
 * The private file's number in the library.
 */
file: number | null, 
/**
 * Its title.
 */
title: string, 
/**
 * Who plays it.
 */
artist: string, 
/**
 * Who published it; none for a file.
 */
artist_id: string | null, 
/**
 * The release's title, or the file's album.
 */
release_title: string, 
/**
 * Image.
 */
cover: string | null, 
/**
 * The cover's colour, `0xRRGGBB`.
 */
accent: number | null, 
/**
 * Its length.
 */
duration_ms: number, };

/**
 * One track to play.
 */
export type QueueItem = { 
/**
 * The release.
 */
release: string, 
/**
 * The track's number from 1.
 */
track: number, } | { 
/**
 * Its number in the library.
 */
file: number, };

/**
 * Where to be paid.
 */
export type Receive = { 
/**
 * Never shown before.
 */
address: string, 
/**
 * Which of the account's addresses.
 */
index: number, 
/**
 * The same as a link for a QR code (BIP 21).
 */
uri: string, };

/**
 * Who gets how much.
 */
export type Recipient = { 
/**
 * An address of this wallet's network.
 */
address: string, 
/**
 * How much; none is all that the coins hold, for one recipient alone.
 */
amount_sat: number | null, };

/**
 * One release with all that is known of it.
 */
export type ReleaseDetail = { 
/**
 * In playing order; empty while a long list is still being fetched.
 */
tracks: Array<TrackInfo>, 
/**
 * Liner notes.
 */
description: string | null, 
/**
 * Who else made it.
 */
collaborators: Array<Credit>, 
/**
 * The waveform of every track, 200 bytes each.
 */
waveforms: string | null, 
/**
 * All shown tags with who gave them, also those of single tracks.
 */
tag_details: Array<TagInfo>, 
/**
 * What people one follows find wrong with it, or with its artist.
 */
reports: Array<ReportInfo>, 
/**
 * Which.
 */
release_id: string, 
/**
 * Its title.
 */
title: string, 
/**
 * Its artists as they want to be named.
 */
artist: string, 
/**
 * Who signed it.
 */
artist_id: string, 
/**
 * SPDX.
 */
license: string, 
/**
 * `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
 */
date: string | null, 
/**
 * How many tracks.
 */
track_count: number, 
/**
 * The artist's, one's own, and those with two or more independent authors.
 */
tags: Array<string>, 
/**
 * Image.
 */
cover: string | null, 
/**
 * How many like it.
 */
likes: number, 
/**
 * Whether it is in the library.
 */
saved: boolean, 
/**
 * Whether one likes it oneself, in public.
 */
liked: boolean, 
/**
 * Whether this node published it.
 */
mine: boolean, 
/**
 * The cover's most vivid colour as a number, `0xRRGGBB`.
 */
accent: number | null, 
/**
 * Length of all its tracks.
 */
duration_ms: number, 
/**
 * The part of it that is on this disk, 0 to 1.
 */
have: number, 
/**
 * When it was published, by its artist's clock, in Unix milliseconds.
 */
published_at: number, };

/**
 * One release in a list.
 */
export type ReleaseInfo = { 
/**
 * Which.
 */
release_id: string, 
/**
 * Its title.
 */
title: string, 
/**
 * Its artists as they want to be named.
 */
artist: string, 
/**
 * Who signed it.
 */
artist_id: string, 
/**
 * SPDX.
 */
license: string, 
/**
 * `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
 */
date: string | null, 
/**
 * How many tracks.
 */
track_count: number, 
/**
 * The artist's, one's own, and those with two or more independent authors.
 */
tags: Array<string>, 
/**
 * Image.
 */
cover: string | null, 
/**
 * How many like it.
 */
likes: number, 
/**
 * Whether it is in the library.
 */
saved: boolean, 
/**
 * Whether one likes it oneself, in public.
 */
liked: boolean, 
/**
 * Whether this node published it.
 */
mine: boolean, 
/**
 * The cover's most vivid colour as a number, `0xRRGGBB`.
 */
accent: number | null, 
/**
 * Length of all its tracks.
 */
duration_ms: number, 
/**
 * The part of it that is on this disk, 0 to 1.
 */
have: number, 
/**
 * When it was published, by its artist's clock, in Unix milliseconds.
 */
published_at: number, };

/**
 * Which releases to list.
 */
export type ReleaseQuery = { 
/**
 * Only with this tag.
 */
tag: string | null, 
/**
 * Only by this artist: an id or a name.
 */
artist: string | null, 
/**
 * Only under this licence (SPDX).
 */
license: string | null, 
/**
 * Only by artists whom one follows.
 */
followed: boolean, 
/**
 * Only what one likes.
 */
liked: boolean, 
/**
 * Only what shares tags with this release, the most similar first; nothing else of the query counts then but its
 * limit.
 */
similar_to: string | null, 
/**
 * In which order.
 */
sort: Sort, 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, 
/**
 * After so many.
 */
offset: number, };

/**
 * One release by its id.
 */
export type ReleaseRef = { 
/**
 * Which.
 */
release_id: string, };

/**
 * Releases.
 */
export type Releases = { 
/**
 * In the order that was asked for.
 */
releases: Array<ReleaseInfo>, 
/**
 * How many there are, on whatever page.
 */
total: number, };

/**
 * What repeats.
 */
export type Repeat = "off" | "one" | "all";

/**
 * A report by oneself or by somebody one follows.
 */
export type ReportInfo = { 
/**
 * Who.
 */
peer_id: string, 
/**
 * Their name, where known.
 */
name: string | null, 
/**
 * What is wrong.
 */
reason: ReportReason, 
/**
 * More of it in words.
 */
note: string | null, 
/**
 * Whether all of the artist's work is meant, not one release.
 */
artist: boolean, 
/**
 * Whether it is one's own.
 */
own: boolean, };

/**
 * What is wrong with something.
 */
export type ReportReason = "other" | "not_theirs" | "mislabelled" | "spam" | "harmful";

/**
 * What can be asked.
 */
export type Request = { "method": "status" } | { "method": "invite" } | { "method": "share", "params": { 
/**
 * Which release.
 */
release: string | null, 
/**
 * Or which artist.
 */
artist: string | null, } } | { "method": "open", "params": { 
/**
 * The link.
 */
link: string, 
/**
 * How long a release that is not known yet is waited for; 10,000 where none is said.
 */
wait_ms: number | null, } } | { "method": "peers" } | { "method": "join", "params": { 
/**
 * A `musicdao:` link.
 */
invite: string, } } | { "method": "profile_set", "params": ProfileEdit } | { "method": "profile_show", "params": { 
/**
 * Whose.
 */
peer: string | null, } } | { "method": "inspect", "params": { 
/**
 * Which.
 */
paths: Array<string>, 
/**
 * For progress and cancelling.
 */
job: string | null, } } | { "method": "discard", "params": { 
/**
 * Which.
 */
paths: Array<string>, } } | { "method": "publish", "params": Publish } | { "method": "releases", "params": ReleaseQuery } | { "method": "search", "params": SearchQuery } | { "method": "tags_top", "params": { 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, } } | { "method": "show", "params": { 
/**
 * Which.
 */
release: string, } } | { "method": "play", "params": Play } | { "method": "lyrics", "params": { 
/**
 * Which.
 */
item: QueueItem, } } | { "method": "player", "params": PlayerCommand } | { "method": "queue", "params": { 
/**
 * After so many.
 */
offset: number, 
/**
 * At most so many; 100 where none is said, 1,000 at most.
 */
limit: number | null, } } | { "method": "devices" } | { "method": "download", "params": { 
/**
 * Which.
 */
release: string, 
/**
 * An existing or new folder; by default one of its own in the user's music folder.
 */
to: string | null, 
/**
 * For progress and cancelling.
 */
job: string | null, } } | { "method": "downloads" } | { "method": "tag", "params": { 
/**
 * Which.
 */
release: string, 
/**
 * The track's number from 1, or the whole release.
 */
track: number | null, 
/**
 * The word.
 */
tag: string, 
/**
 * Takes it off instead.
 */
remove: boolean, } } | { "method": "like", "params": { 
/**
 * Which.
 */
release: string, 
/**
 * The track's number from 1, or the whole release.
 */
track: number | null, 
/**
 * Takes it back instead.
 */
remove: boolean, } } | { "method": "withdraw", "params": { 
/**
 * Which.
 */
release: string, } } | { "method": "block", "params": BlockCommand } | { "method": "hide", "params": HideCommand } | { "method": "report", "params": { 
/**
 * Which release.
 */
release: string | null, 
/**
 * Or which artist.
 */
artist: string | null, 
/**
 * What is wrong.
 */
reason: ReportReason, 
/**
 * More of it in words, at most 280 characters.
 */
note: string | null, 
/**
 * Takes the own report back instead.
 */
remove: boolean, } } | { "method": "follow", "params": { 
/**
 * Whom.
 */
artist: string, 
/**
 * Tells everybody.
 */
public: boolean, 
/**
 * Unfollows instead.
 */
remove: boolean, } } | { "method": "follows" } | { "method": "library", "params": LibraryCommand } | { "method": "playlist", "params": PlaylistCommand } | { "method": "seed", "params": { 
/**
 * Which; all that are seeded are listed where none is named.
 */
release: string | null, 
/**
 * Stops instead.
 */
remove: boolean, 
/**
 * For progress and cancelling.
 */
job: string | null, } } | { "method": "stats" } | { "method": "doctor" } | { "method": "wallet", "params": WalletCommand } | { "method": "money", "params": MoneyCommand } | { "method": "dao", "params": DaoCommand } | { "method": "config_get", "params": { 
/**
 * Which; all where none is named.
 */
key: string | null, } } | { "method": "config_set", "params": { 
/**
 * Which.
 */
key: string, 
/**
 * Its new value.
 */
value: string, } } | { "method": "identity_export", "params": { 
/**
 * A new file.
 */
file: string, 
/**
 * Encrypts the file.
 */
passphrase: string | null, } } | { "method": "identity_import", "params": { 
/**
 * A file that was exported.
 */
file: string, 
/**
 * Decrypts the file.
 */
passphrase: string | null, } } | { "method": "identity_backup", "params": { 
/**
 * Encrypts it.
 */
passphrase: string, } } | { "method": "identity_words" } | { "method": "identity_restore", "params": { 
/**
 * The text.
 */
text: string, 
/**
 * Decrypts it.
 */
passphrase: string | null, } } | { "method": "identity_take_over" } | { "method": "jobs" } | { "method": "cancel", "params": { 
/**
 * The job's name.
 */
job: string, } } | { "method": "shutdown" };

/**
 * What is answered, by the request it answers.
 */
export type Response = { "type": "status", "body": Status } | { "type": "invite", "body": Invite } | { "type": "link", "body": Link } | { "type": "opened", "body": Opened } | { "type": "peers", "body": Peers } | { "type": "profile", "body": Profile } | { "type": "draft", "body": Draft } | { "type": "published", "body": Published } | { "type": "releases", "body": Releases } | { "type": "search", "body": SearchResults } | { "type": "tags_top", "body": TagsTop } | { "type": "release", "body": ReleaseDetail } | { "type": "played", "body": Played } | { "type": "player", "body": PlayerState } | { "type": "lyrics", "body": Lyrics } | { "type": "queue", "body": Queue } | { "type": "devices", "body": Devices } | { "type": "downloaded", "body": Downloaded } | { "type": "downloads", "body": Downloads } | { "type": "tags", "body": Tags } | { "type": "release_ref", "body": ReleaseRef } | { "type": "blocked", "body": Blocked } | { "type": "hidden", "body": Hidden } | { "type": "follows", "body": Follows } | { "type": "library", "body": Library } | { "type": "playlists", "body": Playlists } | { "type": "seeds", "body": Seeds } | { "type": "stats", "body": Stats } | { "type": "doctor", "body": Doctor } | { "type": "config", "body": ConfigValues } | { "type": "identity", "body": IdentityRef } | { "type": "backup", "body": Backup } | { "type": "words", "body": Words } | { "type": "wallet", "body": WalletStatus } | { "type": "new_wallet", "body": NewWallet } | { "type": "drill", "body": Drill } | { "type": "receive", "body": Receive } | { "type": "pay_to", "body": PayTo } | { "type": "sent", "body": Sent } | { "type": "wallet_history", "body": WalletHistory } | { "type": "file", "body": TextFile } | { "type": "coins", "body": Coins } | { "type": "labels", "body": Labels } | { "type": "chain", "body": ChainStatus } | { "type": "tipped", "body": Tipped } | { "type": "payments", "body": Payments } | { "type": "offer", "body": Offer } | { "type": "offers", "body": Offers } | { "type": "invested", "body": Invested } | { "type": "notes", "body": Notes } | { "type": "paid_out", "body": PaidOut } | { "type": "income", "body": Income } | { "type": "audit", "body": Audit } | { "type": "dao_created", "body": DaoCreated } | { "type": "daos", "body": Daos } | { "type": "dao", "body": Dao } | { "type": "dao_membership", "body": DaoMembership } | { "type": "dao_started", "body": DaoStarted } | { "type": "dao_proposal", "body": DaoProposal } | { "type": "dao_proposals", "body": DaoProposals } | { "type": "dao_refunds", "body": DaoRefunds } | { "type": "dao_recovered", "body": DaoRecovered } | { "type": "dao_audit", "body": DaoAudit } | { "type": "jobs", "body": Jobs } | { "type": "done", "body": Done };

/**
 * A present to a fan.
 */
export type Reward = { 
/**
 * Whom.
 */
peer: string, 
/**
 * How much.
 */
amount_sat: number, };

/**
 * One saved file.
 */
export type SavedFile = { 
/**
 * Where.
 */
path: string, 
/**
 * Bytes.
 */
size: number, 
/**
 * BLAKE3 of the content.
 */
blake3: string, };

/**
 * What to look for.
 */
export type SearchQuery = { 
/**
 * Words, or beginnings of words.
 */
query: string, 
/**
 * Asks connected peers too; their results also come as events while they arrive.
 */
remote: boolean, 
/**
 * At most so many; 50 where none is said, 500 at most.
 */
limit: number | null, 
/**
 * How long to wait for peers; 3,000 where none is said.
 */
wait_ms: number | null, };

/**
 * One find.
 */
export type SearchResult = { 
/**
 * `release`, `track`, `artist` or `tag`.
 */
kind: string, 
/**
 * The release, where it is one or is part of one.
 */
release_id: string | null, 
/**
 * The track's number from 1.
 */
track: number | null, 
/**
 * The title, or the tag.
 */
title: string, 
/**
 * The artist's name.
 */
artist: string, 
/**
 * The artist.
 */
artist_id: string | null, 
/**
 * The title of the track's release.
 */
release_title: string | null, 
/**
 * The release's cover, or the artist's image.
 */
cover: string | null, 
/**
 * The cover's colour, `0xRRGGBB`.
 */
accent: number | null, 
/**
 * The track's length.
 */
duration_ms: number | null, 
/**
 * Where it was found.
 */
source: Source, };

/**
 * What was found.
 */
export type SearchResults = { 
/**
 * Best first.
 */
results: Array<SearchResult>, };

/**
 * A release that is seeded.
 */
export type SeedInfo = { 
/**
 * Which.
 */
release_id: string, 
/**
 * Its title; none where it is not known here any more.
 */
title: string | null, 
/**
 * Its artist.
 */
artist: string | null, };

/**
 * What is seeded.
 */
export type Seeds = { 
/**
 * Latest first.
 */
seeds: Array<SeedInfo>, };

/**
 * A payment that was made, or would be.
 */
export type Sent = { 
/**
 * Names it; changes where the fee is raised.
 */
txid: string, 
/**
 * To the network, on top.
 */
fee_sat: number, 
/**
 * Size in virtual bytes (BIP 141).
 */
vsize: number, 
/**
 * Satoshis for each virtual byte.
 */
sat_per_vb: number, 
/**
 * To the recipients.
 */
amount_sat: number, 
/**
 * Back to this wallet.
 */
change_sat: number, 
/**
 * The coins spent.
 */
coins: Array<string>, 
/**
 * What to think of before confirming.
 */
warnings: Array<Caution>, 
/**
 * Whether it was only tried.
 */
dry_run: boolean, };

/**
 * Something that was dropped and is no track.
 */
export type Skipped = { 
/**
 * What.
 */
path: string, 
/**
 * Why.
 */
error: ApiError, };

/**
 * Orders of releases.
 */
export type Sort = "new" | "trending" | "title";

/**
 * Where something was found.
 */
export type Source = "local" | "remote";

/**
 * A payment to make.
 */
export type Spend = { 
/**
 * Who gets how much.
 */
recipients: Array<Recipient>, 
/**
 * How soon it is to confirm.
 */
fee: Fee, 
/**
 * Spends these coins and no others; any where none is named.
 */
coins: Array<string>, 
/**
 * Only says what it would cost.
 */
dry_run: boolean, 
/**
 * A word beside it in the history.
 */
label: string | null, 
/**
 * The wallet's passphrase, where it is locked.
 */
passphrase: string | null, 
/**
 * Names this wish, at most 64 characters chosen by the asker: the same wish asked for again, as after a crash, is
 * answered with the payment that was made, and pays nothing.
 */
key: string | null, };

/**
 * A collaborator's part.
 */
export type Split = { 
/**
 * Whose.
 */
peer: string, 
/**
 * In hundredths of a per cent.
 */
share_bp: number, };

/**
 * What this node served and fetched; it is told to nobody but its owner.
 */
export type Stats = { 
/**
 * Bytes of music sent to peers.
 */
served_bytes: number, 
/**
 * Bytes of music taken from peers.
 */
fetched_bytes: number, 
/**
 * By day, latest first.
 */
days: Array<DayStats>, 
/**
 * By file, most served first.
 */
blobs: Array<BlobStats>, };

/**
 * How the node is.
 */
export type Status = { 
/**
 * Who this node is.
 */
peer_id: string, 
/**
 * The own name, where set.
 */
name: string | null, 
/**
 * The program's version.
 */
version: string, 
/**
 * The data folder.
 */
data: string, 
/**
 * Addresses this node listens on.
 */
listen: Array<string>, 
/**
 * Connected peers.
 */
peers: number, 
/**
 * Of them those in the same building: at a private or a link-local address.
 */
nearby: number, 
/**
 * Of them those reached without anybody in between.
 */
direct: number, 
/**
 * Of them those reached through another peer.
 */
relayed: number, 
/**
 * Whether anybody is connected.
 */
online: boolean, 
/**
 * Whether nobody is connected and some are looked for.
 */
searching: boolean, 
/**
 * Whether the network costs by volume, as the setting says.
 */
metered: boolean, 
/**
 * Whether neither history nor cache remember what is played, as the setting says.
 */
private_session: boolean, 
/**
 * Whether nothing was done here yet: no profile, nothing published, saved or added.
 */
fresh: boolean, 
/**
 * Known releases.
 */
releases: number, 
/**
 * Signed records kept.
 */
records: number, 
/**
 * Bytes of music stored.
 */
stored_bytes: number, 
/**
 * Since the start.
 */
uptime_ms: number, 
/**
 * False while an import waits for the swarm, or the identity is used elsewhere.
 */
can_publish: boolean, 
/**
 * Events dropped because a reader was slow.
 */
dropped_events: number, };

/**
 * How often a tag is shown.
 */
export type TagCount = { 
/**
 * The word.
 */
tag: string, 
/**
 * On how many releases and tracks.
 */
count: number, };

/**
 * One tag of a release.
 */
export type TagInfo = { 
/**
 * The word.
 */
tag: string, 
/**
 * The track's number from 1, or the whole release.
 */
track: number | null, 
/**
 * How many people gave it.
 */
count: number, 
/**
 * Whether one gave it oneself.
 */
own: boolean, };

/**
 * The tags of a release.
 */
export type Tags = { 
/**
 * Which.
 */
release_id: string, 
/**
 * As shown here.
 */
tags: Array<string>, };

/**
 * The tags that are shown most.
 */
export type TagsTop = { 
/**
 * The most used first.
 */
tags: Array<TagCount>, };

/**
 * A text to save as a file.
 */
export type TextFile = { 
/**
 * A name for it.
 */
name: string, 
/**
 * What is in it.
 */
text: string, };

/**
 * A tip that was paid, or would be.
 */
export type Tipped = { 
/**
 * The tip's record; none for a trial.
 */
payment_id: string | null, 
/**
 * The payment; none while the tip waits to go with others.
 */
txid: string | null, 
/**
 * To the network, on top.
 */
fee_sat: number, 
/**
 * To the artist.
 */
amount_sat: number, 
/**
 * The artist's name; of several where those that waited are paid.
 */
artist: string, 
/**
 * Whether it waits to go with others, since the fee would eat it, or would do so.
 */
waiting: boolean, 
/**
 * What to think of before confirming.
 */
warnings: Array<Caution>, };

/**
 * One track.
 */
export type TrackInfo = { 
/**
 * From 1.
 */
number: number, 
/**
 * The track's title.
 */
title: string, 
/**
 * The track's artist, where it is not the release's.
 */
artist: string | null, 
/**
 * BLAKE3 of the file.
 */
blob: string, 
/**
 * Bytes.
 */
size: number, 
/**
 * Exact length.
 */
duration_ms: number, 
/**
 * `mp3`, `flac`, `vorbis`, `opus`, `wav` or `aac`.
 */
codec: string, 
/**
 * Integrated loudness in LUFS.
 */
loudness: number | null, 
/**
 * Bytes of it that are here.
 */
have: number, 
/**
 * How many like it.
 */
likes: number, 
/**
 * Whether one likes it oneself, in public.
 */
liked: boolean, };

/**
 * Where a payment is.
 */
export type TransactionState = "draft" | "signed" | "broadcast" | "in_mempool" | "confirming" | "confirmed" | "replaced" | "conflicted" | "dropped";

/**
 * What progress is counted in.
 */
export type Unit = "bytes" | "files";

/**
 * What to do with the wallet. Amounts are whole satoshis; transactions, addresses and coins are named as Bitcoin does.
 */
export type WalletCommand = { "command": "status" } | { "command": "create", 
/**
 * Encrypts the seed on this disk.
 */
passphrase: string, 
/**
 * Stretches the words (BIP 39); whoever restores needs it, too.
 */
words_passphrase: string | null, 
/**
 * 12 or 24; 24 where none is said.
 */
words: number | null, } | { "command": "restore", 
/**
 * 12 or 24 words with spaces between.
 */
words: string, 
/**
 * Stretches the words (BIP 39).
 */
words_passphrase: string | null, 
/**
 * Encrypts the seed on this disk.
 */
passphrase: string, 
/**
 * The day of its first payment, as `2026-01-31`; all of the chain is looked through where none is said.
 */
birthday: string | null, } | { "command": "restore_backup", 
/**
 * The backup's text.
 */
text: string, 
/**
 * Decrypts the backup, and encrypts the seed on this disk.
 */
passphrase: string, } | { "command": "words", 
/**
 * The wallet's passphrase.
 */
passphrase: string, } | { "command": "words_confirmed" } | { "command": "drill", 
/**
 * The words, or the backup's text.
 */
text: string, 
/**
 * Stretches the words, or decrypts the backup.
 */
passphrase: string | null, } | { "command": "unlock", 
/**
 * The wallet's passphrase.
 */
passphrase: string, 
/**
 * For so long; until [`Self::Lock`] or the node's end where none is said.
 */
minutes: number | null, } | { "command": "lock" } | { "command": "address", 
/**
 * For the address's user, in the own list.
 */
label: string | null, 
/**
 * Asked for in the link.
 */
amount_sat: number | null, } | { "command": "parse", 
/**
 * The address or link.
 */
text: string, } | { "command": "send" } & Spend | { "command": "bump", 
/**
 * Which payment.
 */
txid: string, 
/**
 * The new rate.
 */
fee: Fee, 
/**
 * Only says what it would cost.
 */
dry_run: boolean, 
/**
 * The wallet's passphrase, where it is locked.
 */
passphrase: string | null, } | { "command": "history", 
/**
 * After so many.
 */
offset: number, 
/**
 * At most so many; 100 where none is said, 500 at most.
 */
limit: number | null, } | { "command": "history_csv" } | { "command": "coins" } | { "command": "freeze", 
/**
 * Which coin.
 */
outpoint: string, 
/**
 * Whether it is kept.
 */
frozen: boolean, } | { "command": "label", 
/**
 * A payment's, address's or coin's name.
 */
of: string, 
/**
 * The word; none takes it off.
 */
label: string | null, } | { "command": "labels_export" } | { "command": "labels_import", 
/**
 * The file's text.
 */
text: string, } | { "command": "backup", 
/**
 * The wallet's passphrase, which encrypts the backup, too.
 */
passphrase: string, } | { "command": "chain" };

/**
 * A part of the history.
 */
export type WalletHistory = { 
/**
 * Newest first.
 */
transactions: Array<WalletTransaction>, 
/**
 * How many there are in all.
 */
total: number, };

/**
 * How the wallet is.
 */
export type WalletStatus = { 
/**
 * Whether there is one on this network yet.
 */
exists: boolean, 
/**
 * Which money.
 */
network: string, 
/**
 * Whether payments can be signed without asking for the passphrase.
 */
unlocked: boolean, 
/**
 * Whether the words were shown to be on paper.
 */
words_confirmed: boolean, 
/**
 * Confirmed and spendable, the income account's included.
 */
confirmed_sat: number, 
/**
 * On its way in or back as change, or mined and not ripe.
 */
pending_sat: number, 
/**
 * The part of `confirmed_sat` that came to the public income account.
 */
income_sat: number, 
/**
 * What coins kept by hand hold, within `confirmed_sat`.
 */
frozen_sat: number, 
/**
 * The newest block that the wallet has seen.
 */
height: number, 
/**
 * Whether that is the newest that the peers know.
 */
synced: boolean, 
/**
 * How many Bitcoin nodes are connected.
 */
peers: number, 
/**
 * Why nothing moves, in words, where that is so.
 */
waiting: string | null, 
/**
 * Most that one payment may be worth here; none where there is no bound.
 */
cap_sat: number | null, };

/**
 * One payment.
 */
export type WalletTransaction = { 
/**
 * Names it.
 */
txid: string, 
/**
 * What it brought (above 0) or took, its fee included.
 */
net_sat: number, 
/**
 * To the network, where this wallet paid it.
 */
fee_sat: number | null, 
/**
 * Where it is.
 */
state: TransactionState, 
/**
 * Blocks on it, its own included.
 */
confirmations: number, 
/**
 * Unix milliseconds of its block, or of when it was first seen.
 */
at_ms: number, 
/**
 * What it is: a tip, an investment, a payout; none for others.
 */
purpose: string | null, 
/**
 * The user's word beside it.
 */
label: string | null, 
/**
 * Whether its fee can be raised now.
 */
can_bump: boolean, 
/**
 * What took its place.
 */
replaced_by: string | null, };

/**
 * The identity as words.
 */
export type Words = { 
/**
 * 24 words, in order.
 */
words: Array<string>, };
