/**
 * The addresses of virtual machines in a lab: all follow from the number of the net and the number of the machine, on the host and in
 * the guest (`shipped/guest/addresses.sh` has the same formula). For net 1 and machine 3:
 *
 *     host name  vm-003
 *     MAC        02:00:00:01:01:03
 *     IPv4       192.168.1.3/24
 *     IPv6       fd00::192.168.1.3/120, which is fd00::c0a8:103
 */
import { type Ipv4, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';

/** What a machine is for, by its number. */
export const VM_ROLES = ['node', 'router', 'tester'] as const;
/** One of them. */
export type VmRole = (typeof VM_ROLES)[number];

/** The numbers of each role, the first and the last. */
export const ROLE_NUMBERS: Readonly<Record<VmRole, { readonly first: number; readonly last: number }>> = {
  node: { first: 1, last: 200 },
  router: { first: 201, last: 220 },
  tester: { first: 221, last: 240 },
};
/** The number of the machine that the lab runs on. */
export const HOST_NUMBER = 250;
/** The number of a net is one byte of the MAC and of the IPv4 address. */
export const NET_MAX = 255;
/** The prefix of IPv6 addresses: 96 bits. */
export const DEFAULT_PREFIX = 'fd00::';
/** The length of the prefix of an IPv4 address. */
export const IPV4_PREFIX_BITS = 24;
/** The length of the prefix of an IPv6 address. */
export const IPV6_PREFIX_BITS = 120;

/** Where the number of a machine is read: in its host name, or in the MAC of its first card, where the name is not known yet. */
export type NumberSource = { readonly hostName: string } | { readonly mac: string };

/** The number of a machine; undefined where the source has none. */
export function vmNumberOf(source: NumberSource): number | undefined {
  if ('hostName' in source) {
    const digits = /^vm-(\d{3})$/.exec(source.hostName)?.[1];
    return digits === undefined ? undefined : asVmNumber(Number(digits));
  }
  const last = /^02:00:00:01:[0-9a-f]{2}:([0-9a-f]{2})$/.exec(source.mac)?.[1];
  return last === undefined ? undefined : asVmNumber(Number.parseInt(last, 16));
}

/** The role of a machine; undefined for a number of no role. */
export function roleOfNumber(number: number): VmRole | undefined {
  return VM_ROLES.find((role) => number >= ROLE_NUMBERS[role].first && number <= ROLE_NUMBERS[role].last);
}

/** The host name of a machine. @throws MESH_USAGE for a number that no machine has */
export function vmName(vm: number): string {
  return `vm-${String(checkedVm(vm)).padStart(3, '0')}`;
}

/** The MAC of a machine's card in a net. @throws MESH_USAGE for a net or a number out of range */
export function vmMac(net: number, vm: number): Mac {
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  return parseMac(`02:00:00:01:${hex(checkedNet(net))}:${hex(checkedVm(vm))}`);
}

/** The IPv4 address of a machine in a net. @throws MESH_USAGE for a net or a number out of range */
export function vmIpv4(net: number, vm: number): Ipv4 {
  return parseIpv4(`192.168.${checkedNet(net)}.${checkedVm(vm)}`);
}

/** @param prefix of 96 bits, which ends with `::` */
export function vmIpv6(net: number, vm: number, prefix: string = DEFAULT_PREFIX): Ipv6 {
  return parseIpv6(`${prefix}${vmIpv4(net, vm)}`);
}

/** The bridge of a net. */
export function bridgeOfNet(net: number): string {
  return `xcbr${checkedNet(net)}`;
}

/** The tap of a machine in a net. */
export function tapOfVm(net: number, vm: number): string {
  return `${bridgeOfNet(net)}_t${checkedVm(vm)}`;
}

/**
 * The number of the machine `index` of a role, counted from 1.
 * @throws MESH_USAGE for more machines than the role has numbers
 */
export function numberInRole(role: VmRole, index: number): number {
  const { first, last } = ROLE_NUMBERS[role];
  const most = last - first + 1;
  if (Number.isInteger(index) && index >= 1 && index <= most) return first + index - 1;
  throw new MeshError('MESH_USAGE', `a lab cannot have ${index} machines of the role ${role}`, {
    object: role,
    rule: `The numbers of the role ${role} are ${first} to ${last}: at most ${most} machines. The number is the last byte of each address.`,
    remedy: `Ask for ${most} at most.`,
  });
}

function asVmNumber(number: number): number | undefined {
  return isVmNumber(number) ? number : undefined;
}

function isVmNumber(number: number): boolean {
  return roleOfNumber(number) !== undefined || number === HOST_NUMBER;
}

function checkedVm(vm: number): number {
  if (isVmNumber(vm)) return vm;
  const { node, router, tester } = ROLE_NUMBERS;
  throw new MeshError('MESH_USAGE', `no machine of a lab has the number ${vm}`, {
    object: String(vm),
    rule: `The number is the last byte of each address: nodes have ${node.first} to ${node.last}, routers ${router.first} to ${router.last}, testers ${tester.first} to ${tester.last}, and this machine has ${HOST_NUMBER}.`,
    remedy: 'Give a number in one of these ranges.',
  });
}

function checkedNet(net: number): number {
  if (Number.isInteger(net) && net >= 0 && net <= NET_MAX) return net;
  throw new MeshError('MESH_USAGE', `a lab cannot have a net ${net}`, {
    object: String(net),
    rule: `The number of a net is one byte of each address: 0 to ${NET_MAX}.`,
    remedy: `Give a number from 0 to ${NET_MAX}.`,
  });
}
