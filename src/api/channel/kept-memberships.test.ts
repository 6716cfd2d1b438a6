/** Memberships that a node's channel keeps: host0's halves and the node's, with a clock that the test moves. */
import { duplexPair } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { KeptHost0, KeptNode, passSeconds, settle } from '../../../test/kit/kept-cluster.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { board, mesh } from '../../../test/kit/networks.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { Signal } from '../../model/signal.ts';
import { keepMemberships } from './kept-memberships.ts';

const NETWORKS = [mesh('one', 1), mesh('two', 2), mesh('three', 3)];
const [one = mesh('one', 1), two = mesh('two', 2)] = NETWORKS;
const machine = board(1);
const other = board(2);

async function cluster() {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const host0 = new KeptHost0(clock, NETWORKS, store);
  onTestFinished(() => host0.close());
  await host0.start();
  const node = new KeptNode(clock, NETWORKS, host0, machine);
  await node.start();
  await passSeconds(clock, 1);
  return { clock, store, host0, node };
}

function reportOf(ipv4 = '10.11.0.11') {
  const state = { phase: 'ready' } as const;
  return { machine: other, name: 'node2', instance: 'boot-2', ipv4: ipv4 as Ipv4, state };
}

test('a node reports and has a stream in each mesh until its channel keeps its memberships; then it has neither', async () => {
  const { clock, host0, node } = await cluster();
  expect(node.streams).toBe(3);
  await node.openChannel();
  expect(node.streams).toBe(0);
  node.requests.splice(0);
  node.pings.splice(0);
  await passSeconds(clock, 40);
  expect(node.requests).toEqual([]);
  // One mesh is enough to watch the path to host0.
  expect(new Set(node.pings)).toEqual(new Set([memberAddresses(one, 'host0').ipv6]));
  expect(node.pings.length).toBeGreaterThan(30);
  for (const network of NETWORKS) expect(host0.membersOf(network)).toEqual([machine]);
  for (const { id } of NETWORKS) expect(node.source.settled(id)).toBe(true);
  await passSeconds(clock, 25);
  expect(node.requests.toSorted()).toEqual(['/self one', '/self three', '/self two']);
});

test('changes of all meshes come by the channel', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 12);
  const membership = host0.meshes[1];
  if (membership === undefined) throw new RangeError('no second mesh');
  await host0.report(membership, reportOf());
  await settle();
  const members = (): string[] => node.source.attachments().flatMap((each) => each.members.map(({ name }) => name));
  expect(members()).toContain('node2');
  // node2 reports no more.
  await passSeconds(clock, 11);
  expect(members()).not.toContain('node2');
});

test('a member whose channel falls silent is dropped after nine seconds', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 9);
  node.isConnected = false;
  await passSeconds(clock, 5);
  expect(host0.membersOf(two)).toEqual([machine]);
  await passSeconds(clock, 5);
  for (const network of NETWORKS) expect(host0.membersOf(network)).toEqual([]);
});

test('pings that host0 does not answer in one mesh make the node look in all', async () => {
  const { clock, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 9);
  node.isConnected = false;
  await passSeconds(clock, 4);
  expect(node.source.attachments().map(({ host0Answers }) => host0Answers)).toEqual([false, false, false]);
  node.isConnected = true;
  await passSeconds(clock, 2);
  expect(node.source.attachments().map(({ host0Answers }) => host0Answers)).toEqual([true, true, true]);
  await passSeconds(clock, 4);
  expect(node.streams).toBe(0);
});

test('host0 is restarted: the channel brings all memberships back, without a report and without a leave', async () => {
  const { clock, store, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 12);
  await node.host0Ends();
  await passSeconds(clock, 1);
  const again = new KeptHost0(clock, NETWORKS, store);
  onTestFinished(() => again.close());
  node.host0 = again;
  node.isConnected = true;
  node.requests.splice(0);
  await node.openChannel();
  // host0 has not read its members yet.
  expect(node.requests).toEqual([]);
  await again.start();
  await settle();
  await passSeconds(clock, 30);
  expect(node.requests.filter((request) => !request.endsWith(' one'))).toEqual([]);
  expect(node.streams).toBe(0);
  for (const network of NETWORKS) expect(again.membersOf(network)).toEqual([machine]);
  expect(again.journal.recent().filter(({ kind }) => kind === 'member dropped')).toEqual([]);
});

test('host0 with an empty store lets the node report inside each mesh, and keeps the memberships then', async () => {
  const { clock, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 12);
  await node.host0Ends();
  const empty = new KeptHost0(clock, NETWORKS);
  onTestFinished(() => empty.close());
  await empty.start();
  node.host0 = empty;
  node.isConnected = true;
  await node.openChannel();
  await passSeconds(clock, 6);
  for (const network of NETWORKS) expect(empty.membersOf(network)).toEqual([machine]);
  expect(node.streams).toBe(0);
});

