/** The ports of a network: foreign interfaces on its bridge, and the taps of guests. */
import type { Mac } from '../../../model/address/mac.ts';
import type { Bridge } from '../../../model/network/bridge.ts';
import type { NetworkGuests } from '../../../model/network/guests.ts';
import type { Network } from '../../../model/network/network.ts';
import type { NodeAddresses } from '../../../model/network/node-addresses.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import { TAP_CONF } from '../../items/link.ts';
import { tapAlias } from '../../items/mark.ts';
import type { PortItem } from '../../items/port.ts';
import type { DesiredInput } from '../assignment.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import { commonOfLinks } from '../link-common.ts';
import type { Content, Part } from '../part.ts';
import { portRules } from '../rules/port-rules.ts';

type Ports = DesiredInput['ports'];

/**
 * The interfaces that belong on a bridge. One that is being taken off has no item.
 * @param bridge a bridge of ours, or the name of another program's: the settings of its ports are left alone
 * @param guests the limits of guests of the network
 */
export function portPart(
  network: NetworkId,
  { name: bridge, macTable }: Pick<Bridge, 'name'> & Partial<Bridge>,
  ports: DesiredInput['ports'],
  guests?: NetworkGuests,
): Part {
  const isolated = isIsolated(guests);
  const learning = macTable === undefined ? undefined : macTable === 'learned';
  const portItem = ({ link, plugged: isGuest }: Ports[number]): PortItem => ({
    ...{ kind: 'port' as const, network, link, bridge },
    // An administrator who puts an interface on the bridge sets it as well, unless the network says otherwise.
    ...(learning !== undefined && (isGuest || !learning) && { learning }),
    ...(learning !== undefined && (isGuest || isolated) && { isolated }),
  });
  const plugged = ports.filter(({ unplugging, guest }) => !unplugging && guest?.tap !== true);
  return {
    key: 'ports',
    inputs: [bridge, learning, isolated, ports],
    build: () => ({ items: plugged.map((port) => portItem(port)) }),
  };
}

/** Whether guests on one node reach each other only through a router: as the network says, or its default group of ports. */
function isIsolated(guests: NetworkGuests | undefined): boolean {
  const group = guests?.portGroups.find(({ isDefault }) => isDefault);
  return (group?.isolation ?? guests?.isolation) === true;
}

/** The taps of a network's guests, each with the entry of its guest: the bridge learns at none of them. */
export function tapParts(network: Network, bridge: string, ports: Ports): Part[] {
  const taps = ports.filter(({ guest }) => guest?.tap === true);
  return taps.map((port) => ({
    key: `tap ${port.link}`,
    inputs: [network, bridge, port],
    build: () => tapContent(network, bridge, port),
  }));
}

function tapContent(network: Network, master: string, { link: name, guest }: Ports[number]): Content {
  if (guest === undefined) return {};
  const { portId, mac, trusted } = guest;
  const common = { ...commonOfLinks(network), conf: TAP_CONF };
  const isolation = isIsolated(network.guests) ? { 'port isolated': 1 } : {};
  const tap = { device: 'tap', name, portId, mac: tapMac(mac), master, alias: tapAlias(network.id, portId) } as const;
  // A router may send from further Ethernet addresses, such as one that two routers share.
  if (trusted) return { items: [{ ...common, ...tap, ...(isIsolated(network.guests) && { odd: isolation }) }] };
  const entry = { kind: 'fdb', table: 'master', network: network.id, link: name, portId, mac } as const;
  return {
    items: [
      { ...common, ...tap, odd: { 'port learning': 0, 'port locked': 1, ...isolation } },
      { ...entry, state: 'dynamic', marked: true },
    ],
  };
}

/**
 * The Ethernet address of the tap itself, which no frame carries. The kernel drops frames from an address that one of the bridge's own
 * ports has, so this is another one than the guest's. libvirt takes the same first byte.
 */
function tapMac(guest: Mac): Mac {
  const rest = guest.slice(2);
  return `${guest.startsWith('fe') ? 'fa' : 'fe'}${rest}` as Mac;
}

/**
 * The rules for the frames that enter a network (`portRules`).
 * @param device name of the network's VXLAN device
 * @param servicePort the device behind which the network's servers are: routers, which may send what no guest may
 */
export function portRulesPart(
  network: BridgedNetwork,
  own: NodeAddresses,
  device: string | undefined,
  ports: DesiredInput['ports'],
  servicePort: string | undefined,
): Part {
  const server = { network: network.id, plugged: false, unplugging: false } as const;
  return {
    key: 'port rules',
    inputs: [network, ports, servicePort],
    build: () => {
      const all = servicePort === undefined ? ports : [...ports, { ...server, link: servicePort }];
      return { rules: [portRules(network, own, device, all)] };
    },
  };
}
