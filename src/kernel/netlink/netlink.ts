/**
 * The framing of netlink (RFC 3549 §2; linux/netlink.h): messages of a 16-byte header, a fixed struct and attributes,
 * all padded to 4 bytes. No I/O. Numbers are in the machine's byte order, which is little-endian wherever we run.
 */
import { MeshError } from '../../model/error.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_DUMP = 0x300;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

export const MESSAGE_HEADER_BYTES = 16;
export const ATTRIBUTE_HEADER_BYTES = 4;

export function aligned(length: number): number {
  return (length + 3) & ~3;
}

export function malformed(what: string): MeshError {
  return new MeshError('MESH_KERNEL_MALFORMED', `the kernel sent a malformed message: ${what}`, {
    operation: 'decode netlink message',
  });
}

/** One message in a buffer: its header, and where its body lies. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port id of the socket whose request made this; 0 is the kernel itself. */
  readonly portId: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The messages in what one `recv` gave, or several in a row.
 * @throws MESH_KERNEL_MALFORMED
 */
export function* messages(bytes: Buffer): Generator<Message, void, void> {
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < MESSAGE_HEADER_BYTES || length > bytes.length - at) throw malformed(`length ${length}`);
    yield {
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      portId: bytes.readUInt32LE(at + 12),
      bytes,
      start: at + MESSAGE_HEADER_BYTES,
      end: at + length,
    };
    at += aligned(length);
  }
}

/** Checks that the body of `message` holds its fixed struct of `length` bytes. */
export function requireStruct(message: Message, length: number): void {
  if (message.end - message.start < length) throw malformed(`type ${message.type} is too short`);
}
