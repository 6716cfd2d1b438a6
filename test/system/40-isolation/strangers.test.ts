/** Machines that are not in a mesh reach neither its member list nor its members, and no control socket. */
import { statSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { type Ipv6, parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { formatMemberLine } from '../../../src/protocol/documents/membership.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { addressIn, SECOND_MESH, writeMesh } from '../../kit/lab-networks.ts';
import { inside } from '../../kit/namespaces.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { allAnswer, allReachable, reachable } from '../reach.ts';
import { Stranger } from '../stranger.ts';
import { until } from '../until.ts';

const {
  hostAddress: { prefix },
  type: { vni },
} = EXAMPLE_MESH;
const URL_IN_MESH = 'http://[fd42:2345:1234:9abc::1]:8000/';
/** Exit codes of curl: connection refused, and timeout. */
const REFUSED = 7;
const SILENCE = 28;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let stranger: Stranger;
let guest: Guest;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `strangers-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  for (const host of lab.hosts) writeMesh(host, SECOND_MESH);
  await allAnswer(SECOND_MESH, lab.hosts);
  stranger = shared.use(Stranger.on(lab, 0));
  // An answer of host0 to the stranger would have a route.
  inside(
    netnsPath(host0.netns),
    'ip',
    '-6',
    'route',
    'add',
    `${stranger.ipv6}/128`,
    'dev',
    host0.ports[0]?.device ?? '',
  );
  guest = shared.use(Guest.behind(node1, 'guest0', 'fd42:2345:1234:9abd:9::1'));
  await meshOn(node1, 'port', 'plug', SECOND_MESH.name, guest.port);
});

/** The exit code of curl. */
function fetch(netns: string, url: string): number {
  return Number(inside(netns, 'sh', '-c', `curl -sg -o /dev/null --max-time 1 '${url}'; echo $?`));
}

/** The link-local address of the host's NIC on the underlay. */
async function linkLocalOf(host: LabHost): Promise<Ipv6> {
  const list = ['ip', '-6', '-o', 'address', 'show', 'dev', host.ports[0]?.device ?? '', 'scope', 'link', '-tentative'];
  return await until('the NIC has its link-local address', 10_000, () => {
    const address = /inet6 (\S+)\//.exec(inside(netnsPath(host.netns), ...list))?.[1];
    return address === undefined ? undefined : parseIpv6(address);
  });
}

describe('the member list', () => {
  test('is served inside its mesh', async () => {
    expect(await lab.memberList(node1)).toContain(formatMemberLine(node2.member));
    expect(fetch(netnsPath(node2.netns), URL_IN_MESH)).toBe(0);
  });

  test("is not served at host0's addresses on the underlay", () => {
    const url = `http://${host0.member.ipv4}:8000/`;
    for (const netns of [stranger.netns, ...lab.hosts.map((host) => netnsPath(host.netns))]) {
      expect(fetch(netns, url)).toBe(REFUSED);
    }
  });

  test("is not given to a host of the underlay that routes the prefix to host0's link-local address", async () => {
    const gateway = await linkLocalOf(host0);
    stranger.run('ip', '-6', 'route', 'replace', prefix, 'via', gateway, 'dev', 'eth0');
    await until(
      'host0 can be reached',
      10_000,
      () => fetch(stranger.netns, `http://[${gateway}%25eth0]:9/`) === REFUSED,
    );
    expect(fetch(stranger.netns, URL_IN_MESH)).toBe(SILENCE);
    expect(await reachable(stranger.netns, [host0.member.ipv6, node1.member.ipv6])).toEqual([]);
  });

  test('is not given to guests of another mesh on the same node, by any route', async () => {
    for (const gateway of [addressIn(SECOND_MESH, host0), addressIn(SECOND_MESH, node1)]) {
      await allReachable(guest.netns, [gateway]);
      guest.run('ip', '-6', 'route', 'replace', prefix, 'via', gateway);
      expect(fetch(guest.netns, URL_IN_MESH)).toBe(SILENCE);
    }
  });

  test('is not given to a host of another mesh by a route through that mesh', () => {
    const { name: bridge } = SECOND_MESH.bridge;
    const route = [prefix, 'via', addressIn(SECOND_MESH, host0), 'dev', bridge, 'metric', '1'];
    inside(netnsPath(node2.netns), 'ip', '-6', 'route', 'add', ...route);
    expect(fetch(netnsPath(node2.netns), URL_IN_MESH)).toBe(SILENCE);
    inside(netnsPath(node2.netns), 'ip', '-6', 'route', 'delete', ...route);
    expect(fetch(netnsPath(node2.netns), URL_IN_MESH)).toBe(0);
  });

  test('is refused by the socket itself when the rules are missing', async () => {
    await lab.stop(host0, 'agent', 'SIGKILL');
    inside(netnsPath(host0.netns), 'nft', 'delete', 'table', 'inet', 'meshwork');
    await allReachable(stranger.netns, [host0.member.ipv6]);
    expect(fetch(stranger.netns, URL_IN_MESH)).toBe(REFUSED);
    lab.start(host0, 'agent');
    await isReady(host0);
    await noDrift([host0]);
    expect(fetch(stranger.netns, URL_IN_MESH)).toBe(SILENCE);
  });
});

