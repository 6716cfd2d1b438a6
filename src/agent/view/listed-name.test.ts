/** Two machines with one name. */
import { expect, test } from 'vitest';
import { manage } from '../../../test/kit/networks.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseMachineId } from '../../model/machine.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import { findMember, memberCalled } from './called-member.ts';
import { listedName, nameTaken } from './listed-name.ts';

const [HERE, THERE] = [parseMachineId('10eff964'), parseMachineId('20eff964')];

function member(machine: typeof HERE, name: string, ipv4: string): Member {
  const { ipv6, bridgeMac: mac } = memberAddresses(manage, machine);
  return { name, ipv4: parseIpv4(ipv4), mac, ipv6 };
}

function listing(name: string, here: string, there: string) {
  const members = [member(HERE, here, '10.11.0.2'), member(THERE, there, '10.11.0.3')];
  return { name, machine: HERE, network: manage, members };
}

test('a name that host0 gave a number is the listed one, with a warning', () => {
  const second = listing('node1', 'node1-2', 'node1');
  expect(listedName(second)).toBe('node1-2');
  expect(nameTaken(second)).toEqual([
    {
      code: 'MESH_NODE_NAME',
      severity: 'warning',
      object: 'manage: node1-2',
      message: 'the machine at 10.11.0.3 has the name node1, too; manage lists this node as node1-2',
      remedy: 'Give one of the two another host name, or its agent --name NAME, and restart that agent.',
    },
  ]);
  expect(nameTaken(listing('n'.repeat(63), `${'n'.repeat(61)}-2`, 'other'))).toHaveLength(1);
});

test('a list of the name of before, and other names with numbers, are no warning', () => {
  expect(nameTaken(listing('node1', 'localhost', 'node2'))).toEqual([]);
  expect(nameTaken(listing('node-2', 'node-2', 'node-1'))).toEqual([]);
  expect(listedName(listing('node1', 'localhost', 'node2'))).toBe('node1');
});

test('where a list has a name twice, there is a warning, and commands ask which', () => {
  const both = listing('node1', 'node1', 'node1');
  expect(nameTaken(both)).toHaveLength(1);
  for (const find of [findMember, memberCalled]) {
    expect(() => find(both.members, 'node1', manage)).toThrow(
      expect.objectContaining({
        code: 'MESH_NODE_UNKNOWN',
        message: '2 members of manage are called "node1"',
        remedy: 'Name one by its address: 10.11.0.2, 10.11.0.3.',
      }),
    );
    expect(find(both.members, '10.11.0.3', manage)).toBe(both.members[1]);
  }
});
