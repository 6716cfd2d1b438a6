/** Between which nodes of a network multicast passes, by what the nodes tell of the hellos that they hear. Pure. */
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { MulticastView, SilentPair } from '../../protocol/documents/catalogue.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { GroupHearing } from '../../protocol/documents/node-assignment.ts';

/** One node that holds the network. */
export interface GroupMember {
  readonly machine: MachineWord;
  readonly name: string;
  /** Whom it hears. Absent: its channel does not stand, its device is not there, or it is an older node. */
  readonly hearing?: GroupHearing | undefined;
  /** The segment of host0 that the node is on, if its underlay device leads to host0. */
  readonly segment?: string | undefined;
}

/** Pairs that a message names. */
const NAMED = 6;
/** Pairs that a view has: a cut in a network of a thousand nodes is a million pairs. */
const PAIRS_MAX = 1_000;

/** The reach of one network. A node counts from when it has listened for long enough. */
export function multicastView({ type }: Network, members: readonly GroupMember[]): MulticastView {
  const hopLimit = (type.kind === 'vxlan' ? type.hopLimit : undefined) ?? 1;
  const told = members.filter(({ hearing }) => hearing !== undefined);
  const settled = told.filter(({ hearing }) => hearing?.settled);
  const silent: SilentPair[] = [];
  let pairs = 0;
  for (const to of settled) {
    const hops = new Map(to.hearing?.hears.map((heard) => [heard.machine, heard.hops]));
    for (const from of settled) {
      if (from === to) continue;
      const needed = hops.get(from.machine);
      if (needed !== undefined && needed <= hopLimit) {
        pairs += 1;
        continue;
      }
      if (silent.length < PAIRS_MAX) silent.push({ from: from.name, to: to.name, why: why(from, to, needed) });
    }
  }
  const names = (list: readonly GroupMember[]) => list.map(({ name }) => name);
  const pending = names(members.filter(({ hearing }) => hearing?.settled !== true));
  return { hears: names(settled), pairs, silent, pending };
}

function why(from: GroupMember, to: GroupMember, hops: number | undefined): SilentPair['why'] {
  if (hops !== undefined) return 'router';
  const apart = from.segment !== undefined && to.segment !== undefined && from.segment !== to.segment;
  return apart ? 'segments' : 'silence';
}

/** What is not well with the reach of one network. */
export function multicastFindings(network: Network, { silent }: MulticastView): Finding[] {
  const kinds = Map.groupBy(silent, (pair) => pair.why);
  return [...kinds].map(([kind, pairs]) => {
    const listed = pairs.slice(0, NAMED).map(({ from, to }) => `${from} → ${to}`);
    const between = `${listed.join(', ')}${pairs.length > NAMED ? ` and ${pairs.length - NAMED} more` : ''}`;
    return { severity: 'error', object: network.name, ...SILENCES[kind](network.name, wayOf(network), between) };
  });
}

/** `ff05::ff01 on eth1`. */
function wayOf({ peers, type }: Network): string {
  const group = peers?.kind === 'multicast' ? peers.group : 'its group';
  const device = type.kind === 'vxlan' ? type.dev : undefined;
  return `${group} on ${device ?? 'the underlay'}`;
}

/** What is said of each kind of silence. */
const SILENCES: Readonly<
  Record<
    SilentPair['why'],
    (name: string, way: string, between: string) => Pick<Finding, 'code' | 'message' | 'remedy'>
  >
> = {
  segments: (name, _, between) => ({
    code: 'MESH_MULTICAST_SEGMENT',
    message: `${name} is on several segments, and multicast does not cross from one to another: ${between}`,
    remedy: 'Keep the network on the nodes of one segment, or make it with assigned peers, which cross segments.',
  }),
  router: (name, _, between) => ({
    code: 'MESH_MULTICAST_SILENT',
    message: `a router is between nodes of ${name}, and multicast of its hop limit does not pass: ${between}`,
    remedy: 'Give the network the hop limit that its nodes need (`hopLimit` in its type), or assigned peers.',
  }),
  silence: (_, way, between) => ({
    code: 'MESH_MULTICAST_SILENT',
    message: `multicast to ${way} does not pass: ${between}`,
    remedy:
      'See that the devices are on one wire, and that the switches between forward the group: MLD snooping needs a querier. UDP port 8005 must pass, too.',
  }),
};
