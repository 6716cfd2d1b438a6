/** Each kind of end has its own error and remedy, and the policies start again what they should. */
import { expect, test } from 'vitest';
import type { Workload } from '../../model/workload/workload.ts';
import { type EndEvidence, endingOf, isStartedAgain } from './ending.ts';

const LONG_MS = 60_000;

interface Case {
  readonly process?: Partial<EndEvidence['process']>;
  readonly said?: EndEvidence['said'];
  readonly wasUp?: boolean;
  readonly leftSockets?: boolean;
}

function ending({ process = {}, ...more }: Case) {
  const evidence = { name: 'vm1', wasUp: true, leftSockets: false, ...more };
  return endingOf({ ...evidence, process: { ranMs: LONG_MS, lastLine: '', outOfMemory: false, ...process } });
}

const POLICIES: readonly Workload['restart'][] = ['never', 'on-failure', 'always'];
const policies = (kind: Case) => POLICIES.filter((policy) => isStartedAgain(policy, ending(kind)));

test.each([
  ['out of memory', { process: { signal: 'SIGKILL', outOfMemory: true } }, 'MESH_WORKLOAD_MEMORY'],
  ['killed', { process: { signal: 'SIGKILL' } }, 'MESH_WORKLOAD_KILLED'],
  ['killed while the agent was away', { leftSockets: true }, 'MESH_WORKLOAD_KILLED'],
  ['an error of QEMU itself after a good start', { process: { status: 1 } }, 'MESH_QEMU_REFUSED'],
  ['a panic', { process: { status: 0 }, said: 'panicked' }, 'MESH_WORKLOAD_PANICKED'],
] as const)('%s is a failure, after which two policies start again', (_, kind, code) => {
  const { state, error, isLasting } = ending(kind);
  expect({ state, isLasting, code: error?.code }).toEqual({ state: 'failed', isLasting: false, code });
  expect(error?.remedy).toBeDefined();
  expect(policies(kind)).toEqual(['on-failure', 'always']);
});

test.each([
  ['switched itself off', { process: { status: 0 }, said: 'powered off' }],
  ['was switched off while the agent was away', {}],
  ['was ended by a command', { process: { status: 0 }, said: 'ended by command' }],
] as const)('a guest that %s has not failed', (_, kind) => {
  expect(ending(kind)).toMatchObject({ state: 'ended', why: expect.stringMatching(/\.$/) });
  expect(policies(kind)).toEqual(['always']);
});

test.each([
  ["qemu-system-x86_64: Could not open '/v/a.qcow2': No such file or directory", 'source'],
  [
    'qemu-system-x86_64: cannot create PID file: Cannot lock pid file: Resource temporarily unavailable',
    'Another emulator',
  ],
  ['qemu-system-x86_64: -drive …: Failed to get "write" lock', 'fuser'],
  ["qemu-system-x86_64: unable to find CPU model 'x'", 'cpu help'],
] as const)('a set-up that QEMU refuses is told in its words, and not started again: %s', (lastLine, remedy) => {
  const kind: Case = { process: { status: 1, ranMs: 50, lastLine }, wasUp: false };
  const { error } = ending(kind);
  expect(error).toMatchObject({ code: 'MESH_QEMU_REFUSED', remedy: expect.stringContaining(remedy) });
  expect(error?.message).toContain(lastLine.replace('qemu-system-x86_64: ', ''));
  expect(policies(kind)).toEqual([]);
});
