/**
 * `mesh trace` over two segments: it finds no fault in a healthy mesh, and names the hop of each fault that a test
 * makes.
 */
import { afterEach, beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { AGENT_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import type { TraceView } from '../../../src/protocol/documents/trace.ts';
import { inside } from '../../kit/namespaces.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { allReachable } from '../reach.ts';
import { areListed } from '../talk.ts';
import { until } from '../until.ts';
import { askedWhilePaused } from './paused-agent.ts';

/**
 * A trace takes a third of a second. An agent that is delayed between the question and its look repairs the fault
 * first; the test then makes the fault again.
 */
const DEADLINE_MS = 60_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `trace-${process.pid}`, nodes: 2, segments: 2 }));
  host0 = lab.host('host0');
  node1 = lab.host('node1');
  node2 = lab.host('node2');
  await Promise.all(lab.hosts.map(isReady));
});

afterEach(async () => {
  await noDrift(lab.hosts);
});

async function trace(asker: LabHost, from: string, to: string): Promise<TraceView> {
  const { code, stdout, stderr } = await meshOn(asker, 'trace', 'manage', from, to, '--json');
  if (code > 1) throw new Error(`mesh trace on ${asker.name}: ${stdout}${stderr}`);
  const view = JSON.parse(stdout) as TraceView;
  if (code !== Number(faultsOf(view).length > 0)) throw new Error(`exit code ${code} with ${stdout}`);
  return view;
}

/** Waits until the path has no fault. On a busy machine an agent may be silent for longer than a trace waits for it. */
async function isWell(asker: LabHost, from: string, to: string): Promise<void> {
  await until(`${from} to ${to} is well`, DEADLINE_MS, async () => {
    const faults = faultsOf(await trace(asker, from, to));
    expect(faults.filter((fault) => !/ agent: .* silent for /.test(fault))).toEqual([]);
    return faults.length === 0;
  });
}

function faultsOf({ forth, back }: TraceView): string[] {
  return [...forth, ...back]
    .filter(({ state }) => state !== 'ok')
    .map(({ node, subject, held, wanted }) => `${node} ${subject}: ${held} | ${wanted}`);
}

test('a healthy mesh has no fault on any path, whichever host asks', async () => {
  const pairs = [
    ['host0', 'node1'],
    ['node1', 'node2'],
    ['node2', 'node1'],
    [node2.machine, host0.member.ipv6],
  ] as const;
  for (const asker of lab.hosts) for (const [from, to] of pairs) await isWell(asker, from, to);
  const { forth } = await trace(host0, 'node1', 'node2');
  expect([...new Set(forth.map(({ node }) => node))]).toEqual(['node1', 'host0', 'node2']);
});

/** A command that makes a fault, the host that runs it, the host that traces, and the first hop that differs then. */
const FAULTS: readonly {
  readonly what: string;
  readonly where: () => LabHost;
  readonly asker: () => LabHost;
  readonly command: () => readonly string[];
  readonly named: () => string;
  /** What else names the fault. */
  readonly also?: () => string;
  /** Undoes a change that the kernel does not announce, so that the agent would notice it only in its next audit. */
  readonly cure?: readonly string[];
}[] = [
  {
    what: 'a deleted FDB entry',
    where: () => node1,
    asker: () => host0,
    command: () => ['bridge', 'fdb', 'del', node2.member.mac, 'dev', 'vxlan456', 'dst', node2.member.ipv4, 'self'],
    named: () =>
      `node1 vxlan entry: there is no entry for ${node2.member.mac} | ${node2.member.mac} leads to 10.11.1.2`,
    // A frame of node2 makes the kernel of node1 learn one.
    also: () =>
      `node1 vxlan entry: ${node2.member.mac} leads to 10.11.1.2 (dynamic → permanent, not extern_learn) | ${node2.member.mac} leads to 10.11.1.2`,
  },
  {
    what: 'a wrong remote VTEP',
    where: () => node1,
    asker: () => host0,
    command: () => ['bridge', 'fdb', 'replace', node2.member.mac, 'dev', 'vxlan456', 'dst', '10.11.0.77', 'self'],
    named: () => `node1 vxlan entry: ${node2.member.mac} leads to 10.11.0.77 | ${node2.member.mac} leads to 10.11.1.2`,
  },
  {
    what: 'a deleted neighbour entry',
    where: () => node1,
    asker: () => host0,
    command: () => ['ip', 'neigh', 'del', node2.member.ipv6, 'dev', 'br456'],
    named: () =>
      `node1 neighbour: there is no entry for ${node2.member.ipv6} | ${node2.member.ipv6} is at ${node2.member.mac} on br456`,
    // A packet from node2 makes the kernel of node1 ask for it.
    also: () =>
      `node1 neighbour: ${node2.member.ipv6} is at ${node2.member.mac} on br456, reachable | ${node2.member.ipv6} is at ${node2.member.mac} on br456`,
  },
  {
    what: 'a missing route',
    where: () => node1,
    asker: () => host0,
    command: () => ['ip', 'route', 'del', '10.11.1.0/24', 'table', '4789'],
    named: () => 'node1 route: there is no route to 10.11.1.2 | 10.11.1.2 goes via 10.11.0.1',
  },
  {
    what: 'host0 not forwarding',
    where: () => host0,
    asker: () => node1,
    command: () => ['sysctl', '-q', 'net.ipv4.conf.eth1.forwarding=0'],
    named: () => 'host0 forwarding: packets that come in on eth1 are not forwarded | they are forwarded',
    cure: ['sysctl', '-q', 'net.ipv4.conf.eth1.forwarding=1'],
  },
  {
    what: 'a missing element of an nft set',
    where: () => node2,
    asker: () => host0,
    command: () => ['nft', 'delete element inet meshwork sources_456 { 10.11.0.2 }'],
    named: () =>
      'node2 firewall: 10.11.0.2 is not in the set sources_456: its packets are dropped | table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2',
  },
  {
    what: 'the VXLAN device down',
    where: () => node1,
    // While it is down, no other node reaches the agent.
    asker: () => node1,
    command: () => ['ip', 'link', 'set', 'vxlan456', 'down'],
    named: () => 'node1 vxlan: vxlan456: up false → true | vxlan456 is up and as `mesh explain vxlan456` shows',
  },
];

