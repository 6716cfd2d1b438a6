/** A stand-in for the agent, for tests of a source: it has an empty kernel, and applies each change at once. */

import type { SourceAgent } from '../../src/agent/membership/source.ts';
import { KernelTables } from '../../src/kernel/mirror/kernel-tables.ts';
import { Signal } from '../../src/model/signal.ts';

/** An agent in which every network is ready, and which emits nothing. */
export function sourceAgent(): SourceAgent {
  return {
    cache: new KernelTables(),
    stateOf: () => ({ phase: 'ready' }),
    stateChanges: new Signal<void>(),
    underlayChanges: new Signal<undefined>(),
    takeUp: async () => undefined,
  };
}
