/** The form of what host0's daemon tells host0's agent. A document without its form is used in no part. */
import * as z from 'zod/mini';
import { MeshError } from '../../model/error.ts';
import { type Network, VNI_MAX, type Vni } from '../../model/network/network.ts';
import type { AssignedMember, Assignment } from '../documents/assignment.ts';
import { MEMBERS_MAX } from '../documents/membership.ts';
import { listOf, readDocument, recordOf, type Shape } from './document.ts';
import {
  DeviceShape,
  Ipv4CidrShape,
  Ipv6CidrShape,
  MemberShape,
  NETWORKS_MAX,
  NetworkIdShape,
  SEGMENTS_MAX,
  UnderlayAddressShape,
  VersionShape,
} from './parts.ts';

/** The longest snapshot, in characters: 500 networks with 200 members each. */
export const ASSIGNMENT_MAX_LENGTH = 32 * 1024 * 1024;
/** More NICs than a machine has. */
const NICS_MAX = 1_024;

/** A network of any machine. Its names stand in commands, in nft's text and in the kernel. */
export const NetworkShape: Shape<Network> = z.object({
  id: NetworkIdShape,
  name: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)),
  devices: z.object({ vxlan: DeviceShape, bridge: DeviceShape }),
  fabric: z.object({
    kind: z.literal('mesh'),
    vni: z.custom<Vni>((value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= VNI_MAX),
    key: z.string().check(z.regex(/^[0-9]{1,20}$/)),
    prefix: Ipv6CidrShape,
    mtuBytes: z.int().check(z.minimum(1_280), z.maximum(65_535)),
  }),
});

const Nic = z.object({
  device: DeviceShape,
  address: z.exactOptional(
    z.object({ ipv4: UnderlayAddressShape, length: z.int().check(z.minimum(0), z.maximum(32)) }),
  ),
});

/** A segment of host0. */
export const SegmentShape = z.object({ device: DeviceShape, ipv4: UnderlayAddressShape, subnet: Ipv4CidrShape });

const AssignmentShape: Shape<Assignment> = z.object({
  version: VersionShape,
  networks: listOf(NetworkShape, NETWORKS_MAX),
  members: recordOf(NetworkIdShape, listOf(MemberShape, MEMBERS_MAX + 1), NETWORKS_MAX),
  segments: listOf(SegmentShape, SEGMENTS_MAX),
  nics: listOf(Nic, NICS_MAX),
});

const AssignedMemberShape: Shape<AssignedMember> = z.object({
  version: VersionShape,
  network: NetworkIdShape,
  change: z.enum(['join', 'change', 'leave']),
  member: MemberShape,
});

/** Reads the data of a `snapshot` event. @throws MESH_HOST0_MALFORMED */
export function readAssignment(data: string): Assignment {
  return read(AssignmentShape, data, 'an assignment');
}

/** Reads the data of a `member` event. @throws MESH_HOST0_MALFORMED */
export function readAssignedMember(data: string): AssignedMember {
  return read(AssignedMemberShape, data, 'a change of a member');
}

function read<T>(shape: Shape<T>, data: string, what: string): T {
  const { document, fault } = readDocument(shape, data, ASSIGNMENT_MAX_LENGTH);
  if (fault === undefined) return document;
  throw new MeshError('MESH_HOST0_MALFORMED', `host0's daemon sent ${what} that ${fault}`, {
    object: 'host0',
    rule: 'The agent uses nothing of such a document. What it knew before stays.',
    remedy: 'Run the same version of the agent and of the daemon: `mesh system restart`.',
    retryable: true,
  });
}
