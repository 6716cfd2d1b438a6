/** What libvirt's network driver refuses when a network is defined, beside what its parser refuses (code 67). */
import { isIpv4 } from '../../../model/address/ipv4.ts';
import { childOf, childrenOf, placeIn, refusal, word } from '../text/element-reader.ts';
import { LIBVIRT_CODE } from '../text/xml-error.ts';
import type { XmlElement } from '../text/xml-tree.ts';
import { type Carrier, type Forward, isManaged } from './carrier-xml.ts';
import type { Notes } from './notes.ts';
import { subnetElements } from './subnet-xml.ts';

const { unsupported } = LIBVIRT_CODE;

/** @throws XmlNetworkError */
export function checkByDriver(root: XmlElement, forward: Forward, carrier: Carrier, { name }: Notes): void {
  const { mode } = forward;
  const say = (message: string, at: XmlElement, rule: string) => refusal(message, { at, code: unsupported, rule });
  if (!isManaged(mode)) checkUnmanaged(root, forward, name);
  checkDhcpOnce(root);
  const groups = childrenOf(root, 'portgroup');
  const bandwidth = childOf(root, 'bandwidth');
  const isLimitable = isManaged(mode) || (mode === 'bridge' && carrier.name !== undefined);
  const port = childOf(root, 'virtualport');
  const isTaggable =
    mode === 'hostdev' ||
    mode === 'passthrough' ||
    (mode === 'bridge' && (carrier.name !== undefined || (port !== undefined && word(port, 'type') === 'openvswitch')));
  const defaults = groups.filter((group) => word(group, 'default') === 'yes');
  for (const [index, group] of groups.entries()) {
    const twice = groups.slice(index + 1).find((other) => word(other, 'name') === word(group, 'name'));
    const [first, second] = defaults;
    if (first !== undefined && second === group) {
      const message = `network '${name}' has multiple default <portgroup> elements (${word(first, 'name')} and ${word(second, 'name')}), but only one default is allowed`;
      throw say(message, second, 'One port group is the default.');
    }
    if (twice !== undefined) {
      const message = `multiple <portgroup> elements with the same name (${word(group, 'name')}) in network '${name}'`;
      throw say(message, twice, 'Names of port groups are unique in a network.');
    }
    const limits = childOf(group, 'bandwidth');
    if (limits !== undefined && !isLimitable) {
      const message = `Unsupported <bandwidth> element in network '${name}' in portgroup '${word(group, 'name')}' with forward mode='${mode}'`;
      throw say(message, limits, 'Only ports on a bridge are limited.');
    }
  }
  if (bandwidth !== undefined && !isLimitable) {
    const message = `Unsupported network-wide <bandwidth> element in network '${name}' with forward mode='${mode}'`;
    throw say(message, bandwidth, 'Only a bridge is limited.');
  }
  const vlan = childOf(root, 'vlan') ?? groups.map((group) => childOf(group, 'vlan')).find((one) => one !== undefined);
  if (vlan !== undefined && !isTaggable) {
    const message = `<vlan> element specified for network ${name}, whose type doesn't support vlan configuration`;
    throw say(message, vlan, 'Tags are those of guests on a bridge that exists, or on cards of their own.');
  }
}

function checkUnmanaged(root: XmlElement, { mode }: Forward, name: string): void {
  const dns = childOf(root, 'dns');
  const records = dns && ['txt', 'host', 'srv'].map((one) => childOf(dns, one)).find((one) => one !== undefined);
  const odd = [
    ['mac', childOf(root, 'mac')],
    ['ip', childOf(root, 'ip')],
    ['dns', records],
    ['domain', childOf(root, 'domain')],
  ] as const;
  for (const [what, at] of odd) {
    if (at === undefined || (what === 'domain' && !word(at, 'name'))) continue;
    throw refusal(`Unsupported <${what}> element in network ${name} with forward mode='${mode}'`, {
      at,
      code: unsupported,
      rule: 'A network without a bridge of its own has no addresses and serves no names.',
      remedy: `Leave <${what}> out`,
    });
  }
}

function checkDhcpOnce(root: XmlElement): void {
  const seen = new Set<string>();
  for (const element of subnetElements(root)) {
    const dhcp = childOf(element, 'dhcp');
    const isServed =
      dhcp !== undefined && (childOf(dhcp, 'range') !== undefined || childOf(dhcp, 'host') !== undefined);
    if (!isServed) continue;
    const family = isIpv4(word(element, 'address') ?? '') ? 'IPv4' : 'IPv6';
    if (seen.has(family)) {
      const message = `Multiple ${family} dhcp sections found -- dhcp is supported only for a single ${family} address on each network`;
      throw refusal(message, { at: dhcp, code: unsupported, rule: `DHCP serves one ${family} subnet of a network.` });
    }
    seen.add(family);
  }
}

/** `<nat>` and `<route>` need an address. @throws XmlNetworkError */
export function checkForwardAddress(root: XmlElement, { mode, element }: Forward, { name }: Notes): void {
  if ((mode !== 'nat' && mode !== 'route') || subnetElements(root).length > 0) return;
  const message = `${mode} forwarding requested, but no IP address provided for network '${name}'`;
  const at = element === undefined ? root : placeIn(element, 'mode');
  throw refusal(message, {
    at,
    rule: 'A network that is routed has a subnet.',
    remedy: "Write <ip address='10.1.2.1' prefix='24'/>",
  });
}
