/** Changes of `<range>` and `<host>` in the `<dhcp>` of a subnet. */
import { isIpv4 } from '../../model/address/ipv4.ts';
import type { Network } from '../../model/network/network.ts';
import type { DhcpHost, Subnet, SubnetDhcp } from '../../model/network/subnet.ts';
import { readHost, readRange, type ServedSubnet } from './parts/dhcp-xml.ts';
import { typedAddress, word } from './text/element-reader.ts';
import { added, invalid, notUpdatable, replaced, type UpdateEntry } from './update-entry.ts';

const EMPTY: SubnetDhcp = { ranges: [], hosts: [], options: [] };

/** The network with a changed entry. @throws XmlNetworkError */
export function changedDhcp(network: Network, entry: UpdateEntry, section: 4 | 5): Network {
  const index = parentOf(network, entry.parentIndex);
  const subnet = network.subnets[index];
  if (subnet === undefined) return network;
  const dhcp = section === 4 ? changedHosts(network, subnet, entry) : changedRanges(network, subnet, entry);
  const { dhcp: _, ...bare } = subnet;
  const isEmpty = dhcp.ranges.length === 0 && dhcp.hosts.length === 0 && dhcp.options.length === 0;
  return { ...network, subnets: replaced(network.subnets, index, isEmpty ? bare : { ...bare, dhcp }) };
}

/** Where libvirt looks for the `<ip>` of an entry. */
function parentOf({ name, subnets }: Network, index: number): number {
  if (index >= 0 && index < subnets.length) return index;
  const served = subnets.findIndex(({ dhcp }) => dhcp !== undefined);
  const four = subnets.findIndex(({ cidr }) => !cidr.includes(':'));
  const found = served !== -1 ? served : four !== -1 ? four : 0;
  if (index < 0 && subnets.length > 0) return found;
  throw invalid(
    // libvirt says `host` of ranges, too.
    `couldn't update dhcp host entry - no <ip> element found at index ${Math.max(0, index)} in network '${name}'`,
  );
}

function servedBy({ cidr, hostAddress }: Subnet): ServedSubnet {
  const [network = '', length] = cidr.split('/');
  const address = hostAddress ?? typedAddress(network);
  if (address === undefined) throw new Error('a subnet without an address');
  return { address, length: Number(length) };
}

function changedHosts({ name }: Network, subnet: Subnet, { root, command, notes }: UpdateEntry): SubnetDhcp {
  const dhcp = subnet.dhcp ?? EMPTY;
  const { hosts } = dhcp;
  const served = servedBy(subnet);
  const host = readHost(root, served, notes, command === 'delete');
  const typedMac = word(root, 'mac');
  if (host.address !== undefined && isIpv4(host.address) !== isIpv4(served.address)) {
    throw invalid("the address family of a host entry IP must match the address family of the dhcp element's parent");
  }
  const shown = { mac: typedMac ?? 'unknown', name: host.name ?? 'unknown', ip: host.address ?? 'unknown' };
  switch (command) {
    case 'modify': {
      const at = hosts.findIndex((one) => isAnyEqual(one, host));
      if (at === -1) {
        throw invalid(
          `couldn't locate an existing dhcp host entry with "mac='${shown.mac}'" "name='${shown.name}'" "ip='${shown.ip}'" in network '${name}'`,
        );
      }
      return { ...dhcp, hosts: replaced(hosts, at, host) };
    }
    case 'delete': {
      const at = hosts.findIndex((one) => isAllEqual(one, host));
      if (at === -1) throw invalid(`couldn't locate a matching dhcp host entry in network '${name}'`);
      return { ...dhcp, hosts: replaced(hosts, at) };
    }
    default:
      if (hosts.some((one) => isAnyEqual(one, host))) {
        throw invalid(
          `there is an existing dhcp host entry in network '${name}' that matches "<host mac='${shown.mac}' name='${shown.name}' ip='${shown.ip}'/>"`,
        );
      }
      return { ...dhcp, hosts: added(hosts, host, command) };
  }
}

const KEYS = ['mac', 'id', 'name', 'address'] as const;

/** One of the parts that both have is the same. */
function isAnyEqual(one: DhcpHost, other: DhcpHost): boolean {
  return KEYS.some((key) => other[key] !== undefined && one[key] === other[key]);
}

/** All parts that are named are the same, and one is named. */
function isAllEqual(one: DhcpHost, named: DhcpHost): boolean {
  const keys = KEYS.filter((key) => named[key] !== undefined);
  return keys.length > 0 && keys.every((key) => one[key] === named[key]);
}

function changedRanges({ name }: Network, subnet: Subnet, { root, command, notes }: UpdateEntry): SubnetDhcp {
  const dhcp = subnet.dhcp ?? EMPTY;
  const { ranges } = dhcp;
  if (command === 'modify') throw notUpdatable('dhcp ranges cannot be modified, only added or deleted');
  const range = readRange(root, servedBy(subnet), notes);
  const at = ranges.findIndex(({ first, last }) => first === range.first && last === range.last);
  if (command === 'delete') {
    if (at === -1) throw invalid(`couldn't locate a matching dhcp range entry in network '${name}'`);
    return { ...dhcp, ranges: replaced(ranges, at) };
  }
  if (at === -1) return { ...dhcp, ranges: added(ranges, range, command) };
  throw invalid(
    `there is an existing dhcp range entry in network '${name}' that matches "<range start='${range.first}' end='${range.last}'/>"`,
  );
}
