/** The table of the types of networks: what carries a network. A type is a file in this folder and a row here. */
import { type Shape, type TypeOf, variants } from '../../form.ts';
import { BRIDGE } from './bridge.ts';
import { FOREIGN_BRIDGE } from './foreign-bridge.ts';
import { HOSTDEV } from './hostdev.ts';
import { MACVTAP } from './macvtap.ts';
import type { NetworkTypeRow } from './network-type-row.ts';
import { VXLAN } from './vxlan.ts';

const ROWS = {
  vxlan: VXLAN,
  bridge: BRIDGE,
  'foreign-bridge': FOREIGN_BRIDGE,
  macvtap: MACVTAP,
  hostdev: HOSTDEV,
} as const;

/** What carries a network. */
export type NetworkType = TypeOf<(typeof ROWS)[keyof typeof ROWS]['form']>;

/** All types, by their `kind`. */
export const NETWORK_TYPES: Readonly<Record<NetworkType['kind'], NetworkTypeRow<NetworkType>>> = ROWS;

/** The form of a type in documents. */
export const NetworkTypeShape: Shape<NetworkType> = variants<NetworkType[]>(
  'kind',
  Object.values(ROWS).map((row) => row.form),
);

/** The row of a kind; undefined for a word that is none. */
export function networkTypeRow(kind: unknown): NetworkTypeRow<NetworkType> | undefined {
  return Object.entries(NETWORK_TYPES).find(([word]) => word === kind)?.[1];
}
