/**
 * pcapng, as far as a capture needs it (draft-ietf-opsawg-pcapng): one section, its interfaces, their packets with times
 * in nanoseconds, and how many packets were lost. Little-endian; `PcapngReader` reads what is written here, and as much
 * of others' files.
 */
import { MeshError } from '../../model/error.ts';

export interface PcapngInterface {
  readonly name: string;
  readonly snapBytes: number;
}

export interface PcapngPacket {
  /** In the order of the interfaces, from 0. */
  readonly interfaceId: number;
  /** Since 1970. */
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
  /** On the segment; more than `bytes` when it was cut. */
  readonly frameBytes: number;
}

export interface PcapngStatistics {
  readonly interfaceId: number;
  readonly timeNs: bigint;
  readonly received: number;
  /** By the kernel, for want of room. */
  readonly dropped: number;
}

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
/** Of each block: type and length before the body, and the length again behind it. */
const HEAD_BYTES = 8;
const FRAME_BYTES = HEAD_BYTES + 4;

const OPTION_END = 0;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const ISB_IFRECV = 4;
const ISB_IFDROP = 5;
/** 10^-9 s. */
const NANOSECONDS = 9;

/** A block of a megabyte is not one of a capture. */
const BLOCK_MAX_BYTES = 0x100000;

export function pcapngSection(application: string): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  body.writeUInt16LE(1, 4);
  // How long the section is, is not known.
  body.writeBigInt64LE(-1n, 8);
  return block(SECTION, [body, option(SHB_USERAPPL, Buffer.from(application)), option(OPTION_END)]);
}

export function pcapngInterface({ name, snapBytes }: PcapngInterface): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(LINKTYPE_ETHERNET, 0);
  body.writeUInt32LE(snapBytes, 4);
  const options = [option(IF_NAME, Buffer.from(name)), option(IF_TSRESOL, Buffer.of(NANOSECONDS)), option(OPTION_END)];
  return block(INTERFACE, [body, ...options]);
}

export function pcapngPacket({ interfaceId, timeNs, bytes, frameBytes }: PcapngPacket): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt32LE(interfaceId, 0);
  writeTime(body, timeNs, 4);
  body.writeUInt32LE(bytes.length, 12);
  body.writeUInt32LE(frameBytes, 16);
  return block(PACKET, [body, padded(bytes)]);
}

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

/** The upper half comes first, whatever the byte order. */
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

/** Blocks out of a stream that may be cut anywhere. Times are taken for nanoseconds, as they are written here. */
export class PcapngReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * The blocks that `chunk` completes; those of other kinds are left out.
   * @throws MESH_USAGE for what is not pcapng, or of the other byte order
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
    // A body that is shorter than its kind has.
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
