/**
 * The form of a node's assignment. A document whose frame does not fit is used in no part. An object inside that does not fit is
 * kept apart, and the others are used: host0 may be of a later version, with kinds of objects that this version does not know.
 */
import { CidrShape, IpShape } from '../../model/address/address-shapes.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { errorCodeOf, MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { HostInterfaceShape } from '../../model/network/host-address.ts';
import { BLOCKS_MAX } from '../../model/network/services/address-range.ts';
import { DynamicRangeShape } from '../../model/network/subnet.ts';
import { NETWORK_LIST_MAX } from '../../model/network/words.ts';
import { MEMBERS_MAX } from '../documents/membership.ts';
import {
  type AssignedPeer,
  type AssignedPort,
  type AssignmentAnswer,
  type AttachmentPeers,
  type AttachmentReason,
  attachmentDigest,
  type GroupHearing,
  NODE_ASSIGNMENT_FORMAT,
  type NodeAssignment,
  type NodeAttachment,
  type NodeOrphan,
  type NodeStatus,
  type ObjectKind,
  type ObjectState,
  type ObjectStatus,
  type RefusedFrames,
  type UnchangedAttachment,
  type UnsupportedObject,
} from '../documents/node-assignment.ts';
import { AssignedWorkloadShape, NodeCapacityShape, PortIdShape, WorkloadRunShape } from './assigned-workload-shape.ts';
import { ASSIGNMENT_MAX_LENGTH, NICS_MAX, NicShape, SegmentShape } from './assignment-shape.ts';
import { fitted, readDocument } from './document.ts';
import * as form from './form.ts';
import { NetworkShape } from './network-shape.ts';
import {
  DeviceShape,
  ErrorShape,
  Ipv6Shape,
  MachineIdShape,
  MacShape,
  MemberShape,
  NETWORKS_MAX,
  NetworkIdShape,
  NodeNameShape,
  SEGMENTS_MAX,
  TextShape,
  UnderlayAddressShape,
  VersionShape,
} from './parts.ts';
import { AssignedServiceShape } from './service/assigned-service-shape.ts';

/** More ports than a machine has interfaces. */
const PORTS_MAX = 65_536;
const SERVICES_MAX = 64;
/** More guests than a machine runs. */
export const WORKLOADS_MAX = 16_384;
const MACS_MAX = 65_536;
/** Networks, ports, services and workloads of a node together. */
const OBJECTS_MAX = 262_144;
/** The digest of an attachment (`attachmentDigest`). */
export const DigestShape: form.Shape<string> = form.string({ pattern: /^[0-9a-f]{32}$/ });
/** What a node calls a state of its ports. */
export const WordShape = form.string({ max: 64 });
const ObjectKindShape = form.oneOf(['network', 'port', 'service', 'workload']);
const ObjectIdShape = form.string({ max: 64 });

/** More IP addresses than a guest needs on one card. */
const GUEST_ADDRESSES_MAX = 64;
/** The IP addresses of the guest of one port. */
export const GuestAddressesShape: form.Shape<readonly (Ipv4 | Ipv6)[]> = form.listOf(IpShape, GUEST_ADDRESSES_MAX);
/** Kinds of refused frames, and Ethernet addresses that are named for each. */
const REFUSED_MAX = 64;
/** The frames that the rules refused from a port. */
export const RefusedShape: form.Shape<readonly RefusedFrames[]> = form.listOf(
  form.object({
    kind: form.string({ max: 64 }),
    frames: form.int(0),
    macs: form.listOf(form.string({ max: 64 }), 1_024),
  }),
  REFUSED_MAX,
);

/** A machine in derivations: its id, or the word of host0. */
export const MachineWordShape: form.Shape<MachineWord> = form.union([MachineIdShape, form.literal('host0')]);
/** The address of a node on an underlay, of either family. */
export const UnderlayShape: form.Shape<Ipv4 | Ipv6> = form.union([UnderlayAddressShape, Ipv6Shape]);

const AssignedPeerShape: form.Shape<AssignedPeer> = form.object({
  machine: MachineWordShape,
  name: NodeNameShape,
  underlay: UnderlayShape,
  macs: form.listOf(MacShape, MACS_MAX),
  neighbours: form.exactOptional(form.listOf(form.object({ address: IpShape, mac: MacShape }), MACS_MAX)),
});

const PeersShape: form.Shape<AttachmentPeers> = form.variants('kind', [
  form.object({
    kind: form.literal('membership'),
    members: form.listOf(MemberShape, MEMBERS_MAX + 1),
    host0Answers: form.boolean(),
  }),
  form.object({ kind: form.literal('assigned'), peers: form.listOf(AssignedPeerShape, MEMBERS_MAX + 1) }),
  form.object({ kind: form.oneOf(['multicast', 'explicit', 'none']) }),
]);

/** Why a node has a network. */
export const ReasonsShape: form.Shape<readonly AttachmentReason[]> = form.listOf(
  form.oneOf(['file', 'port', 'service', 'pinned']),
  4,
);