test('without its channel a node reports in each mesh again, and stays a member', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 12);
  await node.cutChannel();
  await passSeconds(clock, 20);
  expect(node.streams).toBe(3);
  for (const network of NETWORKS) expect(host0.membersOf(network)).toEqual([machine]);
  expect(host0.journal.recent().filter(({ kind }) => kind === 'member dropped')).toEqual([]);
});

test('a node that does not know the request goes on as before', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel('boot-1', false);
  node.requests.splice(0);
  await passSeconds(clock, 12);
  expect(node.streams).toBe(3);
  expect(node.requests.length).toBeGreaterThan(8);
  for (const network of NETWORKS) expect(host0.membersOf(network)).toEqual([machine]);
});

test('a channel keeps no membership that another program of the machine has got', async () => {
  const { clock, node } = await cluster();
  await node.openChannel('another-boot');
  await passSeconds(clock, 5);
  expect(node.streams).toBe(3);
});

test('a channel keeps only what host0’s kernel has seen: no other address, no mesh without a report, no mesh that is not there', async () => {
  const clock = new ManualClock();
  const host0 = new KeptHost0(clock, NETWORKS);
  onTestFinished(() => host0.close());
  await host0.start();
  const [membership] = host0.meshes;
  if (membership === undefined) throw new RangeError('no mesh');
  await host0.report(membership, reportOf());
  const [ours, theirs] = duplexPair();
  const connection = { signsOfLife: new Signal<void>(), close: () => ours.destroy(), converse: async () => ours };
  const { source: memberships, journal } = host0;
  const { doubts } = host0;
  void keepMemberships(connection, journal, { machine: other, instance: 'boot-2', memberships, doubts });
  let heard = '';
  theirs.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  const claim = (network: string, turn: number, ipv4: string): void => {
    theirs.write(`${JSON.stringify({ kind: 'claim', network, turn, ipv4, state: { phase: 'ready' } })}\n`);
  };
  claim(one.id, 1, '10.11.0.99');
  claim(two.id, 2, '10.11.0.11');
  claim(mesh('four', 4).id, 3, '10.11.0.11');
  claim(one.id, 4, '10.11.0.11');
  await settle();
  const kinds = heard.split('\n').map((line) => /"kind":"(\w+)".*"turn":(\d)/.exec(line)?.slice(1).join(' ') ?? '');
  expect(kinds).toEqual(['ended 1', 'ended 2', 'ended 3', 'kept 4', 'change 4', '']);
  expect(host0.membersOf(two)).toEqual([]);
  // The machine moves: its report inside the mesh counts, and the claim of before does not any more.
  heard = '';
  await host0.report(membership, reportOf('10.11.0.12'));
  connection.signsOfLife.emit();
  await settle();
  expect(heard).toContain('"kind":"ended"');
  // A line that is no claim ends the channel.
  theirs.write('{"kind":"claim"}\n');
  await settle();
  expect(ours.destroyed).toBe(true);
  expect(journal.recent().filter(({ kind }) => kind === 'membership not kept')).toHaveLength(1);
});

test('a node reports at once where host0’s kernel sees its packets come from elsewhere', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 6);
  node.requests.splice(0);
  host0.see(two, machine, '10.11.0.66' as Ipv4);
  await passSeconds(clock, 4);
  expect(node.requests).toContain('/self two');
  expect(node.requests).not.toContain('/self one');
  // Its packets have pulled the entry back.
  await passSeconds(clock, 4);
  expect(node.streams).toBe(0);
  expect(host0.doubts.size).toBe(3);
});

test('a node whose channel is broken unnoticed reports in each mesh, and stays a member', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 6);
  node.requests.splice(0);
  node.isMute = true;
  await passSeconds(clock, 30);
  expect(new Set(node.requests)).toEqual(new Set(['/self one', '/self two', '/self three']));
  for (const network of NETWORKS) expect(host0.membersOf(network)).toEqual([machine]);
  expect(host0.journal.recent().filter(({ kind }) => kind === 'member dropped')).toEqual([]);
  node.isMute = false;
  await passSeconds(clock, 6);
  node.requests.splice(0);
  await passSeconds(clock, 20);
  expect(node.requests).toEqual([]);
});

test('a changed state is told at once', async () => {
  const { clock, host0, node } = await cluster();
  await node.openChannel();
  await passSeconds(clock, 5);
  node.setState({ phase: 'pending', why: 'waiting for a link' });
  await settle();
  const states = host0.meshes.flatMap((membership) => membership.presences().map(({ state }) => state.phase));
  expect(states).toEqual(['pending', 'pending', 'pending']);
});
