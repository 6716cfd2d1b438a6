/** Proves that a changed input derives again only the items that depend on the change. */
import { expect, test } from 'vitest';
import { nodeDocument, nodeInput } from '../../../test/kit/desired-input.ts';
import { manage, manageWith, memberNumber, networkOfType, withMtu } from '../../../test/kit/networks.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Segment, UnderlayNic } from '../../protocol/documents/assignment.ts';
import { plan, printStep } from '../loop/plan.ts';
import { type DesiredInput, meshAttachment } from './assignment.ts';
import { DesiredItems } from './desired.ts';

const OTHERS = [1, 2, 3].map((number) => memberNumber(manage, number));
const SEGMENTS: readonly Segment[] = [
  { device: 'eth1', ipv4: '10.11.0.1' as Ipv4, subnet: '10.11.0.0/24' as Ipv4Cidr },
  { device: 'eth2', ipv4: '10.12.0.1' as Ipv4, subnet: '10.12.0.0/24' as Ipv4Cidr },
];

function onNode(network: Mesh, members: readonly Member[]): DesiredInput {
  return nodeInput([{ network, members, host0Answers: true }]);
}

function onHost0(network: Mesh, segments: readonly Segment[], nics: readonly UnderlayNic[]): DesiredInput {
  const attachments = [meshAttachment({ network, members: OTHERS, host0Answers: true })];
  const document = nodeDocument(attachments, { segments, nics });
  return { machine: 'host0', routes: false, host0: { role: 'host0', segments, nics }, document, ports: [] };
}

/** The steps that a plan has when the second input follows the first. */
function stepsBetween(before: DesiredInput, after: DesiredInput): string[] {
  const desired = new DesiredItems();
  desired.update(before);
  const observed = new Map(desired.items);
  desired.update(after);
  return plan(observed, desired.items, { mayDelete: () => true }).map(printStep);
}

/** A network that counts how often something is derived from its type or its addresses. */
function counted(network: Mesh): { readonly network: Mesh; readonly reads: () => number } {
  let reads = 0;
  const read = <T>(part: T): T => {
    reads++;
    return part;
  };
  return {
    reads: () => reads,
    network: {
      ...network,
      get bridge() {
        return read(network.bridge);
      },
      get hostAddress() {
        return read(network.hostAddress);
      },
    },
  };
}

test('another MTU changes the links of a mesh without ports, and no member entry', () => {
  const after = onNode(withMtu(manage, 1400), OTHERS);
  expect(stepsBetween(onNode(manage, OTHERS), after)).toEqual([
    'ip link set br456 mtu 1400 # mtu 1380 → 1400',
    'ip link set vxlan456 mtu 1400 # mtu 1380 → 1400',
  ]);

  const desired = new DesiredItems();
  desired.update(onNode(manage, OTHERS));
  desired.takeChanges();
  desired.update(after);
  const kinds = [...desired.takeChanges().keys()].map((key) => desired.items.get(key)?.kind);
  expect(new Set(kinds)).toEqual(new Set(['link']));
});

test('a mesh that must be joined again gets new entries', () => {
  const other = manageWith({ key: '457' });
  const steps = stepsBetween(
    onNode(manage, OTHERS),
    onNode(
      other,
      [1, 2, 3].map((number) => memberNumber(other, number)),
    ),
  );
  for (const { mac } of OTHERS) expect(steps).toContainEqual(expect.stringMatching(`^remove: bridge fdb .*${mac}`));
  for (const number of [1, 2, 3]) {
    const { mac } = memberNumber(other, number);
    expect(steps).toContainEqual(expect.stringMatching(`^bridge fdb replace ${mac} dev vxlan456 dst`));
  }
});

