/** What the node's bindings do not have yet; it goes when they do. */

export interface BlockList {
  list: string;
  name: string;
  author: string;
  author_name: string | null;
  count: number;
}

export type PendingRequest = { method: 'block'; params: { command: 'unsubscribe'; list: string } };

export type PendingBlocked = { lists?: BlockList[]; blocked: { kind: string; id: string; title?: string | null }[] };
