/** A member as the store keeps it, under `/v1/meshes/<network id>/members/<ipv6>`. */

import { type Ipv6, ipv6InSubnet } from '../../model/address/ipv6.ts';
import type { MachineId } from '../../model/machine.ts';
import { type Member, memberAddresses, sameMember } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineIdShape, MemberShape } from '../../protocol/shapes/parts.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';

/** A member with what host0 alone knows of it. */
export interface MemberRecord extends Member {
  /** Absent for a poller that never said which machine it is. */
  readonly machine?: MachineId;
  /** The boot that the agent reported from (`SelfReport.instance`); absent for a poller. */
  readonly instance?: string;
  /** Whether the agent has proven that it has the token of its machine. */
  readonly proven?: boolean;
}

const RECORD_MAX_LENGTH = 16 * 1024;
const MemberRecordShape: form.Shape<MemberRecord> = form.object({
  ...MemberShape.fields,
  machine: form.exactOptional(MachineIdShape),
  instance: form.exactOptional(form.string({ max: 200 })),
  proven: form.exactOptional(form.boolean()),
});

/** The prefix of the keys of a mesh's members. */
export function membersPrefix(network: NetworkId): string {
  return `/v1/meshes/${network}/members/`;
}

/** The key of a member. */
export function memberStoreKey(network: NetworkId, ipv6: Ipv6): string {
  return membersPrefix(network) + ipv6;
}

/**
 * The form of a mesh's members in the store: JSON with known fields only. A record from a time when the mesh had another name, key
 * or prefix is none of this mesh.
 */
export function memberRecords(network: Mesh): RecordForm<MemberRecord> {
  const all = jsonRecords(membersPrefix(network.id), ({ ipv6 }) => ipv6, MemberRecordShape, RECORD_MAX_LENGTH);
  return {
    ...all,
    parse: (value) => {
      const record = all.parse(value);
      return record !== undefined && belongs(network, record) ? record : undefined;
    },
    print: ({ name, ipv4, mac, ipv6, machine, instance, proven }) =>
      JSON.stringify({ name, ipv4, mac, ipv6, machine, instance, proven }),
  };
}

function belongs(network: Mesh, { machine, mac, ipv6 }: MemberRecord): boolean {
  if (machine === undefined) return ipv6InSubnet(ipv6, network.hostAddress.prefix);
  const derived = memberAddresses(network, machine);
  return derived.ipv6 === ipv6 && derived.bridgeMac === mac;
}

/** The public part of a record, as the member list gives it. */
export function memberOf({ name, ipv4, mac, ipv6 }: Member): Member {
  return { name, ipv4, mac, ipv6 };
}

/** Whether writing `b` over `a` would change nothing. */
export function sameRecord(a: MemberRecord, b: MemberRecord): boolean {
  return sameMember(a, b) && a.machine === b.machine && a.instance === b.instance && a.proven === b.proven;
}
