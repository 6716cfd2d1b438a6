import { expect, test } from 'vitest';
import { kernelOf } from './linux-image.ts';

const SETUP_SECTORS = 1;
const START = (SETUP_SECTORS + 1) * 512;

/** A bzImage whose payload is in the legacy frame of LZ4. */
function image(...blocks: readonly Buffer[]): Buffer {
  const magic = Buffer.from('02214c18', 'hex');
  const parts = blocks.flatMap((block) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(block.length);
    return [length, block];
  });
  const payload = Buffer.concat([magic, ...parts, Buffer.alloc(4)]);
  const header = Buffer.alloc(START);
  header[0x1f1] = SETUP_SECTORS;
  header.write('HdrS', 0x202);
  header.writeUInt32LE(0, 0x248);
  header.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([header, payload]);
}

test('a kernel is unpacked: literals, matches that overlap themselves, long lengths, several blocks', () => {
  const elf = Buffer.from('\x7fELF', 'latin1');
  // Four literals, then a match of 4 + 15 + 3 bytes at distance 1, then three literals.
  const first = Buffer.concat([
    Buffer.from([0x4f]),
    elf,
    Buffer.from([1, 0, 3]),
    Buffer.from([0x30]),
    Buffer.from('end'),
  ]);
  // 15 + 5 literals.
  const second = Buffer.concat([Buffer.from([0xf0, 5]), Buffer.from('x'.repeat(20))]);
  expect(kernelOf(image(first, second))?.toString('latin1')).toBe(`\x7fELF${'F'.repeat(22)}end${'x'.repeat(20)}`);
});

test('what is packed in another way is left to the kernel itself', () => {
  expect(kernelOf(Buffer.alloc(10))).toBeUndefined();
  const other = image(Buffer.from([0x30, 0x61, 0x62, 0x63]));
  expect(kernelOf(other)).toBeUndefined();
  other[START] = 0x1f;
  expect(kernelOf(other)).toBeUndefined();
  expect(kernelOf(image().subarray(0, START))).toBeUndefined();
});
