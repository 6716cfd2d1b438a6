/** The space in which a network is served. */
import type { Network } from '../../../model/network/network.ts';
import type { ServiceSpace } from '../../items/space/service-space.ts';
import { spaceItem } from '../../items/space/space-item.ts';
import type { Part } from '../part.ts';
import { dhcpRules } from '../rules/dhcp-rules.ts';

/** The item of a space. The part is built again when the space is another object. */
export function spacePart(space: ServiceSpace): Part {
  return { key: `space ${space.name}`, inputs: [space], build: () => ({ items: [spaceItem(space)] }) };
}

/** The rules of a network in which this node gives addresses (`dhcpRules`). @param device name of its VXLAN device */
export function dhcpRulesPart(network: Pick<Network, 'number'>, device: string): Part {
  return {
    key: `dhcp rules ${network.number}`,
    inputs: [network, device],
    build: () => ({ rules: [dhcpRules(network, device)] }),
  };
}
