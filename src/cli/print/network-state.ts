/** How a network fares, in a word or two. */
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { Tone } from './color.ts';

export function stateText(state: NetworkState): string {
  switch (state.phase) {
    case 'ready':
      return 'ready';
    case 'pending':
      return `pending: ${state.why}`;
    case 'failed':
      return `failed: ${state.error.code}`;
  }
}

export function stateTone(state: NetworkState): Tone {
  return ({ ready: 'good', pending: 'warning', failed: 'bad' } as const)[state.phase];
}
