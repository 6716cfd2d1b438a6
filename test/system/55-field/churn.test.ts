/** A machine with containers or a routing daemon: thousands of addresses and routes come and go, and links all the time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { findProcess } from '../../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { ip } from '../../kit/namespaces.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';

/** More than an agent's memory moves by itself, also where a busy machine lets it read much at once; a thirtieth of what a look for each event took. */
const GROWTH_MAX_KB = 96 * 1024;
const ADDRESSES = Array.from({ length: 5_000 }, (_, i) => `10.77.${Math.floor(i / 250)}.${(i % 250) + 1}/24 dev lo`);
const ROUTES = Array.from({ length: 20_000 }, (_, i) => `20.${i >> 8}.${i & 255}.0/24 via 10.11.0.1`);

const shared = forAllTests();
let lab: Lab;
let node: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `churn-${process.pid}`, nodes: 2, segments: 1 }));
  node = lab.host('node1');
});

function pidOf(host: LabHost): number {
  const pid = findProcess('agent', host.root)?.pid;
  if (pid === undefined) throw new Error(`no agent on ${host.name}`);
  return pid;
}

/** The largest resident memory that the agent has had. */
function peakKb(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pidOf(node)}/status`, 'utf8'))?.[1]);
}

test('5,000 addresses and 20,000 routes come and go: the node stays a member, and its memory is level', async () => {
  const before = peakKb();
  const path = netnsPath(node.netns);
  ip(path, ...ADDRESSES.map((address) => `address add ${address}`));
  // With the first address of a subnet, the kernel would delete the others.
  ip(path, ...ADDRESSES.toReversed().map((address) => `address del ${address}`));
  ip(path, ...ROUTES.map((route) => `route add ${route}`));
  ip(path, ...ROUTES.map((route) => `route del ${route}`));
  await isReady(node);
  await noDrift(lab.hosts);
  expect(peakKb() - before).toBeLessThan(GROWTH_MAX_KB);
  const { stdout } = await meshOn(lab.host('host0'), 'events');
  expect(stdout).not.toContain('member dropped');
});

test('an agent starts while links come and go', async () => {
  const path = netnsPath(node.netns);
  ip(path, ...Array.from({ length: 150 }, (_, i) => `link add c${i} type veth peer name d${i}`));
  const script = 'while ip link add x type veth peer name y; do echo; ip link del x; done';
  const churn = spawn('nsenter', [`--net=${path}`, 'sh', '-c', script]);
  const ended = once(churn, 'close');
  try {
    await once(churn.stdout, 'data');
    await lab.stop(node, 'agent');
    lab.start(node, 'agent');
    await isReady(node);
  } finally {
    churn.kill('SIGKILL');
    await ended;
  }
  await noDrift(lab.hosts);
});
