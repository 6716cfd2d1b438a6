/**
 * Messages of the kernel as they came, to be sent back for another link. Addresses, routes, rules and neighbour entries have dozens of
 * attributes, and a copy must lose none: so they are not decoded, and only what names the link is written anew.
 */
import type { MessageWriter } from '../netlink/message-writer.ts';
import { ATTRIBUTE_HEADER_BYTES, aligned, type Message, malformed, NLA_TYPE_MASK } from '../netlink/netlink.ts';

/** One attribute: its type with the flags, and its payload. */
export interface CopiedAttribute {
  readonly type: number;
  readonly value: Buffer;
}

/** A message of the kernel: its fixed struct and its attributes. */
export interface CopiedMessage {
  readonly struct: Buffer;
  readonly attributes: readonly CopiedAttribute[];
}

/**
 * Copies a message out of the buffer that it came in.
 * @param structBytes the length of its fixed struct
 * @throws MESH_KERNEL_MALFORMED
 */
export function copyMessage({ bytes, start, end, type }: Message, structBytes: number): CopiedMessage {
  if (end - start < structBytes) throw malformed(`type ${type} is too short`);
  const attributes: CopiedAttribute[] = [];
  for (let at = start + structBytes; at + ATTRIBUTE_HEADER_BYTES <= end; ) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_BYTES || length > end - at) throw malformed(`attribute of length ${length}`);
    const value = Buffer.from(bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length));
    attributes.push({ type: bytes.readUInt16LE(at + 2), value });
    at += aligned(length);
  }
  return { struct: Buffer.from(bytes.subarray(start, start + structBytes)), attributes };
}

/** The payload of an attribute; undefined if the message has none of this type. */
export function attributeOf({ attributes }: CopiedMessage, type: number): Buffer | undefined {
  return attributes.findLast((attribute) => (attribute.type & NLA_TYPE_MASK) === type)?.value;
}

/** A 32-bit number of an attribute; 0 if there is none. */
export function numberOf(message: CopiedMessage, type: number): number {
  const value = attributeOf(message, type);
  return value !== undefined && value.length >= 4 ? value.readUInt32LE() : 0;
}

/** The text of an attribute up to its NUL; empty if there is none. */
export function wordIn(message: CopiedMessage, type: number): string {
  return attributeOf(message, type)?.toString('utf8').replace(/\0.*$/s, '') ?? '';
}

/** The message with other values for some attributes; those whose value is undefined are left out. */
export function withAttributes(
  { struct, attributes }: CopiedMessage,
  values: ReadonlyMap<number, Buffer | undefined>,
): CopiedMessage {
  const kept = attributes.filter(({ type }) => !values.has(type & NLA_TYPE_MASK));
  const added = [...values].flatMap(([type, value]) => (value === undefined ? [] : [{ type, value }]));
  return { struct: Buffer.from(struct), attributes: [...kept, ...added] };
}

/** A 32-bit number as the payload of an attribute. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A text with its closing NUL as the payload of an attribute. */
export function zeroEnded(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** Writes the message as a request of `type` (RTM_*); `flags` are NLM_F_*. */
export function writeCopy(writer: MessageWriter, type: number, flags: number, message: CopiedMessage): void {
  writer.begin(type, flags);
  for (const byte of message.struct) writer.u8(byte);
  for (const attribute of message.attributes) writer.attributeBytes(attribute.type, attribute.value);
  writer.end();
}
