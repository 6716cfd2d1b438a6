/** Two network cards with one IPv4 address both answer a probe, on a real segment. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { carriesPackets, inside, ip, twoHosts } from '../../../test/kit/namespaces.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { probeAddresses } from './arp.ts';

let link: ReturnType<typeof twoHosts>;
beforeAll(() => {
  link = twoHosts();
});
afterAll(() => link.close());

test('each card that has the address answers', async () => {
  const macOf = (netns: string, device: string) => {
    return /link\/ether (\S+)/.exec(inside(netns, 'ip', 'link', 'show', device))?.[1] as Mac;
  };
  // A bridge there is the segment, with two more cards behind it.
  ip(
    link.there,
    'address flush dev eth0',
    'link add segment type bridge',
    'link set eth0 master segment',
    // It has the address of no card, and answers for any of its machine.
    'link set segment arp off',
    'link set segment up',
    'link add card1 type veth peer name plug1',
    'link set plug1 master segment up',
    'address add 10.9.0.2/24 dev card1',
    'link set card1 up',
    'link add card2 link card1 type macvlan mode bridge',
    'address add 10.9.0.2/24 dev card2',
    'link set card2 up',
  );
  carriesPackets(link.there, 'card1');
  const here = {
    index: Number(inside(link.here, 'ip', '-o', 'link', 'show', 'eth0').split(':')[0]),
    mac: macOf(link.here, 'eth0'),
  };
  const targets = ['10.9.0.2', '10.9.0.3'] as Ipv4[];
  const owners = await probeAddresses(here, targets, { timeoutMs: 500, netns: link.here });
  expect(owners.get('10.9.0.2' as Ipv4)).toEqual(new Set([macOf(link.there, 'card1'), macOf(link.there, 'card2')]));
  expect(owners.get('10.9.0.3' as Ipv4)).toEqual(new Set());
});
