/** Captures of several nodes become one. */
import { expect, test } from 'vitest';
import { CaptureMerge } from './capture-merge.ts';
import { PcapngReader, pcapngInterface, pcapngPacket, pcapngSection, pcapngStatistics } from './pcapng.ts';

const BEGIN = Buffer.concat([
  pcapngSection('meshwork'),
  pcapngInterface({ name: 'vxlan456 (inner)', snapBytes: 64 }),
  pcapngInterface({ name: 'eth0 (outer)', snapBytes: 64 }),
]);

function packets(interfaceId: number, ...timesNs: number[]): Buffer {
  const bytes = Buffer.of(7);
  return Buffer.concat(
    timesNs.map((time) => pcapngPacket({ interfaceId, timeNs: BigInt(time), bytes, frameBytes: 9 })),
  );
}

function heard(timeNs: number, dropped = 0): Buffer {
  return pcapngStatistics({ interfaceId: 0, timeNs: BigInt(timeNs), received: 9, dropped });
}

/** Interface names and times, in order. */
function read(bytes: Buffer, names: string[] = []): string[] {
  return new PcapngReader().push(bytes).flatMap((block) => {
    if (block.type === 'interface') names.push(block.name);
    return block.type === 'packet' ? [`${names[block.interfaceId]} ${block.timeNs}`] : [];
  });
}

test('packets of several nodes are written in the order of time', () => {
  const merge = new CaptureMerge(['node1', 'node2'], 'meshwork', Infinity, 0);
  const names: string[] = [];
  merge.push(0, Buffer.concat([BEGIN, packets(0, 10, 30), heard(40)]), 0);
  expect(read(merge.take(0), names)).toEqual([]);
  merge.push(1, Buffer.concat([BEGIN, packets(1, 20), heard(25)]), 0);
  expect(read(merge.take(0), names)).toEqual(['node1:vxlan456 (inner) 10', 'node2:eth0 (outer) 20']);
  merge.push(1, Buffer.concat([packets(0, 28), heard(50)]), 0);
  expect(read(merge.take(0), names)).toEqual(['node2:vxlan456 (inner) 28', 'node1:vxlan456 (inner) 30']);
  expect(names).toEqual([
    'node1:vxlan456 (inner)',
    'node1:eth0 (outer)',
    'node2:vxlan456 (inner)',
    'node2:eth0 (outer)',
  ]);
});

test('silent and ended nodes are not waited for', () => {
  const merge = new CaptureMerge(['node1', 'node2'], 'meshwork', Infinity, 0);
  merge.push(0, Buffer.concat([BEGIN, packets(0, 10), heard(20)]), 500);
  expect(read(merge.take(999))).toEqual([]);
  expect(read(merge.take(1000))).toHaveLength(1);
  merge.end(1);
  merge.push(0, Buffer.concat([packets(0, 30), heard(40)]), 1000);
  expect(read(merge.take(1000), ['node1'])).toHaveLength(1);
});

test('finish writes the remaining packets and the numbers of dropped ones', () => {
  const merge = new CaptureMerge(['node1'], 'meshwork', Infinity, 0);
  merge.push(0, Buffer.concat([BEGIN, heard(5, 3), packets(0, 10)]), 0);
  const blocks = new PcapngReader().push(merge.finish(99n));
  expect(blocks.filter(({ type }) => type === 'packet' || type === 'statistics')).toMatchObject([
    { type: 'packet', timeNs: 10n, frameBytes: 9 },
    { type: 'statistics', interfaceId: 0, timeNs: 99n, received: 4, dropped: 3 },
    { type: 'statistics', interfaceId: 1, received: 0, dropped: 0 },
  ]);
});

test('no more than the given number of packets are written', () => {
  const merge = new CaptureMerge(['node1'], 'meshwork', 2, 0);
  merge.push(0, Buffer.concat([BEGIN, packets(0, 1, 2, 3), heard(5)]), 0);
  expect(merge.isFull).toBe(false);
  expect(read(merge.take(0))).toHaveLength(2);
  expect(merge.isFull).toBe(true);
  expect(read(merge.finish(9n))).toEqual([]);
});

test('a node whose statistics stand still is not waited for, and is named', () => {
  const merge = new CaptureMerge(['node1', 'node2'], 'meshwork', Infinity, 0);
  merge.push(1, Buffer.concat([BEGIN, heard(5)]), 0);
  merge.push(0, BEGIN, 0);
  const names: string[] = [];
  const written: string[] = [];
  for (let nowMs = 0; nowMs < 5_000; nowMs += 50) {
    const timeNs = nowMs * 1e6;
    // node2 says the same time again and again.
    merge.push(1, heard(5), nowMs);
    merge.push(0, Buffer.concat([packets(0, timeNs), heard(timeNs)]), nowMs);
    written.push(...read(merge.take(nowMs), names));
  }
  // The packets of the last two seconds are held back.
  expect(written.length).toBeGreaterThan(55);
  expect([...merge.lagging]).toEqual(['node2']);
});

test('packets of the future are written, and their node is named', () => {
  const merge = new CaptureMerge(['node1', 'node2'], 'meshwork', Infinity, 0);
  merge.push(0, Buffer.concat([BEGIN, packets(0, 1e18), heard(10)]), 0);
  merge.push(1, Buffer.concat([BEGIN, packets(0, 5), heard(10)]), 0);
  expect(read(merge.take(0))).toHaveLength(1);
  merge.push(0, heard(2e9), 1_999);
  merge.push(1, heard(2e9), 1_999);
  expect(read(merge.take(1_999))).toEqual([]);
  expect(read(merge.take(2_000))).toHaveLength(1);
  expect([...merge.lagging]).toEqual(['node1']);
});

test('the packets that are held back take a bounded part of the memory, and the oldest are written first', () => {
  const merge = new CaptureMerge(['node1', 'node2'], 'meshwork', Infinity, 0);
  merge.push(0, BEGIN, 0);
  merge.push(1, BEGIN, 0);
  const bytes = Buffer.alloc(1_000);
  let pushed = 0;
  let written = 0;
  // 100 MB at one moment, the latest packet first in each chunk.
  for (let chunk = 0; chunk < 1_000; chunk++) {
    const times = Array.from({ length: 100 }, (_, n) => BigInt(1e9 + (chunk + 1) * 100 - n));
    merge.push(
      0,
      Buffer.concat(times.map((timeNs) => pcapngPacket({ interfaceId: 0, timeNs, bytes, frameBytes: 9 }))),
      0,
    );
    pushed += 100;
    if (merge.isOverfull) written += read(merge.take(0), ['a', 'b', 'c', 'd']).length;
    expect(pushed - written).toBeLessThan(16_000);
  }
  expect(written).toBeGreaterThan(80_000);
  expect([...merge.lagging]).toEqual(['node1']);
});

test('a node that sends more and more interfaces is refused', () => {
  const merge = new CaptureMerge(['node1'], 'meshwork', Infinity, 0);
  const flood = Buffer.concat(Array.from({ length: 1_000 }, () => pcapngInterface({ name: 'eth0', snapBytes: 64 })));
  expect(() => merge.push(0, Buffer.concat([BEGIN, flood]), 0)).toThrow(/node1 sends more than 64 interfaces/);
  expect(merge.interfaces).toHaveLength(64);
});
