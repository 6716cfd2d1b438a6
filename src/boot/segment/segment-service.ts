/** The dnsmasq of a segment: its subnet, lease range and configuration, from the mode and host0's addresses there. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { host0AddressIn, type SubnetAllocation } from '../../controller/pools/subnet-book.ts';
import { hasListener } from '../../kernel/sockets/listener.ts';
import {
  type Ipv4,
  type Ipv4Cidr,
  ipv4FromNumber,
  ipv4InSubnet,
  ipv4Range,
  ipv4Subnet,
  ipv4ToNumber,
} from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { BootMode, SubnetView } from '../../protocol/documents/boot-views.ts';
import { bootConf, type SegmentService } from '../../services/dnsmasq/boot-conf.ts';
import { DNSMASQ_REMEDIES } from '../../services/dnsmasq/setting.ts';
import { contentDigest } from '../../services/process/process-spec.ts';
import { findProgram } from '../../services/process/program-path.ts';
import type { ServiceSpec } from '../../services/process/service.ts';
import { PROBE_CLASS } from '../frames/host0-mark.ts';
import { NO_IPV4 } from '../frames/udp-frame.ts';
import { type NicAddress, ownAddresses } from '../nics/nic-address.ts';

/** Long enough to bridge a while without host0, and short enough for another server to take over within an hour. */
const LEASE_SEC = 3600;
/** Where DHCP servers listen. */
export const DHCP_PORT = 67;
const PROGRAM = 'dnsmasq';
/** Where packages install dnsmasq when it is not in PATH. */
const PROGRAM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The subnet that host0 would serve on a segment: that of the NIC's own address, else the allocated one.
 * @param addresses all addresses of the NIC, with the one that host0 allocated
 */
export function subnetOf(
  addresses: readonly NicAddress[],
  allocation: SubnetAllocation | undefined,
): SubnetView | undefined {
  const own = ownAddresses(addresses, allocation)[0];
  if (own !== undefined) return { subnet: ipv4Subnet(own.ipv4, own.length), origin: 'own', ipv4: own.ipv4 };
  if (allocation === undefined) return undefined;
  const { subnet, origin } = allocation;
  return { subnet, origin, ipv4: host0AddressIn(subnet) };
}

/** host0's address beside another DHCP server: one in the server's subnet or, if no subnet is known, the first. */
export function guestAddress(addresses: readonly NicAddress[], foreign: readonly Ipv4Cidr[]): NicAddress | undefined {
  if (foreign.length === 0) return addresses[0];
  return addresses.find(({ ipv4 }) => foreign.some((subnet) => ipv4InSubnet(ipv4, subnet)));
}

/** The error for a segment with another DHCP server in whose subnet host0 has no address. @param foreign its subnets */
export function noGuestAddress(device: string, foreign: readonly Ipv4Cidr[]): MeshError {
  const where = foreign.length === 0 ? '' : ` in ${foreign.join(' or ')}`;
  const message = `host0 has no address${where} on ${device}: machines that boot there could not reach it`;
  return new MeshError('MESH_BOOT_NO_ADDRESS', message, {
    object: device,
    rule: 'Beside another DHCP server, machines get their addresses from it, and must reach host0 with them.',
    remedy: `Give ${device} an address${where}, fixed or from that server, for example with \`ip address add\`.`,
  });
}

/** In a subnet with at most this many addresses for hosts, all are given out. */
const SMALL_HOSTS = 8;

/**
 * The addresses that host0 gives out in a subnet, both ends included. In a subnet that an administrator set up (`own`), the lower
 * half is left for fixed addresses.
 */
export function leaseRange({ subnet, origin, ipv4 }: SubnetView): { first: Ipv4; last: Ipv4 } {
  const { first, last } = ipv4Range(subnet);
  const [from, to] = [ipv4ToNumber(first), ipv4ToNumber(last)];
  const hosts = to - from + 1;
  const start = origin === 'own' && hosts > SMALL_HOSTS ? from + Math.floor(hosts / 2) : from;
  const next = start === ipv4ToNumber(ipv4) ? start + 1 : start;
  const end = to === ipv4ToNumber(ipv4) && to > next ? to - 1 : to;
  return { first: ipv4FromNumber(Math.min(next, end)), last: ipv4FromNumber(end) };
}

