/** Changes and questions over one rtnetlink socket, in a real namespace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errnoOf, MESH, peer, peerMac, vxlan } from '../../../test/kit/mesh-operations.ts';
import { ip } from '../../../test/kit/namespaces.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { libc } from '../libc.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import type { Link } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import { Rtnl } from './rtnl.ts';

let netns: TemporaryNetns;
let rtnl: Rtnl;

beforeEach(async () => {
  netns = temporaryNetns();
  rtnl = await Rtnl.open({ netns: netns.path });
});

afterEach(async () => {
  await rtnl.close();
  netns.close();
});

async function done(...operations: readonly KernelOperation[]): Promise<void> {
  expect(await rtnl.apply(operations)).toEqual(operations.map(() => undefined));
}

/** The errno's name of each failure; undefined for a success. */
async function failures(...operations: readonly KernelOperation[]): Promise<(string | undefined)[]> {
  return (await rtnl.apply(operations)).map(errnoOf);
}

/** The socket descriptors of this process. */
function sockets(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => isSocket(`/proc/self/fd/${fd}`));
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // The descriptor of this very directory is listed, too, and is closed by now.
    return false;
  }
}

/** Replaces a socket by another file, so that no new descriptor gets its number. */
function makeUseless(fd: number): void {
  libc.close(fd);
  const opened: number[] = [];
  while (!opened.includes(fd)) opened.push(openSync('/dev/null', 'r'));
  for (const other of opened) if (other !== fd) closeSync(other);
}

async function link(name: string): Promise<Link> {
  const found = await rtnl.link(name);
  if (found === undefined) throw new Error(`no link ${name}`);
  return found;
}

test('a VXLAN changes in place, and its local address can be of either family', async () => {
  await done(
    { do: 'link-add', kind: 'vxlan', name: 'v4', vxlan: { ...vxlan, local: peer } },
    { do: 'link-add', kind: 'vxlan', name: 'v6', vxlan: { ...vxlan, vni: 457 as Vni, local: parseIpv6('fd00::1') } },
    { do: 'link-set', link: 'v4', change: { vxlan: { df: 'set', learning: false, local: parseIpv4('10.0.0.8') } } },
  );
  expect((await link('v4')).vxlan).toEqual({ ...vxlan, df: 'set', learning: false, local: '10.0.0.8' });
  expect((await link('v6')).vxlan).toEqual({ ...vxlan, vni: 457, local: 'fd00::1' });
});

test('a link that is set up with address mode none never gets a link-local address', async () => {
  await done(...MESH);
  expect((await rtnl.addresses()).filter(({ scope }) => scope === 'link')).toEqual([]);
});

test('routeTo returns the route to a destination, or ENETUNREACH', async () => {
  await done(...MESH, {
    do: 'route-replace',
    destination: '10.9.0.0/16',
    gateway: parseIpv4('10.3.0.2'),
    protocol: 200,
  });
  const { index } = await link('br456');
  expect(await rtnl.routeTo(parseIpv4('10.9.1.1'))).toMatchObject({
    gateway: '10.3.0.2',
    link: index,
    source: '10.3.0.1',
  });
  expect(await rtnl.routeTo(parseIpv6('fd42::7'))).toMatchObject({ link: index, source: 'fd42::1' });
  await expect(rtnl.routeTo(parseIpv6('2001:db8::1'))).rejects.toThrow('find route to 2001:db8::1: ENETUNREACH');
});

test("a failure carries its errno and the kernel's reason, and does not stop later operations", async () => {
  const [, exists, absent, unnamed, address, missing, last] = await rtnl.apply([
    { do: 'link-add', kind: 'vxlan', name: 'a', vxlan },
    { do: 'link-add', kind: 'vxlan', name: 'b', vxlan },
    { do: 'link-delete', link: 'nothing' },
    { do: 'link-set', link: 'nothing', change: { name: 'something' } },
    { do: 'address-delete', link: 'a', address: peer, length: 24 },
    {
      do: 'fdb-delete',
      table: 'self',
      link: 'a',
      mac: peerMac,
      remoteVtep: peer,
      state: 'dynamic',
      externLearn: true,
    },
    { do: 'link-add', kind: 'bridge', name: 'c' },
  ]);
  expect(exists).toMatchObject({
    code: 'MESH_KERNEL_REFUSED',
    message: 'link-add vxlan b: EEXIST: A VXLAN device with the specified VNI already exists',
    operation: 'link-add',
    object: 'vxlan b',
  });
  expect([absent, unnamed, address, missing, last].map(errnoOf)).toEqual([
    'ENODEV',
    'ENODEV',
    'EADDRNOTAVAIL',
    'ENOENT',
    undefined,
  ]);
  expect((await link('c')).kind).toBe('bridge');
});

