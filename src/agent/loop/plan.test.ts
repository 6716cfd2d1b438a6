/** Proves the steps of a plan and their order, and that plans converge from any state to any other. */

import { expect, test } from 'vitest';
import { nodeDocument } from '../../../test/kit/desired-input.ts';
import { manage, member, mesh } from '../../../test/kit/networks.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { parseMachineId } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { type Attachment, type DesiredInput, meshAttachment } from '../desired/assignment.ts';
import { desiredItems } from '../desired/desired.ts';
import { type Item, itemKey, kindOf } from '../items/item.ts';
import { disagreement, plan, printStep, type Step } from './plan.ts';

const machine = parseMachineId('10eff964');
const everything = { mayDelete: () => true };

const guests = mesh('guests', 500);

function input(...attachments: Attachment[]): DesiredInput {
  return {
    machine,
    routes: false,
    firstRule: 32_700,
    host0: {
      role: 'node',
      ipv4: '10.11.1.1' as Ipv4,
      local: '10.11.1.2' as Ipv4,
      onLink: true,
      segments: ['10.11.1.0/24', '10.11.2.0/24'] as Ipv4Cidr[],
      reachable: ['10.11.1.0/24'] as Ipv4Cidr[],
    },
    document: nodeDocument(attachments.map(meshAttachment)),
    ports: [],
  };
}

function attachment(network: Mesh, ...members: Member[]): Attachment {
  return { network, members: [member(network, 'host0', '10.11.1.1'), ...members], host0Answers: true };
}

function text(steps: readonly Step[]): string {
  return steps.map(printStep).join('\n');
}

/** Performs a step as a kernel would: dependent items go with a link. */
function perform(state: Map<string, Item>, step: Step): void {
  if (step.action === 'create' || step.action === 'change') {
    state.set(step.key, step.item);
    return;
  }
  state.delete(step.key);
  for (const [key, item] of state) if (kindOf(item).dependsOn(item).includes(step.key)) state.delete(key);
  if (step.action === 'recreate') state.set(step.key, step.item);
}

test('a node without items joins a mesh with one other member', () => {
  const other = member(manage, '20000001', '10.11.2.2');
  expect(text(plan(new Map(), desiredItems(input(attachment(manage, other))), everything))).toMatchInlineSnapshot(`
    "nft table inet meshwork { … } # sets: bridges within homes segments underlay sources_456
    nft table bridge meshwork { … } # sets: vxlans arrivals host0s entrances
    ip link add br456 address 02:2f:55:d5:07:f4 mtu 1380 type bridge fdb_max_learned 12288 no_linklocal_learn 1
    ip link add vxlan456 address 02:7e:61:7a:4a:d5 mtu 1380 master br456 type vxlan id 456 dstport 4789 local 10.11.1.2 learning df inherit maxaddress 16386
    ip address add fd42:2345:1234:9abc:7647:6b77:cff:6931/64 dev br456 nodad
    ip address add fe80::7647:6b77:cff:6931/64 dev br456 nodad
    ip route replace 10.11.2.0/24 via 10.11.1.1 table 4789 proto 200
    ip rule add pref 32700 ipproto udp dport 4789 lookup 4789 protocol 200
    ip rule add pref 32701 ipproto udp sport 4789 lookup 4789 protocol 200
    bridge fdb replace 02:47:8b:9e:81:6e dev vxlan456 dst 10.11.1.1 self permanent extern_learn
    bridge fdb replace 02:47:8b:9e:81:6e dev vxlan456 master dynamic extern_learn
    bridge fdb append 00:00:00:00:00:00 dev vxlan456 dst 10.11.1.1 self permanent extern_learn
    ip neigh replace fd42:2345:1234:9abc::1 lladdr 02:47:8b:9e:81:6e dev br456 nud permanent extern_learn proto 200
    bridge fdb replace 02:c6:f1:a6:7f:8d dev vxlan456 dst 10.11.2.2 self permanent extern_learn
    bridge fdb replace 02:c6:f1:a6:7f:8d dev vxlan456 master dynamic extern_learn
    bridge fdb append 00:00:00:00:00:00 dev vxlan456 dst 10.11.2.2 self permanent extern_learn
    ip neigh replace fd42:2345:1234:9abc:71ed:f50c:3bbd:cd80 lladdr 02:c6:f1:a6:7f:8d dev br456 nud permanent extern_learn proto 200"
  `);
});

