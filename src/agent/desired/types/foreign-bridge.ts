/** Networks of the type `foreign-bridge`: ports on a bridge that another program owns. */
import type { ForeignBridgeType } from '../../../model/network/types/foreign-bridge.ts';
import type { NetworkAttachment } from '../assignment.ts';
import type { NetworkContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import { portPart, tapParts } from '../parts/port.ts';

/** Name of the bridge. */
export function foreignBridgeName({ name }: ForeignBridgeType): string {
  return name;
}

/**
 * The ports, while the bridge is there. The bridge itself is no item: it is neither made, nor changed, nor deleted. Its
 * owner's rules are for its ports.
 */
export function foreignBridgeParts(
  { network }: NetworkAttachment,
  { name }: ForeignBridgeType,
  { ports, link }: NetworkContext,
): Part[] {
  if (link?.kind !== 'bridge') return [];
  return [portPart(network.id, { name }, ports), ...tapParts(network, name, ports)];
}
