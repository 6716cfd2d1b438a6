/** The space in which a network is served. */
import type { Network } from '../../../model/network/network.ts';
import type { DhcpFamily, ServiceSpace } from '../../items/space/service-space.ts';
import { spaceItem } from '../../items/space/space-item.ts';
import type { Part } from '../part.ts';
import { dhcpRules } from '../rules/dhcp-rules.ts';

/** The item of a space. The part is built again when the space is another object. */
export function spacePart(space: ServiceSpace): Part {
  return { key: `space ${space.name}`, inputs: [space], build: () => ({ items: [spaceItem(space)] }) };
}

/**
 * The rules of a network in which this node gives addresses (`dhcpRules`).
 * @param device name of its VXLAN device
 * @param families in which it gives
 */
export function dhcpRulesPart(network: Pick<Network, 'number'>, device: string, families: readonly DhcpFamily[]): Part {
  return {
    key: `dhcp rules ${network.number}`,
    inputs: [network, device, families.join(' ')],
    build: () => ({ rules: [dhcpRules(network, device, families)] }),
  };
}
