/** host0 between two segments: the doctor finds that host0 does not forward. */
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { spawnInside } from '../../../src/lab/hosts/host-process.ts';
import { isReady } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';
import { Patient } from './patient.ts';

/** Against a rival the agent's retry interval grows to 15 s. The rival counts as gone three seconds after that. */
const DEADLINE_MS = 60_000;

const shared = forAllTests();
let lab: Lab;
const host0 = new Patient(() => lab, 'host0');
const node1 = new Patient(() => lab, 'node1');

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `segments-${process.pid}`, nodes: 2, segments: 2 }));
  await Promise.all(lab.hosts.map(isReady));
});

test("Docker's policy on what host0 forwards, with the chain of the trace and a remedy that heals", async () => {
  const docker = [
    'table ip filter {',
    'chain DOCKER-USER {',
    'counter return',
    '}',
    'chain FORWARD {',
    'type filter hook forward priority filter; policy drop;',
    'counter jump DOCKER-USER',
    'iifname "docker0" oifname != "docker0" counter accept',
    '}',
    '}',
  ];
  await host0.run('nft', docker.join('\n'));
  try {
    const finding = await host0.finding('forward-filter');
    expect(finding).toContain(
      'ip filter FORWARD: policy drop drops VXLAN packets that host0 forwards from eth1 to eth2',
    );
    const { code, stdout } = await meshOn(host0.host, 'trace', 'manage', 'node1', 'node2');
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining('✗ host0  firewall      ip filter FORWARD: policy drop'),
    ]);
    const silent = await until('node1 finds it', DEADLINE_MS, () => node1.finding('silent-member'));
    expect(silent).toContain('host0 forwards nothing but VXLAN');
    // The policy drops bridged packets too, where the kernel shows them to this hook.
    for (const check of ['forward-filter', 'br-netfilter']) {
      const command = /`(nft [^`]*)`/.exec((await host0.finding(check)) ?? '')?.[1];
      if (command !== undefined) await host0.type(command);
    }
    let found: unknown;
    await until('both are well', DEADLINE_MS, async () => {
      const views = await Promise.all([host0, node1].map((patient) => patient.doctor()));
      found = views.flatMap(({ findings }) => findings);
      return views.every(({ findings }) => findings.length === 0);
    }).catch((cause) => {
      throw new Error(JSON.stringify(found), { cause });
    });
  } finally {
    await host0.run('nft', 'delete table ip filter');
  }
});

test('a program that turns forwarding off again and again', async () => {
  await host0.complainsOf();
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
