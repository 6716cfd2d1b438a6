/**
 * What a node has from host0, and the rule by which it changes: nothing is removed by forgetting.
 *
 * - An object goes only when a complete assignment of the epoch under which the object was assigned, at a revision not lower, no
 *   longer names it.
 * - Under another epoch, host0's store is another one than before. What was assigned before stays, and is an orphan until an
 *   assignment names it again (it was adopted) or says that an administrator released it.
 * - A lower revision of one epoch is refused.
 */
import { MeshError } from '../../model/error.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { formatVersion, type MembershipVersion } from '../../protocol/documents/membership.ts';
import type {
  AssignedPort,
  NodeAttachment,
  Orphan,
  OrphanName,
  UnchangedAttachment,
  UnsupportedObject,
} from '../../protocol/documents/node-assignment.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { NodeAssignmentReading } from '../../protocol/shapes/node-assignment-shape.ts';

/** One network that host0 has given this node. */
export interface AssignedNetwork {
  readonly attachment: NodeAttachment;
  /** Of the document as it came. */
  readonly digest: string;
  /** The last assignment that named the network. */
  readonly version: MembershipVersion;
}

/** One port that host0 has given this node. */
export interface GivenPort {
  readonly port: AssignedPort;
  /** The last assignment that named the port. */
  readonly version: MembershipVersion;
}

/** One workload that host0 has given this node. */
export interface GivenWorkload {
  readonly workload: AssignedWorkload;
  /** The last assignment that named the workload. */
  readonly version: MembershipVersion;
}

/** All that a node has from host0. */
export interface AssignedObjects {
  /** The assignment in force; undefined before the first one. */
  readonly version?: MembershipVersion;
  /** The run of host0 that composed it (`NodeAssignment.term`). */
  readonly term?: string;
  readonly networks: ReadonlyMap<NetworkId, AssignedNetwork>;
  /** By the name of the interface. */
  readonly ports: ReadonlyMap<string, GivenPort>;
  /** By their ids. */
  readonly workloads: ReadonlyMap<string, GivenWorkload>;
  /** What the assignment in force names and this version cannot read. */
  readonly unsupported: readonly UnsupportedObject[];
  /** The highest revision of each epoch of which an assignment was taken, the latest epoch last. */
  readonly revisions: ReadonlyMap<string, number>;
}

/** A store is restored or replaced a few times in its life. */
export const EPOCHS_MAX = 16;

/** A node that has nothing from host0. */
export const NOTHING_ASSIGNED: AssignedObjects = {
  networks: new Map(),
  ports: new Map(),
  workloads: new Map(),
  unsupported: [],
  revisions: new Map(),
};

/**
 * What a node has after an assignment. Unchanged attachments are the same objects as before.
 * @param isUnheard whether the node needs a network for a reason that host0 had not heard of when it composed the assignment
 * @throws MESH_ASSIGNMENT_STALE for a lower revision of an epoch
 * @throws MESH_ASSIGNMENT_INCOMPLETE for a digest that the node does not have: host0 must send the whole attachment
 */
