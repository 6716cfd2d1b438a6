/** What host0 says of senders whose VXLAN packets it drops, and which line lets them in. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Address, Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { Host0Stance } from '../desired/assignment.ts';
import { Outsiders } from './outsiders.ts';

const HOST0: Host0Stance = {
  role: 'host0',
  segments: [{ device: 'eth1', ipv4: '10.11.1.1' as Ipv4, subnet: '10.11.1.0/24' as Ipv4Cidr }],
  nics: [],
};

function address(link: number, ipv4: string): Address {
  const plain = { family: 4, scope: 'global', tentative: false, nodad: false, protocol: 0 } as const;
  return { ...plain, link, address: ipv4 as Ipv4, length: 24 };
}

const cache = KernelTables.of({
  links: [portLink(1, 'eth1'), portLink(2, 'uplink0'), portLink(3, 'eth3')],
  addresses: [address(1, '10.11.1.1'), address(2, '10.11.2.1'), address(3, '192.0.2.1')],
  routes: [],
  neighbours: [],
  fdb: [],
});

/** @param senders as nft lists them: the NIC and the address @param routes the link of the route to each address */
async function findings(senders: readonly (readonly [string, string])[], routes: Readonly<Record<string, number>>) {
  const elements = senders.map(([nic, ipv4]) => `"${nic}" . ${ipv4} . 0x1c8 counter packets 3 bytes 200 expires 9m`);
  const outsiders = new Outsiders({
    journal: new Journal(new ManualClock(), 'agent', 'host0'),
    kernel: {
      listInetSet: async () => `elements = { ${elements.join(', ')} }`,
      routeTo: async (to) => {
        const link = routes[to];
        if (link === undefined) throw new Error('ENETUNREACH');
        return { link } as Route;
      },
    },
  });
  await outsiders.read();
  return outsiders.findings(cache, HOST0);
}

test.each([
  [
    'on a link that is no segment',
    ['uplink0', '10.11.2.7', 2],
    'VXLAN of VNI 456 from 10.11.2.7 is dropped on uplink0: uplink0 is no segment',
    '`segment_ports="eth1" "uplink0"`',
  ],
  [
    'behind a router of a segment',
    ['eth1', '10.50.0.7', 1],
    'VXLAN of VNI 456 from 10.50.0.7 is dropped on eth1: 10.50.0.7 is on no segment, but behind a router',
    '`member_subnets="10.50.0.0/24"`',
  ],
  [
    'to which the route is another one',
    ['eth1', '10.50.0.7', 3],
    'VXLAN of VNI 456 from 10.50.0.7 is dropped on eth1: the route to 10.50.0.7 is by eth3',
    '`ip route add 10.50.0.0/24 via ROUTER dev eth1`',
  ],
  [
    'to which there is no route',
    ['eth1', '10.50.0.7', undefined],
    'VXLAN of VNI 456 from 10.50.0.7 is dropped on eth1: there is no route to 10.50.0.7',
    '`ip route add 10.50.0.0/24 via ROUTER dev eth1`',
  ],
  [
    'with an address of a segment, from elsewhere',
    ['uplink0', '10.11.1.7', 1],
    'VXLAN of VNI 456 from 10.11.1.7 is dropped on uplink0: 10.11.1.7 is on the segment of eth1',
    'tcpdump -eni uplink0',
  ],
] as const)('a sender %s', async (_, [nic, ipv4, link], message, remedy) => {
  const routes = link === undefined ? {} : { [ipv4]: link };
  expect(await findings([[nic, ipv4]], routes)).toEqual([
    {
      code: 'MESH_SEGMENT_OUTSIDE',
      severity: 'warning',
      object: nic,
      message,
      remedy: expect.stringContaining(remedy),
    },
  ]);
});

test('a sender that is on a segment by now is none any more', async () => {
  expect(await findings([['eth1', '10.11.1.7']], { '10.11.1.7': 1 })).toEqual([]);
});

test('many senders are one finding for each link', async () => {
  const senders = Array.from({ length: 40 }, (_, i) => ['uplink0', `10.11.2.${i + 2}`] as const);
  const [finding, ...others] = await findings(senders, Object.fromEntries(senders.map(([, ipv4]) => [ipv4, 2])));
  expect(others).toEqual([]);
  expect(finding?.message).toBe(
    'VXLAN of VNI 456 from 10.11.2.2, 10.11.2.3, 10.11.2.4 and others is dropped on uplink0: uplink0 is no segment',
  );
});
