/** Source verification with a real kernel: host0 and a node in two namespaces. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { carriesPackets, inside, ip, isAnsweredFor, twoHosts } from '../../../test/kit/namespaces.ts';
import { mesh } from '../../../test/kit/networks.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { rtnlReader } from '../../kernel/mirror/kernel-reader.ts';
import { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import { KernelMonitor } from '../../kernel/rtnl/monitor.ts';
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { systemClock } from '../../model/clock.ts';
import { Signal } from '../../model/signal.ts';
import { KernelSourceVerification } from './source-verification.ts';

const MESH = mesh('manage', 456, { prefix: 'fd42::/64' });
const NODE = 'fd42::2' as Ipv6;
const MAC = '02:00:00:00:00:02';

let segment: ReturnType<typeof twoHosts>;
let rtnl: Rtnl;
let monitor: KernelMonitor;
let events: Signal<KernelEvent>;
let mirror: LiveMirror;
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
  monitor = KernelMonitor.open({ netns: segment.here });
  events = new Signal();
  monitor.events.subscribe((event) => events.emit(event));
  mirror = await LiveMirror.open({
    reader: rtnlReader(rtnl, { keepsRoute: () => true }),
    questions: {
      neighbour: (link, address) => {
        asked.push(address);
        return rtnl.neighbour(link, address);
      },
      fdbEntry: (link, mac, table) => {
        asked.push(mac);
        return rtnl.fdbEntry(link, mac, table);
      },
    },
    monitor: { events, drain: () => monitor.drain() },
    keepsRoute: () => true,
    clock: systemClock,
    onError: (error) => {
      throw error;
    },
  });
  verification = new KernelSourceVerification(mirror);
});

afterEach(async () => {
  mirror.close();
  monitor.close();
  await rtnl.close();
  segment.close();
});

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

test('a change is seen at once, and the kernel is not asked', async () => {
  packetFromNode();
  for (let report = 0; report < 5; report++) {
    expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
  }

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
  expect(asked).toEqual([]);
});

test('after lost events the kernel itself is asked, until everything is read again', async () => {
  packetFromNode();
  events.emit({ type: 'overflow' });
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
  expect(asked).toContain(NODE);
  await vi.waitFor(async () => {
    asked.length = 0;
    expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
    expect(asked).toEqual([]);
  }, PATIENCE);
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
  }, PATIENCE);
  packetFromNode();
  expect(await verification.verify(MESH, NODE)).toEqual({ mac: MAC, ipv4: '10.9.0.2' });
});
