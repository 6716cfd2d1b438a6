/** The shares of nodes in the ranges of a network: each address has one giver, and little changes hands. */
import { expect, test } from 'vitest';
import { board, networkOfType, vxlanType } from '../../../test/kit/networks.ts';
import { ipToBigint } from '../../model/address/ip-range.ts';
import { parseIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import { familiesOfHost, hostShares } from './host-shares.ts';

const CIDR = parseIpv4Cidr('10.7.0.0/24');
const MACHINES: readonly MachineWord[] = ['host0', board(1), board(2), board(3)];
const network: Network = {
  ...networkOfType(0xff01, vxlanType(0xff01), { kind: 'assigned' }),
  hostAddress: { kind: 'per-node' },
  subnets: [
    {
      cidr: CIDR,
      hostAddress: parseIpv4('10.7.0.1'),
      dhcp: {
        ranges: [
          { first: parseIpv4('10.7.0.20'), last: parseIpv4('10.7.0.99') },
          { first: parseIpv4('10.7.0.128'), last: parseIpv4('10.7.0.254'), leaseSec: 600 },
        ],
        hosts: [],
        options: [],
      },
    },
  ],
};

function attachment(machine: MachineWord, all: readonly MachineWord[]): NodeAttachment {
  const peers = all
    .filter((other) => other !== machine)
    .map((other) => ({ machine: other, name: other, underlay: parseIpv4('10.9.0.9'), macs: [] }));
  const hostAddresses = [{ address: parseIpv4('10.7.0.9'), length: 24 }];
  return { network, reasons: ['pinned'], peers: { kind: 'assigned', peers }, hostAddresses, services: [] };
}

/** The giver of each address, and how long its leases last. */
function givers(all: readonly MachineWord[]): Map<bigint, string> {
  const found = new Map<bigint, string>();
  for (const machine of all) {
    for (const { first, last, leaseSec } of hostShares(attachment(machine, all), machine)?.get(CIDR) ?? []) {
      for (let address = ipToBigint(first); address <= ipToBigint(last); address++) {
        expect(found.has(address)).toBe(false);
        found.set(address, `${machine} ${leaseSec ?? 0}`);
      }
    }
  }
  return found;
}

test('each address of the ranges has one giver, with the lease of its range', () => {
  const all = givers(MACHINES);
  expect(all.size).toBe(80 + 127);
  expect([...all.values()].filter((text) => text.endsWith(' 600'))).toHaveLength(127);
  expect(new Set(all.values()).size).toBe(2 * MACHINES.length);
});

test('a node that goes leaves the others what they have', () => {
  const [gone, ...staying] = MACHINES;
  const [before, after] = [givers(MACHINES), givers(staying)];
  for (const [address, giver] of before) if (!giver.startsWith(`${gone} `)) expect(after.get(address)).toBe(giver);
});

test('a node that has addresses to give keeps requests of its guests to itself', () => {
  expect(familiesOfHost(attachment('host0', MACHINES), 'host0')).toEqual(['ipv4']);
  expect(familiesOfHost({ ...attachment('host0', MACHINES), hostAddresses: [] }, 'host0')).toEqual([]);
  const given: Network = { ...network, hostAddress: { kind: 'given' } };
  expect(hostShares({ ...attachment('host0', MACHINES), network: given }, 'host0')).toBeUndefined();
});

test('what host0 says counts, whichever nodes are known', () => {
  const ranges = [{ first: parseIpv4('10.7.0.20'), last: parseIpv4('10.7.0.24') }];
  const given = { ...attachment('host0', MACHINES), dhcpRanges: [{ cidr: CIDR, ranges }] };
  expect(hostShares(given, 'host0')?.get(CIDR)).toBe(ranges);
  expect(familiesOfHost({ ...given, dhcpRanges: [{ cidr: CIDR, ranges: [] }] }, 'host0')).toEqual([]);
});
