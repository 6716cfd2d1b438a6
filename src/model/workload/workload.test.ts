/** What a document of a workload may hold, and the identifiers that follow from its uuid. */
import { expect, test } from 'vitest';
import { workload } from '../../../test/kit/workloads.ts';
import { systemUuidOf, WorkloadShape, workloadIdOf } from './workload.ts';

test('a workload is read as it was written', () => {
  expect(WorkloadShape.read(workload)).toEqual(workload);
});

const [volume] = workload.volumes;
const [card] = workload.networks;
test.each([
  ['a path that leaves its directory', { volumes: [{ ...volume, path: '../etc/shadow' }] }],
  ['a path with a blank', { volumes: [{ ...volume, path: 'a b' }] }],
  ['a source of another scheme', { volumes: [{ ...volume, source: 'file:///etc/shadow' }] }],
  ['a source that leaves its directory', { volumes: [{ ...volume, source: 'isos/../keys' }] }],
  ['two volumes of one id', { volumes: [volume, volume] }],
  [
    'an IPv4 address of a length of IPv6',
    { networks: [{ ...card, addresses: [{ address: '10.0.0.1', length: 64 }] }] },
  ],
  ['a uuid that is a path', { uuid: '../x' }],
  ['no memory', { memoryBytes: 0 }],
  ['a key with a line break', { cloud: { keys: ['ssh-ed25519 AAAAAAAAAAAAAAAAAAAA\nevil'] } }],
])('%s does not fit', (_what, part) => {
  expect(() => WorkloadShape.read({ ...workload, ...part })).toThrow();
});

test('ids are 8 hex digits, and the same for the same uuid', () => {
  expect(workloadIdOf('qweflmqwe23')).toBe(workloadIdOf('qweflmqwe23'));
  expect(workloadIdOf('qweflmqwe23')).toMatch(/^[0-9a-f]{8}$/);
});

test('the guest sees its own UUID, or one of version 8 that follows from the word', () => {
  expect(systemUuidOf('0E8400E2-9B41-41D4-A716-446655440000')).toBe('0e8400e2-9b41-41d4-a716-446655440000');
  expect(systemUuidOf('qweflmqwe23')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
