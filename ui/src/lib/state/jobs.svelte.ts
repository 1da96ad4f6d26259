/** Long work: what is under way, how far, and how to stop it. */
import { SvelteMap } from 'svelte/reactivity';
import { backend, Failure, type Progress } from '../backend';
import { toasts } from './toasts.svelte';

export type JobKind = 'publish' | 'inspect' | 'download' | 'keep' | 'import' | 'upload' | 'other';

export interface Job {
  id: string;
  kind: JobKind;
  /** What it is about, such as a release's title. */
  subject: string;
  stage: string;
  item: string;
  /** 0 to 1, where known. */
  share: number | undefined;
  cancelling: boolean;
}

class Jobs {
  #jobs = new SvelteMap<string, Job>();
  readonly list = $derived([...this.#jobs.values()]);

  start(): () => void {
    return backend().onEvent((event) => {
      if (event.event === 'progress') this.#progress(event);
    });
  }

  find(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Does long work under a new job name. A failure is told and thrown; being cancelled is neither. */
  async run<T>(kind: JobKind, subject: string, work: (job: string) => Promise<T>): Promise<T | undefined> {
    const id = `${kind}-${crypto.randomUUID()}`;
    this.#jobs.set(id, { id, kind, subject, stage: '', item: '', share: undefined, cancelling: false });
    try {
      return await work(id);
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.code === 'cancelled') return undefined;
      toasts.fail(failure);
      throw failure;
    } finally {
      this.#jobs.delete(id);
    }
  }

  async cancel(id: string): Promise<void> {
    const job = this.#jobs.get(id);
    if (!job) return;
    this.#jobs.set(id, { ...job, cancelling: true });
    try {
      await backend().call('cancel', { job: id });
    } catch (thrown) {
      toasts.fail(Failure.from(thrown));
    }
  }

  #progress({ job: id, stage, item, done, total }: Progress): void {
    const job = this.#jobs.get(id);
    if (!job) return;
    this.#jobs.set(id, { ...job, stage, item, share: total > 0 ? Math.min(1, done / total) : undefined });
  }
}

export const jobs = new Jobs();
