/** When a member is added to the list of a node, and when it is removed. */
import { expect, test } from 'vitest';
import { board, manage, member as memberOf } from '../../../test/kit/networks.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Member } from '../../model/network/member.ts';
import type { MembershipEvent } from '../../protocol/documents/membership.ts';
import { LISTED_MAX, MemberList } from './member-list.ts';

function member(number: number): Member {
  return memberOf(manage, board(number), `10.11.0.${number}`, `node${number}`);
}

function snapshot(epoch: string, revision: number, ...numbers: number[]): MembershipEvent {
  return { type: 'snapshot', version: { epoch, revision }, members: numbers.map(member), segments: [] };
}

function names(list: MemberList): string {
  return list.members.map(({ name }) => name).join(' ');
}

test('a join adds, a change replaces, a leave removes at once', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2), 0);
  list.apply({ type: 'join', version: { epoch: 'a', revision: 2 }, member: member(3) }, 10);
  expect(names(list)).toBe('node1 node2 node3');
  const moved = { ...member(2), ipv4: '10.11.0.99' as Ipv4 };
  list.apply({ type: 'change', version: { epoch: 'a', revision: 3 }, member: moved }, 20);
  expect(list.members).toContainEqual(moved);
  list.apply({ type: 'leave', version: { epoch: 'a', revision: 4 }, member: member(1) }, 30);
  expect(names(list)).toBe('node2 node3');
  expect(list.version).toEqual({ epoch: 'a', revision: 4 });
});

test('one list never removes a member', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2, 3), 0);
  list.apply(snapshot('a', 2, 1), 60_000);
  expect(names(list)).toBe('node1 node2 node3');
});

test('a member that a list lacks is removed when the stream is still alive nine seconds later', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2), 0);
  list.apply(snapshot('a', 2, 1), 10_000);
  list.confirm(18_999);
  expect(names(list)).toBe('node1 node2');
  list.confirm(19_000);
  expect(names(list)).toBe('node1');
});

test('a second incomplete list removes no member: host0 may have been killed twice', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2), 0);
  list.apply(snapshot('b', 0), 20_000);
  list.apply(snapshot('b', 0), 30_000);
  expect(names(list)).toBe('node1 node2');
  expect(list.confirmAtMs).toBe(39_000);
});

test('a list of a new epoch only adds at first, and starts the nine seconds again', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2), 0);
  list.confirm(9_000);
  expect(list.settled).toBe(true);
  list.apply(snapshot('b', 1, 3), 20_000);
  expect(names(list)).toBe('node1 node2 node3');
  expect(list.settled).toBe(false);
  list.confirm(29_000);
  expect(names(list)).toBe('node3');
  expect(list.settled).toBe(true);
});

test('a stream that lives for nine seconds confirms which members its first list lacked', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2), 0);
  list.apply(snapshot('b', 1, 1), 1_000);
  expect(list.confirmAtMs).toBe(10_000);
  list.confirm(10_000);
  expect(names(list)).toBe('node1');
  expect(list.confirmAtMs).toBeUndefined();
});

test('a missing member that joins again is not missing', () => {
  const list = new MemberList();
  list.apply(snapshot('a', 1, 1, 2), 0);
  list.apply(snapshot('a', 2, 1), 1_000);
  list.apply({ type: 'join', version: { epoch: 'a', revision: 3 }, member: member(2) }, 2_000);
  list.confirm(60_000);
  expect(names(list)).toBe('node1 node2');
});

test('remembered members are there before any list, and are removed like others that a list lacks', () => {
  const list = new MemberList();
  list.remember([member(1), member(2), member(3)]);
  expect(names(list)).toBe('node1 node2 node3');
  expect([list.version, list.settled, list.confirmAtMs]).toEqual([undefined, false, undefined]);
  list.confirm(60_000);
  expect(names(list)).toBe('node1 node2 node3');
  const moved = { ...member(2), ipv4: '10.11.0.99' as Ipv4 };
  list.apply(
    { type: 'snapshot', version: { epoch: 'a', revision: 7 }, members: [member(1), moved], segments: [] },
    60_000,
  );
  expect(list.members).toContainEqual(moved);
  expect(names(list)).toBe('node1 node2 node3');
  list.confirm(68_999);
  expect(list.settled).toBe(false);
  list.confirm(69_000);
  expect(names(list)).toBe('node1 node2');
  expect(list.settled).toBe(true);
});

test('a host0 that lists others each time does not fill the list: the missing ones go first, then joins are refused', () => {
  const list = new MemberList();
  const lies = (from: number, count: number): Member[] =>
    Array.from({ length: count }, (_, i) => ({
      name: `x${from + i}`,
      ipv4: '10.11.0.9' as Ipv4,
      mac: member(1).mac,
      ipv6: `fd42::${(from + i).toString(16)}` as Member['ipv6'],
    }));
  const listOf = (...members: Member[]): MembershipEvent => {
    return { type: 'snapshot', version: { epoch: 'a', revision: 1 }, members, segments: [] };
  };
  for (let round = 0; round < 5; round++) list.apply(listOf(...lies(1 + round * 4_097, 4_097)), round);
  expect(list.members).toHaveLength(LISTED_MAX);
  list.apply(snapshot('a', 2, 1, 2), 10);
  expect(names(list)).toMatch(/ node1 node2$/);
  const crowd = lies(0x10_000, LISTED_MAX + 10).map((liar): MembershipEvent => {
    return { type: 'join', version: { epoch: 'a', revision: 3 }, member: liar };
  });
  expect(() => {
    for (const join of crowd) list.apply(join, 20);
  }).toThrow(expect.objectContaining({ code: 'MESH_HOST0_MALFORMED' }));
  expect(list.members).toHaveLength(LISTED_MAX);
  expect(names(list)).toMatch(/^node1 node2 /);
});
