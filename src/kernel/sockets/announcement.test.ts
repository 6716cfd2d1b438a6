/** A neighbour on a real kernel takes the new Ethernet address of a station that announces itself. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip, twoHosts } from '../../../test/kit/namespaces.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { encodeAnnouncement, sendFrames } from './announcement.ts';

const MAC = parseMac('02:00:00:00:10:01');
let hosts: ReturnType<typeof twoHosts>;

beforeEach(() => {
  hosts = twoHosts();
});

afterEach(() => hosts.close());

test.each([parseIpv4('10.9.0.77'), parseIpv6('fd09::77')])('%s', async (address) => {
  ip(hosts.there, `neighbour replace ${address} lladdr 02:00:00:00:10:09 dev eth0 nud stale`);
  const [{ ifindex }] = JSON.parse(inside(hosts.here, 'ip', '-j', 'link', 'show', 'eth0'));
  sendFrames({ index: ifindex, name: 'eth0' }, [encodeAnnouncement(MAC, address)], hosts.here);
  await expect
    .poll(() => inside(hosts.there, 'ip', 'neighbour', 'show', 'dev', 'eth0'))
    .toContain(`${address} lladdr ${MAC}`);
});

test('a device that is down sends nothing, and says so', () => {
  ip(hosts.here, 'link set eth0 down');
  const [{ ifindex }] = JSON.parse(inside(hosts.here, 'ip', '-j', 'link', 'show', 'eth0'));
  const frames = [encodeAnnouncement(MAC, parseIpv4('10.9.0.77'))];
  expect(() => sendFrames({ index: ifindex, name: 'eth0' }, frames, hosts.here)).toThrow(/through eth0: ENETDOWN/);
});