/** A range is cut into as many parts as it has blocks, at most. */
const DhcpRangesShape = form.object({
  cidr: CidrShape,
  ranges: form.listOf(DynamicRangeShape, NETWORK_LIST_MAX * BLOCKS_MAX),
});

/** One network on a node, as a document has it. Also the form on the node's disk. */
export const NodeAttachmentShape: form.Shape<NodeAttachment> = form.object({
  network: NetworkShape,
  reasons: ReasonsShape,
  peers: PeersShape,
  hostAddresses: form.exactOptional(form.listOf(HostInterfaceShape, NETWORK_LIST_MAX)),
  dhcpRanges: form.exactOptional(form.listOf(DhcpRangesShape, NETWORK_LIST_MAX)),
  services: form.listOf(AssignedServiceShape, SERVICES_MAX),
});

/** One port of a node. Also the form on the node's disk. */
export const AssignedPortShape: form.Shape<AssignedPort> = form.object({
  id: form.exactOptional(PortIdShape),
  network: NetworkIdShape,
  link: DeviceShape,
  mac: form.exactOptional(MacShape),
  tap: form.exactOptional(form.literal(true)),
  addresses: form.exactOptional(GuestAddressesShape),
  trusted: form.exactOptional(form.literal(true)),
});

/** What tells one orphan of a node from the others. */
export const OrphanNameShape = form.object({
  kind: form.oneOf(['network', 'port', 'workload']),
  id: form.string({ max: 64 }),
  epoch: form.string({ max: 32 }),
});

/** An orphan of a node, as host0 lists it. */
export const NodeOrphanShape: form.Shape<NodeOrphan> = form.object({
  ...OrphanNameShape.fields,
  document: form.unknown(),
  machine: MachineWordShape,
  node: TextShape,
});

const Frame = form.object({
  format: form.int(1),
  epoch: form.string({ max: 32 }),
  revision: form.int(0),
  attachments: form.listOf(form.unknown(), NETWORKS_MAX),
  ports: form.listOf(form.unknown(), PORTS_MAX),
  workloads: form.listOf(form.unknown(), WORKLOADS_MAX),
  released: form.exactOptional(form.listOf(OrphanNameShape, OBJECTS_MAX)),
  heard: form.exactOptional(WordShape),
  term: form.exactOptional(WordShape),
  segments: form.otherwise(form.listOf(SegmentShape, SEGMENTS_MAX), []),
  nics: form.otherwise(form.listOf(NicShape, NICS_MAX), []),
});

const Unchanged: form.Shape<UnchangedAttachment> = form.object({
  network: NetworkIdShape,
  digest: DigestShape,
});

/** What tells an object that cannot be read from others. */
const Named = form.object({
  id: form.string({ max: 64 }),
  kind: form.droppable(form.string({ max: 64 })),
  type: form.droppable(form.object({ kind: form.string({ max: 64 }) })),
});

/** One attachment as it was read, with the digest and the document that it came as. */
export interface ReadAttachment {
  readonly attachment: NodeAttachment;
  readonly digest: string;
}

/** What a text holds: the parts that this version knows, and apart from them what it does not know. */
export interface NodeAssignmentReading {
  /** Without the attachments that are only named. */
  readonly assignment: NodeAssignment;
  readonly read: readonly ReadAttachment[];
  /** Attachments that the node has already. */
  readonly unchanged: readonly UnchangedAttachment[];
  readonly unsupported: readonly UnsupportedObject[];
}

/**
 * Reads an assignment.
 * @throws MESH_HOST0_MALFORMED for a document without its frame, and for one with an object that has no identifier
 * @throws MESH_NOT_SUPPORTED for a format that this version does not know
 */
export function readNodeAssignment(text: string): NodeAssignmentReading {
  const { document, fault } = readDocument(Frame, text, ASSIGNMENT_MAX_LENGTH);
  if (fault !== undefined) throw malformed(fault);
  const { epoch, revision } = document;
  if (document.format > NODE_ASSIGNMENT_FORMAT) throw laterFormat(document.format);
  if (fitted(VersionShape, { epoch, revision }).fault !== undefined) throw malformed('has no version');
  const unsupported: UnsupportedObject[] = [];
  const unchanged: UnchangedAttachment[] = [];
  const read: ReadAttachment[] = [];
  for (const value of document.attachments) {
    const named = fitted(Unchanged, value);
    const full = fitted(NodeAttachmentShape, value);
    if (named.fault === undefined) unchanged.push(named.document);
    else if (full.fault !== undefined) unsupported.push(unsupportedAttachment(value));
    else read.push({ attachment: full.document, digest: attachmentDigest(Object(value)) });
  }
  const known = <T>(kind: ObjectKind, shape: form.Shape<T>, values: readonly unknown[]): T[] =>
    values.flatMap((value) => {
      const { document: object, fault: misfit } = fitted(shape, value);
      if (misfit === undefined) return [object];
      unsupported.push(unsupportedObject(kind, value));
      return [];
    });
  const ports = known('port', AssignedPortShape, document.ports);
  const workloads = known('workload', AssignedWorkloadShape, document.workloads);
  const attachments = read.map(({ attachment }) => attachment);
  return { assignment: { ...document, attachments, ports, workloads }, read, unchanged, unsupported };
}

