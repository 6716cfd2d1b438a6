/** Which of several true causes of a silence is told first. */
import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { causeOfSilence } from './boot-segment.ts';

const error = new MeshError('MESH_PROCESS_FAILED', 'dnsmasq-eth1 ended with 2');
const failed = findingOf(error, { object: 'eth1' });
const full: Finding = {
  code: 'MESH_BOOT_LEASES_EXHAUSTED',
  severity: 'error',
  object: 'eth1',
  message: 'none of the addresses is left, and 02:00:00:00:00:01 did not get one',
  remedy: 'Give eth1 a larger subnet.',
};
const running = { pid: 1, label: '1 2' };

test.each([
  ['dnsmasq runs and has no address left', undefined, { running, error: undefined }, full],
  ['dnsmasq has ended', failed, { running: undefined, error }, failed],
  ['dnsmasq has been started again, and will end again', failed, { running, error }, failed],
  ['dnsmasq is being started for the first time', undefined, { running: undefined, error: undefined }, full],
  ['there is no dnsmasq', undefined, undefined, full],
])('no address is left, and %s', (_, failure, service, cause) => {
  expect(causeOfSilence(failure, full, service)).toBe(cause);
});

test('a range that is only nearly full keeps no machine waiting', () => {
  const few: Finding = { ...full, severity: 'warning' };
  expect(causeOfSilence(undefined, few, { running, error: undefined })).toBeUndefined();
});
