/**
 * When the agent reads its kernel's whole state again: once a minute, and after lost events. A flood of frames can make
 * the buffer of events overflow again and again. So audits after lost events have pauses between them: host0 drops a
 * node that does not report, and a node that only reads does not report.
 */
import type { Alarm, Clock } from '../../model/clock.ts';

interface AuditScheduleInput {
  readonly clock: Clock;
  readonly audit: () => Promise<unknown>;
  readonly onError: (error: unknown) => void;
}

/** Between audits, which compare a full dump with the cache. A dump is cheap: 10,000 entries take 20 ms. */
const AUDIT_MS = 60_000;
/** The pause after an audit, as a multiple of the audit's duration: audits take a tenth of the time. */
const PAUSE_FACTOR = 9;
const PAUSE_MAX_MS = 10_000;

/** Runs the audits of one reconciler, one at a time. */
export class AuditSchedule {
  readonly #input: AuditScheduleInput;
  #regular: Alarm | undefined;
  #soon: Alarm | undefined;
  #running = false;
  /** Another audit was asked for during the running one. */
  #again = false;
  #restedMs = 0;
  #closed = false;

  constructor(input: AuditScheduleInput) {
    this.#input = input;
  }

  /** Plans the regular audits. */
  start(): void {
    if (this.#closed) return;
    this.#regular = this.#input.clock.after(AUDIT_MS, () => {
      void this.#run().finally(() => this.start());
    });
  }

  /** Asks for an audit that begins after this call: now, or after the pause. */
  soon(): void {
    if (this.#closed || this.#soon !== undefined) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    const { clock } = this.#input;
    const waitMs = this.#restedMs - clock.nowMs();
    if (waitMs <= 0) {
      void this.#run();
      return;
    }
    this.#soon = clock.after(waitMs, () => {
      this.#soon = undefined;
      void this.#run();
    });
  }

  close(): void {
    this.#closed = true;
    this.#regular?.cancel();
    this.#soon?.cancel();
  }

  async #run(): Promise<void> {
    if (this.#running || this.#closed) return;
    const { clock, audit, onError } = this.#input;
    const startMs = clock.nowMs();
    this.#running = true;
    try {
      await audit();
    } catch (error) {
      onError(error);
    }
    this.#running = false;
    const nowMs = clock.nowMs();
    this.#restedMs = nowMs + Math.min(PAUSE_MAX_MS, PAUSE_FACTOR * (nowMs - startMs));
    if (!this.#again) return;
    this.#again = false;
    this.soon();
  }
}
