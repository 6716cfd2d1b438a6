/** Odd, late and double host names keep no node out, and each is told on the node that has it; so is a wrong host0. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { isReady, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';

/** An agent starts within half a second, and is a member within another; host0 drops a silent member after nine. */
const MEMBER_DEADLINE_MS = 50_000;

const HOST_NAME = '/proc/sys/kernel/hostname';

const shared = forAllTests();
let lab: Lab;
let node1: LabHost;
let node2: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `names-${process.pid}`, nodes: 2, segments: 1 }));
  [node1, node2] = [lab.host('node1'), lab.host('node2')];
});

/**
 * An agent of node2 in place of the present one, until the end of the test. It has a host name of its own, in a namespace
 * for it.
 */
async function agentWith(hostName: string, host0: string): Promise<ChildProcess> {
  await lab.stop(node2, 'agent');
  // hostname(1) refuses odd names; the kernel takes them.
  const script = `echo ${hostName} >${HOST_NAME}; exec mesh agent run --host0 ${host0}`;
  const agent = lab.spawn(node2, ['unshare', '--uts', 'sh', '-c', script], { stdio: 'ignore' });
  onTestFinished(async () => {
    agent.kill('SIGKILL');
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
  });
  return agent;
}

/** The findings about the host's name. */
async function findings(host: LabHost): Promise<string[]> {
  const { health = [] } = (await statusOf(host)) ?? {};
  return health.filter(({ code }) => code === 'MESH_NODE_NAME').map(({ message, remedy }) => `${message}. ${remedy}`);
}

async function isListed(name: string): Promise<void> {
  await until(`host0 lists ${name}`, MEMBER_DEADLINE_MS, async () =>
    (await lab.memberList(lab.host('host0'))).split('\n').some((line) => line.startsWith(`${name} `)),
  );
}

test('a host name that no member list can have is changed, and a late one is told', async () => {
  const agent = await agentWith('node_2', '10.11.0.1');
  await isListed('node-2');
  await isReady(node2);
  expect(await findings(node2)).toEqual([
    expect.stringMatching(
      /^the host name "node_2" cannot stand in a member list; here the node is node-2\..* --name NAME/,
    ),
  ]);
  execFileSync('nsenter', ['--uts', '--target', String(agent.pid), 'sh', '-c', `echo late >${HOST_NAME}`]);
  expect(await findings(node2)).toEqual([
    'the host name is "late" now; here the node is still node-2. Restart the agent, which takes the host name when it starts.',
  ]);
});

test('of two nodes with one name, the second is told, and commands know both', async () => {
  lab.start({ ...node2, name: 'node1' }, 'agent');
  await isListed('node1-2');
  await isReady(node2);
  await expect
    .poll(() => findings(node2), { timeout: MEMBER_DEADLINE_MS })
    .toEqual([
      expect.stringMatching(
        /^the machine at 10\.11\.0\.2 has the name node1, too; manage lists this node as node1-2\. /,
      ),
    ]);
  expect(await findings(node1)).toEqual([]);
  const { code, stdout } = await meshOn(node1, 'ping', 'manage', 'node1-2', '-c', '1', '--json');
  expect([code, stdout]).toEqual([0, expect.stringContaining(node2.member.ipv6)]);
  const trace = await meshOn(node2, 'trace', 'manage', 'node1', 'node1-2');
  expect([trace.code, trace.stdout]).toEqual([0, expect.stringContaining(`→ node1-2 (${node2.member.ipv6})`)]);
});

test('an agent that was given an address of its own machine for host0 says so', async () => {
  const own = node2.ports[0]?.ipv4 ?? '';
  await agentWith('node2', own);
  const found = await until('there is a finding', MEMBER_DEADLINE_MS, async () =>
    (await statusOf(node2))?.health.find(({ code }) => code === 'MESH_HOST0_UNKNOWN'),
  );
  expect(found).toMatchObject({
    severity: 'error',
    message: `this node was told that host0 is at ${own}, which is an address of the node itself`,
  });
});