test('items that go with a link have no step', () => {
  const observed = desiredItems(input(attachment(manage)));
  const steps = plan(observed, desiredItems(input()), everything);
  expect(steps.map(({ key }) => key)).toEqual([
    'rule:32700',
    'rule:32701',
    'route:10.11.2.0/24',
    'vxlan:mesh-456',
    'bridge:mesh-456',
    'nft:inet meshwork',
    'nft:bridge meshwork',
  ]);
});

test('a VXLAN with another VNI is recreated, and its entries are created again', () => {
  const desired = desiredItems(input(attachment(manage)));
  const observed = new Map(desired);
  const vxlan = observed.get('vxlan:mesh-456');
  if (vxlan?.kind !== 'link' || vxlan.vxlan === undefined) throw new Error('no VXLAN is desired');
  observed.set('vxlan:mesh-456', { ...vxlan, vxlan: { ...vxlan.vxlan, vni: 7 as Vni } });
  const steps = plan(observed, desired, everything);
  expect(steps.map(({ action, item }) => `${action} ${item.kind}`)).toEqual([
    'recreate link',
    'create fdb',
    'create fdb',
    'create fdb',
  ]);
});

test('an item that may not be deleted stays', () => {
  const observed = desiredItems(input(attachment(manage, member(manage, '20000001', '10.11.2.2'))));
  const desired = desiredItems(input(attachment(manage)));
  const entries = plan(observed, desired, { mayDelete: (item) => item.kind !== 'fdb' && item.kind !== 'neighbour' });
  expect(entries.map(({ key }) => key)).toEqual(['nft:inet meshwork']);
});

test('while host0 does not answer, only its neighbour entry is removed', () => {
  const lost = input({ ...attachment(manage), host0Answers: false });
  const steps = plan(desiredItems(input(attachment(manage))), desiredItems(lost), everything);
  expect(text(steps)).toBe(
    'remove: ip neigh replace fd42:2345:1234:9abc::1 lladdr 02:47:8b:9e:81:6e dev br456 nud permanent extern_learn proto 200',
  );
});

test('on a random walk between states, plans reach each state and a second plan is empty', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const ids = ['20000001', '20000002', '20000003', '20000004'];
  const states = Array.from({ length: 24 }, () => {
    const networks = [manage, guests].filter(() => random() < 0.7);
    return input(
      ...networks.map((network) => {
        const members = ids
          .filter(() => random() < 0.5)
          .map((id) => member(network, id, `10.11.${pick(random, [1, 2])}.${pick(random, [3, 4, 5])}`));
        return { ...attachment(network, ...members), host0Answers: random() < 0.8 };
      }),
    );
  });
  const kernel = new Map<string, Item>();
  for (let walk = 0; walk < states.length * 5; walk++) {
    const desired = desiredItems(pick(random, states));
    // Sometimes another program removes an item first, or a step is lost.
    if (random() < 0.3 && kernel.size > 0) kernel.delete(pick(random, [...kernel.keys()]));
    const first = plan(kernel, desired, everything);
    const lost = random() < 0.3 && first.length > 0 ? pick(random, first) : undefined;
    for (const step of first) if (step !== lost) perform(kernel, step);
    for (const step of plan(kernel, desired, everything)) perform(kernel, step);
    for (const step of plan(kernel, desired, everything)) perform(kernel, step);
    expect(text(plan(kernel, desired, everything)), `seed ${seed}, walk ${walk}`).toBe('');
    expect(disagreement(kernel, desired)).toBe(0);
    expect([...kernel.values()].map(itemKey).sort()).toEqual([...desired.keys()].sort());
  }
});