test.each(FAULTS)('$what', async ({ where, asker, command, named, also, cure }) => {
  let last: string[] = [];
  await until(`it is named: ${named()}`, DEADLINE_MS, async () => {
    last = await askedWhilePaused(lab, where(), command(), () => trace(asker(), 'node1', 'node2')).then(
      faultsOf,
      // The command fails when the agent has not yet repaired the last deletion.
      (error: Error) => [error.message],
    );
    if (cure !== undefined) await lab.exec(where(), cure);
    if (last[0] === named() || last[0] === also?.()) return true;
    await noDrift(lab.hosts);
    return false;
  }).catch((cause: unknown) => {
    throw new Error(`it named ${JSON.stringify(last)}`, { cause });
  });
});

test('a stopped agent is reported as silent, and the other agents answer', async () => {
  await lab.stop(node2, 'agent', 'SIGSTOP');
  try {
    const view = await trace(host0, 'node1', 'node2');
    expect(faultsOf(view)[0]).toContain('node2 agent: its agent does not answer');
    expect(view.forth.filter(({ node }) => node === 'node1').every(({ state }) => state === 'ok')).toBe(true);
  } finally {
    await lab.stop(node2, 'agent', 'SIGCONT');
  }
});

test('a narrow underlay, which no agent repairs', async () => {
  // host0 has dropped node2, if its agent was stopped for nine seconds.
  await areListed(lab, node1, [node1, node2]);
  await lab.exec(node2, ['ip', 'link', 'set', 'eth0', 'mtu', '1400']);
  try {
    expect(faultsOf(await trace(host0, 'node1', 'node2'))).toEqual([
      expect.stringContaining('node2 underlay: eth0 is up, MTU 1400'),
      expect.stringContaining('node2 underlay: eth0 is up, MTU 1400'),
    ]);
  } finally {
    await lab.exec(node2, ['ip', 'link', 'set', 'eth0', 'mtu', '1500']);
  }
});

test('malformed requests of a member are refused, and the agent still answers', async () => {
  const paths = ['//', '/path', '/path?from=a&to=b', '/v1/status', '/capture?snap=1'];
  const statuses = paths.map((path) => {
    const url = `http://[${node2.member.ipv6}]:${AGENT_PORT}${path}`;
    const options = ['--path-as-is', '-sgo', '/dev/null', '-m', '5', '-w', '%{http_code}'];
    return inside(netnsPath(node1.netns), 'curl', ...options, url);
  });
  expect(statuses).toEqual(['404', '400', '422', '404', '404']);
  await isWell(host0, 'node1', 'node2');
});

test('a guest: the path ends at its port, a port that is down is named, and the guest itself gets no answer', async () => {
  using guest = Guest.behind(node2, 'guest0', 'fd42:2345:1234:9abc::77');
  try {
    await meshOn(node2, 'port', 'plug', 'manage', 'guest0');
    await allReachable(netnsPath(node1.netns), [guest.address]);
    const mac = /link\/ether (\S+)/.exec(guest.run('ip', 'link', 'show', 'eth0'))?.[1] ?? '';
    const view = await trace(node1, 'node1', guest.address);
    expect(view.to).toMatchObject({ member: 'node2', guest: true, mac });
    expect(faultsOf(view)).toEqual([]);
    expect(view.forth.at(-1)?.held).toBe(`${mac} is behind guest0, which is up, MTU 1380`);

    const url = `http://[${node2.member.ipv6}]:${AGENT_PORT}/path?from=${node1.member.ipv6}&to=${node2.member.ipv6}`;
    const status = guest.run('curl', '-sgo', '/dev/null', '-m', '5', '-w', '%{http_code}', url);
    expect(status).toBe('403');

    // When the port goes down, the bridge deletes the port's FDB entries.
    await lab.exec(node2, ['ip', 'link', 'set', 'guest0', 'mtu', '1500']);
    const wide = await trace(node1, 'node1', mac);
    expect(wide.forth.at(-1)).toMatchObject({ state: 'differs', wanted: 'MTU 1380 at most, which manage carries' });
    expect((await meshOn(node2, 'port', 'list')).stdout).toContain('1500 > 1380');
    await lab.exec(node2, /`(ip link set guest0 [^`]*)`/.exec(wide.forth.at(-1)?.remedy ?? '')?.[1]?.split(' ') ?? []);
    await lab.exec(node2, ['ip', 'link', 'set', 'guest0', 'down']);
    expect(faultsOf(await trace(node1, 'node1', mac))[0]).toContain(`node2 port: the bridge has no entry for ${mac} `);
  } finally {
    await meshOn(node2, 'port', 'unplug', 'guest0');
  }
});
