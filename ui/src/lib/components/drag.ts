/** Music dragged onto the queue or a playlist. */
import type { QueueItem } from '../backend';
import { catalogue, itemsOf } from '../state/catalogue.svelte';

const TYPE = 'application/x-musicdao';

type Dragged = { items: QueueItem[] } | { release: string };

/** What a drag carries: tracks, or a release whose tracks are looked up where it is dropped. */
export function carry(event: DragEvent, dragged: Dragged): void {
  if (!event.dataTransfer) return;
  event.dataTransfer.setData(TYPE, JSON.stringify(dragged));
  event.dataTransfer.effectAllowed = 'copy';
}

export function carriesMusic(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes(TYPE) ?? false;
}

export async function dropped(event: DragEvent): Promise<QueueItem[]> {
  const text = event.dataTransfer?.getData(TYPE);
  if (!text) return [];
  const dragged = JSON.parse(text) as Dragged;
  if ('items' in dragged) return dragged.items;
  return itemsOf(catalogue.peek(dragged.release) ?? (await catalogue.fetch(dragged.release)));
}