test('a change of an absent link in group 0 changes no other link', async () => {
  await done({ do: 'link-add', kind: 'bridge', name: 'br1' });
  const change = { group: 0, mtuBytes: 1300, up: true };
  expect(await failures({ do: 'link-set', link: 'nothing', change })).toEqual(['ENODEV']);
  const port = { learning: false };
  expect(await failures({ do: 'link-set', link: 'nothing', change: { ...change, port } })).toEqual(['ENODEV']);
  expect(await link('br1')).toMatchObject({ up: false, mtuBytes: 1500 });
});

test('a name that is too long matches no link, not even one with the same first 15 characters', async () => {
  await done({ do: 'link-add', kind: 'bridge', name: 'fifteen-letters' });
  const entry = { do: 'address-add', address: peer, length: 24 } as const;
  expect(await failures({ ...entry, link: 'fifteen-letters-' }, { ...entry, link: 'fifteen-letters' })).toEqual([
    'ENODEV',
    undefined,
  ]);
});

test('a name means the link that has the name when the operation runs', async () => {
  await done(
    { do: 'link-add', kind: 'bridge', name: 'a' },
    { do: 'address-add', link: 'a', address: parseIpv4('10.1.0.1'), length: 24 },
    { do: 'link-set', link: 'a', change: { name: 'b' } },
    { do: 'link-add', kind: 'bridge', name: 'a' },
    { do: 'address-add', link: 'a', address: parseIpv4('10.2.0.1'), length: 24 },
    { do: 'address-add', link: 'b', address: parseIpv4('10.3.0.1'), length: 24 },
    { do: 'link-delete', link: 'a' },
    { do: 'link-add', kind: 'bridge', name: 'a' },
    { do: 'address-add', link: 'a', address: parseIpv4('10.4.0.1'), length: 24 },
  );
  const names = new Map((await rtnl.links()).map(({ index, name }) => [index, name]));
  const addresses = (await rtnl.addresses()).map(({ link, address }) => `${names.get(link)} ${address}`);
  expect(addresses).toEqual(['b 10.1.0.1', 'b 10.3.0.1', 'a 10.4.0.1']);
  expect(
    await failures({ do: 'link-delete', link: 'a' }, { do: 'address-add', link: 'a', address: peer, length: 8 }),
  ).toEqual([undefined, 'ENODEV']);
});

test('links that come and go all the time keep no one from reading the others', async () => {
  // So many links need several messages: only between two of them can a dump be interrupted. Veths are deleted fastest.
  const pairs = Array.from({ length: 500 }, (_, i) => `link add v${i} type veth peer name w${i}`);
  ip(netns.path, ...pairs);
  const churns = ['a', 'b'].map((own) => {
    const script = `while ip link add x${own} type veth peer name y${own}; do echo; ip link del x${own}; done`;
    const churn = spawn('nsenter', [`--net=${netns.path}`, 'sh', '-c', script]);
    return { churn, ended: once(churn, 'close') };
  });
  try {
    await Promise.all(churns.map(({ churn }) => once(churn.stdout, 'data')));
    for (let round = 0; round < 20; round++) {
      const links = await rtnl.links();
      expect(links.filter(({ name }) => /^[vw]\d/.test(name))).toHaveLength(1000);
      expect(new Set(links.map(({ index }) => index)).size).toBe(links.length);
    }
  } finally {
    for (const { churn } of churns) churn.kill('SIGKILL');
    await Promise.all(churns.map(({ ended }) => ended));
  }
});

test('calls on a closed socket, and calls that wait when it closes, are rejected', async () => {
  const waiting = rtnl.links();
  const closed = rtnl.close();
  await expect(waiting).rejects.toMatchObject({ code: 'MESH_KERNEL_CLOSED' });
  await closed;
  await expect(rtnl.apply([])).rejects.toMatchObject({ code: 'MESH_KERNEL_CLOSED' });
});

test('opening in an absent namespace is an error', async () => {
  await expect(Rtnl.open({ netns: '/run/netns/mw-absent' })).rejects.toThrow(/no network namespace/);
});

test('when the socket fails, waiting and later calls are rejected with the reason', async () => {
  const before = new Set(sockets());
  const dying = await Rtnl.open({ netns: netns.path });
  const [fd] = sockets().filter((each) => !before.has(each));
  expect(fd).toBeDefined();
  makeUseless(Number(fd));
  const reason = { code: 'MESH_KERNEL_REFUSED', message: 'send to netlink socket: ENOTSOCK' };
  const outcomes = await Promise.allSettled([dying.links(), dying.addresses()]);
  expect(outcomes).toMatchObject([{ reason }, { reason }]);
  await expect(dying.links()).rejects.toMatchObject(reason);
  await dying.close();
});
