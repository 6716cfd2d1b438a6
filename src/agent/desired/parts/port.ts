/** The ports of a network: foreign interfaces on its bridge. */
import type { DesiredInput } from '../assignment.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import type { Part } from '../part.ts';

/** The interfaces that belong on the bridge. One that is being taken off has no item. */
export function portPart(network: BridgedNetwork, ports: DesiredInput['ports']): Part {
  return {
    key: 'ports',
    inputs: [network, ports],
    build: () => ({
      items: ports
        .filter(({ unplugging }) => !unplugging)
        .map(({ link }) => ({ kind: 'port', network: network.id, link, bridge: network.bridge.name })),
    }),
  };
}
