import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { IMAGE_HEAD_BYTES, imageKind } from './image-kind.ts';

const SECTOR = Buffer.alloc(512);

test.each([
  ['a disk of zeros', Buffer.alloc(2048)],
  ['a disk of ones', Buffer.alloc(2048, 0xff)],
  ['a disk with a boot loader', Buffer.from([0xeb, 0x63, 0x90, ...Buffer.alloc(509), ...Buffer.alloc(1536, 'text')])],
])('%s is raw', (_, bytes) => {
  expect(imageKind(bytes.subarray(0, IMAGE_HEAD_BYTES), bytes.length, 'disk')).toEqual({
    format: 'raw',
    diskBytes: bytes.length,
  });
});

test.each([
  ['/etc/passwd', readFileSync('/etc/passwd'), 'is no disk: its '],
  ['a text of whole sectors', Buffer.alloc(1024, 'root:x:0:0:root:/root:/bin/sh\n'), 'is a text'],
  ['a text with letters beyond ASCII', Buffer.alloc(1024, 'Größe\n'), 'is a text'],
  ['half a sector more', Buffer.concat([SECTOR, SECTOR.subarray(256)]), 'its 768 bytes are no whole number of sectors'],
])('%s is no disk', (name, bytes, says) => {
  // Machines differ in their /etc/passwd: one of whole sectors is refused as a text.
  const whole = name === '/etc/passwd' && bytes.length % 512 === 0 ? 'is a text' : says;
  try {
    imageKind(bytes.subarray(0, IMAGE_HEAD_BYTES), bytes.length, name);
  } catch (thrown) {
    const { code, message, remedy } = MeshError.from(thrown);
    expect(code).toBe('MESH_DISK_IMAGE_UNFIT');
    expect(message).toContain(whole);
    expect(remedy).toContain('qemu-img info');
    return;
  }
  expect.fail('it is taken');
});
