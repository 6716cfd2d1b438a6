/**
 * The part of the pcapng format (draft-ietf-opsawg-pcapng) that captures need: one section, its interfaces, their packets
 * with times in nanoseconds, and the numbers of lost packets. Little-endian only. `PcapngReader` reads these blocks, from
 * files of other programs, too.
 */
import { MeshError } from '../../model/error.ts';

/** An interface description block. */
export interface PcapngInterface {
  readonly name: string;
  readonly snapBytes: number;
}

/** An enhanced packet block. */
export interface PcapngPacket {
  /** Number of the interface in the file, from 0. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970, UTC. */
  readonly timeNs: bigint;
  /** The captured part of the frame. */
  readonly bytes: Uint8Array;
  /** Length of the whole frame: more than `bytes` if the frame was cut. */
  readonly frameBytes: number;
}

/** An interface statistics block. */
export interface PcapngStatistics {
  readonly interfaceId: number;
  readonly timeNs: bigint;
  readonly received: number;
  /** Packets that the kernel dropped because a buffer was full. */
  readonly dropped: number;
}

/** A block as `PcapngReader` gives it. */
export type PcapngBlock =
  | { readonly type: 'section' }
  | ({ readonly type: 'interface' } & PcapngInterface)
  | ({ readonly type: 'packet' } & PcapngPacket)
  | ({ readonly type: 'statistics' } & PcapngStatistics);

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const STATISTICS = 5;
const PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
/** Each block has its type and length before the body, and the length again after it. */
const HEAD_BYTES = 8;
const FRAME_BYTES = HEAD_BYTES + 4;

const OPTION_END = 0;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const ISB_IFRECV = 4;
const ISB_IFDROP = 5;
/** The exponent of 10^-9 s. */
const NANOSECONDS = 9;

/** The longest block that is read: packets are at most 64 KiB. */
const BLOCK_MAX_BYTES = 0x100000;

/** The section header block, the first block of a file. */
export function pcapngSection(application: string): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  body.writeUInt16LE(1, 4);
  // The length of the section is not known.
  body.writeBigInt64LE(-1n, 8);
  return block(SECTION, [body, option(SHB_USERAPPL, Buffer.from(application)), option(OPTION_END)]);
}

/** An interface description block; the first one of a file has the id 0. */
export function pcapngInterface({ name, snapBytes }: PcapngInterface): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(LINKTYPE_ETHERNET, 0);
  body.writeUInt32LE(snapBytes, 4);
  const options = [option(IF_NAME, Buffer.from(name)), option(IF_TSRESOL, Buffer.of(NANOSECONDS)), option(OPTION_END)];
  return block(INTERFACE, [body, ...options]);
}

/** An enhanced packet block. */
export function pcapngPacket({ interfaceId, timeNs, bytes, frameBytes }: PcapngPacket): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt32LE(interfaceId, 0);
  writeTime(body, timeNs, 4);
  body.writeUInt32LE(bytes.length, 12);
  body.writeUInt32LE(frameBytes, 16);
  return block(PACKET, [body, padded(bytes)]);
}

/** An interface statistics block. */
export function pcapngStatistics({ interfaceId, timeNs, received, dropped }: PcapngStatistics): Buffer {
  const body = Buffer.alloc(12);
  body.writeUInt32LE(interfaceId, 0);
  writeTime(body, timeNs, 4);
  return block(STATISTICS, [
    body,
    option(ISB_IFRECV, count(received)),
    option(ISB_IFDROP, count(dropped)),
    option(OPTION_END),
  ]);
}

/** The upper half of the time comes first, in both byte orders. */
function writeTime(body: Buffer, timeNs: bigint, at: number): void {
  body.writeUInt32LE(Number(timeNs >> 32n), at);
  body.writeUInt32LE(Number(timeNs & 0xffffffffn), at + 4);
}

function readTime(body: Buffer, at: number): bigint {
  return (BigInt(body.readUInt32LE(at)) << 32n) | BigInt(body.readUInt32LE(at + 4));
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function option(code: number, value: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes], aligned(bytes.length));
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function block(type: number, parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, FRAME_BYTES);
  const bytes = Buffer.concat([Buffer.alloc(HEAD_BYTES), ...parts], length);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(length, 4);
  bytes.writeUInt32LE(length, length - 4);
  return bytes;
}

/** Reads blocks from a stream of chunks that may be cut anywhere. Times are taken as nanoseconds. */
export class PcapngReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * The blocks that `chunk` completes. Blocks of other kinds are left out.
   * @throws MESH_USAGE for a stream that is not pcapng, or is big-endian
   */
  push(chunk: Uint8Array): PcapngBlock[] {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const blocks: PcapngBlock[] = [];
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const length = bytes.readUInt32LE(at + 4);
      if (length < FRAME_BYTES || length > BLOCK_MAX_BYTES || length % 4 !== 0) throw malformed();
      if (bytes.length - at < length) break;
      const found = readBlock(bytes.readUInt32LE(at), bytes.subarray(at + HEAD_BYTES, at + length - 4));
      if (found !== undefined) blocks.push(found);
      at += length;
    }
    this.#rest = bytes.subarray(at);
    return blocks;
  }
}

function readBlock(type: number, body: Buffer): PcapngBlock | undefined {
  try {
    switch (type) {
      case SECTION:
        if (body.readUInt32LE(0) !== BYTE_ORDER_MAGIC) throw malformed();
        return { type: 'section' };
      case INTERFACE:
        return {
          type: 'interface',
          name: optionsOf(body.subarray(8)).get(IF_NAME)?.toString('utf8') ?? '',
          snapBytes: body.readUInt32LE(4),
        };
      case PACKET: {
        const length = body.readUInt32LE(12);
        if (20 + length > body.length) throw malformed();
        return {
          type: 'packet',
          interfaceId: body.readUInt32LE(0),
          timeNs: readTime(body, 4),
          bytes: body.subarray(20, 20 + length),
          frameBytes: body.readUInt32LE(16),
        };
      }
      case STATISTICS: {
        const options = optionsOf(body.subarray(12));
        const counted = (code: number) => Number(options.get(code)?.readBigUInt64LE(0) ?? 0n);
        return {
          type: 'statistics',
          interfaceId: body.readUInt32LE(0),
          timeNs: readTime(body, 4),
          received: counted(ISB_IFRECV),
          dropped: counted(ISB_IFDROP),
        };
      }
      default:
        return undefined;
    }
  } catch {
    // The body is too short for its kind.
    throw malformed();
  }
}

function optionsOf(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; bytes.length - at >= 4; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === OPTION_END) break;
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + aligned(length);
  }
  return options;
}

function malformed(): MeshError {
  return new MeshError('MESH_USAGE', 'this is not a pcapng file, or not one of this byte order');
}
