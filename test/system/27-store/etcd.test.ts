/** host0 with a store in a real etcd of three members: what it has acknowledged stays, whichever member goes, and it goes on by itself. */
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { netnsPath, temporaryNetns } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { CommandOutcome } from '../../../src/lab/hosts/host-shell.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import { agentClient, type ControlClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { LeadershipView } from '../../../src/protocol/documents/views.ts';
import { SealKey } from '../../../src/store/shared/seal-key.ts';
import { meshCommands, missingLine, shownCommands } from '../../cli/console-block.ts';
import { EtcdCluster, type EtcdMember } from '../../kit/etcd.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { PingSet } from '../ping-set.ts';
import { pageOf } from '../typist.ts';
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
  const watch = member.watch('/v1/network');
  onTestFinished(() => watch.close());
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
  // As the seed watches: the line that was put by hand, and the records that host0 has made and removed for it.
  await until('etcdctl has shown all', FAIL_OVER_DEADLINE_MS, async () => {
    const seen = watch.seen();
    return ['put /v1/network/200', 'put /v1/networks/200', 'delete /v1/network/200', 'delete /v1/networks/200'].every(
      (one) => seen.includes(one),
    );
  });
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

/** Five times the lease of 4 s and the second that a host0 needs to begin. */
const LEAD_DEADLINE_MS = 30_000;
const DAEMONS = ['host0', 'agent'] as const;
const PAGE = shownCommands(pageOf('docs/standby.md'));

const mesh = (host: string, ...words: readonly string[]) => lab.exec(lab.host(host), ['mesh', ...words]);
const clientOn = (host: string): ControlClient<'host0'> => host0Client(pathsBelow(lab.host(host).root));
const leadershipOn = (host: string): Promise<LeadershipView | undefined> =>
  clientOn(host)
    .ask('GET /v1/leadership')
    .catch(() => undefined);
const leaderHeardBy = async (host: string): Promise<string | undefined> => {
  const paths = pathsBelow(lab.host(host).root);
  const [view] = await agentClient(paths).ask('GET /v1/networks');
  return view?.host0Answers === true ? view.members[0]?.name : undefined;
};

/** A command of the page, typed on a host. @param key the path of the copied key file, in place of the one on the page */
async function typePage(host: string, at: number, key = ''): Promise<CommandOutcome> {
  const [words = []] = meshCommands(PAGE[at]?.text ?? '');
  return mesh(host, ...words.map((word) => (word === '/root/host0.key' ? key : word)));
}

async function startAnew(host: LabHost): Promise<void> {
  for (const program of DAEMONS.toReversed()) await lab.stop(host, program);
  for (const program of DAEMONS) lab.start(host, program);
}

