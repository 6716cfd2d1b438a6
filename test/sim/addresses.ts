/** Member addresses, kept once they are derived: the simulation asks for them with every packet. */
import type { MachineWord } from '../../src/model/machine.ts';
import { type MemberAddresses, memberAddresses } from '../../src/model/member.ts';
import type { Network } from '../../src/model/network.ts';

const known = new Map<string, MemberAddresses>();

export function addressesOf(network: Network, machine: MachineWord): MemberAddresses {
  const key = `${network.id} ${machine}`;
  const addresses = known.get(key) ?? memberAddresses(network, machine);
  known.set(key, addresses);
  return addresses;
}
