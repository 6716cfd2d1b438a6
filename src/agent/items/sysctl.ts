/**
 * Kernel settings that the node needs beside those of our links: forwarding on its NICs. They are borrowed: when nothing needs them any
 * more, they get the value from before.
 */
import type { ItemKind, Operation } from './item-kind.ts';
import { RANK } from './rank.ts';

/** One file below /proc/sys. */
export interface SysctlItem {
  readonly kind: 'sysctl';
  /** Path below /proc/sys in parts: an interface name may hold a dot. */
  readonly path: readonly string[];
  readonly value: string;
  /** The setting comes after all others. */
  readonly late?: true;
  /** The setting goes back to its value from before (`BorrowedSettings`). */
  readonly borrowed?: true;
}

/** Settings are written; those that are borrowed are given back. */
export const sysctlKind: ItemKind<SysctlItem> = {
  key: (item) => `sysctl:${item.path.join('/')}`,
  dependsOn: () => [],
  rank: ({ late }) => (late === true ? RANK.routingRule : RANK.route),
  differences: (have, want) => (have.value === want.value ? [] : [`${have.value} → ${want.value}`]),
  mustRecreate: () => false,
  print: ({ path, value }) => `echo ${value} > /proc/sys/${path.join('/')}`,
  printRemove: ({ path }) => `/proc/sys/${path.join('/')} as it was before`,
  create: (item) => [written(item)],
  change: (_, item) => [written(item)],
  remove: ({ path, borrowed }) => (borrowed ? [{ do: 'sysctl-return', path }] : []),
};

function written({ path, value, borrowed }: SysctlItem): Operation {
  return { do: 'sysctl', path, value, ...(borrowed && { borrowed }) };
}