test('a machine behind a port of this node gets no FDB entries: frames to it stay here', () => {
  const [here, ...others] = OTHERS;
  if (here === undefined) throw new Error('no member');
  const moved = { ...here, ipv4: '10.11.0.2' as Ipv4 };
  const desired = new DesiredItems();
  const keysOf = ({ mac, ipv4 }: Member) =>
    [...desired.items.keys()].filter((key) => key.includes(mac) || key.endsWith(` ${ipv4}`));
  desired.update(onNode(manage, [moved, ...others]));
  expect(keysOf(moved)).toEqual([]);
  expect(desired.items.has(`neighbour:br456 ${moved.ipv6}`)).toBe(true);
  for (const key of [...desired.items.keys()]) expect(key).not.toContain('10.11.0.2');
  const rules = desired.items.get('nft:inet meshwork');
  expect(rules?.kind === 'ruleset' && rules.sets.get('sources_456')?.elements.has(moved.ipv4)).toBe(false);

  // It moves to another node, and back.
  desired.update(onNode(manage, [here, ...others]));
  expect(keysOf(here)).toHaveLength(3);
  desired.update(onNode(manage, [moved, ...others]));
  expect(keysOf(moved)).toEqual([]);

  // This node gets another address, and the machine is elsewhere then.
  const input = onNode(manage, [moved, ...others]);
  if (input.host0.role !== 'node') throw new Error('no node');
  const elsewhere = { ...input, host0: { ...input.host0, local: '10.11.0.9' as Ipv4 } };
  desired.update(elsewhere);
  const fresh = new DesiredItems();
  fresh.update(elsewhere);
  expect(keysOf(moved)).toHaveLength(3);
  expect(new Map([...desired.items].sort())).toEqual(new Map([...fresh.items].sort()));
});

test('renamed devices get the entries of all members', () => {
  const renamed: Mesh = {
    ...manage,
    bridge: { ...manage.bridge, name: 'brmanage' },
    type: { ...manage.type, device: 'vxmanage' },
  };
  const desired = new DesiredItems();
  desired.update(onNode(manage, OTHERS));
  desired.update(onNode(renamed, OTHERS));
  const fresh = new DesiredItems();
  fresh.update(onNode(renamed, OTHERS));
  expect(new Map([...desired.items].sort())).toEqual(new Map([...fresh.items].sort()));
});

test('an unchanged network is not derived again', () => {
  const { network, reads } = counted(manage);
  const desired = new DesiredItems();
  desired.update(onHost0(network, SEGMENTS, []));
  desired.takeChanges();
  const readsBefore = reads();

  desired.update(onHost0(network, SEGMENTS, []));
  expect([...desired.takeChanges()]).toEqual([]);

  // A cable is plugged into host0.
  desired.update(onHost0(network, SEGMENTS, [{ device: 'eth3' }]));
  expect([...desired.takeChanges().keys()].map((key) => desired.items.get(key)?.kind)).toEqual(['underlay-link']);
  expect(reads()).toBe(readsBefore);

  // The NIC gets a segment: the rules name it, and links, addresses and entries stay.
  const third = { device: 'eth3', ipv4: '10.13.0.1' as Ipv4, subnet: '10.13.0.0/24' as Ipv4Cidr };
  desired.update(onHost0(network, [...SEGMENTS, third], [{ device: 'eth3' }]));
  const kinds = [...desired.takeChanges().keys()].map((key) => desired.items.get(key)?.kind);
  expect(new Set(kinds)).toEqual(new Set(['ruleset', 'sysctl']));
});

test('a network waits for the link that it stands on, by name', () => {
  const network = networkOfType(7, { kind: 'foreign-bridge', name: 'virbr0' });
  const desired = new DesiredItems();
  const input = nodeInput([{ network, peers: { kind: 'none' } }]);
  desired.update(input);
  expect(desired.missingLink(network)).toBe('virbr0');
  desired.update({
    ...input,
    foreignLinks: [{ device: 'virbr0', kind: 'bridge', hearsRouters: false, forwards: false, ipv4: [], ipv6: [] }],
  });
  expect(desired.missingLink(network)).toBeUndefined();
  expect(desired.missingLink(manage)).toBeUndefined();
});
