/** How far a transfer is, how quick it is, and how long it will take. */
import type { Clock } from '../../model/clock.ts';
import type { ImageProgress } from '../../protocol/documents/workload/disk-image.ts';

/** The rate is that of this last time. */
const WINDOW_MS = 5_000;
/** More often nobody can read it. */
const TELL_MS = 250;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Measures one transfer. */
export class TransferMeter {
  readonly #clock: Clock;
  readonly #tell: (progress: ImageProgress) => void;
  #samples: Sample[] = [];
  #toldMs = Number.NEGATIVE_INFINITY;
  #last: ImageProgress = { doneBytes: 0, bytesPerSec: 0 };

  constructor(clock: Clock, tell: (progress: ImageProgress) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get last(): ImageProgress {
    return this.#last;
  }

  /** Must be called when a transfer begins at a byte: what was there before is no rate. */
  begin(doneBytes: number, totalBytes: number | undefined): void {
    this.#samples = [];
    this.at(doneBytes, totalBytes, true);
  }

  at(doneBytes: number, totalBytes: number | undefined, isUrgent = false): void {
    const nowMs = this.#clock.nowMs();
    if (!isUrgent && nowMs - this.#toldMs < TELL_MS) return;
    this.#toldMs = nowMs;
    this.#samples = [
      ...this.#samples.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS),
      { atMs: nowMs, bytes: doneBytes },
    ];
    const first = this.#samples[0];
    const tookMs = nowMs - (first?.atMs ?? nowMs);
    const bytesPerSec = tookMs > 0 ? Math.round(((doneBytes - (first?.bytes ?? 0)) * 1000) / tookMs) : 0;
    const left = totalBytes === undefined ? undefined : totalBytes - doneBytes;
    this.#last = {
      doneBytes,
      bytesPerSec,
      ...(totalBytes !== undefined && { totalBytes }),
      ...(left !== undefined && bytesPerSec > 0 && { remainingSec: Math.ceil(left / bytesPerSec) }),
    };
    this.#tell(this.#last);
  }
}
