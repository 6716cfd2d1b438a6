/** A guest that takes all connections of the endpoints in a mesh: members stay, a newcomer joins, and status says who it is. */
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { AGENT_PORT, MEMBERSHIP_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { allReachable } from '../reach.ts';
import { growLittle, retainedKbOf } from '../retained-memory.ts';
import { areListed } from '../talk.ts';
import { until } from '../until.ts';
import { Flood } from './flood.ts';

const ADDRESSES = Array.from({ length: 64 }, (_, index) => `fd42:2345:1234:9abc:9::${(0x100 + index).toString(16)}`);
const EACH = 4;
const FLOOD_DEADLINE_MS = 30_000;
/** How much more host0's daemon may hold on to while strangers take all that they can get. */
const GROWTH_MAX_KB = 20 * 1024;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
let guest: Guest;
/** The guest's Ethernet address. */
let mac: string;

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `endpoints-${process.pid}`, nodes: 3, segments: 1 }));
  [host0, node1, node2, node3] = [lab.host('host0'), lab.host('node1'), lab.host('node2'), lab.host('node3')];
  await lab.startHost0();
  for (const node of [node1, node2]) lab.start(node, 'agent');
  await lab.ready({ hosts: [host0, node1, node2] });
  guest = shared.use(Guest.behind(node2, 'guest0', 'fd42:2345:1234:9abc:9::1'));
  await meshOn(node2, 'port', 'plug', 'manage', guest.port);
  ip(guest.netns, ...ADDRESSES.map((address) => `address add ${address}/64 dev eth0 nodad`));
  await allReachable(guest.netns, [host0.member.ipv6, node1.member.ipv6]);
  mac = /link\/ether (\S+)/.exec(guest.run('ip', 'link', 'show', 'eth0'))?.[1] ?? '';
});

function flood(host: string, port: number): Flood {
  return Flood.from(guest.netns, { host, port, addresses: ADDRESSES, each: EACH });
}

/** What is not well on a host, as `mesh status` prints it. */
async function statusOf(host: LabHost): Promise<string> {
  return (await meshOn(host, 'status')).stdout;
}

/** Whether a host says of an endpoint that the guest takes it. @param behind where the guest is, as this host sees it */
async function isTold(host: LabHost, endpoint: string, behind: string): Promise<boolean> {
  const text = await statusOf(host);
  return text.includes(`${endpoint} endpoint of manage`) && text.includes(`${mac} behind ${behind}`);
}

/** What host0's daemon holds on to. */
async function retainedKb(): Promise<number[]> {
  return [await retainedKbOf(lab.process(host0, 'host0'), netnsPath(host0.netns))];
}

/** How many members have left since host0 started. */
async function departures(): Promise<number> {
  const { stdout } = await meshOn(host0, 'metrics', '--text', '--process', 'host0');
  const lines = stdout.split('\n').filter((line) => /^meshwork_member_changes_total\{.*change="leave"/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('of the membership endpoint drive no member away, let a newcomer join, and are told', async () => {
  const before = await retainedKb();
  using taker = flood(host0.member.ipv6, MEMBERSHIP_PORT);
  await until('status names the guest', FLOOD_DEADLINE_MS, () => isTold(host0, 'membership', node2.member.ipv4));
  await until('connections had to go', FLOOD_DEADLINE_MS, () => taker.count.closed > 0);
  lab.start(node3, 'agent');
  const tookMs = await areListed(lab, node1, [node1, node2, node3]);
  console.log(`newcomer listed after ${tookMs} ms, ${JSON.stringify(taker.count)}`);
  expect(taker.count.streams).toBe(0);
  expect(taker.count.refused).toBeGreaterThan(0);
  await growLittle('host0', retainedKb, before, GROWTH_MAX_KB);
  expect(await departures()).toBe(0);
});

test("of an agent's endpoint keep no member from asking, and are told", async () => {
  using far = flood(node1.member.ipv6, AGENT_PORT);
  using near = flood(node2.member.ipv6, AGENT_PORT);
  await until('node1 names the guest', FLOOD_DEADLINE_MS, () => isTold(node1, 'paths', node2.member.ipv4));
  await until('node2 names the guest', FLOOD_DEADLINE_MS, () => isTold(node2, 'paths', guest.port));
  await until('connections had to go', FLOOD_DEADLINE_MS, () => far.count.closed > 0 && near.count.closed > 0);
  const { stdout } = await meshOn(node2, 'trace', 'manage', 'node2', 'node1');
  expect(stdout).toContain('node1');
  expect(stdout).not.toMatch(/does not answer|closed|reset/);
});

test('a page whose name leads to host0’s address, and a page of another site, get nothing', () => {
  const url = `http://[${host0.member.ipv6}]:${MEMBERSHIP_PORT}/`;
  const curl = (...words: string[]) =>
    inside(netnsPath(node1.netns), 'curl', '-sg', '-o', '/dev/null', '-w', '%{http_code}', ...words);
  expect(curl(url)).toBe('200');
  expect(curl('-H', 'Host: rebound.example:8000', url)).toBe('403');
  expect(curl('-H', 'Origin: http://page.example', url)).toBe('403');
  expect(curl('-H', 'Sec-Fetch-Site: cross-site', '-X', 'PUT', `${url}self`)).toBe('403');
  const { controlSock, agentSock } = pathsBelow(host0.root);
  for (const socket of [controlSock, agentSock]) {
    expect(curl('--unix-socket', socket, 'http://here/health')).toBe('200');
    expect(curl('--unix-socket', socket, '-H', 'Origin: http://page.example', 'http://here/health')).toBe('403');
  }
});
