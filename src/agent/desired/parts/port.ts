/** The ports of a network: foreign interfaces on its bridge. */
import type { Bridge } from '../../../model/network/bridge.ts';
import type { NodeAddresses } from '../../../model/network/node-addresses.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { PortItem } from '../../items/port.ts';
import type { DesiredInput } from '../assignment.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import type { Part } from '../part.ts';
import { portRules } from '../rules/port-rules.ts';

type Ports = DesiredInput['ports'];

/**
 * The interfaces that belong on a bridge. One that is being taken off has no item.
 * @param bridge a bridge of ours, or the name of another program's: the settings of its ports are left alone
 */
export function portPart(
  network: NetworkId,
  { name: bridge, macTable }: Pick<Bridge, 'name'> & Partial<Bridge>,
  ports: DesiredInput['ports'],
): Part {
  const learning = macTable === undefined ? undefined : macTable === 'learned';
  const portItem = ({ link, plugged: isGuest }: Ports[number]): PortItem => ({
    ...{ kind: 'port' as const, network, link, bridge },
    // An administrator who puts an interface on the bridge sets it as well, unless the network says otherwise.
    ...(learning !== undefined && (isGuest || !learning) && { learning }),
  });
  const plugged = ports.filter(({ unplugging }) => !unplugging);
  return {
    key: 'ports',
    inputs: [bridge, learning, ports],
    build: () => ({ items: plugged.map((port) => portItem(port)) }),
  };
}

/** The rules for the frames that enter a network (`portRules`). @param device name of the network's VXLAN device */
export function portRulesPart(
  network: BridgedNetwork,
  own: NodeAddresses,
  device: string | undefined,
  ports: DesiredInput['ports'],
): Part {
  return {
    key: 'port rules',
    inputs: [network, ports],
    build: () => ({ rules: [portRules(network, own, device, ports)] }),
  };
}
