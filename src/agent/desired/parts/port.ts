/** The ports of a network: foreign interfaces on its bridge. */
import type { NodeAddresses } from '../../../model/network/node-addresses.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { DesiredInput } from '../assignment.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import type { Part } from '../part.ts';
import { portRules } from '../rules/port-rules.ts';

/** The interfaces that belong on a bridge. One that is being taken off has no item. @param bridge name of the bridge */
export function portPart(network: NetworkId, bridge: string, ports: DesiredInput['ports']): Part {
  const plugged = ports.filter(({ unplugging }) => !unplugging);
  return {
    key: 'ports',
    inputs: [bridge, ports],
    build: () => ({ items: plugged.map(({ link }) => ({ kind: 'port', network, link, bridge })) }),
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
