/**
 * Proves that unplugging a port is a step of a plan: it is tried again after a failure, and after a restart of the
 * agent.
 */
import { beforeEach, expect, test } from 'vitest';
import { Backoff } from '../../src/agent/loop/backoff.ts';
import { driftView, explainView, planView, statusView } from '../../src/agent/view/agent-view.ts';
import { MeshError } from '../../src/model/error.ts';
import { randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';
import type { AgentProcess, SimMachine } from './sim-machine.ts';

/** Time for all nodes to join. */
const CALM_MS = 5_000;
/** Time for a start of the agent, or for a few attempts with their delays. */
const SETTLE_MS = 2_000;
/** Time until a step that failed again and again is tried once more. */
const LONGEST_WAIT_MS = Backoff.LONGEST_MS + 1_000;
const LISTED = { action: 'delete', item: 'port:tap0', text: 'ip link set tap0 nomaster' };

let cluster: Cluster;
let node: SimMachine;
let bridge: string;

beforeEach(async () => {
  cluster = new Cluster({ random: randomFrom(1), agents: 2, segments: 1, networks: 1, trace: false });
  cluster.start();
  await pass(CALM_MS);
  const [first] = cluster.nodes;
  if (first === undefined) throw new TypeError('a cluster without a node');
  await plugOn(first);
});

/** Gives the machine two ports: tap0 is plugged by our command, put0 is put on the bridge by an administrator. */
async function plugOn(machine: SimMachine): Promise<void> {
  node = machine;
  bridge = networkOf(cluster).bridge.name;
  for (const name of ['tap0', 'put0']) node.kernel.perform({ do: 'link-add', kind: 'veth', name });
  node.kernel.perform({ do: 'link-set', link: 'put0', change: { master: bridge } });
  await pass(SETTLE_MS);
  await done(processOf(node).agent.ports.plug('tap0', networkOf(cluster).name));
  expect(masterOf('tap0')).toBe(bridge);
}

function networkOf({ networks: [network] }: Cluster) {
  if (network === undefined) throw new TypeError('a cluster without a network');
  return network;
}

function processOf({ process }: SimMachine): AgentProcess {
  if (process === undefined) throw new TypeError('no agent runs');
  return process;
}

async function pass(ms: number): Promise<void> {
  await cluster.clock.run(cluster.clock.nowMs() + ms);
}

/** Lets simulated time pass for a command. @returns its result */
async function done<T>(command: Promise<T>): Promise<T> {
  const settled = Promise.allSettled([command]);
  await pass(SETTLE_MS);
  const [result] = await settled;
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

function masterOf(name: string): string | undefined {
  return node.kernel.links.get(node.kernel.linkNamed(name)?.master ?? 0)?.name;
}

/** Unplugs tap0 and kills the agent at the first operation. @param refusing 1 when the kernel refuses that operation */
async function killedAt(refusing: 0 | 1): Promise<void> {
  const { agent, kernel } = processOf(node);
  kernel.refusing = refusing;
  if (refusing === 0) cluster.onOperation = (machine) => machine.killAgent();
  void agent.ports.unplug('tap0').catch(() => undefined);
  await pass(30);
  cluster.onOperation = () => undefined;
  node.killAgent();
}

async function restarted(): Promise<AgentProcess> {
  node.startAgent();
  await pass(SETTLE_MS);
  return processOf(node);
}

test('unplug resolves when the port is off, and the plan is empty', async () => {
  const { agent } = processOf(node);
  await done(agent.ports.unplug('tap0'));
  expect([masterOf('tap0'), masterOf('put0')]).toEqual([undefined, bridge]);
  expect((await done(planView(agent))).steps).toEqual([]);
  expect(node.kernel.printRuleset('bridge')).not.toContain('tap0');
  expect(agent.ports.list().map((port) => port.interface)).toEqual(['put0']);
  await expect(done(agent.ports.unplug('tap0'))).rejects.toMatchObject({ code: 'MESH_PORT_UNKNOWN' });
  await done(agent.ports.unplug('put0'));
  expect(masterOf('put0')).toBeUndefined();
});

test('a port that is down is a finding with the command that sets it up, until it is up', async () => {
  const { agent } = processOf(node);
  const findings = () => statusView(agent, 0).health.filter(({ code }) => code === 'MESH_PORT_DOWN');
  expect(findings()).toMatchObject([
    { object: 'put0', remedy: expect.stringContaining('`ip link set put0 up`') },
    { object: 'tap0', message: 'tap0 is plugged into mesh0, but it is down: no frame passes' },
  ]);
  for (const link of ['tap0', 'put0']) node.kernel.perform({ do: 'link-set', link, change: { up: true } });
  await pass(SETTLE_MS);
  expect(findings()).toEqual([]);
  expect(agent.ports.list().map(({ down }) => down)).toEqual([undefined, undefined]);
});

test('a step that the kernel refused once is tried again', async () => {
  const { agent, kernel } = processOf(node);
  kernel.refusing = 1;
  const answer = agent.ports.unplug('tap0');
  await pass(30);
  expect(masterOf('tap0')).toBe(bridge);
  kernel.refusing = 0;
  await done(answer);
  expect(masterOf('tap0')).toBeUndefined();
});

test('while the kernel refuses the step, unplug fails, every view shows the step, and the rules for guests stay', async () => {
  const { agent, kernel } = processOf(node);
  kernel.refusing = 1;
  const error = await done(agent.ports.unplug('tap0')).catch(MeshError.from);
  expect(error).toMatchObject({ code: 'MESH_KERNEL_REFUSED', object: 'tap0' });
  expect((await done(planView(agent))).steps).toEqual([LISTED]);
  expect((await done(driftView(agent))).steps).toEqual([LISTED]);
  expect((await done(explainView(agent, 'tap0'))).items).toEqual([
    { item: 'port:tap0', text: LISTED.text, state: 'unwanted' },
  ]);
  expect(node.kernel.printRuleset('bridge')).toContain('tap0');

  // A second command fails in the same way, and the loop still tries the step.
  await expect(done(agent.ports.unplug('tap0'))).rejects.toMatchObject({ code: 'MESH_KERNEL_REFUSED' });
  kernel.refusing = 0;
  await pass(LONGEST_WAIT_MS);
  expect(masterOf('tap0')).toBeUndefined();
  expect(node.kernel.printRuleset('bridge')).not.toContain('tap0');
});

test('plugging the port again cancels the unplugging', async () => {
  const { agent, kernel } = processOf(node);
  kernel.refusing = 1;
  await done(agent.ports.unplug('tap0')).catch(MeshError.from);
  await done(agent.ports.plug('tap0', networkOf(cluster).name));
  kernel.refusing = 0;
  await pass(LONGEST_WAIT_MS);
  expect(masterOf('tap0')).toBe(bridge);
  expect((await done(planView(agent))).steps).toEqual([]);
});

test('an agent that is killed before the step does it after its restart', async () => {
  await killedAt(1);
  expect(masterOf('tap0')).toBe(bridge);
  const { agent } = await restarted();
  expect([masterOf('tap0'), masterOf('put0')]).toEqual([undefined, bridge]);
  expect((await done(planView(agent))).steps).toEqual([]);
});

test('an agent that is killed after the step leaves a port alone that is put on the bridge later', async () => {
  await killedAt(0);
  expect(masterOf('tap0')).toBeUndefined();
  await restarted();
  node.kernel.perform({ do: 'link-set', link: 'tap0', change: { master: bridge } });
  await pass(SETTLE_MS);
  node.killAgent();
  await restarted();
  expect(masterOf('tap0')).toBe(bridge);
});

test('a port that was moved to another bridge stays there', async () => {
  await killedAt(1);
  node.kernel.perform({ do: 'link-add', kind: 'bridge', name: 'other0' });
  node.kernel.perform({ do: 'link-set', link: 'tap0', change: { master: 'other0' } });
  const { agent } = await restarted();
  expect(masterOf('tap0')).toBe('other0');
  expect((await done(planView(agent))).steps).toEqual([]);
});

test('a port can be unplugged while host0 is away', async () => {
  cluster.powerOffHost0();
  await pass(SETTLE_MS);
  await done(processOf(node).agent.ports.unplug('tap0'));
  expect(masterOf('tap0')).toBeUndefined();
});

test('host0 takes a port off before its daemon has sent the networks', async () => {
  await plugOn(cluster.host0Machine);
  cluster.killDaemon();
  node.killAgent();
  const { agent } = await restarted();
  expect(agent.source.known).toBe(false);
  await done(agent.ports.unplug('tap0'));
  expect([masterOf('tap0'), masterOf('put0')]).toEqual([undefined, bridge]);
});
