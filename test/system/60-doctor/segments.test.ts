/** host0 between two segments: the doctor finds that host0 does not forward. */
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { spawnInside } from '../../../src/lab/hosts/host-process.ts';
import { isReady } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';
import { Patient } from './patient.ts';

/** Against a rival the agent's retry interval grows to 15 s. The rival counts as gone three seconds after that. */
const DEADLINE_MS = 60_000;

const shared = forAllTests();
let lab: Lab;
const host0 = new Patient(() => lab, 'host0');

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `segments-${process.pid}`, nodes: 2, segments: 2 }));
  await Promise.all(lab.hosts.map(isReady));
});

test('a program that turns forwarding off again and again', async () => {
  expect(await host0.complaints()).toEqual([]);
  // Once is not enough: the agent turns forwarding on again before the doctor looks.
  const script = 'while :; do echo 0 >/proc/sys/net/ipv4/conf/eth2/forwarding; sleep 0.02; done';
  const rival = spawnInside(host0.host.netns, ['sh', '-c', script], { stdio: 'ignore' });
  try {
    const finding = await until('it is found', DEADLINE_MS, () => host0.finding('ip-forward'));
    expect(finding).toContain('IPv4 forwarding is off on eth2, one of 2 segments of host0');
  } finally {
    rival.kill();
  }
  await until('it is repaired', DEADLINE_MS, async () => {
    const { findings } = await host0.doctor('--fix');
    return findings.length === 0;
  });
});
