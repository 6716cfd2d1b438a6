/** DHCP and DNS of a network on one node: one dnsmasq for all, with a share of each service. */
import { join } from 'node:path';
import { ipv4Length } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { DnsmasqService } from '../../protocol/documents/service/assigned-dhcp.ts';
import type { AssignedService } from '../../protocol/documents/service/assigned-service.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';
import { dnsmasqProcess } from '../../services/dnsmasq/dnsmasq-process.ts';
import { networkConf, networkHosts, networkReservations, servedHere } from '../../services/dnsmasq/network-conf.ts';
import type { NodeService } from '../desired/parts/service.ts';
import { type DhcpFamily, type ServiceSpace, SPACE_LINK } from '../items/space/service-space.ts';
import type { AnswerEarInput } from './answer-ear.ts';
import { leasesAt } from './lease-files.ts';

/** Where the dnsmasq of a network is, and what it keeps. */
export interface DnsmasqServerPlace {
  readonly name: string;
  readonly netns: string;
  /** The directory of the files that it reads. */
  readonly files: string;
  /** The directory of its leases. The space makes it. */
  readonly leases: string;
  readonly needs: NonNullable<NodeService['needs']>;
}

/** What the share of a node in DHCP has of either family. */
interface DhcpShare {
  readonly service: { readonly servers: readonly { readonly ranges: readonly unknown[] }[] };
  readonly own: { readonly ranges: readonly unknown[] };
}

const PREFIX_LENGTH = 64;

/** Whether dnsmasq does a service. */
export function isDnsmasqService(service: AssignedService): service is DnsmasqService {
  return service.kind === 'dhcp4' || service.kind === 'dhcp6' || service.kind === 'dns';
}

/** Whether this node has a share in a service. */
export function hasShare(service: DnsmasqService, all: readonly AssignedService[], machine: MachineWord): boolean {
  const { dhcp4, dhcp6, dns } = servedHere(all.filter(isDnsmasqService), machine);
  return [dhcp4?.service, dhcp6?.service, dns].includes(service);
}

/** This node's own addresses in the network: those at which it serves. */
export function dnsmasqAddresses(
  services: readonly AssignedService[],
  machine: MachineWord,
): ServiceSpace['addresses'] {
  const own: ServiceSpace['addresses'][number][] = services.filter(isDnsmasqService).flatMap((service) => {
    const length =
      service.kind === 'dhcp4' && service.subnet !== undefined ? ipv4Length(service.subnet) : PREFIX_LENGTH;
    return service.servers.flatMap((server) =>
      server.machine === machine ? [{ address: server.address, length }] : [],
    );
  });
  return own.filter(({ address }, index) => own.findIndex((other) => other.address === address) === index);
}

/** Whether this node does DHCP in the network: it keeps leases then. */
export function doesDhcp(services: readonly AssignedService[], machine: MachineWord): boolean {
  const { dhcp4, dhcp6 } = servedHere(services.filter(isDnsmasqService), machine);
  return dhcp4 !== undefined || dhcp6 !== undefined;
}

/** The families in which guests of this node ask no other node: it has all that they need. */
export function familiesGiven(services: readonly AssignedService[], machine: MachineWord): readonly DhcpFamily[] {
  const { dhcp4, dhcp6 } = servedHere(services.filter(isDnsmasqService), machine);
  return [
    ...(dhcp4 !== undefined && hasOwnBlock(dhcp4) ? (['ipv4'] as const) : []),
    ...(dhcp6 !== undefined && hasOwnBlock(dhcp6) ? (['ipv6'] as const) : []),
  ];
}

/** A node without a block has no address for a guest without a reservation, whom another node can serve. */
function hasOwnBlock({ service: { servers }, own }: DhcpShare): boolean {
  return own.ranges.length > 0 || servers.every(({ ranges }) => ranges.length === 0);
}

/** What the dnsmasq of a network can be asked for, to hear whether it answers. */
export function questionsTo(
  services: readonly AssignedService[],
  machine: MachineWord,
): Pick<AnswerEarInput, 'kinds' | 'ipv4'> {
  const { dhcp4, dhcp6, dns } = servedHere(services.filter(isDnsmasqService), machine);
  return {
    kinds: [dhcp4?.service, dhcp6?.service, dns].flatMap((service) => service?.kind ?? []),
    ...(dhcp4 !== undefined && { ipv4: dhcp4.own.address }),
  };
}

/** The leases that are in force. @param directory that of the space's leases. @throws MESH_DISK_REFUSED */
export function leasesIn(directory: string, now: Date): GuestLease[] {
  return leasesAt(leaseFileIn(directory), now);
}

function leaseFileIn(directory: string): string {
  return join(directory, 'leases');
}

/** The dnsmasq of a network; undefined where this node has no share. */
export function dnsmasqServer(
  network: Pick<Network, 'id' | 'name'>,
  all: readonly AssignedService[],
  machine: MachineWord,
  { name, netns, files, leases, needs }: DnsmasqServerPlace,
): NodeService | undefined {
  const services = all.filter(isDnsmasqService);
  const { dhcp4, dhcp6, dns } = servedHere(services, machine);
  if (dhcp4 === undefined && dhcp6 === undefined && dns === undefined) return undefined;
  const [configFile, reservationFile, hostsFile] = ['conf', 'reservations', 'hosts'].map((what) =>
    join(files, `${name}.${what}`),
  ) as [string, string, string];
  const serving = { device: SPACE_LINK, machine, services, reservationFile, hostsFile, leaseFile: leaseFileIn(leases) };
  const file = (path: string, content: string, read: 'start' | 'signal') => ({ path, content, mode: 0o644, read });
  return {
    network: network.id,
    process: dnsmasqProcess({ name, network: network.name, netns, configFile }),
    files: [
      file(configFile, networkConf(serving), 'start'),
      file(reservationFile, networkReservations(services), 'signal'),
      file(hostsFile, networkHosts(services), 'signal'),
    ],
    needs,
  };
}
