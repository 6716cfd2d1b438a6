/** A neighbour entry that an administrator made, put on another link (linux/neighbour.h). */
import { AF_INET, AF_INET6 } from '../libc.ts';
import type { Message } from '../netlink/netlink.ts';
import { type CopiedMessage, copyMessage, withAttributes } from './copied-message.ts';

const NDMSG_BYTES = 12;
const NDA_CACHEINFO = 3;
const NDA_PROBES = 4;
const NUD_PERMANENT = 0x80;
const RTN_UNICAST = 1;

/** A neighbour entry as the kernel told it. */
export interface NeighbourCopy {
  readonly link: number;
  readonly message: CopiedMessage;
}

/** Copies a lasting entry. @returns undefined for any other: the kernel finds those again. @throws MESH_KERNEL_MALFORMED */
export function copyNeighbour(message: Message): NeighbourCopy | undefined {
  const copy = copyMessage(message, NDMSG_BYTES);
  const family = copy.struct.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const lasting = copy.struct.readUInt16LE(8) === NUD_PERMANENT && copy.struct.readUInt8(11) === RTN_UNICAST;
  return lasting ? { link: copy.struct.readUInt32LE(4), message: copy } : undefined;
}

/** The message that makes the entry on another link. */
export function neighbourOn({ message }: NeighbourCopy, to: number): CopiedMessage {
  const copy = withAttributes(
    message,
    new Map([
      [NDA_CACHEINFO, undefined],
      [NDA_PROBES, undefined],
    ]),
  );
  copy.struct.writeUInt32LE(to, 4);
  return copy;
}
