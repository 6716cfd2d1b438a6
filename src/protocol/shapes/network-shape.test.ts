/** Networks in documents: those of this version, and those of the version before. */
import { expect, test } from 'vitest';
import { manage } from '../../../test/kit/networks.ts';
import { meshDocument } from '../documents/mesh-document.ts';
import { readDocument } from './document.ts';
import { MeshShape } from './network-shape.ts';

const { devices, fabric } = meshDocument(manage);

test('a mesh is read as it is', () => {
  expect(readDocument(MeshShape, JSON.stringify(manage))).toEqual({ document: manage });
  expect(readDocument(MeshShape, JSON.stringify(meshDocument(manage)))).toEqual({ document: manage });
});

test('a mesh of the version before is the same mesh', () => {
  const before = {
    id: 'mesh-456',
    name: 'manage',
    devices: { vxlan: 'vxlan456', bridge: 'br456' },
    fabric: { kind: 'mesh', vni: 456, key: '456', prefix: 'fd42:2345:1234:9abc::/64', mtuBytes: 1380 },
  };
  expect(readDocument(MeshShape, JSON.stringify(before))).toEqual({ document: manage });
  expect({ devices, fabric }).toEqual({ devices: before.devices, fabric: before.fabric });
});

test('a network that is no mesh is refused', () => {
  const { peers, ...others } = manage;
  expect(readDocument(MeshShape, JSON.stringify({ ...others, peers: { kind: 'assigned' } })).fault).toBeDefined();
  expect(readDocument(MeshShape, JSON.stringify(others)).fault).toBeDefined();
  expect(peers).toEqual({ kind: 'membership' });
});
