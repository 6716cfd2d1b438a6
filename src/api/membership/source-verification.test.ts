/** Source verification with a real kernel: host0 and a node in two namespaces. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { carriesPackets, inside, ip, isAnsweredFor, twoHosts } from '../../../test/kit/namespaces.ts';
import { mesh } from '../../../test/kit/networks.ts';
import { KernelMonitor } from '../../kernel/rtnl/monitor.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { KernelSourceVerification } from './source-verification.ts';

const MESH = mesh('manage', 456, { prefix: 'fd42::/64' });
const NODE = 'fd42::2' as Ipv6;
const MAC = '02:00:00:00:00:02';

let segment: ReturnType<typeof twoHosts>;
let rtnl: Rtnl;
let monitor: KernelMonitor;
let verification: KernelSourceVerification;
let asked: string[];

/** host0 in `here`, whose VXLAN device learns, and a node in `there`. */
beforeEach(async () => {
  segment = twoHosts();
  for (const [netns, host] of [
    [segment.here, 1],
    [segment.there, 2],
  ] as const) {
    const remote = host === 1 ? '' : ' remote 10.9.0.1 local 10.9.0.2';
    ip(
      netns,
      `link add br456 address 02:00:00:00:00:0${host} type bridge`,
      `link add vxlan456 master br456 type vxlan id 456 dstport 4789${remote}`,
      'link set br456 up',
      'link set vxlan456 up',
      `address add fd42::${host}/64 dev br456 nodad`,
    );
    carriesPackets(netns, 'br456');
    isAnsweredFor(netns, 'br456', `ff02::1:ff00:${host}`);
  }
  rtnl = await Rtnl.open({ netns: segment.here });
  asked = [];
  verification = new KernelSourceVerification(
    {
      neighbour: (link, address) => {
        asked.push(address);
        return rtnl.neighbour(link, address);
      },
      fdbEntry: (link, mac, table) => {
        asked.push(mac);
        return rtnl.fdbEntry(link, mac, table);
      },
      nameOf: (index) => nameOf(segment.here, index),
    },
    () => monitor.drain(),
  );
  monitor = KernelMonitor.open({ netns: segment.here });
  monitor.events.subscribe((event) => verification.take(event));
});

afterEach(async () => {
  monitor.close();
  await rtnl.close();
  segment.close();
});

function nameOf(netns: string, index: number): string | undefined {
  return new RegExp(`^${index}: ([^:@]+)`, 'm').exec(inside(netns, 'ip', '-o', 'link'))?.[1];
}

/** The node multicasts a solicitation for host0, so that host0 learns its addresses. */
function packetFromNode(): void {
  inside(segment.there, 'ip', 'neighbour', 'flush', 'dev', 'br456');
  inside(segment.there, 'ping', '-c1', '-W5', 'fd42::1');
}

test('a sender is known after its first packet', async () => {
  expect(await verification.verify(MESH, NODE)).toEqual({});
  packetFromNode();
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
});

test('the kernel is asked once, and again after a change', async () => {
  packetFromNode();
  await verification.verify(MESH, NODE);
  const first = asked.length;
  for (let report = 0; report < 5; report++) {
    expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
  }
  expect(asked.length).toBe(first);

  ip(segment.there, 'address add 10.9.0.77/24 dev eth0', 'link set vxlan456 type vxlan local 10.9.0.77');
  packetFromNode();
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.77' });

  ip(segment.here, 'neighbour del fd42::2 dev br456');
  expect((await verification.verify(MESH, NODE)).ipv4).toBeUndefined();
  packetFromNode();
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.77' });

  // A late probe of the node would bring the entry back.
  ip(segment.there, 'link set vxlan456 down');
  inside(segment.here, 'bridge', 'fdb', 'del', MAC, 'dev', 'vxlan456', 'self');
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC });
  ip(segment.there, 'link set vxlan456 up');
  packetFromNode();
  ip(segment.here, 'link del vxlan456');
  expect(await verification.verify(MESH, NODE)).not.toHaveProperty('ipv4');
});

test('an answer that a change has overtaken is not kept', async () => {
  packetFromNode();
  const before = await verification.verify(MESH, NODE);
  verification.take({ type: 'overflow' });
  const answer = verification.verify(MESH, NODE);
  verification.take({ type: 'overflow' });
  expect(await answer).toEqual(before);
  const asks = asked.length;
  expect(await verification.verify(MESH, NODE)).toEqual(before);
  expect(asked.length).toBeGreaterThan(asks);
});

test('a guest on host0 with the addresses of a node is seen at its port', async () => {
  packetFromNode();
  ip(
    segment.here,
    'link add guest0 type veth peer name guest1 address 02:00:00:00:00:02',
    'link set guest0 master br456 up',
    'link set guest1 up',
  );
  // The guest's frame has the node's address: the bridge now sends the node's frames to the guest.
  ip(segment.here, 'address add 10.8.0.1/24 dev guest1');
  carriesPackets(segment.here, 'guest1');
  // A late probe of the node takes the address back.
  await vi.waitFor(async () => {
    inside(segment.here, 'sh', '-c', 'ping -c1 -W1 10.8.0.9 || true');
    expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, localPort: 'guest0' });
  }, 10_000);
  packetFromNode();
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
});
