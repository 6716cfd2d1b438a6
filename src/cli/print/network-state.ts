/** The state of a network as a short text. */
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { Tone } from './color.ts';

/** The phase in a word. A network that waits for host0 goes on carrying traffic, so that it is not called pending. */
export function stateWord({ phase }: NetworkState): string {
  return phase === 'pending' ? 'waiting' : phase;
}

/** `ready`, `waiting: WHY` or `failed: CODE`. */
export function stateText(state: NetworkState): string {
  switch (state.phase) {
    case 'ready':
      return 'ready';
    case 'pending':
      return `waiting: ${state.why}`;
    case 'failed':
      return `failed: ${state.error.code}`;
  }
}

/** The colour for the text of `stateText`. */
export function stateTone(state: NetworkState): Tone {
  return ({ ready: 'good', pending: 'warning', failed: 'bad' } as const)[state.phase];
}
