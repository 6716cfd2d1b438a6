/** The rules of membership, with a clock that the test moves and a simulated source verification. */
import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { board, manage as network } from '../../../test/kit/networks.ts';
import type { Admission } from '../../formats/host0/host0-conf.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { ErrorCode } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import {
  formatMemberLine,
  MEMBERS_MAX,
  MEMBERS_RESERVED,
  type MembershipEvent,
  proofOf,
  type SelfReport,
} from '../../protocol/documents/membership.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import { admit } from '../admission/admission.ts';
import { Proofs, type ProvenChannels, type TokenSource } from '../admission/proofs.ts';
import { memberStoreKey } from './member-record.ts';
import { Membership } from './membership.ts';
import type { VerifiedSource } from './source-verification.ts';

const host0 = memberAddresses(network, 'host0');
const SUBNET = '10.11.0.0/24' as Ipv4Cidr;

/** A machine that sends packets: what host0's kernel knows of the machine, and what the machine reports. */
interface Node {
  readonly name: string;
  readonly machine: MachineId;
  readonly instance: string;
  readonly ipv4: Ipv4;
}

const a: Node = { name: 'a', machine: '0000000a' as MachineId, instance: 'boot-a', ipv4: '10.11.0.10' as Ipv4 };
const b: Node = { name: 'b', machine: '0000000b' as MachineId, instance: 'boot-b', ipv4: '10.11.0.11' as Ipv4 };
/** A second machine with a's machine id. */
const copyOfA: Node = { ...a, name: 'copy', instance: 'boot-copy', ipv4: '10.11.0.99' as Ipv4 };

/** The token of a machine: 64 hex digits. */
const tokenOf = (machine: MachineId): string => machine.repeat(8);
const revoked = new Set<MachineId>();
const tokens: TokenSource = {
  of: async (machine) => (revoked.has(machine) ? [] : [tokenOf(machine)]),
  sentBy: async (machine) => (machine === b.machine ? tokenOf(machine) : undefined),
  used: async () => undefined,
};

/** The instances that nodes have told over their channels, and the machines that have a key. */
const told = new Map<MachineId, string>();
const withKey = new Set<MachineId>();
const channels: ProvenChannels = {
  instanceOf: (machine) => told.get(machine),
  hasKey: (machine) => withKey.has(machine),
};

class Host0 {
  readonly clock: ManualClock;
  readonly journal: Journal;
  readonly store: Store;
  readonly mesh: Membership;
  readonly entries = new Map<Ipv6, VerifiedSource>();
  readonly changes: string[] = [];
  /** The kernel answers once this resolves. */
  kernelAnswers = Promise.resolve();

  private constructor(clock: ManualClock, store: Store, admission: Admission, folders: Record<string, MachineId>) {
    this.clock = clock;
    this.store = store;
    this.journal = new Journal(clock, 'host0', 'host0');
    this.mesh = new Membership({
      network,
      name: 'host0',
      admit: (applicant) =>
        admit(applicant, {
          admission,
          isNamed: (id) => Object.values(folders).includes(id),
        }),
      proofs: new Proofs({ clock, tokens, channels: () => channels }),
      mustProve: admission === 'token',
      machines: () => Object.values(folders),
      machineNamed: (asked) => folders[asked],
      elsewhere: () => [],
      clock,
      store,
      journal: this.journal,
      verification: {
        verify: async (_network, ipv6) => {
          await this.kernelAnswers;
          return this.entries.get(ipv6) ?? {};
        },
      },
      host0AddressFor: (viewer) => (viewer?.startsWith('10.11.1.') ? '10.11.1.1' : '10.11.0.1') as Ipv4,
      subnets: () => [SUBNET],
      onChange: ({ type, member }) => this.changes.push(`${type} ${member.name} ${member.ipv4}`),
      onLoad: () => {},
    });
    opened.push(this.mesh);
  }

  static async start({
    clock = new ManualClock(),
    store = new MemoryStore() as Store,
    admission = 'open' as Admission,
    folders = { a: a.machine } as Record<string, MachineId>,
  } = {}): Promise<Host0> {
    const host0 = new Host0(clock, store, admission, folders);
    await host0.mesh.start();
    host0.mesh.hear(true);
    return host0;
  }

  get names(): string[] {
    return this.mesh.members().map(({ name }) => name);
  }

  /** A packet of the node arrives, and its report in it. */
  async report(node: Node, extra: Partial<SelfReport> = {}): Promise<ErrorCode | 'accepted'> {
    const ipv6 = this.seePacket(node);
    const { name, machine, instance, ipv4 } = node;
    return outcome(this.mesh.report(ipv6, { name, machine, instance, ipv4, state: { phase: 'ready' }, ...extra }));
  }

  async poll(node: Node, machine?: MachineId): Promise<ErrorCode | 'accepted'> {
    return outcome(this.mesh.poll(this.seePacket(node), node.name, machine));
  }

  seePacket({ machine, ipv4 }: Node): Ipv6 {
    const { ipv6, bridgeMac } = memberAddresses(network, machine);
    this.entries.set(ipv6, { mac: bridgeMac, ipv4 });
    return ipv6;
  }

