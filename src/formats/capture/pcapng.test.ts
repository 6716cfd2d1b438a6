/** pcapng blocks, written and read back. */
import { expect, test } from 'vitest';
import {
  type PcapngBlock,
  PcapngReader,
  pcapngInterface,
  pcapngPacket,
  pcapngSection,
  pcapngStatistics,
} from './pcapng.ts';

const BLOCKS: readonly PcapngBlock[] = [
  { type: 'section' },
  { type: 'interface', name: 'node1:vxlan456 (inner)', snapBytes: 256 },
  { type: 'interface', name: 'node1:eth0 (outer)', snapBytes: 256 },
  ...[0, 1, 2, 3, 64].map((length, number) => ({
    type: 'packet' as const,
    interfaceId: number % 2,
    timeNs: 1_795_000_000_123_456_789n + BigInt(number),
    bytes: Buffer.alloc(length, number),
    frameBytes: length * 2,
  })),
  { type: 'statistics', interfaceId: 1, timeNs: 1_795_000_001_000_000_000n, received: 5, dropped: 2 ** 40 },
];

function written(block: PcapngBlock): Buffer {
  switch (block.type) {
    case 'section':
      return pcapngSection('meshwork');
    case 'interface':
      return pcapngInterface(block);
    case 'packet':
      return pcapngPacket(block);
    case 'statistics':
      return pcapngStatistics(block);
  }
}

const FILE = Buffer.concat(BLOCKS.map(written));

test('written blocks are read back, wherever the stream is cut', () => {
  expect(new PcapngReader().push(FILE)).toEqual(BLOCKS);
  for (const size of [1, 7, 64, 100]) {
    const reader = new PcapngReader();
    const blocks: PcapngBlock[] = [];
    for (let at = 0; at < FILE.length; at += size) blocks.push(...reader.push(FILE.subarray(at, at + size)));
    expect(blocks).toEqual(BLOCKS);
  }
});

test('every block has its length, a multiple of four, at both ends', () => {
  for (const bytes of BLOCKS.map(written)) {
    expect(bytes.length % 4).toBe(0);
    expect(bytes.readUInt32LE(4)).toBe(bytes.length);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(bytes.length);
  }
});

test.each([
  ['text', Buffer.from('this is not a capture')],
  ['a length that is none', Buffer.from('060000000b0000000000000000000000', 'hex')],
  ['a block without an end', Buffer.from('06000000ffffffff', 'hex')],
  ['a packet that is longer than its block', packetThatClaims(64)],
  ['a section of the other byte order', Buffer.from('0a0d0d0a0000001c1a2b3c4d', 'hex')],
])('%s is refused', (_what, bytes) => {
  expect(() => new PcapngReader().push(bytes)).toThrow(expect.objectContaining({ code: 'MESH_USAGE' }));
});

function packetThatClaims(length: number): Buffer {
  const bytes = pcapngPacket({ interfaceId: 0, timeNs: 0n, bytes: Buffer.alloc(4), frameBytes: 4 });
  bytes.writeUInt32LE(length, 20);
  return bytes;
}