export function withAssignment(
  before: AssignedObjects,
  reading: NodeAssignmentReading,
  isUnheard: (network: NetworkId) => boolean = () => false,
): AssignedObjects {
  const { epoch, revision, term, ports: givenPorts, workloads: given, released = [] } = reading.assignment;
  const version = { epoch, revision };
  const known = before.revisions.get(epoch);
  if (known !== undefined && revision < known) throw stale(version, { epoch, revision: known });
  const networks = new Map<NetworkId, AssignedNetwork>();
  for (const { network, digest } of reading.unchanged)
    networks.set(network, keptNetwork(before, version, { network, digest }));
  for (const { attachment, digest } of reading.read) {
    const same = before.networks.get(attachment.network.id);
    const isSame = same?.digest === digest;
    networks.set(attachment.network.id, { attachment: isSame ? same.attachment : attachment, digest, version });
  }
  const ports = new Map(givenPorts.map((port): [string, GivenPort] => [port.link, { port, version }]));
  const workloads = new Map(given.map((workload): [string, GivenWorkload] => [workload.id, { workload, version }]));
  const unread = { network: new Set<string>(), port: new Set<string>(), workload: new Set<string>() };
  for (const { kind, id } of reading.unsupported) if (kind !== 'service') unread[kind].add(id);
  const isReleased = new Set(released.filter((orphan) => orphan.epoch !== epoch).map(nameOf));
  const stays = (kind: OrphanName['kind'], id: string, given: MembershipVersion, isNamed: boolean): boolean => {
    if (isNamed) return true;
    if (given.epoch === epoch) return given.revision > revision;
    return !isReleased.has(nameOf({ kind, id, epoch: given.epoch }));
  };
  for (const [id, network] of before.networks) {
    if (networks.has(id)) continue;
    const isNamed = unread.network.has(id);
    if (isUnheard(id) || stays('network', id, network.version, isNamed))
      networks.set(id, isNamed ? { ...network, version } : network);
  }
  for (const [link, given] of before.ports) {
    if (ports.has(link)) continue;
    const isNamed = given.port.id !== undefined && unread.port.has(given.port.id);
    if (stays('port', link, given.version, isNamed)) ports.set(link, isNamed ? { ...given, version } : given);
  }
  for (const [id, known] of before.workloads) {
    if (workloads.has(id)) continue;
    const isNamed = unread.workload.has(id);
    if (stays('workload', id, known.version, isNamed)) workloads.set(id, isNamed ? { ...known, version } : known);
  }
  const { unsupported } = reading;
  const inForce = { version, ...(term !== undefined && { term }) };
  return { ...inForce, networks, ports, workloads, unsupported, revisions: noted(before.revisions, version) };
}

/** What was assigned under another epoch than that of the assignment in force. */
export function orphansOf({ version, networks, ports, workloads }: AssignedObjects): Orphan[] {
  if (version === undefined) return [];
  const isOrphan = (object: { readonly version: MembershipVersion }) => object.version.epoch !== version.epoch;
  return [
    ...[...networks]
      .filter(([, network]) => isOrphan(network))
      .map(
        ([
          id,
          {
            attachment,
            version: { epoch },
          },
        ]) => ({ kind: 'network', id, epoch, document: attachment }) as const,
      ),
    ...[...ports]
      .filter(([, given]) => isOrphan(given))
      .map(
        ([
          link,
          {
            port,
            version: { epoch },
          },
        ]) => ({ kind: 'port', id: link, epoch, document: port }) as const,
      ),
    ...[...workloads]
      .filter(([, given]) => isOrphan(given))
      .map(
        ([
          id,
          {
            workload,
            version: { epoch },
          },
        ]) => ({ kind: 'workload', id, epoch, document: workload }) as const,
      ),
  ];
}

function nameOf({ kind, id, epoch }: OrphanName): string {
  return `${epoch} ${kind} ${id}`;
}

function keptNetwork(
  { networks }: AssignedObjects,
  version: MembershipVersion,
  { network, digest }: UnchangedAttachment,
): AssignedNetwork {
  const known = networks.get(network);
  if (known?.digest === digest) return { ...known, version };
  throw new MeshError('MESH_ASSIGNMENT_INCOMPLETE', `this node does not have ${network} as host0 thinks`, {
    object: network,
    rule: 'An assignment names an attachment by its digest only where the node has the same one.',
    remedy: 'host0 sends the whole assignment.',
    retryable: true,
  });
}

/** The last entry is the latest epoch; the oldest are forgotten. */
function noted(revisions: ReadonlyMap<string, number>, { epoch, revision }: MembershipVersion): Map<string, number> {
  const others = [...revisions].filter(([other]) => other !== epoch).slice(1 - EPOCHS_MAX);
  return new Map([...others, [epoch, revision]]);
}

function stale(given: MembershipVersion, known: MembershipVersion): MeshError {
  const [now, before] = [formatVersion(given), formatVersion(known)];
  return new MeshError('MESH_ASSIGNMENT_STALE', `host0 gives the assignment ${now}, and ${before} is in force`, {
    object: 'host0',
    rule: 'Within one epoch revisions only grow. The node keeps the later assignment.',
    remedy:
      "host0's store was replaced by an older copy of itself without a new epoch, or two host0s work with copies of one store. " +
      'Stop one of them, or restart host0 from the restored store.',
  });
}
