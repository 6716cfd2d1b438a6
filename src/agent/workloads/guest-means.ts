/** What a node has for its guests, as the doctor judges it. */
import type { MemoryNow } from './memory-room.ts';
import type { EmulatorProbe } from './node-accelerator.ts';

/** Of a node that has guests. */
export interface GuestMeans {
  readonly emulator: EmulatorProbe;
  readonly memory: MemoryNow;
  /** What the guests that run may come to take, beside what they have. */
  readonly openBytes: number;
}
