/**
 * The framing of netlink (RFC 3549 §2; linux/netlink.h): messages of a 16-byte header, a fixed struct and attributes,
 * all padded to 4 bytes. No I/O. Numbers are in the machine's byte order, which is little-endian on all machines that
 * we support.
 */
import { MeshError } from '../../model/error.ts';

/** Set on every request (linux/netlink.h, as all constants here). */
export const NLM_F_REQUEST = 0x1;
/** Asks for an answer also when the request succeeds. */
export const NLM_F_ACK = 0x4;
/** On an answer: the objects changed during the dump, so it may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x10;
/** Replaces an object that exists. */
export const NLM_F_REPLACE = 0x100;
/** Fails with EEXIST when the object exists. */
export const NLM_F_EXCL = 0x200;
/** Creates the object when it does not exist. */
export const NLM_F_CREATE = 0x400;
/** Adds an object beside those with the same key. */
export const NLM_F_APPEND = 0x800;
/** Asks for all objects (NLM_F_ROOT and NLM_F_MATCH). */
export const NLM_F_DUMP = 0x300;

/** Message type of an answer to a request, also of a successful one. */
export const NLMSG_ERROR = 2;
/** Message type of the end of a dump. */
export const NLMSG_DONE = 3;

/** Set on the type of an attribute that contains attributes. */
export const NLA_F_NESTED = 0x8000;
/** The bits of an attribute's type without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
export const NLA_TYPE_MASK = 0x3fff;

/** struct nlmsghdr: length, type, flags, sequence number, port id. */
export const MESSAGE_HEADER_BYTES = 16;
/** struct nlattr: length and type. */
export const ATTRIBUTE_HEADER_BYTES = 4;

/** `length` rounded up to 4 bytes: where the next message or attribute begins. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** MESH_KERNEL_MALFORMED, for bytes from the kernel that cannot be decoded. `what` says what is wrong with them. */
export function malformed(what: string): MeshError {
  return new MeshError('MESH_KERNEL_MALFORMED', `the kernel sent a malformed message: ${what}`, {
    operation: 'decode netlink message',
  });
}

/** One message in a buffer: its header, and the range of its body from `start` to `end`. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port id of the socket whose request caused the message; 0 is the kernel. */
  readonly portId: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The messages in the bytes of one `recv`, or of several requests in sequence.
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

/**
 * Checks that the body of `message` holds its fixed struct of `length` bytes.
 * @throws MESH_KERNEL_MALFORMED
 */
export function requireStruct(message: Message, length: number): void {
  if (message.end - message.start < length) throw malformed(`type ${message.type} is too short`);
}
