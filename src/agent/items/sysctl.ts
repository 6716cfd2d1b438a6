/**
 * Kernel settings that the node needs beside those of our links: forwarding on its NICs. They are never reset,
 * because the agent does not know the value that the administrator wants.
 */
import type { ItemKind } from './item-kind.ts';
import { RANK } from './rank.ts';

/** One file below /proc/sys. */
export interface SysctlItem {
  readonly kind: 'sysctl';
  /** Path below /proc/sys in parts: an interface name may hold a dot. */
  readonly path: readonly string[];
  readonly value: string;
  /** The setting comes after all others. */
  readonly late?: true;
}

/** Settings are written, and never removed. */
export const sysctlKind: ItemKind<SysctlItem> = {
  key: (item) => `sysctl:${item.path.join('/')}`,
  dependsOn: () => [],
  rank: ({ late }) => (late === true ? RANK.routingRule : RANK.route),
  differences: (have, want) => (have.value === want.value ? [] : [`${have.value} → ${want.value}`]),
  mustRecreate: () => false,
  print: ({ path, value }) => `echo ${value} > /proc/sys/${path.join('/')}`,
  create: ({ path, value }) => [{ do: 'sysctl', path, value }],
  change: (_, { path, value }) => [{ do: 'sysctl', path, value }],
  remove: () => [],
};
