/** The parts of a network by its type. A new type is a file beside this one, and a row in the table. */
import type { Network } from '../../../model/network/network.ts';
import type { NetworkType } from '../../../model/network/types/network-type.ts';
import type { NetworkAttachment } from '../assignment.ts';
import type { NetworkContext, NodeContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import { bridgeParts } from './bridge.ts';
import { foreignBridgeName, foreignBridgeParts } from './foreign-bridge.ts';
import { underlayLink, vxlanParts } from './vxlan.ts';

/** What one type gives to the desired items. */
interface TypeKind<T extends NetworkType> {
  readonly parts: (attachment: NetworkAttachment, type: T, context: NetworkContext) => Part[];
  /** Name of the link that a network of this type stands on. */
  readonly foreignLink?: (type: T, node: NodeContext) => string | undefined;
}

const TYPES: { readonly [K in NetworkType['kind']]: TypeKind<Extract<NetworkType, { kind: K }>> } = {
  vxlan: { parts: vxlanParts, foreignLink: underlayLink },
  bridge: { parts: bridgeParts },
  'foreign-bridge': { parts: foreignBridgeParts, foreignLink: foreignBridgeName },
  // Guests are given cards, or macvtap devices on cards, by the hypervisor that starts them: nothing is there before.
  macvtap: { parts: () => [] },
  hostdev: { parts: () => [] },
};

/** The cast is sound: the table maps each kind to what knows exactly that type. */
function kindOfType(type: NetworkType): TypeKind<NetworkType> {
  return TYPES[type.kind] as TypeKind<NetworkType>;
}

/** The parts of a network. */
export function typeParts(attachment: NetworkAttachment, context: NetworkContext): Part[] {
  const { type } = attachment.network;
  return kindOfType(type).parts(attachment, type, context);
}

/** Name of the link that a network stands on; undefined for a network that needs none. */
export function foreignLinkOf({ type }: Network, node: NodeContext): string | undefined {
  return kindOfType(type).foreignLink?.(type, node);
}