test('two host0s: the second follows the first when that is killed, and nothing is lost', async () => {
  const [first, second, ...nodes] = ['host0', 'node1', 'node2', 'node3'].map((name) => lab.host(name));
  if (first === undefined || second === undefined) throw new RangeError('the lab has four hosts');
  const [firstPaths, paths] = [pathsBelow(first.root), pathsBelow(second.root)];
  expect((await typePage('host0', 0)).stdout).toContain('the first of several');
  await startAnew(first);
  for (const node of nodes) {
    await lab.stop(node, 'agent');
    lab.start({ ...node, host0: HOST0S.join() as Ipv4 }, 'agent');
  }
  await until('the first leads', LEAD_DEADLINE_MS, async () => (await leadershipOn('host0'))?.state === 'leads');
  const secret = readFileSync(join(firstPaths.state, 'keys/installation'), 'utf8');
  const readable = (text: string) => text.includes((/"secret": *"(\w+)"/.exec(secret) ?? ['', 'no secret'])[1] ?? '');
  const [member] = cluster.members as [EtcdMember];
  const sealed = await until('the secrets are in the store', LEAD_DEADLINE_MS, async () => {
    const { stdout } = member.ctl('get', '--prefix', '/v1/');
    return stdout.includes('/v1/sealed/installation') && stdout;
  });
  expect([readable(secret), readable(sealed)]).toEqual([true, false]);

  // The second: a copy of the tree, and first another key.
  cpSync(firstPaths.host0, paths.host0, { recursive: true });
  const [right, wrong] = [join(second.root, 'right.key'), join(second.root, 'wrong.key')];
  cpSync(firstPaths.host0Key, right);
  await SealKey.make(wrong);
  const refused = await typePage('node1', 1, wrong);
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('MESH_SEAL_REFUSED') });
  expect(existsSync(paths.host0Key)).toBe(false);
  expect((await typePage('node1', 1, right)).stdout).toContain('it waits');
  await startAnew(second);
  await until('the second waits', LEAD_DEADLINE_MS, async () => {
    const { code, stdout } = await typePage('node1', 2);
    return code === 0 && missingLine(stdout, PAGE[2]?.answer ?? ['']) === undefined;
  });
  const change = await mesh('node1', 'network', 'create', 'nowhere');
  expect(change.stderr).toMatch(/host0 leads \[MESH_HOST0_STANDBY\]/);

  // Another tree must not lead, and says so.
  writeFileSync(join(paths.host0Networks, 'other.conf'), '# another tree\n');
  await until('the other tree is told', LEAD_DEADLINE_MS, async () =>
    (await mesh('node1', 'status')).stdout.includes('this host0 must not lead: its tree'),
  );
  rmSync(join(paths.host0Networks, 'other.conf'));
  await until('the tree is the same again', LEAD_DEADLINE_MS, async () => {
    const view = await leadershipOn('node1');
    return view !== undefined && view.why === undefined;
  });
  await until('nodes and both host0s reach each other', LEAD_DEADLINE_MS, async () => {
    const names = await Promise.all(nodes.map(({ name }) => leaderHeardBy(name).catch(() => undefined)));
    return names.every((name) => name === 'host0-host0');
  });

  await clientOn('host0').ask('POST /v1/catalogue', { body: { name: 'before' } });
  const [one, other] = nodes as [LabHost, LabHost];
  using pings = await PingSet.start([one, other], [other, one], [one, second]);
  const killedMs = performance.now();
  await lab.stop(first, 'host0');
  await until('the second leads', LEAD_DEADLINE_MS, async () => (await leadershipOn('node1'))?.state === 'leads');
  const leadsMs = performance.now() - killedMs;
  await until(
    'a node hears the second',
    LEAD_DEADLINE_MS,
    async () => (await leaderHeardBy('node2')) === 'host0-node1',
  );
  console.log(
    `the second leads after ${Math.round(leadsMs)} ms, node2 hears it after ${Math.round(performance.now() - killedMs)} ms`,
  );
  await until('the network from before is there', LEAD_DEADLINE_MS, async () => {
    const views = await clientOn('node1').ask('GET /v1/catalogue');
    return views.some(({ network }) => network.name === 'before') && views;
  });
  await clientOn('node1').ask('POST /v1/catalogue', { body: { name: 'after' } });
  const views = await clientOn('node1').ask('GET /v1/catalogue');
  const numbers = views.map(({ network }) => network.number);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(await pings.lost()).toEqual({});

  lab.start(first, 'host0');
  await until('the first waits', LEAD_DEADLINE_MS, async () => {
    const view = await leadershipOn('host0');
    return view?.state === 'waits' && view.leader === 'node1';
  });
  for (const host of ['host0', 'node1', 'node2', 'node3']) {
    await until(`${host} says who leads`, LEAD_DEADLINE_MS, async () =>
      /^leader +node1(?:$|;)/m.test((await mesh(host, 'status')).stdout),
    );
  }
  expect(inside(netnsPath(first.netns), 'ip', '-br', 'link')).not.toContain('host0-456');
  expect(inside(netnsPath(second.netns), 'ip', '-br', 'link')).toContain('host0-456');
});