interface ServiceSetting {
  /** The path of dnsmasq. */
  readonly program: string;
  readonly device: string;
  /** Where dnsmasq's configuration and leases are. */
  readonly directory: string;
  readonly tftpRoot: string;
}

/** The name of the dnsmasq of a device, in messages and of its files. */
export function dnsmasqName(device: string): string {
  return `dnsmasq-${device}`;
}

/** How to run the dnsmasq of a segment. `prepare` writes its configuration, just before the start. */
export function serviceSpec(
  setting: ServiceSetting,
  mode: Extract<BootMode, 'proxy' | 'server'>,
  subnet: SubnetView,
): ServiceSpec {
  const { program, device, directory, tftpRoot } = setting;
  const service: SegmentService = {
    device,
    host0: subnet.ipv4,
    subnet: ipv4Range(subnet.subnet),
    tftpRoot,
    leaseFile: leaseFile(directory, device),
    ignoredClass: PROBE_CLASS,
    mode:
      mode === 'proxy' ? { name: mode } : { name: mode, hostFile: hostFile(directory, device), leaseSec: LEASE_SEC },
  };
  const conf = bootConf(service);
  const file = join(directory, `${device}.conf`);
  return {
    process: {
      name: dnsmasqName(device),
      title: `dnsmasq for segment ${device}`,
      argv: [program, '--keep-in-foreground', `--conf-file=${file}`, '--pid-file', '--log-facility=-'],
      reads: [contentDigest(conf)],
      label: mode,
      remedies: DNSMASQ_REMEDIES,
    },
    prepare: () => {
      refuseOtherServer(device);
      writeFileSync(file, conf);
      // dnsmasq sets a umask of its own, and would make a file for everybody.
      closeSync(openSync(service.leaseFile, 'a', 0o640));
    },
  };
}

/**
 * Looks for another DHCP server on this machine: its packets do not come from outside, so the watch of the segment cannot hear
 * it. If it is a dnsmasq, the two would share the UDP port, and both would answer.
 * @throws MESH_BOOT_FOREIGN_DHCP
 */
function refuseOtherServer(device: string): void {
  if (!hasListener({ address: NO_IPV4, port: DHCP_PORT, device })) return;
  throw new MeshError(
    'MESH_BOOT_FOREIGN_DHCP',
    `another program of this machine has UDP port ${DHCP_PORT} at ${device}`,
    {
      object: device,
      rule: 'Only one program may answer DHCP on a segment.',
      remedy: `Find it with \`ss -lunp\`, and stop it or take ${device} out of it; or set boot_mode="${device}=off" in host0.conf.`,
    },
  );
}

/** Where dnsmasq keeps the leases of a device. @param directory `<state>/boot` */
export function leaseFile(directory: string, device: string): string {
  return join(directory, `${device}.leases`);
}

/** Where the address of each machine of a device's segment is. @param directory `<state>/boot` */
export function hostFile(directory: string, device: string): string {
  return join(directory, `${device}.hosts`);
}

/** The path of dnsmasq. @throws MESH_BOOT_FILES_MISSING if it is not installed */
export function dnsmasqProgram(): string {
  const found = findProgram(PROGRAM, PROGRAM_DIRECTORIES);
  if (found !== undefined) return found;
  throw new MeshError('MESH_BOOT_FILES_MISSING', 'there is no dnsmasq, which gives out addresses and boot files', {
    object: PROGRAM,
    rule: `It is looked for in PATH and in ${PROGRAM_DIRECTORIES.join(', ')}.`,
    remedy: 'Install it: `apt-get install dnsmasq-base`, or `apk add dnsmasq`.',
  });
}
