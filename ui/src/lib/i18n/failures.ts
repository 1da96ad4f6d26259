import { t, type Messages } from './index.svelte';

/** What happened, and what to do about it where there is something to do. */
export interface Words {
  what: string;
  remedy?: string;
}

/** An error in words: by its code where we have our own, else in the node's. */
export function words({ code, message }: { code: string; message: string }): Words {
  const known = t.failures[code as keyof Messages['failures']];
  if (!known) return { what: message || t.unknownFailure(code) };
  const [what, remedy] = known;
  return remedy ? { what, remedy } : { what };
}