  told(kind: string): string[] {
    return this.journal
      .recent()
      .filter((event) => event.kind === kind)
      .map(({ message }) => message);
  }
}

const opened: Membership[] = [];
afterEach(() => {
  for (const mesh of opened.splice(0)) mesh.close();
});

async function outcome(work: Promise<void>): Promise<ErrorCode | 'accepted'> {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    return (error as { code: ErrorCode }).code;
  }
}

test('a node that reports is in the store and in the list, after host0', async () => {
  const host = await Host0.start();
  const answer = host.report(a);
  expect(await answer).toBe('accepted');
  expect(host.mesh.members().map(formatMemberLine)).toEqual([
    `host0 10.11.0.1 ${host0.bridgeMac} ${host0.ipv6}`,
    `a 10.11.0.10 ${memberAddresses(network, a.machine).bridgeMac} ${memberAddresses(network, a.machine).ipv6}`,
  ]);
  const stored = await host.store.get(memberStoreKey(network.id, memberAddresses(network, a.machine).ipv6));
  expect(stored?.modRevision).toBe(host.mesh.version.revision);
  expect(host.told('member joined')).toEqual(['a joined manage from 10.11.0.10']);
});

test('a report without news writes nothing', async () => {
  const host = await Host0.start();
  await host.report(a);
  const { version } = host.mesh;
  for (let i = 0; i < 5; i++) {
    await host.clock.pass(3_000);
    expect(await host.report(a)).toBe('accepted');
  }
  expect(host.mesh.version).toEqual(version);
  expect(host.changes).toEqual(['join a 10.11.0.10']);
});

test('the list gives the address of host0 that the asker can reach', async () => {
  const host = await Host0.start();
  expect(host.mesh.members('10.11.1.7' as Ipv4)[0]?.ipv4).toBe('10.11.1.1');
});

test('a silent member is dropped after nine seconds, to the millisecond', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.clock.pass(4_000);
  await host.report(b);
  await host.clock.pass(4_999);
  expect(host.names).toEqual(['host0', 'a', 'b']);
  await host.clock.pass(1);
  expect(host.names).toEqual(['host0', 'b']);
  await host.clock.pass(4_000);
  expect(host.names).toEqual(['host0']);
  await host.clock.pass(20);
  expect(host.changes).toEqual(['join a 10.11.0.10', 'join b 10.11.0.11', 'leave a 10.11.0.10', 'leave b 10.11.0.11']);
});

test('a member that leaves is gone at once, and named to pollers for thirty seconds', async () => {
  const host = await Host0.start();
  await host.report(a);
  expect(await host.report(a, { leaving: true })).toBe('accepted');
  expect(host.names).toEqual(['host0']);
  const mac = memberAddresses(network, a.machine).bridgeMac;
  await host.clock.pass(29_999);
  expect(host.mesh.left()).toEqual([mac]);
  await host.clock.pass(1);
  expect(host.mesh.left()).toEqual([]);
});

test('a member that came back is not named as gone', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.report(a, { leaving: true });
  await host.report(a);
  expect(host.mesh.left()).toEqual([]);
});

test('a machine that moves causes one change', async () => {
  const host = await Host0.start();
  await host.report(a);
  expect(await host.report({ ...a, ipv4: '10.11.0.20' as Ipv4 })).toBe('accepted');
  await host.clock.pass(20);
  expect(host.changes).toEqual(['join a 10.11.0.10', 'change a 10.11.0.20']);
});

test('a machine that reboots in its place is in again when its report from before is nine seconds old', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.clock.pass(8_999);
  expect(await host.report({ ...a, instance: 'boot-2' })).toBe('MESH_MEMBER_DOUBLE');
  await host.clock.pass(1);
  expect(await host.report({ ...a, instance: 'boot-2' })).toBe('accepted');
  expect(host.told('member refused')).toEqual([]);
});

test('a report that the kernel does not confirm yet may be repeated', async () => {
  const host = await Host0.start();
  expect(await host.report(a, { ipv4: '10.11.0.77' as Ipv4 })).toBe('MESH_MEMBER_MOVING');
  const { ipv6, bridgeMac } = memberAddresses(network, a.machine);
  const report = { ...a, state: { phase: 'ready' as const } };
  host.entries.set(ipv6, { mac: bridgeMac });
  expect(await outcome(host.mesh.report(ipv6, report))).toBe('MESH_MEMBER_MOVING');
  host.entries.delete(ipv6);
  expect(await outcome(host.mesh.report(ipv6, report))).toBe('MESH_MEMBER_MOVING');
  expect(host.told('member refused')).toEqual([]);
});

