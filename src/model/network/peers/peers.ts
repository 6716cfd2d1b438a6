/** The table of the kinds of peers: how the VTEPs of a network know each other. A kind is a file in this folder and a row here. */
import { type Shape, type TypeOf, variants } from '../../form.ts';
import { ASSIGNED } from './assigned.ts';
import { EXPLICIT } from './explicit.ts';
import { MEMBERSHIP } from './membership.ts';
import { MULTICAST } from './multicast.ts';
import type { PeersRow } from './peers-row.ts';

const ROWS = { membership: MEMBERSHIP, assigned: ASSIGNED, multicast: MULTICAST, explicit: EXPLICIT } as const;

/** How the VTEPs of a network know each other. */
export type Peers = TypeOf<(typeof ROWS)[keyof typeof ROWS]['form']>;

/** All kinds of peers, by their `kind`. */
export const PEERS: Readonly<Record<Peers['kind'], PeersRow<Peers>>> = ROWS;

/** The form of peers in documents. */
export const PeersShape: Shape<Peers> = variants<Peers[]>(
  'kind',
  Object.values(ROWS).map((row) => row.form),
);

/** The row of a kind; undefined for a word that is none. */
export function peersRow(kind: unknown): PeersRow<Peers> | undefined {
  return Object.entries(PEERS).find(([word]) => word === kind)?.[1];
}
