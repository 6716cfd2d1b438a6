/** Proves on the real kernel that the tables are bounded, and that our entries fit into a full one. */
import { expect, test } from 'vitest';
import { linksAndAddresses } from '../../../test/kit/desired-input.ts';
import { kernelOfEachTest } from '../../../test/kit/kernel-of-each-test.ts';
import { manage } from '../../../test/kit/networks.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { LEARNED_MAX } from '../desired/types/bridge.ts';
import { type FdbItem, fdbKind } from '../items/fdb.ts';
import { linkKind } from '../items/link.ts';

const {
  type: { device: vxlan },
  bridge: { name: bridge },
} = manage;
const ENTRIES_MAX = 40;

const here = kernelOfEachTest();
const linksOfHost0 = () => linksAndAddresses(manage, 'host0').filter((item) => item.kind === 'link');

/** Makes the two links of a mesh. @param entriesMax the limit of the VXLAN, in place of the usual one */
async function makeLinks(entriesMax?: number): Promise<void> {
  const operations = linksOfHost0().flatMap((item) => linkKind.create(item));
  const limited = operations.map((operation) =>
    entriesMax !== undefined && operation.do === 'link-add' && operation.vxlan !== undefined
      ? { ...operation, vxlan: { ...operation.vxlan, entriesMax } }
      : operation,
  );
  expect((await here().kernel.apply(limited)).filter((error) => error !== undefined)).toEqual([]);
}

function entry(number: number): Pick<FdbItem, 'mac' | 'table' | 'link'> & { readonly remoteVtep: Ipv4 } {
  const low = (number % 256).toString(16).padStart(2, '0');
  return { table: 'self', link: vxlan, mac: `06:00:00:00:00:${low}` as Mac, remoteVtep: `192.0.2.${number}` as Ipv4 };
}

function learn(number: number): KernelOperation {
  return { do: 'fdb-replace', ...entry(number), state: 'dynamic', externLearn: false };
}

function member(number: number): FdbItem {
  return { kind: 'fdb', network: manage.id, ...entry(number), state: 'permanent', marked: true };
}

test('both tables of a mesh have a limit', async () => {
  await makeLinks();
  expect((await here().kernel.rtnl.link(bridge))?.bridge).toMatchObject({
    learnedMax: LEARNED_MAX,
    learnsLinkLocal: false,
  });
  expect((await here().kernel.rtnl.link(vxlan))?.vxlan?.entriesMax).toBeGreaterThan(LEARNED_MAX);
});

test('what a bridge learns is put back when another program changed it, on the live bridge', async () => {
  await makeLinks();
  await here().kernel.rtnl.apply([
    { do: 'link-set', link: bridge, change: { bridge: { learnedMax: 0, learnsLinkLocal: true } } },
  ]);
  const [want] = linksOfHost0();
  if (want?.kind !== 'link') throw new Error('no bridge');
  const have = { ...want, learnedMax: 0, learnsLinkLocal: true };
  expect(linkKind.differences(have, want)).toEqual([
    `fdb_max_learned 0 → ${LEARNED_MAX}`,
    'type bridge no_linklocal_learn 1',
  ]);
  expect(linkKind.mustRecreate(have, want)).toBe(false);
  expect(linkKind.printChange?.(have, want)).toBe(
    `ip link set ${bridge} type bridge fdb_max_learned ${LEARNED_MAX} no_linklocal_learn 1`,
  );
  await here().kernel.apply(linkKind.change(have, want));
  expect((await here().kernel.rtnl.link(bridge))?.bridge).toMatchObject({
    learnedMax: LEARNED_MAX,
    learnsLinkLocal: false,
  });
});

test('a VXLAN of an earlier version, without a limit, is left as it is', () => {
  const [, want] = linksOfHost0();
  if (want?.kind !== 'link' || want.vxlan === undefined) throw new Error('no VXLAN');
  const { entriesMax: _, ...unlimited } = want.vxlan;
  const have = { ...want, vxlan: unlimited };
  expect(linkKind.differences(have, want)).toEqual([]);
  expect(linkKind.mustRecreate(have, want)).toBe(false);
});

test('our entries fit into a table that is full of learnt ones', async () => {
  await makeLinks(ENTRIES_MAX);
  const learned = Array.from({ length: ENTRIES_MAX + 5 }, (_, number) => learn(number));
  const refused = (await here().kernel.rtnl.apply(learned)).filter((error) => error !== undefined);
  expect(refused.map(({ cause }) => cause)).toEqual(Array(5).fill(expect.objectContaining({ name: 'ENOSPC' })));
  const members = [100, 101, 102].map(member);
  const errors = await here().kernel.apply(members.flatMap((item) => fdbKind.create(item)));
  expect(errors).toEqual([undefined, undefined, undefined]);
  for (const { mac, remoteVtep } of members) {
    expect(await here().kernel.rtnl.fdbEntry(vxlan, mac)).toMatchObject({
      remoteVtep,
      externLearn: true,
      state: 'permanent',
    });
  }
});

test('a table that is full of our own entries refuses another one, and keeps what it has', async () => {
  await makeLinks(3);
  const [first, ...rest] = await here().kernel.apply([1, 2, 3, 4].map(member).flatMap((item) => fdbKind.create(item)));
  expect(first).toBeUndefined();
  expect(rest.map((error) => error?.code)).toEqual([undefined, undefined, 'MESH_KERNEL_REFUSED']);
});

test('a dump for the agent has its own entries, and the number of the others', async () => {
  await makeLinks(ENTRIES_MAX);
  await here().kernel.rtnl.apply([1, 2, 3, 4, 5].map(learn));
  await here().kernel.apply(fdbKind.create(member(100)));
  const { fdb, otherFdb } = await here().kernel.dump(
    (candidate) => candidate.externLearn || candidate.mac === entry(2).mac,
  );
  const link = (await here().kernel.rtnl.link(vxlan))?.index;
  expect(fdb.filter((row) => row.link === link && row.table === 'self').map(({ mac }) => mac)).toEqual(
    expect.arrayContaining([entry(2).mac, entry(100).mac]),
  );
  const others = otherFdb?.filter((row) => row.link === link && row.table === 'self') ?? [];
  expect(others.map(({ remoteVtep, count }) => `${remoteVtep}: ${count}`).toSorted()).toEqual(
    [1, 3, 4, 5].map((number) => `192.0.2.${number}: 1`),
  );
});
