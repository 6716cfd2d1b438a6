/** The form of what host0's daemon tells host0's agent. A document without its form is used in no part. */

import { MeshError } from '../../model/error.ts';
import type { AssignedMember, AssignedUnderlay, Assignment, UnderlayNic } from '../documents/assignment.ts';
import { MEMBERS_MAX } from '../documents/membership.ts';
import { readDocument } from './document.ts';
import * as form from './form.ts';
import { MeshShape } from './network-shape.ts';
import {
  DeviceShape,
  FindingsShape,
  Ipv4CidrShape,
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
export const NICS_MAX = 1_024;

/** A NIC that host0's agent keeps up. */
export const NicShape: form.Shape<UnderlayNic> = form.object({
  device: DeviceShape,
  address: form.exactOptional(form.object({ ipv4: UnderlayAddressShape, length: form.int(0, 32) })),
});

/** A segment of host0. */
export const SegmentShape = form.object({ device: DeviceShape, ipv4: UnderlayAddressShape, subnet: Ipv4CidrShape });

const UNDERLAY = { segments: form.listOf(SegmentShape, SEGMENTS_MAX), nics: form.listOf(NicShape, NICS_MAX) };
/** The data of an `underlay` event. */
export const AssignedUnderlayShape: form.Shape<AssignedUnderlay> = form.object(UNDERLAY);

/** The data of a `snapshot` event. */
export const HostAssignmentShape: form.Shape<Assignment> = form.object({
  version: VersionShape,
  networks: form.listOf(MeshShape, NETWORKS_MAX),
  members: form.recordOf(NetworkIdShape, form.listOf(MemberShape, MEMBERS_MAX + 1), NETWORKS_MAX),
  ...UNDERLAY,
  findings: form.exactOptional(FindingsShape),
});

/** The data of a `member` event. */
export const AssignedMemberShape: form.Shape<AssignedMember> = form.object({
  version: VersionShape,
  network: NetworkIdShape,
  change: form.oneOf(['join', 'change', 'leave']),
  member: MemberShape,
});

/** Reads the data of a `snapshot` event. @throws MESH_HOST0_MALFORMED */
export function readAssignment(data: string): Assignment {
  return read(HostAssignmentShape, data, 'an assignment');
}

/** Reads the data of an `underlay` event. @throws MESH_HOST0_MALFORMED */
export function readAssignedUnderlay(data: string): AssignedUnderlay {
  return read(AssignedUnderlayShape, data, 'the underlay');
}

/** Reads the data of a `member` event. @throws MESH_HOST0_MALFORMED */
export function readAssignedMember(data: string): AssignedMember {
  return read(AssignedMemberShape, data, 'a change of a member');
}

function read<T>(shape: form.Shape<T>, data: string, what: string): T {
  const { document, fault } = readDocument(shape, data, ASSIGNMENT_MAX_LENGTH);
  if (fault === undefined) return document;
  throw new MeshError('MESH_HOST0_MALFORMED', `host0's daemon sent ${what} that ${fault}`, {
    object: 'host0',
    rule: 'The agent uses nothing of such a document. What it knew before stays.',
    remedy: 'Run the same version of the agent and of the daemon: `mesh system restart`.',
    retryable: true,
  });
}
