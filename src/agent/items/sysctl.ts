/** A kernel setting that the node needs and that no link of ours carries. It is never set back: what it was before is not ours to know. */
import type { ItemKind } from './item-kind.ts';

export interface SysctlItem {
  readonly kind: 'sysctl';
  readonly path: readonly string[];
  readonly value: string;
}

export const sysctlKind: ItemKind<SysctlItem> = {
  key: (item) => `sysctl:${item.path.join('/')}`,
  dependsOn: () => [],
  rank: () => 5,
  differences: (have, want) => (have.value === want.value ? [] : [`${have.value} → ${want.value}`]),
  mustRecreate: () => false,
  print: ({ path, value }) => `echo ${value} > /proc/sys/${path.join('/')}`,
  create: ({ path, value }) => [{ do: 'sysctl', path, value }],
  change: (_, { path, value }) => [{ do: 'sysctl', path, value }],
  remove: () => [],
};
