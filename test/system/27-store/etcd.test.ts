/** host0 with a store in a real etcd of three members: what it has acknowledged stays, whichever member goes, and it goes on by itself. */
import { appendFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath, temporaryNetns } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import { type ControlClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { EtcdCluster, type EtcdMember } from '../../kit/etcd.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';

/** Five times the five seconds after which all pairs reach each other again. */
const READY_DEADLINE_MS = 25_000;
/** An election takes two seconds, and host0 gives a member up after 1.5 s. */
const FAIL_OVER_DEADLINE_MS = 25_000;
/** Enough that some are under way when the member goes. */
const NETWORKS = 24;

/** The underlay addresses of host0 and node1. */
const HOST0S = ['10.11.0.1', '10.11.0.2'];

const shared = forAllTests();
let lab: Lab;
let cluster: EtcdCluster;
let host0: ControlClient<'host0'>;
let wire: string;

/** Three members and what can be host0, each in a namespace of its own, on one wire. */
async function membersFor(...host0s: readonly string[]): Promise<EtcdCluster> {
  const [switchNetns, ...members] = Array.from({ length: 4 }, () => shared.use(temporaryOne()).path);
  wire = switchNetns ?? '';
  ip(wire, 'link add br0 type bridge', 'link set br0 up');
  for (const [index, netns] of [...members, ...host0s].entries()) {
    const device = host0s.includes(netns) ? 'store0' : 'eth0';
    ip(wire, `link add p${index} type veth peer name ${device} netns ${netns}`, `link set p${index} master br0 up`);
    ip(netns, 'link set lo up', `address add 10.98.0.${index + 1}/24 dev ${device}`, `link set ${device} up`);
  }
  return EtcdCluster.start(
    members.map((netns, index) => ({
      ...{ name: `m${index + 1}`, host: `10.98.0.${index + 1}`, clientPort: 2379, peerPort: 2380, netns },
    })),
  );
}

function temporaryOne() {
  const netns = temporaryNetns();
  return { path: netns.path, [Symbol.dispose]: () => netns.close() };
}

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `etcd-${process.pid}`, nodes: 3, segments: 1 }));
  const { netns, root } = lab.host('host0');
  cluster = await membersFor(netnsPath(netns), netnsPath(lab.host('node1').netns));
  shared.defer(() => cluster.close());
  const { host0: tree } = pathsBelow(root);
  const endpoints = cluster.place.endpoints.map(({ host, port }) => `${host}:${port}`).join();
  appendFileSync(`${tree}/host0.conf`, `store="etcd://${endpoints}"\n`);
  host0 = host0Client(pathsBelow(root));
  await lab.startAll();
  await lab.ready({ deadlineMs: READY_DEADLINE_MS });
});

const isLeader = (member: EtcdMember): boolean => {
  const { stdout } = member.ctl('endpoint', 'status', '-w=json', '--dial-timeout=1s');
  const leader = /"leader":(\d+)/.exec(stdout)?.[1];
  return leader !== undefined && leader === /"member_id":(\d+)/.exec(stdout)?.[1];
};
const leaderOf = (): Promise<EtcdMember> =>
  until('a member leads', FAIL_OVER_DEADLINE_MS, async () => cluster.members.find(isLeader));
const nameOf = (): Promise<readonly string[]> =>
  host0.ask('GET /v1/catalogue').then((views) => views.map(({ network }) => network.name));

/** Makes networks, a few at a time, and calls `fault` when some of them are made. @returns the names of those that host0 acknowledged */
async function createDuring(prefix: string, fault: () => Promise<void> | void): Promise<string[]> {
  const made: string[] = [];
  let next = 0;
  let faulted: Promise<void> | undefined;
  const creator = async (): Promise<void> => {
    while (next < NETWORKS) {
      const name = `${prefix}${next++}`;
      await host0.ask('POST /v1/catalogue', { body: { name } });
      made.push(name);
      if (made.length === NETWORKS / 3) faulted = Promise.resolve(fault());
    }
  };
  await Promise.all(Array.from({ length: 4 }, creator));
  await faulted;
  return made;
}

/** What etcd itself has, by a member that has a leader. */
function namesIn(member: EtcdMember): readonly string[] {
  const { stdout } = member.ctl('get', '--prefix', '/v1/networks/', '--print-value-only');
  return Array.from(stdout.matchAll(/"name":"([^"]+)"/g), ([, name = '']) => name);
}

/**
 * host0 takes up what is written by hand, so its watch goes on. A member that was killed or cut off takes a write only after it
 * has found the leader.
 */
