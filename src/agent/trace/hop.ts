/** One hop from what is wanted and what is held; and the words for it. */
import type { HopSubject, TraceHop } from '../../protocol/documents/trace.ts';
import { type Item, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { PathState } from './path-state.ts';

export function fine(node: string, subject: HopSubject, held: string): TraceHop {
  return { node, subject, state: 'ok', held };
}

export function differs(
  node: string,
  subject: HopSubject,
  held: string,
  wanted: string,
  remedy: string = agentRepairs(node),
): TraceHop {
  return { node, subject, state: 'differs', held, wanted, remedy };
}

/** What the agent owns, it puts back by itself as soon as it runs and nobody takes it away again. */
function agentRepairs(node: string): string {
  return `${node}'s agent puts this back within a second. If it stays: \`mesh drift\` and \`mesh events\` on ${node} show what keeps it from that.`;
}

/** How an item that the agent wants differs from the kernel's; empty when it does not, or when nobody wants it. */
export function itemDifferences({ desired, observed }: PathState, key: ItemKey): readonly string[] {
  const want = desired.get(key);
  const have = observed.get(key);
  if (want === undefined) return [];
  return have === undefined ? ['missing'] : kindOf(want).differences(have, want);
}

/** @returns the item that is wanted, if it is of that kind */
export function wantedItem<K extends Item['kind']>(
  { desired }: PathState,
  kind: K,
  key: ItemKey,
): Extract<Item, { kind: K }> | undefined {
  const item = desired.get(key);
  return item?.kind === kind ? (item as Extract<Item, { kind: K }>) : undefined;
}
