/** host0 between two segments: the doctor notices when it no longer forwards. */
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { spawnInside } from '../../../src/lab/hosts/host-process.ts';
import { isReady } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';
import { Patient } from './patient.ts';

/** The agent's patience with a rival grows to 15 s; then it takes three more to believe that the rival is gone. */
const DEADLINE_MS = 60_000;

const shared = forAllTests();
let lab: Lab;
const host0 = new Patient(() => lab, 'host0');

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `segments-${process.pid}`, nodes: 2, segments: 2 }));
  await Promise.all(lab.hosts.map(isReady));
});

test('forwarding that another program turns off again and again', async () => {
  expect(await host0.complaints()).toEqual([]);
  // Once would not do: the agent turns it on again before anybody looks.
  const script = 'while :; do echo 0 >/proc/sys/net/ipv4/conf/eth2/forwarding; sleep 0.02; done';
  const rival = spawnInside(host0.host.netns, ['sh', '-c', script], { stdio: 'ignore' });
  try {
    const finding = await until('it is found', DEADLINE_MS, () => host0.finding('ip-forward'));
    expect(finding).toContain('IPv4 forwarding is off on eth2, one of 2 segments of host0');
  } finally {
    rival.kill();
  }
  await until('it is mended', DEADLINE_MS, async () => {
    const { findings } = await host0.doctor('--fix');
    return findings.length === 0;
  });
});
