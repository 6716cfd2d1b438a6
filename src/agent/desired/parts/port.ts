/** The ports of a network: foreign interfaces on its bridge. */
import type { NetworkId } from '../../../model/network/number.ts';
import type { DesiredInput } from '../assignment.ts';
import type { Part } from '../part.ts';

/** The interfaces that belong on a bridge. One that is being taken off has no item. @param bridge name of the bridge */
export function portPart(network: NetworkId, bridge: string, ports: DesiredInput['ports']): Part {
  const plugged = ports.filter(({ unplugging }) => !unplugging);
  return {
    key: 'ports',
    inputs: [bridge, ports],
    build: () => ({ items: plugged.map(({ link }) => ({ kind: 'port', network, link, bridge })) }),
  };
}