test('only the member lists, the agents and the endpoint for channels listen on the network, each in its mesh', () => {
  const listening = (host: LabHost) =>
    inside(netnsPath(host.netns), 'ss', '-Htln')
      .split('\n')
      .flatMap((line) => line.trim().split(/\s+/)[3] ?? []);
  expect(listening(host0).toSorted()).toEqual([
    '[fd42:2345:1234:9abc::1]%br456:8000',
    '[fd42:2345:1234:9abc::1]%br456:8001',
    '[fd42:2345:1234:9abc::1]%br456:8004',
    '[fd42:2345:1234:9abd::1]%br457:8000',
    '[fd42:2345:1234:9abd::1]%br457:8001',
  ]);
  for (const node of [node1, node2]) {
    const bridges = listening(node).map((socket) => /%(br\d+:\d+)$/.exec(socket)?.[1]);
    expect(bridges.toSorted()).toEqual(['br456:8001', 'br457:8001']);
  }
});

test('the control sockets are for root and the group', () => {
  const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
  expect(modeOf(pathsBelow(host0.root).controlSock)).toBe('660');
  for (const host of lab.hosts) expect(modeOf(pathsBelow(host.root).agentSock)).toBe('660');
});

describe('a VXLAN device of a stranger', () => {
  const inMesh = 'fd42:2345:1234:9abc:bad::1';

  function addVxlan(netns: string, id: number, local: string, remote: string, ...addresses: string[]): void {
    const device = `vxlan${id}`;
    const tunnel = ['type', 'vxlan', 'id', String(id), 'dstport', '4789', 'local', local, 'remote', remote];
    inside(netns, 'ip', 'link', 'add', device, 'mtu', '1380', ...tunnel);
    for (const address of addresses) inside(netns, 'ip', 'address', 'add', `${address}/64`, 'dev', device, 'nodad');
    inside(netns, 'ip', 'link', 'set', device, 'up');
  }

  test('with the right VNI cannot reach members', async () => {
    addVxlan(stranger.netns, vni, stranger.ipv4, node1.member.ipv4, inMesh);
    stranger.run('ip', '-6', 'route', 'replace', prefix, 'dev', `vxlan${vni}`, 'metric', '1');
    expect(await reachable(stranger.netns, [node1.member.ipv6])).toEqual([]);
  });

  test('with another VNI is not filtered', async () => {
    addVxlan(stranger.netns, 999, stranger.ipv4, node1.member.ipv4, 'fd99::1');
    addVxlan(netnsPath(node1.netns), 999, node1.member.ipv4, stranger.ipv4, 'fd99::2');
    await allReachable(stranger.netns, [parseIpv6('fd99::2')]);
    await allReachable(netnsPath(node1.netns), [parseIpv6('fd99::1')]);
  });

  test('reaches members once its address is in the set of sources', async () => {
    await lab.stop(node1, 'agent', 'SIGKILL');
    const element = ['element', 'inet', 'meshwork', `sources_${vni}`, '{', stranger.ipv4, '}'];
    inside(netnsPath(node1.netns), 'nft', 'add', ...element);
    await allReachable(stranger.netns, [node1.member.ipv6]);
    lab.start(node1, 'agent');
    await isReady(node1);
    await noDrift([node1]);
    expect(await reachable(stranger.netns, [node1.member.ipv6])).toEqual([]);
    await allReachable(stranger.netns, [parseIpv6('fd99::2')]);
  });
});

test('no host has drifted', async () => {
  await noDrift(lab.hosts);
});