function unsupportedAttachment(value: unknown): UnsupportedObject {
  const { document } = fitted(form.object({ network: form.unknown() }), value);
  return unsupportedObject('network', document?.network);
}

/** @throws MESH_HOST0_MALFORMED for an object without identifier: what it is about cannot be told */
function unsupportedObject(kind: ObjectKind, value: unknown): UnsupportedObject {
  const { document, fault } = fitted(Named, value);
  if (fault !== undefined) throw malformed(`has a ${kind} without identifier`);
  const type = document.type?.kind ?? document.kind;
  const why = type === undefined ? 'has a form' : `is of the kind ${JSON.stringify(type)}`;
  return { kind, id: document.id, why: `${why}, which this version of Meshwork does not know` };
}

/** How an object is, without the object. */
export const StateShape: form.Shape<ObjectState> = form.variants('state', [
  form.object({ state: form.literal('ready') }),
  form.object({ state: form.literal('pending'), why: TextShape, ageSec: form.int(0) }),
  form.object({
    state: form.literal('failed'),
    code: form.mapped(form.string(), errorCodeOf),
    message: TextShape,
    remedy: TextShape,
  }),
]);

const ObjectFields = {
  kind: ObjectKindShape,
  id: ObjectIdShape,
  port: form.exactOptional(form.object({ bound: form.boolean(), refused: form.exactOptional(RefusedShape) })),
};
const ObjectStateShape: form.Shape<ObjectStatus> = form.variants('state', [
  form.object({ ...ObjectFields, state: form.literal('ready') }),
  form.object({
    ...ObjectFields,
    state: form.literal('pending'),
    why: TextShape,
    ageSec: form.int(0),
  }),
  form.object({
    ...ObjectFields,
    state: form.literal('failed'),
    code: form.mapped(form.string(), errorCodeOf),
    message: TextShape,
    remedy: TextShape,
  }),
]);

/** What a node answers when it was given an assignment. */
export const AssignmentAnswerShape: form.Shape<AssignmentAnswer> = form.variants('accepted', [
  form.object({ accepted: form.literal(true), version: VersionShape, kept: form.boolean() }),
  form.object({ accepted: form.literal(false), error: ErrorShape }),
]);

const GroupHearingShape: form.Shape<GroupHearing> = form.object({
  hears: form.listOf(form.object({ machine: MachineWordShape, hops: form.int(1) }), MEMBERS_MAX),
  settled: form.boolean(),
});

/** What a node tells of itself. The documents of orphans are read when they are adopted. */
export const NodeStatusShape: form.Shape<NodeStatus> = form.object({
  instance: form.exactOptional(form.string({ max: 64 })),
  format: form.int(1),
  assignment: form.exactOptional(VersionShape),
  kept: form.boolean(),
  said: form.exactOptional(WordShape),
  term: form.exactOptional(WordShape),
  epochsBefore: form.exactOptional(form.listOf(WordShape, 64)),
  digests: form.recordOf(NetworkIdShape, DigestShape, NETWORKS_MAX),
  objects: form.listOf(ObjectStateShape, OBJECTS_MAX),
  ports: form.listOf(
    form.object({
      id: form.exactOptional(PortIdShape),
      network: form.string({ max: 64 }),
      link: DeviceShape,
      mac: form.exactOptional(MacShape),
    }),
    PORTS_MAX,
  ),
  orphans: form.listOf(form.object({ ...OrphanNameShape.fields, document: form.unknown() }), OBJECTS_MAX),
  runs: form.droppable(form.listOf(WorkloadRunShape, WORKLOADS_MAX)),
  capacity: form.droppable(NodeCapacityShape),
  vteps: form.droppable(form.recordOf(NetworkIdShape, UnderlayShape, NETWORKS_MAX)),
  groups: form.droppable(form.recordOf(NetworkIdShape, GroupHearingShape, NETWORKS_MAX)),
});

function malformed(fault: string): MeshError {
  return new MeshError('MESH_HOST0_MALFORMED', `host0 sent an assignment that ${fault}`, {
    object: 'host0',
    rule: 'The agent uses nothing of such a document. What it knew before stays.',
    remedy: 'Run the same version of Meshwork on host0 and on this node.',
    retryable: true,
  });
}

function laterFormat(format: number): MeshError {
  return new MeshError('MESH_NOT_SUPPORTED', `host0 sent an assignment of format ${format}`, {
    object: 'host0',
    rule: `This version of Meshwork knows formats up to ${NODE_ASSIGNMENT_FORMAT}.`,
    remedy: 'Run the same version of Meshwork on host0 and on this node.',
  });
}
