/** What a reader of an assignment takes, what it keeps apart, what it refuses; and digests. */
import { expect, test } from 'vitest';
import { manage } from '../../../test/kit/networks.ts';
import { assignedWeb as web, workload } from '../../../test/kit/workloads.ts';
import { attachmentDigest } from '../documents/node-assignment.ts';
import { readNodeAssignment } from './node-assignment-shape.ts';

const attachment = {
  network: manage,
  reasons: ['port'],
  peers: { kind: 'assigned', peers: [{ machine: '10eff964', name: 'node1', underlay: '10.11.1.2', macs: [] }] },
  services: [],
};
const frame = {
  format: 1,
  epoch: 'a1',
  revision: 3,
  attachments: [attachment],
  ports: [{ id: '1', network: 'mesh-456', link: 'tap0' }],
  workloads: [],
  segments: [],
  nics: [],
};
const read = (more: object) => readNodeAssignment(JSON.stringify({ ...frame, ...more }));

test('a document is read whole', () => {
  const { assignment, read: attachments, unsupported } = read({});
  expect(assignment).toEqual(frame);
  expect(attachments[0]?.digest).toBe(attachmentDigest(attachment));
  expect(unsupported).toEqual([]);
});

test('objects of an unknown kind are kept apart, and the others are taken', () => {
  const geneve = { ...attachment, network: { id: 'net-1001', name: 'far', type: { kind: 'geneve', vni: 7 } } };
  const { assignment, unsupported } = read({
    attachments: [geneve, attachment],
    ports: [{ id: '2', network: 'mesh-456', vhost: '/run/q' }],
    workloads: [{ id: '3', kind: 'vm' }],
  });
  expect(assignment.attachments).toEqual([attachment]);
  expect(unsupported).toMatchObject([
    { kind: 'network', id: 'net-1001', why: expect.stringContaining('"geneve"') },
    { kind: 'port', id: '2' },
    { kind: 'workload', id: '3', why: expect.stringContaining('"vm"') },
  ]);
});

test('a workload is read; another kind of workload, and one with an unknown part, is kept apart', () => {
  const later = { ...web, id: '2', workload: { ...workload, firmware: 'coreboot' } };
  const { assignment, unsupported } = read({ workloads: [web, { id: '3', kind: 'task' }, later] });
  expect(assignment.workloads).toEqual([web]);
  expect(unsupported).toMatchObject([
    { kind: 'workload', id: '3', why: expect.stringContaining('"task"') },
    { kind: 'workload', id: '2' },
  ]);
});

test('an attachment that the node has already is named by its digest', () => {
  const named = { network: 'mesh-456', digest: attachmentDigest(attachment) };
  const { assignment, unchanged } = read({ attachments: [named] });
  expect(assignment.attachments).toEqual([]);
  expect(unchanged).toEqual([named]);
});

test.each([
  ['no JSON', '{'],
  ['no frame', '{"format":1}'],
  ['no version', JSON.stringify({ ...frame, epoch: 'Ü' })],
  ['an object without identifier', JSON.stringify({ ...frame, attachments: [{ network: { name: 'far' } }] })],
])('%s is refused', (_what, text) => {
  expect(() => readNodeAssignment(text)).toThrow(expect.objectContaining({ code: 'MESH_HOST0_MALFORMED' }));
});

test('a later format is refused', () => {
  expect(() => read({ format: 2 })).toThrow(expect.objectContaining({ code: 'MESH_NOT_SUPPORTED' }));
});

test('a digest does not depend on the order of keys, and does on every value, known or not', () => {
  const { network, peers, services, reasons } = attachment;
  const digest = attachmentDigest(attachment);
  expect(attachmentDigest({ services, reasons, peers, network: { ...network } })).toBe(digest);
  expect(attachmentDigest({ ...attachment, reasons: ['pinned'] })).not.toBe(digest);
  expect(attachmentDigest({ ...attachment, later: 1 })).not.toBe(digest);
});
