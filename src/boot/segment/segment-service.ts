/** What serves on a segment, from its mode and host0's addresses there: pure, but for the process itself. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
import { dnsmasqConf, dnsmasqRemedy, type SegmentService } from '../../services/dnsmasq/dnsmasq-conf.ts';
import { findProgram } from '../../services/process/program-path.ts';
import type { ServiceSpec } from '../../services/process/service.ts';
import { PROBE_CLASS } from '../frames/host0-mark.ts';
import { NO_IPV4 } from '../frames/udp-frame.ts';
import { type NicAddress, ownAddresses } from '../nics/nic-address.ts';
import { type Allocation, host0AddressIn } from '../nics/subnet-book.ts';

/** Long enough for host0 to be away a while, short enough for another server to take over within the hour. */
const LEASE_SEC = 3600;
const DHCP_PORT = 67;
const PROGRAM = 'dnsmasq';
/** Whom Debian's and Alpine's packages make for it. */
const PLACES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The subnet that host0 would serve on a port: that of the address which the port has by itself, else what it was given.
 * @param addresses all of the port
 */
export function subnetOf(addresses: readonly NicAddress[], allocation: Allocation | undefined): SubnetView | undefined {
  const own = ownAddresses(addresses, allocation)[0];
  if (own !== undefined) return { subnet: ipv4Subnet(own.ipv4, own.length), origin: 'own', ipv4: own.ipv4 };
  if (allocation === undefined) return undefined;
  const { subnet, origin } = allocation;
  return { subnet, origin, ipv4: host0AddressIn(subnet) };
}

/** host0's address for machines whose addresses another server gives: one in its subnet, as far as that is known. */
export function guestAddress(addresses: readonly NicAddress[], foreign: readonly Ipv4Cidr[]): NicAddress | undefined {
  if (foreign.length === 0) return addresses[0];
  return addresses.find(({ ipv4 }) => foreign.some((subnet) => ipv4InSubnet(ipv4, subnet)));
}

export function noGuestAddress(device: string, foreign: readonly Ipv4Cidr[]): MeshError {
  const where = foreign.length === 0 ? '' : ` in ${foreign.join(' or ')}`;
  const message = `host0 has no address${where} on ${device}: what boots there could not reach it`;
  return new MeshError('MESH_BOOT_NO_ADDRESS', message, {
    object: device,
    rule: 'Beside another DHCP server, machines get their addresses from it, and must reach host0 with them.',
    remedy: `Give ${device} an address${where}, fixed or from that server, for example with \`ip address add\`.`,
  });
}

/** Of so few hosts every one is given out. */
const SMALL = 8;

/** Where a server's addresses come from. The lower half of a subnet that an administrator made is left to fixed ones. */
export function leaseRange({ subnet, origin, ipv4 }: SubnetView): { first: Ipv4; last: Ipv4 } {
  const { first, last } = ipv4Range(subnet);
  const [from, to] = [ipv4ToNumber(first), ipv4ToNumber(last)];
  const hosts = to - from + 1;
  const start = origin === 'own' && hosts > SMALL ? from + Math.floor(hosts / 2) : from;
  const next = start === ipv4ToNumber(ipv4) ? start + 1 : start;
  const end = to === ipv4ToNumber(ipv4) && to > next ? to - 1 : to;
  return { first: ipv4FromNumber(Math.min(next, end)), last: ipv4FromNumber(end) };
}

export interface ServiceSetting {
  /** Where dnsmasq is. */
  readonly program: string;
  readonly device: string;
  /** Where its files are. */
  readonly directory: string;
  readonly tftpRoot: string;
}

export function serviceSpec(
  place: ServiceSetting,
  mode: Extract<BootMode, 'proxy' | 'server'>,
  subnet: SubnetView,
): ServiceSpec {
  const { program, device, directory, tftpRoot } = place;
  const service: SegmentService = {
    device,
    host0: subnet.ipv4,
    subnet: ipv4Range(subnet.subnet),
    tftpRoot,
    leaseFile: leaseFile(directory, device),
    ignoredClass: PROBE_CLASS,
    mode: mode === 'proxy' ? { name: mode } : { name: mode, ...leaseRange(subnet), leaseSec: LEASE_SEC },
  };
  const conf = dnsmasqConf(service);
  const file = join(directory, `${device}.conf`);
  return {
    argv: [program, '--keep-in-foreground', `--conf-file=${file}`, '--pid-file', '--log-facility=-'],
    fingerprint: createHash('sha256').update(conf).digest('hex').slice(0, 16),
    prepare: () => {
      mustBeAlone(device);
      writeFileSync(file, conf);
    },
    label: mode,
    remedyFor: dnsmasqRemedy,
  };
}

/**
 * Of a server on this machine no packet comes from outside, and dnsmasq would share the port with another dnsmasq: both
 * would answer.
 */
function mustBeAlone(device: string): void {
  if (!hasListener({ address: NO_IPV4, port: DHCP_PORT, device })) return;
  throw new MeshError(
    'MESH_BOOT_FOREIGN_DHCP',
    `another program of this machine has UDP port ${DHCP_PORT} at ${device}`,
    {
      object: device,
      rule: 'Only one of them may answer DHCP on a segment.',
      remedy: `Find it with \`ss -lunp\`, and stop it or take ${device} out of it; or set boot_mode="${device}=off" in host0.conf.`,
    },
  );
}

export function leaseFile(directory: string, device: string): string {
  return join(directory, `${device}.leases`);
}

/** @throws MESH_BOOT_FILES_MISSING when there is none */
export function dnsmasqProgram(): string {
  const found = findProgram(PROGRAM, PLACES);
  if (found !== undefined) return found;
  throw new MeshError('MESH_BOOT_FILES_MISSING', 'there is no dnsmasq, which gives out addresses and boot files', {
    object: PROGRAM,
    rule: `It is looked for in PATH and in ${PLACES.join(', ')}.`,
    remedy: 'Install it: `apt-get install dnsmasq-base`, or `apk add dnsmasq`.',
  });
}
