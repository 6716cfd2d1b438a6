/** The parts of a network by its type. A new type is a file beside this one, and a row in the table. */
import type { NetworkType } from '../../../model/network/types/network-type.ts';
import type { NetworkAttachment } from '../assignment.ts';
import type { NodeContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import { bridgeParts } from './bridge.ts';
import { vxlanParts } from './vxlan.ts';

/** Makes the parts of a network of one type. */
type TypeParts<T extends NetworkType> = (attachment: NetworkAttachment, type: T, node: NodeContext) => Part[];

const TYPES: { readonly [K in NetworkType['kind']]: TypeParts<Extract<NetworkType, { kind: K }>> } = {
  vxlan: vxlanParts,
  bridge: bridgeParts,
};

/** The parts of a network. The cast is sound: the table maps each kind to what makes the parts of exactly that type. */
export function typeParts(attachment: NetworkAttachment, node: NodeContext): Part[] {
  const { type } = attachment.network;
  return (TYPES[type.kind] as TypeParts<NetworkType>)(attachment, type, node);
}
