import { t, type Messages } from './index.svelte';

/** What happened, and what to do about it where there is something to do. */
export interface Words {
  what: string;
  remedy?: string;
}

/** Codes that come to the same for people, by the words they share. */
const SAME: Record<string, string> = {
  away: 'database_busy address_unreachable connection_lost not_connected peer_busy peer_refused peer_slow protocol_error service_failed chain_closed',
  amountless: 'amount_missing amount_malformed amount_fraction amount_negative',
  pictureless: 'asset_unknown asset_timed_out',
  disk: 'database_error database_unreadable file_error chain_folder',
  unusable: 'bad_time invalid_argument output_unwritable license_unknown report_target config_unknown_key network_unknown no_payee label_too_long labels_too_many wallet_mismatch words_passphrase block_unknown chain_mismatch',
  changed: 'job_unknown file_unknown not_blocked playlist_index queue_index seek_past_end no_tips_waiting transaction_sent',
  wrong: 'hash_mismatch too_large block_mismatch',
  silent: 'track_not_found track_unopened',
  large: 'archive_too_long drafts_full file_too_long record_too_long too_many_payees too_many_tips transaction_too_large',
  damaged: 'database_corrupt database_migration',
  broken: 'internal no_randomness',
  cut: 'file_truncated cut_off',
  unknown: 'blob_not_held offer_unknown unknown_note payment_unknown',
  dao_join_fee: 'dao_deposit_low',
  dao_founding: 'dao_founders',
  dao_not_counted: 'dao_may_not_vote',
  dao_proposal_impossible: 'dao_parameter',
  dao_lack: 'dao_missing_record dao_missing_coin dao_missing_block dao_unconfirmed',
  dao_fee: 'dao_rate dao_fee_cap',
  dao_rules: 'dao_previous dao_height dao_builder dao_order dao_empty dao_merge dao_payback dao_votes dao_vote dao_promotion dao_vouch dao_join_foreign dao_join_key guard_threshold guard_key_twice guard_path guard_input guard_other_coin guard_not_holder construction_unknown',
  dao_signature: 'share_invalid partial_invalid commitment_invalid dkg_invalid dkg_transcript',
  dao_again: 'guard_group commitments_missing nonce_spent nonce_missing nonce_bound attempts_too_many dkg_missing',
  dao_noise: 'guard_malformed dao_message_malformed dao_turn_malformed dao_turn_flood dao_changes_malformed',
};
const LIKE = new Map(Object.entries(SAME).flatMap(([said, codes]) => codes.split(' ').map((code) => [code, said] as const)));

/** Under what name the words for a code stand: its own, or else one that it shares. */
const name = (code: string) => (code in t.failures ? code : (LIKE.get(code) ?? code));

/** Whether we have words of our own for a code. */
export function isKnown(code: string): boolean {
  return name(code) in t.failures;
}

/** An error in words: by its code where we have our own, else in the node's. */
export function words({ code, message }: { code: string; message: string }): Words {
  const known = t.failures[name(code) as keyof Messages['failures']];
  if (!known) return { what: message || t.unknownFailure(code) };
  const [what, remedy] = known;
  return remedy ? { what, remedy } : { what };
}
