/** What guests, and programs on a node, cannot do to the membership of a mesh. */
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { memberAddresses } from '../../../src/model/network/member.ts';
import { inside } from '../../kit/namespaces.ts';
import { manage } from '../../kit/networks.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';

/** host0's membership API in the mesh `manage`. */
const HOST0 = `http://[${memberAddresses(manage, 'host0').ipv6}]:8000/`;
const NAMES = 100;
const ADDRESSES = 20;
/** Five times what a finding takes to be shown. */
const TOLD_MS = 15_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
/** On node1, plugged in. */
let guest: Guest;
/** On node2, plugged in. */
let victim: Guest;
/** On host0, plugged in. */
let local: Guest;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `members-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  guest = shared.use(Guest.behind(node1, 'guest0', 'fd42:2345:1234:9abc:9::1'));
  victim = shared.use(Guest.behind(node2, 'victim0', 'fd42:2345:1234:9abc:9::2'));
  local = shared.use(Guest.behind(host0, 'local0', 'fd42:2345:1234:9abc:9::3'));
  for (const [host, { port }] of [
    [node1, guest],
    [node2, victim],
    [host0, local],
  ] as const) {
    await meshOn(host, 'port', 'plug', 'manage', port);
  }
  await allReachable(guest.netns, [victim.address, local.address]);
});

/** The member list as text. */
function members(): string {
  return inside(netnsPath(host0.netns), 'curl', '-gsS', HOST0);
}

/** HTTP status and code of the answer to a request from a namespace; `000` without an answer. */
function ask(netns: string, path: string, ...options: readonly string[]): string {
  const words = ['-gs', '--max-time', '3', '-w', '\n%{http_code}', ...options, `${HOST0}${path}`];
  const answer = inside(netns, 'sh', '-c', 'curl "$@" || true', 'curl', ...words);
  const status = answer.split('\n').at(-1);
  return [status, /"code":"(\w+)"/.exec(answer)?.[1]].filter((word) => word !== undefined).join(' ');
}

/** A report like that of the agent of `host`, in all but its instance. */
function reportAs({ machine, member }: LabHost, extra: object): string[] {
  const report = {
    machine,
    name: member.name,
    instance: 'another',
    ipv4: member.ipv4,
    state: { phase: 'ready' },
    ...extra,
  };
  return ['-X', 'PUT', '-H', 'content-type: application/json', '-d', JSON.stringify(report)];
}

/** Waits until `mesh status` on host0 says it. */
async function isTold(words: string): Promise<void> {
  await until(words, TOLD_MS, async () => (await meshOn(host0, 'status')).stdout.includes(words));
}

test('a guest is no member: neither as another node, nor by many names, addresses, or the Ethernet address of a guest', async () => {
  const before = members();
  expect(before.split('\n')).toHaveLength(4);
  expect(ask(guest.netns, '?name=node2')).toBe('403 MESH_MEMBER_NOT_ADMITTED');
  expect(ask(guest.netns, `?name=node2&machine=${node2.machine}`)).toBe('403 MESH_MEMBER_FORGED');
  await isTold(`from ${node1.member.ipv4}, which is the address of node1`);

  const numbers = Array.from({ length: ADDRESSES }, (_, number) => `fd42:2345:1234:9abc:a::${number + 1}`);
  for (const address of numbers) guest.run('ip', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad');
  ask(guest.netns, `?name=n[1-${NAMES}]`, '-o', '/dev/null', '--parallel');
  const each = numbers.map(
    (address, number) => `curl -gs --max-time 3 --interface ${address} '${HOST0}?name=a${number}' &`,
  );
  guest.run('sh', '-c', `${each.join('\n')}\nwait`);
  expect(members()).toBe(before);

  const mac = /link\/ether (\S+)/.exec(victim.run('ip', 'link', 'show', 'eth0'))?.[1] ?? '';
  const own = /link\/ether (\S+)/.exec(guest.run('ip', 'link', 'show', 'eth0'))?.[1] ?? '';
  guest.run('ip', 'link', 'set', 'eth0', 'address', mac);
  ask(guest.netns, '?name=thief');
  expect(members()).toBe(before);
  guest.run('ip', 'link', 'set', 'eth0', 'address', own);
});

test('a program on a node can neither rename the node, nor let it leave, nor say what it is made of', async () => {
  const before = members();
  const netns = netnsPath(node1.netns);
  expect(ask(netns, 'self', ...reportAs(node1, { leaving: true }))).toBe('403 MESH_MEMBER_FORGED');
  expect(ask(netns, 'self', ...reportAs(node1, { name: 'node2' }))).toBe('409 MESH_MEMBER_DOUBLE');
  const inventory = { system: { product: 'another' }, cpu: { threads: 1 }, memoryBytes: 1, disks: [], nics: [] };
  expect(ask(netns, 'inventory', ...reportAs(node1, inventory))).toBe('403 MESH_MEMBER_FORGED');
  expect(members()).toBe(before);
  await isTold(`a program at ${node1.member.ipv4} that is not the agent of node1`);
});

test('a guest on host0 cannot let a node leave in its name', async () => {
  const before = members();
  const { bridgeMac, ipv6 } = memberAddresses(manage, node2.machine);
  local.run('ip', 'address', 'add', `${ipv6}/64`, 'dev', 'eth0', 'nodad');
  local.run('ip', 'link', 'set', 'eth0', 'address', bridgeMac);
  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = ask(local.netns, 'self', '--interface', ipv6, ...reportAs(node2, { leaving: true }));
    expect(answer).not.toMatch(/^200/);
    expect(members()).toBe(before);
  }
});
