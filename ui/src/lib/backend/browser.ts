/** Files that a browser lets a page have, and files that a page gives. */
import type { Source, Wanted } from './types';

/** Endings of what may be in a release, and of what brings many at once. */
export const MUSIC = ['mp3', 'flac', 'ogg', 'oga', 'opus', 'wav', 'wave', 'm4a', 'mp4', 'aac'];
export const ARCHIVES = ['zip', 'tar', 'gz', 'tgz'];
export const IMAGES = ['jpg', 'jpeg', 'png', 'webp', 'gif'];
/** Files taken from one drop; a release has at most 1,000 songs. */
export const MOST_FILES = 2_000;

const ACCEPTED: Record<Wanted, string> = {
  music: [...MUSIC, ...ARCHIVES, ...IMAGES].map((ending) => `.${ending}`).join(','),
  folder: '',
  image: 'image/jpeg,image/png,image/webp,image/gif',
  backup: '.age,.txt,.json,.jsonl,text/plain',
};

/** Opens the browser's own chooser. */
export function pick(wanted: Wanted): Promise<Source[]> {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = ACCEPTED[wanted];
  input.multiple = wanted === 'music';
  input.webkitdirectory = wanted === 'folder';
  return new Promise((resolve) => {
    input.onchange = () => resolve([...(input.files ?? [])].slice(0, MOST_FILES).map((file) => ({ name: file.name, file })));
    input.oncancel = () => resolve([]);
    input.click();
  });
}

/** The files of a drop, those in its folders, too. */
export async function droppedFiles(transfer: DataTransfer): Promise<Source[]> {
  // Entries must be taken before the first wait: afterwards the browser has emptied the drop.
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: Source[] = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ name: entry.name, file: entry });
    else if (entry) await collect(entry, found);
  }
  return found.slice(0, MOST_FILES);
}

async function collect(entry: FileSystemEntry, found: Source[]): Promise<void> {
  if (found.length >= MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ name: file.name, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // A folder is read some hundred entries at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length || children.length >= MOST_FILES) break;
    children.push(...some);
  }
  children.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const child of children) await collect(child, found);
}

export function ending(name: string): string {
  return /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
}

/** Hands a text to the browser's downloads. */
export function saveText(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
