/** Outside allocators: executables of the administrator that choose the blocks of address pools. They are run as hooks are. */
import { join } from 'node:path';
import type { HookAnswer } from '../../protocol/documents/order/hook.ts';
import { type HookRun, runHook } from './run-hook.ts';

/** Where allocators are, and what each gets. */
export interface AllocatorsInput extends Pick<HookRun, 'recordDirectory' | 'signal' | 'timeLimitMs'> {
  readonly directory: string;
}

/** A question as far as it concerns the way in which it is asked. */
interface Asked {
  readonly operation: 'allocate' | 'release';
  readonly pool: { readonly name: string };
}

/**
 * Makes the function that asks an allocator by its name: with the question as a line of JSON on its standard input. To allocate is a
 * step that it may refuse.
 */
export function askAllocatorIn({ directory, ...rest }: AllocatorsInput) {
  return async (allocator: string, question: Asked & HookRun['document']): Promise<HookAnswer | undefined> => {
    const { answer } = await runHook({
      ...rest,
      path: join(directory, allocator),
      event: `ipam-${question.operation}`,
      object: question.pool.name,
      phase: question.operation === 'allocate' ? 'before' : 'after',
      document: question,
      // A script in JavaScript needs no Node of its own.
      env: { MESH_NODE: process.execPath },
    });
    return answer;
  };
}
