/** The agent of a source under test: it has an empty kernel, and all that it is told to take up is taken up at once. */
import { KernelCache } from '../../src/agent/kernel/kernel-cache.ts';
import type { SourceAgent } from '../../src/agent/membership/source.ts';
import { Signal } from '../../src/model/signal.ts';

/** Every network is ready; nothing is emitted. */
export function sourceAgent(): SourceAgent {
  return {
    cache: new KernelCache(),
    stateOf: () => ({ phase: 'ready' }),
    stateChanges: new Signal<void>(),
    underlayChanges: new Signal<void>(),
    takeUp: async () => undefined,
  };
}