async function watchGoesOn(member: EtcdMember, number: string, name: string): Promise<void> {
  const written = () => member.ctl('put', `/v1/networks/${number}`, JSON.stringify({ name })).stdout === 'OK\n';
  await until('the member takes the write', FAIL_OVER_DEADLINE_MS, async () => written());
  await until(`${name} is a network`, FAIL_OVER_DEADLINE_MS, async () => (await nameOf()).includes(name));
}

test('the line of the seed is listed as refused, and becomes a network with a sound document', async () => {
  const [member] = cluster.members as [EtcdMember];
  const list = async () => (await meshOn(lab.host('host0'), 'network', 'list')).stdout;
  expect(member.ctl('put', '/v1/network/200', '{ some_network }').stdout).toBe('OK\n');
  const refused = await until('the line is refused', FAIL_OVER_DEADLINE_MS, async () => {
    const text = await list();
    return text.includes('refused /v1/network/200') && text;
  });
  expect(refused).toContain('A document of a network is JSON.');
  member.ctl('put', '/v1/network/200', '{ "name": "some" }');
  await until('it is a network', FAIL_OVER_DEADLINE_MS, async () => (await nameOf()).includes('some'));
  expect(await list()).not.toContain('refused');
  expect(member.ctl('get', '/v1/networks/200', '--print-value-only').stdout).toContain('"number":"0x200"');
  member.ctl('del', '/v1/network/200');
  await until('it is deleted', FAIL_OVER_DEADLINE_MS, async () => !(await nameOf()).includes('some'));
});

test('the leader of etcd is killed: no acknowledged network is lost, and the watch goes on', async () => {
  const leader = await leaderOf();
  const made = await createDuring('a', () => leader.kill());
  const [other] = cluster.members.filter((member) => member !== leader) as [EtcdMember];
  expect(namesIn(other)).toEqual(expect.arrayContaining(made));
  expect(await nameOf()).toEqual(expect.arrayContaining(made));
  await watchGoesOn(other, '300', 'by-hand');
  leader.start();
  await leader.answers();
});

test('a member that is cut off, and heals: no acknowledged network is lost, and none is made twice', async () => {
  const leader = await leaderOf();
  const port = `p${cluster.members.indexOf(leader)}`;
  const made = await createDuring('b', () => ip(wire, `link set ${port} down`));
  const [other] = cluster.members.filter((member) => member !== leader) as [EtcdMember];
  expect(namesIn(other)).toEqual(expect.arrayContaining(made));
  await watchGoesOn(other, '301', 'by-hand-2');
  ip(wire, `link set ${port} up`);
  await watchGoesOn(leader, '302', 'by-hand-3');
  const names = await nameOf();
  expect(names.filter((name) => names.indexOf(name) !== names.lastIndexOf(name))).toEqual([]);
  expect(inside(wire, 'ip', 'link', 'show', port)).toContain('UP');
});

test('host0 is killed and starts again with what etcd has', async () => {
  const before = await nameOf();
  await lab.stop(lab.host('host0'), 'host0');
  lab.start(lab.host('host0'), 'host0');
  // The networks of files come a moment after those of the store.
  await until('all networks are there', FAIL_OVER_DEADLINE_MS, async () =>
    isDeepStrictEqual(await nameOf().catch(() => []), before),
  );
});

/** Enough for a lease of 4 s, and for a host0 that begins to lead. */
const LEAD_DEADLINE_MS = 30_000;
const leaderSeenBy = async (name: string): Promise<string | undefined> => {
  const client = host0Client(pathsBelow(lab.host(name).root));
  return client.ask('GET /v1/leadership').then(
    ({ leader }) => leader,
    () => undefined,
  );
};
const mesh = (host: string, ...words: readonly string[]) => lab.exec(lab.host(host), ['mesh', ...words]);
const withBoth = (host: LabHost): LabHost => ({ ...host, host0: HOST0S.join() as Ipv4 });

test('two host0s: one leads, and the other follows it when it is killed', async () => {
  const [first] = [lab.host('host0')];
  const nodes = [lab.host('node2'), lab.host('node3')] as const;
  const joined = await mesh('host0', 'host0', 'join', ...HOST0S);
  expect(joined.stderr).toBe('');
  for (const program of ['agent', 'host0'] as const) await lab.stop(first, program);
  for (const program of ['host0', 'agent'] as const) lab.start(first, program);
  for (const node of nodes) {
    await lab.stop(node, 'agent');
    lab.start(withBoth(node), 'agent');
  }
  await until('host0 leads', LEAD_DEADLINE_MS, async () => (await leaderSeenBy('host0')) === 'host0');
});