test.each([
  ['another IPv6', memberAddresses(network, b.machine).ipv6, memberAddresses(network, a.machine).bridgeMac],
  ['another MAC', memberAddresses(network, a.machine).ipv6, memberAddresses(network, b.machine).bridgeMac],
  ["host0's IPv6", host0.ipv6, host0.bridgeMac],
])('a claimed machine id with %s is a forgery', async (_what, ipv6, mac) => {
  const host = await Host0.start();
  host.entries.set(ipv6, { mac, ipv4: a.ipv4 });
  expect(await outcome(host.mesh.report(ipv6, { ...a, state: { phase: 'ready' } }))).toBe('MESH_MEMBER_FORGED');
  expect(host.names).toEqual(['host0']);
});

test('a second machine with the same id is refused while the first lives, and the first is unharmed', async () => {
  const host = await Host0.start();
  await host.report(a);
  for (let i = 0; i < 5; i++) {
    await host.clock.pass(2_000);
    expect(await host.report(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
    expect(await host.report(copyOfA, { leaving: true })).toBe('MESH_MEMBER_DOUBLE');
    expect(await host.report(a)).toBe('accepted');
  }
  expect(host.changes).toEqual(['join a 10.11.0.10']);
  const [cause, ...more] = host.told('member refused');
  expect(more).toEqual([]);
  expect(cause).toContain('a at 10.11.0.10, heard since 2030-01-01T00:00:00.000Z, and copy at 10.11.0.99');
  expect(host.mesh.refusals()[0]?.remedy).toContain('/etc/meshwork/machine');
  expect(host.mesh.refusalOf(a.machine)?.code).toBe('MESH_MEMBER_DOUBLE');
  expect(host.mesh.refusalOf(b.machine)).toBeUndefined();
});

test('the first of two doubles stays alive while the second pulls the FDB entry to itself', async () => {
  const host = await Host0.start();
  await host.report(a);
  for (let i = 0; i < 6; i++) {
    await host.clock.pass(3_000);
    const { ipv6, bridgeMac } = memberAddresses(network, a.machine);
    host.entries.set(ipv6, { mac: bridgeMac, ipv4: copyOfA.ipv4 });
    expect(await outcome(host.mesh.report(ipv6, { ...a, state: { phase: 'ready' } }))).toBe('MESH_MEMBER_MOVING');
    expect(await host.report(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
  }
  expect(host.changes).toEqual(['join a 10.11.0.10']);
});

test('the second of two doubles is refused while the first pulls the FDB entry back', async () => {
  const host = await Host0.start();
  await host.report(a);
  const { ipv6 } = memberAddresses(network, a.machine);
  const report = { ...copyOfA, state: { phase: 'ready' as const } };
  expect(await outcome(host.mesh.report(ipv6, report))).toBe('MESH_MEMBER_DOUBLE');
  expect(await outcome(host.mesh.report(ipv6, { ...report, instance: a.instance }))).toBe('MESH_MEMBER_MOVING');
});

test('a poller does not displace a machine whose agent reports, nor the other way round', async () => {
  const host = await Host0.start();
  await host.report(a);
  expect(await host.poll(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
  await host.poll(b);
  expect(await host.report({ ...b, ipv4: '10.11.0.98' as Ipv4 })).toBe('MESH_MEMBER_DOUBLE');
  await host.clock.pass(20);
  expect(host.changes).toEqual(['join a 10.11.0.10', 'join b 10.11.0.11']);
});

test('the second machine takes the place when the first has been silent for nine seconds', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.clock.pass(8_999);
  expect(await host.report(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
  await host.clock.pass(1);
  expect(await host.report(copyOfA)).toBe('accepted');
  expect(host.mesh.refusals()).toHaveLength(1);
  await host.clock.pass(9_000);
  expect(host.mesh.refusals()).toEqual([]);
});

test('two pollers with one identity: the third move within nine seconds is refused', async () => {
  const host = await Host0.start();
  const outcomes: string[] = [];
  for (let i = 0; i < 8; i++) {
    outcomes.push(await host.poll(i % 2 === 0 ? a : copyOfA));
    await host.clock.pass(1_500);
  }
  const [first, ...later] = outcomes;
  expect([first, ...later.slice(0, 2)]).toEqual(['accepted', 'accepted', 'accepted']);
  expect(later.slice(2)).toEqual([
    'MESH_MEMBER_DOUBLE',
    'accepted',
    'MESH_MEMBER_DOUBLE',
    'accepted',
    'MESH_MEMBER_DOUBLE',
  ]);
  expect(host.mesh.members()[1]?.ipv4).toBe(a.ipv4);
});

test('a poller without a machine id is a member if no other member has its addresses', async () => {
  const host = await Host0.start();
  expect(await host.poll(a)).toBe('accepted');
  expect(await host.poll(b, b.machine)).toBe('accepted');
  expect(host.names).toEqual(['host0', 'a', 'b']);
  const stranger = 'fd42:2345:1234:9abc::77' as Ipv6;
  for (const mac of [host0.bridgeMac, memberAddresses(network, a.machine).bridgeMac]) {
    host.entries.set(stranger, { mac, ipv4: b.ipv4 });
    expect(await outcome(host.mesh.poll(stranger, 'stranger'))).toBe('MESH_MEMBER_FORGED');
  }
  host.entries.set(memberAddresses(network, a.machine).ipv6, { mac: parseMac('02:00:00:00:00:77'), ipv4: b.ipv4 });
  expect(await outcome(host.mesh.poll(memberAddresses(network, a.machine).ipv6, 'a'))).toBe('MESH_MEMBER_FORGED');
});

test('a poller without a machine id gives way to the machine that the address belongs to', async () => {
  const host = await Host0.start({ folders: {} });
  const { ipv6 } = memberAddresses(network, a.machine);
  host.entries.set(ipv6, { mac: parseMac('02:00:00:00:00:77'), ipv4: a.ipv4 });
  expect(await outcome(host.mesh.poll(ipv6, 'squatter'))).toBe('accepted');
  expect(await host.report(a)).toBe('accepted');
  expect(host.names).toEqual(['host0', 'a']);
});

test('a poll from a node whose agent reports is a heartbeat and changes nothing', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.clock.pass(8_000);
  expect(await host.poll({ ...a, name: 'curl' })).toBe('accepted');
  await host.clock.pass(8_000);
  expect(host.names).toEqual(['host0', 'a']);
  expect(host.changes).toEqual(['join a 10.11.0.10']);
});

test('a program beside the agent can neither rename the member nor let it leave, and is a finding', async () => {
  const host = await Host0.start();
  await host.report(a);
  const other = { ...a, instance: 'another' };
  for (let second = 0; second < 12; second += 3) {
    expect(await host.report({ ...other, name: 'b' })).toBe('MESH_MEMBER_DOUBLE');
    expect(await host.report(other, { leaving: true })).toBe('MESH_MEMBER_FORGED');
    await host.clock.pass(3_000);
    expect(await host.report(a)).toBe('accepted');
  }
  expect(host.changes).toEqual(['join a 10.11.0.10']);
  expect(host.mesh.refusals().map(({ code, object }) => `${code} ${object}`)).toEqual([
    'MESH_MEMBER_DOUBLE a',
    'MESH_MEMBER_FORGED a',
  ]);
  expect(() => host.mesh.machineAt(memberAddresses(network, a.machine).ipv6, 'another')).toThrow('not the agent of a');
  expect(host.mesh.machineAt(memberAddresses(network, a.machine).ipv6, a.instance)).toBe(a.machine);
});

test('an agent may rename its machine, and let it leave', async () => {
  const host = await Host0.start();
  await host.report(a);
  expect(await host.report({ ...a, name: 'aa' })).toBe('accepted');
  expect(host.names).toEqual(['host0', 'aa']);
  expect(await host.report(a, { leaving: true })).toBe('accepted');
  expect(host.names).toEqual(['host0']);
});

describe('names', () => {
  const named = (node: Node, name: string): Node => ({ ...node, name });
  const names = async (asked: readonly string[], { folders = {} as Record<string, MachineId> } = {}) => {
    const host = await Host0.start({ folders });
    for (const [number, name] of asked.entries()) {
      const ipv4 = `10.11.0.${50 + number}` as Ipv4;
      await host.report({ name, machine: board(number), instance: `boot-${number}`, ipv4 });
    }
    return host.names.slice(1);
  };

  test('are unique, whatever their case, and host0 keeps its own', async () => {
    expect(await names(['n', 'n', 'N', 'host0', 'HOST0', 'n-2'])).toEqual([
      'n',
      'n-2',
      'N-3',
      'host0-2',
      'HOST0-3',
      'n-2-2',
    ]);
    const long = 'x'.repeat(63);
    expect(await names([long, long])).toEqual([long, `${'x'.repeat(61)}-2`]);
  });

  test('of folders belong to their machines', async () => {
    expect(await names(['n', 'n'], { folders: { n: board(1) } })).toEqual(['n-2', 'n']);
  });

  test('stay as they are while the member stays, and cost no write', async () => {
    const host = await Host0.start();
    const second = named(b, a.name);
    await host.report(a);
    await host.report(second);
    expect(host.told('member named otherwise')).toEqual(['the name a is taken in manage: a-2']);
    const { version } = host.mesh;
    await host.report(second);
    expect(host.mesh.version).toEqual(version);
    await host.report(a, { leaving: true });
    await host.report(second);
    expect(host.names).toEqual(['host0', 'a-2']);
  });
});

describe('one member at an underlay address', () => {
  /** A machine behind a: its packets enter the mesh at a's address. */
  const guest: Node = { name: 'guest', machine: '0000000f' as MachineId, instance: 'guest', ipv4: a.ipv4 };

  test('a guest of a node with an agent is none, by whichever report', async () => {
    const host = await Host0.start();
    await host.report(a);
    expect(await host.poll(guest)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.poll(guest, guest.machine)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report(guest)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(host.names).toEqual(['host0', 'a']);
    expect(host.mesh.refusals()[0]?.message).toContain('10.11.0.10, which is the address of a');
  });

  test('a guest is none either while the agent of its node is away', async () => {
    const host = await Host0.start();
    await host.report(a);
    await host.clock.pass(9_000);
    expect(host.names).toEqual(['host0']);
    expect(await host.poll(guest)).toBe('MESH_MEMBER_NOT_ADMITTED');
    await host.clock.pass(24 * 3_600_000);
    expect(await host.poll(guest)).toBe('accepted');
  });

  test('of many polls at once, from as many addresses, one makes a member', async () => {
    const host = await Host0.start();
    const polls = Array.from({ length: 100 }, (_, number) => host.poll({ ...guest, machine: board(number) }));
    const outcomes = await Promise.all(polls);
    expect(outcomes.filter((code) => code === 'accepted')).toHaveLength(1);
    expect(host.names).toEqual(['host0', 'guest']);
  });

  test('a guest that is a member from before ceases to be one', async () => {
    const store = new MemoryStore();
    const records = [a, { name: guest.name, machine: guest.machine, ipv4: a.ipv4 }].map((node) => {
      const { bridgeMac: mac, ipv6 } = memberAddresses(network, node.machine);
      return { put: memberStoreKey(network.id, ipv6), value: JSON.stringify({ ...node, mac, ipv6 }) };
    });
    await store.txn([], records);
    const host = await Host0.start({ store });
    await host.report(a);
    for (let second = 0; second < 9; second += 3) {
      expect(await host.poll(guest)).toBe('MESH_MEMBER_NOT_ADMITTED');
      await host.clock.pass(3_000);
      await host.report(a);
    }
    expect(host.names).toEqual(['host0', 'a']);
  });

  test('guests that make up names and addresses are one finding, and one event', async () => {
    const host = await Host0.start();
    await host.report(a);
    for (let number = 0; number < 100; number++) {
      await host.poll({ ...guest, name: `n${number}`, machine: board(number) });
    }
    expect(host.mesh.refusals()).toHaveLength(1);
    expect(host.told('member refused')).toHaveLength(1);
    for (let number = 0; number < 100; number++) {
      const address = memberAddresses(network, board(number)).ipv6;
      expect(await outcome(host.mesh.poll(address, 'n', a.machine))).toBe('MESH_MEMBER_FORGED');
    }
    expect(host.mesh.refusals()).toHaveLength(100);
    expect(host.told('member refused')).toHaveLength(20);
  });

  test('an agent takes it from a poller', async () => {
    const host = await Host0.start();
    await host.poll(guest);
    expect(await host.report(a)).toBe('accepted');
    expect(host.names).toEqual(['host0', 'a']);
    expect(await host.poll(guest)).toBe('MESH_MEMBER_NOT_ADMITTED');
  });

  test('two machines may exchange their addresses', async () => {
    const host = await Host0.start();
    await host.report(a);
    await host.report(b);
    const [movedA, movedB] = [
      { ...a, ipv4: b.ipv4 },
      { ...b, ipv4: a.ipv4 },
    ];
    host.seePacket(movedA);
    host.seePacket(movedB);
    expect(await host.report(movedA)).toBe('accepted');
    expect(await host.report(movedB)).toBe('accepted');
  });
});

test('strangers leave room for machines that are known', async () => {
  const store = new MemoryStore();
  const records = Array.from({ length: MEMBERS_MAX - MEMBERS_RESERVED }, (_, number) => {
    const machine = board(number);
    const { bridgeMac: mac, ipv6 } = memberAddresses(network, machine);
    const ipv4 = `10.12.${number >> 8}.${number & 255}`;
    const value = JSON.stringify({ name: `n${number}`, ipv4, mac, ipv6, machine, instance: 'i' });
    return { put: memberStoreKey(network.id, ipv6), value };
  });
  await store.txn([], records);
  const host = await Host0.start({ store });
  expect(await host.report(b)).toBe('MESH_MEMBER_NOT_ADMITTED');
  expect(await host.report(a)).toBe('accepted');
});

test('pollers that follow from no machine are few', async () => {
  const host = await Host0.start();
  const poll = (number: number) => {
    const ipv6 = `fd42:2345:1234:9abc::${(0x1000 + number).toString(16)}` as Ipv6;
    const [high, low] = [number >> 8, number & 255];
    const mac = parseMac(`06:00:00:00:0${high}:${low.toString(16).padStart(2, '0')}`);
    host.entries.set(ipv6, { mac, ipv4: `10.11.${high}.${low}` as Ipv4 });
    return outcome(host.mesh.poll(ipv6, 'n'));
  };
  for (let number = 0; number < 256; number++) expect(await poll(number)).toBe('accepted');
  expect(await poll(256)).toBe('MESH_MEMBER_NOT_ADMITTED');
  expect(await host.poll({ ...a, ipv4: '10.11.9.9' as Ipv4 }, a.machine)).toBe('accepted');
});

test('a poller without a machine id is the machine with a folder that has its addresses', async () => {
  const host = await Host0.start({ admission: 'known', folders: { x: a.machine } });
  expect(await host.poll(a)).toBe('accepted');
  expect(host.mesh.machineAt(memberAddresses(network, a.machine).ipv6)).toBe(a.machine);
  expect(await host.poll(b)).toBe('MESH_MEMBER_NOT_ADMITTED');
});

test('for a day, a poller does not take the place of a machine that had an agent', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.clock.pass(9_000);
  expect(await host.poll(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
  await host.clock.pass(24 * 3_600_000 - 1);
  expect(await host.poll(copyOfA, a.machine)).toBe('MESH_MEMBER_DOUBLE');
  expect(host.mesh.refusals()[0]?.message).toContain('whose agent reported from 10.11.0.10');
  await host.clock.pass(1);
  expect(await host.poll(copyOfA, a.machine)).toBe('accepted');
});

describe('a guest that imitates a member', () => {
  test('on host0 is told with its port and its Ethernet address', async () => {
    const host = await Host0.start();
    await host.report(a);
    const { ipv6, bridgeMac: mac } = memberAddresses(network, a.machine);
    host.entries.set(ipv6, { mac, localPort: 'vnet3' });
    expect(await outcome(host.mesh.report(ipv6, { ...a, leaving: true, state: { phase: 'ready' } }))).toBe(
      'MESH_MEMBER_FORGED',
    );
    expect(await outcome(host.mesh.poll(ipv6, 'a'))).toBe('MESH_MEMBER_FORGED');
    expect(host.names).toEqual(['host0', 'a']);
    const [finding] = host.mesh.refusals();
    expect(finding?.object).toBe('a');
    expect(finding?.message).toContain(`from ${mac} at the port vnet3 of host0 itself. It imitates a`);
  });

  test('on another node is told with that node, and the member stays', async () => {
    const host = await Host0.start();
    await host.report(a);
    await host.report(b);
    const { ipv6, bridgeMac: mac } = memberAddresses(network, a.machine);
    for (let second = 0; second < 12; second += 3) {
      await host.clock.pass(3_000);
      host.entries.set(ipv6, { mac, ipv4: b.ipv4 });
      expect(await outcome(host.mesh.report(ipv6, { ...a, state: { phase: 'ready' } }))).toBe('MESH_MEMBER_MOVING');
      await host.report(b);
    }
    expect(host.names).toEqual(['host0', 'a', 'b']);
    const [finding] = host.mesh.refusals();
    expect(finding).toMatchObject({ code: 'MESH_MEMBER_FORGED', object: 'a' });
    expect(finding?.message).toContain(`${mac} of a come from 10.11.0.11, where b is`);
  });
});

test('admission=known admits machines with a folder', async () => {
  const host = await Host0.start({ admission: 'known' });
  expect(await host.report(a)).toBe('accepted');
  expect(await host.report(b)).toBe('MESH_MEMBER_NOT_ADMITTED');
  expect(await host.poll(b)).toBe('MESH_MEMBER_NOT_ADMITTED');
  expect(host.names).toEqual(['host0', 'a']);
});

describe('with admission=token', () => {
  /** A report with a proof, as the node's agent makes it with the nonce that it has. */
  const proving = (
    host: Host0,
    node: Node,
    how: { nonce?: string; token?: string; extra?: Partial<SelfReport> } = {},
  ) => {
    const { ipv6, bridgeMac: mac } = memberAddresses(network, node.machine);
    const nonce = how.nonce ?? host.mesh.nonceFor(ipv6);
    const claim = { ...node, ...how.extra, network: network.id, mac, ipv6 };
    return host.report(node, { ...how.extra, nonce, proof: proofOf(how.token ?? tokenOf(node.machine), nonce, claim) });
  };
  afterEach(() => revoked.clear());

  test('a machine must prove that it has its token, with a nonce of its own', async () => {
    const host = await Host0.start({ admission: 'token' });
    expect(await host.report(a)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.poll(a)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report(a, { nonce: '' })).toBe('MESH_MEMBER_UNPROVEN');
    expect(await proving(host, a, { token: tokenOf(b.machine) })).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await proving(host, a, { nonce: host.mesh.nonceFor(memberAddresses(network, b.machine).ipv6) })).toBe(
      'MESH_MEMBER_UNPROVEN',
    );
    expect(host.names).toEqual(['host0']);
    expect(await proving(host, a)).toBe('accepted');
    expect(host.names).toEqual(['host0', 'a']);
  });

  test('a proof is worth nothing from another address, for another request, or later', async () => {
    const host = await Host0.start({ admission: 'token' });
    const { ipv6, bridgeMac: mac } = memberAddresses(network, a.machine);
    const nonce = host.mesh.nonceFor(ipv6);
    const proof = proofOf(tokenOf(a.machine), nonce, { ...a, network: network.id, mac, ipv6 });
    expect(await host.report({ ...a, ipv4: b.ipv4 }, { nonce, proof })).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report(a, { nonce, proof })).toBe('accepted');
    expect(await host.report(a, { nonce, proof, leaving: true })).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report({ ...a, name: 'b' }, { nonce, proof })).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(host.changes).toEqual(['join a 10.11.0.10']);
    await host.clock.pass(120_000);
    expect(await host.report(a, { nonce, proof })).toBe('MESH_MEMBER_UNPROVEN');
  });

  test('a machine whose token is taken away is dropped, polls or not', async () => {
    const host = await Host0.start({ admission: 'token' });
    expect(await proving(host, a)).toBe('accepted');
    revoked.add(a.machine);
    for (let second = 0; second < 75; second += 3) {
      await host.clock.pass(3_000);
      await proving(host, a);
      await host.poll(a);
    }
    expect(host.names).toEqual(['host0']);
  });

  test('a machine that has just booted in its place is in at once', async () => {
    const host = await Host0.start({ admission: 'token' });
    await proving(host, a);
    expect(await proving(host, { ...a, instance: 'boot-2' })).toBe('accepted');
    expect(host.changes).toEqual(['join a 10.11.0.10']);
  });

  test('a node that sends its token itself is a member until it has booted again', async () => {
    const host = await Host0.start({ admission: 'token' });
    expect(await host.report(b, { token: tokenOf(a.machine) })).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report(b, { token: tokenOf(b.machine) })).toBe('accepted');
    expect(await host.report(a, { token: tokenOf(a.machine) })).toBe('MESH_MEMBER_NOT_ADMITTED');
  });

  test('a machine with a token is not replaced from elsewhere by one without, whatever the admission', async () => {
    const host = await Host0.start();
    expect(await proving(host, a)).toBe('accepted');
    await host.clock.pass(9_000);
    expect(await host.report(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
    expect(host.mesh.refusals()[0]?.message).toContain('without the key or token that a showed at 10.11.0.10');
    expect(await proving(host, { ...a, instance: 'boot-2', ipv4: '10.11.0.20' as Ipv4 })).toBe('accepted');
  });
});

describe('with admission=token, for nodes with a channel', () => {
  afterEach(() => {
    told.clear();
    withKey.clear();
  });

  test('a machine is a member while its channel stands, and needs no token', async () => {
    const host = await Host0.start({ admission: 'token' });
    expect(await host.report(a)).toBe('MESH_MEMBER_NOT_ADMITTED');
    withKey.add(a.machine);
    expect(await host.report(a)).toBe('MESH_MEMBER_UNPROVEN');
    expect(host.mesh.refusals()).toMatchObject([{ code: 'MESH_MEMBER_NOT_ADMITTED' }]);
    told.set(a.machine, a.instance);
    expect(await host.report(a)).toBe('accepted');
    for (let second = 0; second < 30; second += 3) {
      await host.clock.pass(3_000);
      expect(await host.report(a)).toBe('accepted');
    }
    told.delete(a.machine);
    for (let second = 0; second < 9; second += 3) {
      expect(host.names).toEqual(['host0', 'a']);
      await host.clock.pass(3_000);
      expect(await host.report(a)).toBe('MESH_MEMBER_UNPROVEN');
    }
    expect(host.names).toEqual(['host0']);
    expect(host.changes).toEqual(['join a 10.11.0.10', 'leave a 10.11.0.10']);
  });

  test('a report with another instance than the channel told is not that of the machine', async () => {
    const host = await Host0.start({ admission: 'token' });
    told.set(a.machine, a.instance);
    expect(await host.report(copyOfA)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report({ ...a, instance: 'boot-2' })).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report(b)).toBe('MESH_MEMBER_NOT_ADMITTED');
    expect(await host.report(a)).toBe('accepted');
    // The machine boots: its old channel is gone, and the new one tells the new instance.
    told.set(a.machine, 'boot-2');
    expect(await host.report({ ...a, instance: 'boot-2' })).toBe('accepted');
    expect(host.changes).toEqual(['join a 10.11.0.10']);
  });

  test('an agent of before with its token is taken beside nodes with a channel', async () => {
    const host = await Host0.start({ admission: 'token' });
    told.set(a.machine, a.instance);
    expect(await host.report(a)).toBe('accepted');
    expect(await host.report(b, { token: tokenOf(b.machine) })).toBe('accepted');
    expect(host.names).toEqual(['host0', 'a', 'b']);
  });

  test('whatever the admission, a machine with a channel is not replaced from elsewhere by one without', async () => {
    const host = await Host0.start();
    told.set(a.machine, a.instance);
    expect(await host.report(a)).toBe('accepted');
    told.delete(a.machine);
    await host.clock.pass(9_000);
    expect(await host.report(copyOfA)).toBe('MESH_MEMBER_DOUBLE');
    told.set(a.machine, 'boot-2');
    expect(await host.report({ ...a, instance: 'boot-2', ipv4: '10.11.0.20' as Ipv4 })).toBe('accepted');
  });
});

test('before the store has been read there is no list', async () => {
  const store = new MemoryStore();
  const broken: Store = Object.assign(Object.create(store) as Store, {
    epoch: store.epoch,
    range: () => Promise.reject(new Error('away')),
  });
  const host = await Host0.start({ store: broken });
  expect(() => host.mesh.members()).toThrow('not read the members');
  expect(await host.report(a)).toBe('MESH_HOST0_STARTING');
  broken.range = (prefix) => store.range(prefix);
  broken.watch = (...watched) => store.watch(...watched);
  await host.clock.pass(1_000);
  expect(host.names).toEqual(['host0']);
});

test('a restart keeps epoch and members, and drops no member for nine seconds', async () => {
  const before = await Host0.start();
  await before.report(a);
  await before.report(b);
  before.mesh.close();
  const { store, clock } = before;
  await clock.pass(60_000);
  const after = await Host0.start({ store, clock });
  expect(after.mesh.version).toEqual(before.mesh.version);
  await clock.pass(8_999);
  expect(after.names).toEqual(['host0', 'a', 'b']);
  await after.report(b);
  await clock.pass(1);
  expect(after.names).toEqual(['host0', 'b']);
});

test('a lost store means another epoch', async () => {
  const [before, after] = [await Host0.start(), await Host0.start()];
  expect(after.mesh.version.epoch).not.toBe(before.mesh.version.epoch);
});

test('while host0 cannot hear reports, no member is dropped', async () => {
  const host = await Host0.start();
  await host.report(a);
  host.mesh.hear(false);
  await host.clock.pass(60_000);
  expect(host.names).toEqual(['host0', 'a']);
  host.mesh.hear(true);
  await host.clock.pass(8_999);
  expect(host.names).toEqual(['host0', 'a']);
  await host.clock.pass(1);
  expect(host.names).toEqual(['host0']);
});

test('a member that reports is not dropped while host0 waits for its own kernel', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.report(b);
  const { promise, resolve } = Promise.withResolvers<void>();
  host.kernelAnswers = promise;
  const reports = [];
  for (let second = 0; second < 30; second += 3) {
    reports.push(host.report(a));
    await host.clock.pass(3_000);
  }
  expect(host.names).toEqual(['host0', 'a']);
  resolve();
  expect(new Set(await Promise.all(reports))).toEqual(new Set(['accepted']));
});

test('records from a time when the mesh had another key are deleted', async () => {
  const store = new MemoryStore();
  const key = memberStoreKey(network.id, memberAddresses(network, a.machine).ipv6);
  const { bridgeMac: mac, ipv6 } = memberAddresses(network, b.machine);
  await store.txn([], [{ put: key, value: JSON.stringify({ ...a, mac, ipv6 }) }]);
  const host = await Host0.start({ store });
  expect(host.names).toEqual(['host0']);
  await host.clock.pass(1);
  expect((await store.range('/v1/meshes/')).entries).toEqual([]);
});

test('a subscriber between a change and its announcement gets the change once', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.report(b);
  const heard: string[] = [];
  host.mesh.subscribe(undefined, undefined, (event) => heard.push(textOf(event)));
  await host.clock.pass(20);
  await host.report({ ...a, ipv4: '10.11.0.20' as Ipv4 });
  await host.clock.pass(20);
  expect(heard).toEqual(['snapshot host0 a b', 'change a']);
});

test('a listener gets a snapshot and then every change, in order', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.clock.pass(20);
  const heard: string[] = [];
  const end = host.mesh.subscribe(undefined, undefined, (event) => heard.push(textOf(event)));
  await host.report(b);
  await host.report({ ...a, ipv4: '10.11.0.20' as Ipv4 });
  await host.report(b, { leaving: true });
  // The first is announced at once, the others together a moment later.
  expect(heard).toEqual(['snapshot host0 a', 'join b']);
  await host.clock.pass(20);
  end();
  await host.report(b);
  expect(heard).toEqual(['snapshot host0 a', 'join b', 'change a', 'leave b']);
});

test('a listener that comes back gets the changes that it missed; with an unknown version, a snapshot', async () => {
  const host = await Host0.start();
  await host.report(a);
  const seen = host.mesh.version;
  await host.report(b);
  await host.report(a, { leaving: true });
  const resumed: string[] = [];
  host.mesh.subscribe(undefined, seen, (event) => resumed.push(textOf(event)));
  expect(resumed).toEqual(['join b', 'leave a']);
  for (const stranger of [
    { ...seen, epoch: 'ffff' },
    { ...seen, revision: 99 },
  ]) {
    const heard: string[] = [];
    host.mesh.subscribe(undefined, stranger, (event) => heard.push(textOf(event)));
    expect(heard).toEqual(['snapshot host0 b']);
  }
});

test('a listener that missed more than host0 remembers gets a snapshot', async () => {
  const host = await Host0.start();
  const seen = host.mesh.version;
  for (let i = 0; i < 501; i++) {
    await host.report(a);
    await host.report(a, { leaving: true });
  }
  const heard: string[] = [];
  host.mesh.subscribe(undefined, seen, (event) => heard.push(textOf(event)));
  expect(heard).toEqual(['snapshot host0']);
});

test('a removed mesh leaves nothing in the store', async () => {
  const host = await Host0.start();
  await host.report(a);
  await host.mesh.forget();
  expect((await host.store.range('/v1/meshes/')).entries).toEqual([]);
});

function textOf(event: MembershipEvent): string {
  if (event.type !== 'snapshot') return `${event.type} ${event.member.name}`;
  return ['snapshot', ...event.members.map(({ name }) => name)].join(' ');
}
