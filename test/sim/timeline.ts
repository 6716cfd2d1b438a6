/** The timeline of a run, for people to read: each entry has a time, a place and a sentence. */
import type { Clock } from '../../src/model/clock.ts';
import type { MeshEvent } from '../../src/protocol/journal/event.ts';

interface Entry {
  readonly atMs: number;
  readonly where: string;
  readonly what: string;
}

/** Collects the entries of one run. */
export class Timeline {
  readonly #clock: Clock;
  readonly #trace: boolean;
  readonly #entries: Entry[] = [];
  /** The faults that the journals told: a run in which any process has one has failed. */
  readonly faults: string[] = [];

  /** @param trace whether `journal` adds the events of the processes' journals */
  constructor(clock: Clock, trace: boolean) {
    this.#clock = clock;
    this.#trace = trace;
  }

  note(where: string, what: string): void {
    this.#entries.push({ atMs: this.#clock.nowMs(), where, what });
  }

  journal({ source, node, kind, message, level }: MeshEvent): void {
    if (kind === 'fault') this.faults.push(`${node}: ${message}`);
    if (!this.#trace) return;
    const mark = level === 'info' || level === 'debug' ? ' ' : '!';
    this.note(source === 'host0' ? 'host0 daemon' : node, `${mark} ${kind}: ${message}`);
  }

  print(): string {
    const width = Math.max(0, ...this.#entries.map(({ where }) => where.length));
    return this.#entries
      .map(({ atMs, where, what }) => `${(atMs / 1000).toFixed(3).padStart(9)} s  ${where.padEnd(width)}  ${what}\n`)
      .join('');
  }
}
