/** Builds hops by comparing what the agent wants with what the kernel holds. */
import type { HopSubject, TraceHop } from '../../protocol/documents/trace.ts';
import { type Item, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { PathState } from './path-state.ts';

/** A hop that is as wanted. @param held what the kernel holds, a sentence without a full stop */
export function fine(node: string, subject: HopSubject, held: string): TraceHop {
  return { node, subject, state: 'ok', held };
}

/**
 * A hop that is not as wanted.
 * @param held what the kernel holds
 * @param wanted what it should hold
 * @param remedy what the user can do
 */
export function differs(node: string, subject: HopSubject, held: string, wanted: string, remedy: string): TraceHop {
  return { node, subject, state: 'differs', held, wanted, remedy };
}

/** What is to be done about an item that is not as wanted. The agent puts back only what it wants and can have. */
export function remedyOf({ node, desired, failureOf }: PathState, key: ItemKey): string {
  if (!desired.has(key)) return `${node}'s agent does not want this now: \`mesh status\` on ${node} shows why.`;
  const failure = failureOf(key);
  if (failure !== undefined) {
    return `${node}'s agent cannot put this back: ${failure.message}. See \`mesh status\` on ${node}.`;
  }
  return `${node}'s agent puts this back within a second. If it stays: \`mesh drift\` and \`mesh events\` on ${node} show what prevents that.`;
}

/**
 * How an item in the kernel differs from the wanted one; empty when it does not, or when the agent does not want it.
 */
export function itemDifferences({ desired, observed }: PathState, key: ItemKey): readonly string[] {
  const want = desired.get(key);
  const have = observed.get(key);
  if (want === undefined) return [];
  return have === undefined ? ['missing'] : kindOf(want).differences(have, want);
}

/** The wanted item with this key, if it is of this kind; else undefined. */
export function wantedItem<K extends Item['kind']>(
  { desired }: PathState,
  kind: K,
  key: ItemKey,
): Extract<Item, { kind: K }> | undefined {
  const item = desired.get(key);
  return item?.kind === kind ? (item as Extract<Item, { kind: K }>) : undefined;
}
