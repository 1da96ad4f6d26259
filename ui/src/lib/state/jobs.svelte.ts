/** Long work: what is under way, how far, and how to stop it. */
import { SvelteMap } from 'svelte/reactivity';
import { backend, Failure, type ApiError, type JobInfo, type Progress } from '../backend';
import { toasts } from './toasts.svelte';

export type JobKind = 'publish' | 'inspect' | 'download' | 'keep' | 'import' | 'upload' | 'play' | 'other';

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

/** What long work is given. */
export interface Handle {
  /** Aborted when the person wants it to stop; the node stops its own part by itself. */
  signal: AbortSignal;
  /** Tells how far a part is that this page does itself. */
  tell: (item: string, share: number | undefined) => void;
}

/** The node's names of work, where they differ from ours. */
const KINDS: Record<string, JobKind> = {
  publish: 'publish', inspect: 'inspect', download: 'download', seed: 'keep', add_folder: 'import', add_files: 'import', play: 'play',
};

class Jobs {
  #jobs = new SvelteMap<string, Job>();
  /** Those that this page began, with what stops them. */
  #own = new Map<string, AbortController>();
  readonly list = $derived([...this.#jobs.values()]);

  start(): () => void {
    const stops = [
      backend().onConnection((connection) => connection === 'open' && void this.#adopt()),
      backend().onEvent((event) => {
        if (event.event === 'progress') this.#progress(event);
        if (event.event === 'job_ended') this.#ended(event.job, event.error);
      }),
    ];
    return () => stops.forEach((stop) => stop());
  }

  find(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Whether this page began it and sees it to its end. */
  owns(id: string): boolean {
    return this.#own.has(id);
  }

  /** Does long work under a new job name. A failure is told and thrown; being cancelled is neither. */
  async run<T>(
    kind: JobKind,
    subject: string,
    work: (job: string, handle: Handle) => Promise<T>,
    id = `${kind}-${crypto.randomUUID()}`,
  ): Promise<T | undefined> {
    const stopping = new AbortController();
    this.#own.set(id, stopping);
    this.#jobs.set(id, { ...blank(id), kind, subject });
    try {
      return await work(id, { signal: stopping.signal, tell: (item, share) => this.#change(id, { item, share }) });
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.code === 'cancelled') return undefined;
      toasts.fail(failure);
      throw failure;
    } finally {
      this.#own.delete(id);
      this.#jobs.delete(id);
    }
  }

  async cancel(id: string): Promise<void> {
    const job = this.#jobs.get(id);
    if (!job) return;
    this.#change(id, { cancelling: true });
    this.#own.get(id)?.abort();
    try {
      await backend().call('cancel', { job: id });
    } catch (thrown) {
      const failure = Failure.from(thrown);
      // What only this page does, or what has just ended, the node does not know.
      if (failure.code !== 'job_unknown') toasts.fail(failure);
    }
  }

  /** Takes up what goes on in the node since before this page was open. */
  async #adopt(): Promise<void> {
    const { jobs } = await backend().call('jobs').catch(() => ({ jobs: [] as JobInfo[] }));
    const running = new Set(jobs.map(({ job }) => job));
    for (const id of this.#jobs.keys()) {
      if (!this.#own.has(id) && !running.has(id)) this.#jobs.delete(id);
    }
    for (const { job, kind, progress } of jobs) {
      if (!this.#jobs.has(job)) this.#jobs.set(job, { ...blank(job), kind: KINDS[kind] ?? 'other' });
      if (progress) this.#progress(progress);
    }
  }

  #progress({ job, stage, item, done, total }: Progress): void {
    this.#change(job, { stage, item, share: total > 0 ? Math.min(1, done / total) : undefined });
  }

  #ended(id: string, error: ApiError | null): void {
    if (!this.#jobs.has(id) || this.#own.has(id)) return;
    this.#jobs.delete(id);
    if (error && error.code !== 'cancelled') toasts.fail(error);
  }

  #change(id: string, change: Partial<Job>): void {
    const job = this.#jobs.get(id);
    if (job) this.#jobs.set(id, { ...job, ...change });
  }
}

function blank(id: string): Job {
  return { id, kind: 'other', subject: '', stage: '', item: '', share: undefined, cancelling: false };
}

export const jobs = new Jobs();
