/** Errors and warnings of network files as findings. */
import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { fileFindings } from './file-findings.ts';

test('errors and warnings keep their severity, and name their file', () => {
  const place = { file: '/b.conf', line: 4, column: 5, text: 'key=456' };
  const errors = [new MeshError('MESH_CONF_UNREADABLE', 'it cannot be read', { object: '/a.conf' })];
  const warnings = [
    new MeshError('MESH_NET_KEY_SHARED', 'key 456 is also that of /a.conf:4', { place }),
    new MeshError('MESH_DISK_REFUSED', 'no room'),
  ];
  expect(fileFindings({ errors, warnings }).map(({ severity, code, object }) => [severity, code, object])).toEqual([
    ['error', 'MESH_CONF_UNREADABLE', '/a.conf'],
    ['warning', 'MESH_NET_KEY_SHARED', '/b.conf'],
    ['warning', 'MESH_DISK_REFUSED', 'network files'],
  ]);
});
