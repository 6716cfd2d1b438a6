import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { imageSource, sourceText } from './image-source.ts';

test.each([
  ['http://example.org/a.iso', 'http://example.org/a.iso'],
  ['HTTPS://Example.org/a%20b.iso#part', 'https://example.org/a%20b.iso'],
  ['http://host0/isos/deep/a%20b.iso', 'http://host0/isos/deep/a b.iso'],
  ['isos/alpine.iso', 'http://host0/isos/alpine.iso'],
  ['alpine.iso', 'http://host0/isos/alpine.iso'],
  ['/tmp/disk.qcow2', '/tmp/disk.qcow2'],
])('%s is a source', (text, whole) => {
  expect(sourceText(imageSource(text))).toBe(whole);
});

test.each([
  ['', 'is none'],
  ['ftp://example.org/a.iso', 'has the scheme ftp:'],
  ['file:///etc/passwd', 'has the scheme file:'],
  ['http://host0/boot.ipxe', 'is not in the folder isos'],
  ['isos/../../etc/passwd', 'leads out of isos'],
  ['http://host0/isos/%2e%2e/%2e%2e/x', 'is not in the folder isos'],
  ['http://host0/isos/a%2f..%2f..%2fx', 'leads out of isos'],
  ['http://example.org/a\nb', 'is none'],
])('%s is none', (text, why) => {
  try {
    imageSource(text);
  } catch (thrown) {
    expect(MeshError.from(thrown)).toMatchObject({
      code: 'MESH_DISK_IMAGE_SOURCE',
      message: expect.stringContaining(why),
    });
    return;
  }
  expect.fail('it is taken');
});

test('a password in a source is not shown', () => {
  try {
    imageSource('http://me:secret@example.org/a.iso');
    expect.fail('it is taken');
  } catch (thrown) {
    expect(JSON.stringify(thrown)).not.toContain('secret');
  }
});
