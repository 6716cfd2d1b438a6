/** The configuration of a dnsmasq that serves one network on one node: DHCP for both families, and DNS. Pure. */
import { ipv4Range } from '../../model/address/ipv4.ts';
import { parseIpv6Interface } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type {
  AssignedDhcp4,
  AssignedDhcp6,
  AssignedDns,
  DnsmasqService,
} from '../../protocol/documents/service/assigned-dhcp.ts';
import { AUTHORITATIVE, dhcpOption, dhcpRange, KNOWN_BY_MAC, leasePart, reservationLine } from './dhcp-part.ts';
import { dnsPart, hostsText, NO_DNS } from './dns-part.ts';
import { interfacePart } from './interface-part.ts';
import { bracketed, type ConfLines, confText } from './setting.ts';

/** What one dnsmasq serves, and where its files are. */
export interface NetworkServing {
  /** The device at which it serves. */
  readonly device: string;
  readonly machine: MachineWord;
  readonly services: readonly DnsmasqService[];
  /** The file of `networkReservations`. */
  readonly reservationFile: string;
  /** The file of `networkHosts`. */
  readonly hostsFile: string;
  readonly leaseFile: string;
}

/** The services of a kind among those of a network, as far as this node has a share in them. */
export function servedHere(services: readonly DnsmasqService[], machine: MachineWord) {
  const of = <K extends DnsmasqService['kind']>(kind: K) =>
    services.find((service): service is Extract<DnsmasqService, { kind: K }> => service.kind === kind);
  const [dhcp4, dhcp6, dns] = [of('dhcp4'), of('dhcp6'), of('dns')];
  return {
    dhcp4: shareOf(dhcp4, machine),
    dhcp6: shareOf(dhcp6, machine),
    // Without a /64, DNS is at the address of DHCP.
    dns: dns !== undefined && (shareOf(dns, machine) ?? shareOf(dhcp4, machine)) !== undefined ? dns : undefined,
  };
}

function shareOf<S extends { readonly servers: readonly { readonly machine: MachineWord }[] }>(
  service: S | undefined,
  machine: MachineWord,
): { readonly service: S; readonly own: S['servers'][number] } | undefined {
  const own = service?.servers.find((server) => server.machine === machine);
  return service === undefined || own === undefined ? undefined : { service, own };
}

/** The text of the configuration file. dnsmasq reads it only when it starts. */
export function networkConf(serving: NetworkServing): string {
  const { device, machine, services, reservationFile, hostsFile, leaseFile } = serving;
  const { dhcp4, dhcp6, dns } = servedHere(services, machine);
  const hasDns = dns !== undefined;
  return confText(
    interfacePart(device),
    hasDns ? dnsPart({ ...dns, hosts: [] }, { localOnly: dns.localOnly, hostsFile }) : NO_DNS,
    dhcp4 === undefined ? [] : dhcp4Lines(dhcp4.service, dhcp4.own, hasDns),
    dhcp6 === undefined ? [] : dhcp6Lines(dhcp6.service, dhcp6.own, hasDns),
    dhcp4 === undefined && dhcp6 === undefined
      ? []
      : [...leasePart({ hostFile: reservationFile, leaseFile }), '# A guest is known by its MAC.', KNOWN_BY_MAC],
  );
}

function dhcp4Lines(service: AssignedDhcp4, own: AssignedDhcp4['servers'][number], hasDns: boolean): ConfLines {
  const { leaseSec, routers, servers, mtuBytes, domain } = service;
  if (service.subnet === undefined) return [];
  const subnet = ipv4Range(service.subnet);
  const others = servers.filter(({ machine }) => machine !== own.machine);
  const resolvers = service.resolvers ?? (hasDns ? [own, ...others].map(({ address }) => address) : []);
  return [
    '# The block of this node; reservations are in the whole subnet.',
    ...own.ranges.map((range) => dhcpRange({ kind: 'dynamic4', ...range, mask: subnet.mask }, leaseSec)),
    ...(own.ranges.length === 0 ? [dhcpRange({ kind: 'static4', subnet }, leaseSec)] : []),
    dhcpOption({ option: 'option:router', values: routers }),
    dhcpOption({ option: 'option:dns-server', values: resolvers }),
    dhcpOption({ option: 'option:mtu', values: [mtuBytes] }),
    ...(domain === undefined ? [] : [dhcpOption({ option: 'option:domain-name', values: [domain] })]),
    // With a second server, each would refuse the guests that have chosen the other one.
    ...(others.length === 0 ? [AUTHORITATIVE] : []),
  ];
}

function dhcp6Lines(service: AssignedDhcp6, own: AssignedDhcp6['servers'][number], hasDns: boolean): ConfLines {
  const { leaseSec, servers, domain, prefix } = service;
  if (prefix === undefined) return [];
  const { address: network, length } = parseIpv6Interface(prefix);
  const others = servers.filter(({ machine }) => machine !== own.machine);
  const resolvers = service.resolvers ?? (hasDns ? [own, ...others].map(({ address }) => address) : []);
  return [
    '# For IPv6. The advertisements of the routers come from another program.',
    ...own.ranges.map((range) => dhcpRange({ kind: 'dynamic6', ...range, length }, leaseSec)),
    ...(own.ranges.length === 0 ? [dhcpRange({ kind: 'static6', network, length }, leaseSec)] : []),
    dhcpOption({ option: 'option6:dns-server', values: resolvers.map(bracketed) }),
    ...(domain === undefined ? [] : [dhcpOption({ option: 'option6:domain-search', values: [domain] })]),
  ];
}

/** The text of the file of reservations, the same on all nodes. dnsmasq reads it again on SIGHUP. */
export function networkReservations(services: readonly DnsmasqService[]): string {
  const hosts = services.flatMap((service): readonly (AssignedDhcp4 | AssignedDhcp6)['hosts'][number][] =>
    service.kind === 'dns' ? [] : service.hosts,
  );
  return hosts.map((host) => `${reservationLine(host)}\n`).join('');
}

/** The text of the file of hosts. dnsmasq reads it again on SIGHUP. */
export function networkHosts(services: readonly DnsmasqService[]): string {
  return services.flatMap((service) => (isDns(service) ? [hostsText(service.hosts)] : [])).join('');
}

function isDns(service: DnsmasqService): service is AssignedDns {
  return service.kind === 'dns';
}
