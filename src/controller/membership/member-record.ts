/** A member as the store keeps it, under `/v1/meshes/<network id>/members/<ipv6>`. */
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, ipv6InSubnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import { type Member, memberAddresses, sameMember } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import { NODE_NAME } from '../../protocol/documents/membership.ts';

/** A member with what host0 alone knows of it. */
export interface MemberRecord extends Member {
  /** Absent for a poller that never said which machine it is. */
  readonly machine?: MachineId;
  /** The boot that the agent reported from (`SelfReport.instance`); absent for a poller. */
  readonly instance?: string;
  /** Whether the agent has proven that it has the token of its machine. */
  readonly proven?: boolean;
}

/** The prefix of the keys of a mesh's members. */
export function membersPrefix(network: NetworkId): string {
  return `/v1/meshes/${network}/members/`;
}

/** The key of a member. */
export function memberStoreKey(network: NetworkId, ipv6: Ipv6): string {
  return membersPrefix(network) + ipv6;
}

/** The value of a member: JSON with known fields only. */
export function formatRecord({ name, ipv4, mac, ipv6, machine, instance, proven }: MemberRecord): string {
  return JSON.stringify({ name, ipv4, mac, ipv6, machine, instance, proven });
}

/**
 * The inverse of `formatRecord`.
 * @returns undefined for a damaged record, and for one from a time when the mesh had another name, key or prefix
 */
export function parseRecord(network: Network, value: string): MemberRecord | undefined {
  try {
    const document = JSON.parse(value) as Readonly<Record<string, unknown>>;
    const { machine, instance, proven } = document;
    const record: MemberRecord = {
      name: String(document.name),
      ipv4: parseIpv4(String(document.ipv4)),
      mac: parseMac(String(document.mac)),
      ipv6: parseIpv6(String(document.ipv6)),
      ...(machine !== undefined && { machine: parseMachineId(String(machine)) }),
      ...(instance !== undefined && { instance: String(instance) }),
      ...(proven === true && { proven }),
    };
    return NODE_NAME.test(record.name) && belongs(network, record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function belongs(network: Network, { machine, mac, ipv6 }: MemberRecord): boolean {
  if (machine === undefined) return ipv6InSubnet(ipv6, network.fabric.prefix);
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
