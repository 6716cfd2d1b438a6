/** Identifies the sender of a request: compares its claims with what host0's kernel has seen. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { forged, guestOfHost0, moving } from './member-error.ts';
import type { MemberRecord } from './member-record.ts';
import type { VerifiedSource } from './source-verification.ts';

/**
 * The two addresses of the sender that are beyond doubt.
 * @param asker source address of the request, from the socket
 * @param machine the machine id that the asker claims; a poller may leave it out
 * @param records all members
 * @throws MESH_MEMBER_FORGED, MESH_MEMBER_MOVING
 */
export function identifySender(
  network: Mesh,
  asker: Ipv6,
  machine: MachineId | undefined,
  source: VerifiedSource,
  records: Iterable<MemberRecord>,
): { readonly mac: Mac; readonly ipv4: Ipv4 } {
  const { mac, ipv4, localPort } = source;
  const host0 = memberAddresses(network, 'host0');
  if (asker === host0.ipv6) throw forged(network, asker, "this is host0's own address", source);
  if (mac !== undefined && localPort !== undefined) {
    const imitated = Iterator.from(records).find((record) => record.ipv6 === asker || record.mac === mac);
    throw guestOfHost0(network, asker, mac, localPort, imitated);
  }
  if (machine !== undefined) mustDerive(network, asker, machine, source);
  if (mac === undefined) throw moving(network, asker, "host0's kernel has no neighbour entry for it");
  if (machine === undefined) mustOwn(network, asker, { ...source, mac }, host0.bridgeMac, records);
  if (ipv4 === undefined) throw moving(network, asker, `host0's kernel has no forwarding entry for ${mac}`);
  return { mac, ipv4 };
}

/**
 * The machine that a poller is which does not say so: the member at its address, or the one of `machines` whose addresses
 * they are. Undefined for a poller whose addresses follow from none.
 */
export function machineOfPoller(
  network: Mesh,
  asker: Ipv6,
  present: MemberRecord | undefined,
  machines: Iterable<MachineId>,
): MachineId | undefined {
  if (present?.machine !== undefined) return present.machine;
  return Iterator.from(machines).find((machine) => memberAddresses(network, machine).ipv6 === asker);
}

function mustDerive(network: Mesh, asker: Ipv6, machine: MachineId, source: VerifiedSource): void {
  const { ipv6, bridgeMac } = memberAddresses(network, machine);
  if (ipv6 !== asker) throw forged(network, asker, `machine ${machine} has ${ipv6}`, source);
  if (source.mac !== undefined && bridgeMac !== source.mac) {
    const why = `its frames come from ${source.mac}, and machine ${machine} has ${bridgeMac}`;
    throw forged(network, asker, why, source);
  }
}

/** Without a machine id, a poller is identified by its IPv6 and its MAC: neither may belong to another member. */
function mustOwn(
  network: Mesh,
  asker: Ipv6,
  source: VerifiedSource & { readonly mac: Mac },
  host0: Mac,
  records: Iterable<MemberRecord>,
): void {
  const { mac } = source;
  if (mac === host0) throw forged(network, asker, `its frames come from host0's ${mac}`, source);
  for (const { name, mac: theirs, ipv6 } of records) {
    if (ipv6 === asker && theirs !== mac) {
      throw forged(network, asker, `it belongs to ${name}, whose frames come from ${theirs}`, source);
    }
    if (ipv6 !== asker && theirs === mac) {
      throw forged(network, asker, `its frames come from ${mac}, which is ${name}'s`, source);
    }
  }
}
