/**
 * What one node has said that it holds, under `/v1/holdings/<machine>`. It is in the store, because after a restart host0 must
 * not forget a node that has not called yet: the others would take the node from their flood lists.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NodeStatus, OrphanName } from '../../protocol/documents/node-assignment.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineWordShape, OrphanNameShape, UnderlayShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { DeviceShape, NetworkIdShape, NodeNameShape } from '../../protocol/shapes/parts.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';
import { type KeptOrphan, KeptOrphanShape, ORPHANS_OF_NODE_MAX, sameOrphan } from './orphan-book.ts';

/** The most ports of one node that host0 keeps. */
export const PORTS_OF_NODE_MAX = 4_096;
/** The most released orphans of one node that host0 keeps until the node has let them go. */
const RELEASED_MAX = 1_024;
const RECORD_MAX_LENGTH = 1024 * 1024;

/** One node's holding. */
export interface HoldingRecord {
  readonly machine: MachineWord;
  /** Host name, for people. */
  readonly name: string;
  /** The node's last known underlay address. A node that is away keeps its place in the flood lists. */
  readonly underlay?: Ipv4 | Ipv6;
  /** Ports that the node's administrator plugged in, each with the identifier or the name of its network. */
  readonly ports: readonly { readonly link: string; readonly network: string }[];
  /** Orphans of the node that an administrator released, until the node no longer reports them. */
  readonly released: readonly OrphanName[];
  /** The orphans of the node. Absent: none. */
  readonly orphans?: readonly KeptOrphan[];
  /** Where the node's VTEPs are that are not at `underlay`, by network. */
  readonly vteps?: NonNullable<NodeStatus['vteps']>;
}

const HoldingShape: form.Shape<HoldingRecord> = form.object({
  machine: MachineWordShape,
  name: NodeNameShape,
  underlay: form.exactOptional(UnderlayShape),
  ports: form.listOf(form.object({ link: DeviceShape, network: form.string({ max: 64 }) }), PORTS_OF_NODE_MAX),
  released: form.listOf(OrphanNameShape, RELEASED_MAX),
  orphans: form.droppable(form.listOf(KeptOrphanShape, ORPHANS_OF_NODE_MAX)),
  vteps: form.droppable(form.recordOf(NetworkIdShape, UnderlayShape, PORTS_OF_NODE_MAX)),
});

/** Records of holdings in the store. */
export const HOLDINGS: RecordForm<HoldingRecord> = jsonRecords(
  '/v1/holdings/',
  ({ machine }) => machine,
  HoldingShape,
  RECORD_MAX_LENGTH,
);

/** What a node holds after its status. */
export function reportedHolding(
  { vteps: _, ...before }: HoldingRecord,
  { ports, orphans, vteps }: Pick<NodeStatus, 'ports' | 'orphans' | 'vteps'>,
): HoldingRecord {
  const own = ports.filter(({ id }) => id === undefined).slice(0, PORTS_OF_NODE_MAX);
  return {
    ...before,
    ports: own.map(({ link, network }) => ({ link, network })),
    released: before.released.filter((name) => orphans.some((orphan) => sameOrphan(orphan, name))),
    ...(vteps !== undefined && { vteps }),
  };
}

/** Whether writing `b` over `a` would change nothing. */
export function sameHolding(a: HoldingRecord | undefined, b: HoldingRecord): boolean {
  return isDeepStrictEqual(a, b);
}

/** The networks in which a node has ports: those of its administrator, and orphan ports that stay. */
export function portsOf({ ports, orphans = [], released }: HoldingRecord): readonly { readonly network: string }[] {
  const stay = orphans.filter((orphan) => !released.some((name) => sameOrphan(name, orphan)));
  return [...ports, ...stay.flatMap(({ network }) => (network === undefined ? [] : [{ network }]))];
}

/** What is released of a node when these orphans are released, too. */
export function withReleased(before: readonly OrphanName[], orphans: readonly OrphanName[]): readonly OrphanName[] {
  const others = before.filter((name) => !orphans.some((orphan) => sameOrphan(orphan, name)));
  return [...others, ...orphans.map(({ kind, id, epoch }) => ({ kind, id, epoch }))].slice(-RELEASED_MAX);
}
