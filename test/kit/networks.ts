/**
 * Networks and members for tests and benchmarks: a change of `Network` or `Member` in the model needs a change only
 * here.
 */
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import { ipv6Subnet, parseIpv6Interface } from '../../src/model/address/ipv6.ts';
import { type MachineId, machineIdOf, parseMachineId } from '../../src/model/machine.ts';
import { plainBridge } from '../../src/model/network/bridge.ts';
import { type Member, memberAddresses } from '../../src/model/network/member.ts';
import { type Mesh, meshNetwork } from '../../src/model/network/mesh.ts';
import type { Network } from '../../src/model/network/network.ts';
import { type NetworkNumber, networkIdOf } from '../../src/model/network/number.ts';
import type { Peers } from '../../src/model/network/peers/peers.ts';
import type { NetworkType } from '../../src/model/network/types/network-type.ts';
import { type Vni, VXLAN_PORT, type VxlanType } from '../../src/model/network/types/vxlan.ts';

/** The mesh of the documentation and of the published address vectors. */
export const manage = manageWith({});

/** A new object like `manage`, as another file would give: with some values replaced, or with the same values. */
export function manageWith({
  name = 'manage',
  vni = 456,
  prefix = 'fd42:2345:1234:9abc::/64',
  key = '456',
}: {
  name?: string;
  vni?: number;
  prefix?: string;
  key?: string;
}): Mesh {
  return mesh(name, vni, { prefix, key });
}

/** The same mesh with another MTU. */
export function withMtu(network: Mesh, mtuBytes: number): Mesh {
  return { ...network, mtuBytes };
}

/**
 * A mesh as a `.conf` file with these values describes it. A VNI of at most four digits is also the last group of the
 * default prefix; the default key is the VNI.
 */
export function mesh(
  name: string,
  vni: number,
  { prefix = `fd42:2345:1234:${vni}::/64`, key = String(vni) }: { prefix?: string; key?: string } = {},
): Mesh {
  const { address, length } = parseIpv6Interface(prefix);
  return meshNetwork({ name, vni: vni as Vni, prefix: ipv6Subnet(address, length), key });
}

/** A network of the store with assigned peers, as host0 makes it when only name and number are given. */
export function storeNetwork(name: string, number: number): Network {
  return { ...networkOfType(number, vxlanType(number), { kind: 'assigned' }, 1450), name };
}

/** A network as the store defines it: its number is its VNI, and device names carry the number in hex. */
export function networkOfType(number: number, type: NetworkType, peers?: Peers, mtuBytes = 1400): Network {
  const hex = number.toString(16);
  const { labels, subnets, routes, extra } = manage;
  return {
    id: networkIdOf(number as NetworkNumber),
    number: number as NetworkNumber,
    name: `n${hex}`,
    bridge: plainBridge(`br${hex}`),
    type,
    ...(peers !== undefined && { peers }),
    mtuBytes,
    hostAddress: { kind: 'none' },
    routing: { mode: 'none', via: [], rules: [] },
    span: { kind: 'on-demand' },
    source: 'store',
    ...{ labels, subnets, routes, extra },
  };
}

/** The type of a VXLAN network with this number as its VNI. */
export function vxlanType(number: number, more: Partial<VxlanType> = {}): VxlanType {
  const device = `vxlan${number.toString(16)}`;
  return { kind: 'vxlan', device, vni: number as Vni, udpPort: VXLAN_PORT, underlay: 'ipv4', learning: true, ...more };
}

/** One of the meshes of a simulated cluster, numbered from 0: VNIs begin at 456, prefixes at `fd42:2345:1234:9abc::/64`. */
export function meshNumber(number: number): Mesh {
  const vni = 456 + number;
  return mesh(`mesh${number}`, vni, { prefix: `fd42:2345:1234:${(0x9abc + number).toString(16)}::/64` });
}

/**
 * The node on `machine` as a member of `network`, with the addresses that are derived from its machine id.
 *
 * @param machine `host0`, or a machine id of eight hex digits
 * @param ipv4 its VTEP: where its VXLAN packets are sent
 */
export function member(network: Mesh, machine: string, ipv4: string, name = machine): Member {
  const word = machine === 'host0' ? machine : parseMachineId(machine);
  const { bridgeMac: mac, ipv6 } = memberAddresses(network, word);
  return { name, ipv4: parseIpv4(ipv4), mac, ipv6 };
}

/** One of many members of `network`: `node1` at 10.11.0.11 is number 1; the last number is 245. */
export function memberNumber(network: Mesh, number: number): Member {
  return member(network, board(number), `10.11.0.${10 + number}`, `node${number}`);
}

/** One of many machine ids: that of a machine whose hardware text is `board <number>`. */
export function board(number: number): MachineId {
  return machineIdOf(`board ${number}`);
}
