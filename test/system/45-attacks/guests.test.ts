/** Guests that send as a member, ask for a capture as host0, and flood: members lose nothing, and status names the port. */
import { setImmediate as otherWork } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { encodeEthernet, IP_PROTOCOL } from '../../../src/kernel/sockets/ethernet.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { type Mac, macFromHex, parseMac } from '../../../src/model/address/mac.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { AGENT_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { type Ends, framesOn, ipv6Frame, neighbourAdvertisement, tcpSyn } from '../../kit/frames.ts';
import { inside } from '../../kit/namespaces.ts';
import { type BridgeNetfilter, setBridgeNetfilter } from '../bridge-netfilter.ts';
import { noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { kernelPicture } from '../kernel-picture.ts';
import { meshOn } from '../mesh-command.ts';
import { PingSet } from '../ping-set.ts';
import { allReachable } from '../reach.ts';
import { growLittle, retainedKbOf } from '../retained-memory.ts';
import { until } from '../until.ts';

const EXPERIMENT = 0x88b5;
/** 200 frames a second, as in an attack that took nearly all pings of a pair. */
const FRAME_MS = 5;
/** Of three pairs together: 300 of each. */
const PINGS = 900;
const DEADLINE_MS = 30_000;
const TRIES = 12;
const MADE_UP = 200_000;
const AT_ONCE = 500;
/** How much an agent may grow while a guest makes up senders. */
const GROWTH_MAX_KB = 4 * 1024;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
/** Plugged in by `mesh port plug` on node1. */
let plugged: Guest;
/** Put on the bridge of node2 by hand. */
let direct: Guest;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `attack-${process.pid}`, nodes: 3, segments: 1 }));
  [host0, node1, node2, node3] = [lab.host('host0'), lab.host('node1'), lab.host('node2'), lab.host('node3')];
  plugged = shared.use(Guest.behind(node1, 'plugged0', 'fd42:2345:1234:9abc:9::1'));
  direct = shared.use(Guest.behind(node2, 'direct0', 'fd42:2345:1234:9abc:9::2'));
  await meshOn(node1, 'port', 'plug', 'manage', plugged.port);
  await lab.exec(node2, ['ip', 'link', 'set', direct.port, 'master', 'br456']);
  await noDrift(lab.hosts);
  await allReachable(plugged.netns, [direct.address, node3.member.ipv6]);
});

/** Sends frames from a guest, until it is disposed of. */
function sending(guest: Guest, frames: readonly Buffer[]): Disposable {
  const socket = framesOn(guest.netns, 'eth0');
  const timer = setInterval(() => {
    for (const frame of frames) socket.send(frame);
  }, FRAME_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      socket.close();
    },
  };
}

/** Everything that a guest may not change: members, FDB entries, rules, and which processes run. */
async function picture(): Promise<readonly string[]> {
  const kernels = await Promise.all(lab.hosts.map((host) => kernelPicture(lab, host)));
  const { stdout } = await meshOn(host0, 'network', 'show', 'manage');
  const processes = lab.hosts.map((host) => lab.process(host, 'agent')?.pid);
  return [...kernels, stdout, JSON.stringify(processes)];
}

/** What a host says of its port, as `mesh status` does. */
async function findingOf(host: LabHost, port: string): Promise<string> {
  const found = (await statusOf(host))?.health.find(
    ({ code, object }) => code === 'MESH_PORT_REFUSED' && object === port,
  );
  return found?.message ?? '';
}

describe.each<BridgeNetfilter>(['off', 'on'])('with bridge-nf-call %s', (state) => {
  test('a member loses nothing to guests of other nodes that send with its addresses', async () => {
    setBridgeNetfilter(lab.hosts, state);
    const before = await picture();
    const { mac, ipv6 } = node3.member;
    const stolen = (from: Mac, to: Mac) => encodeEthernet({ from, to, type: EXPERIMENT }, Buffer.alloc(46));
    const claim: Ends = {
      from: macFromHex('020000000a0a'),
      to: parseMac('33:33:00:00:00:01'),
      source: plugged.address,
      destination: ipv6,
    };
    const frames = [
      stolen(mac, node1.member.mac),
      stolen(mac, host0.member.mac),
      stolen(mac, parseMac('ff:ff:ff:ff:ff:ff')),
      ipv6Frame(claim, IP_PROTOCOL.icmpv6, neighbourAdvertisement(claim, ipv6, claim.from)),
    ];
    {
      using _near = sending(plugged, frames);
      using _far = sending(direct, frames);
      using pings = await PingSet.start([node1, node3], [host0, node3], [node2, node3]);
      await until('all pings are sent', DEADLINE_MS, () => pings.sent > PINGS);
      expect(await pings.lost()).toEqual({});
    }
    expect(await picture()).toEqual(before);
    for (const [host, port] of [
      [node1, plugged.port],
      [node2, direct.port],
    ] as const) {
      const finding = await findingOf(host, port);
      expect(finding).toContain(`frames from the Ethernet address of a member (${mac}, that of node3)`);
      expect(finding).toContain('frames that claim the IPv6 address of a member');
    }
  });
});

test('no guest gets a connection as host0, with one Ethernet address or with two', async () => {
  for (const [guest, host] of [
    [plugged, node1],
    [direct, node2],
  ] as const) {
    let answers = 0;
    using socket = framesOn(guest.netns, 'eth0', (bytes) => {
      if (bytes.readUInt16BE(12) === 0x86dd && bytes[20] === IP_PROTOCOL.tcp && bytes.readUInt16BE(54) === AGENT_PORT)
        answers++;
    });
    const own = parseMac(/link\/ether (\S+)/.exec(guest.run('ip', 'link', 'show', 'eth0'))?.[1] ?? '');
    for (let attempt = 0; attempt < TRIES; attempt++) {
      for (const from of [host0.member.mac, own]) {
        const ends = { from, to: host.member.mac, source: host0.member.ipv6, destination: host.member.ipv6 };
        socket.send(ipv6Frame(ends, IP_PROTOCOL.tcp, tcpSyn(ends, 40_000 + attempt, AGENT_PORT)));
      }
      await allReachable(guest.netns, [node3.member.ipv6]);
    }
    expect(answers).toBe(0);
  }
});

test('a guest that makes up senders fills no table and no memory, and drives no member away', async () => {
  const before = await picture();
  const memory = await retainedKb();
  using socket = framesOn(plugged.netns, 'eth0');
  const frame = encodeEthernet(
    { from: parseMac('0a:00:00:00:00:00'), to: parseMac('0a:ff:ff:ff:ff:ff'), type: EXPERIMENT },
    Buffer.alloc(46),
  );
  for (let sent = 0; sent < MADE_UP; sent++) {
    frame.writeUInt32BE(sent, 8);
    socket.send(frame);
    if (sent % AT_ONCE === 0) await otherWork();
  }
  const learnt = lab.hosts.map(
    ({ netns }) =>
      inside(netnsPath(netns), 'bridge', 'fdb', 'show')
        .split('\n')
        .filter((line) => line.startsWith('0a:')).length,
  );
  console.log(`learnt entries ${learnt.join(', ')}`);
  // One in the bridge and one in the VXLAN, for each of 1,024 senders at once and of four a second for five minutes.
  expect(Math.max(...learnt)).toBeLessThan(2 * 2_224);
  await growLittle('agents', retainedKb, memory, GROWTH_MAX_KB);
  expect(await picture()).toEqual(before);
  expect(await findingOf(node1, plugged.port)).toContain('frames from too many new Ethernet addresses');
  const ports = await agentClient(pathsBelow(node1.root)).ask('GET /v1/ports');
  const refused = ports.find((port) => port.interface === plugged.port)?.refused ?? [];
  expect(refused.find(({ kind }) => kind === 'new-source')?.frames).toBeGreaterThan(MADE_UP / 2);
  await allReachable(plugged.netns, [direct.address, node3.member.ipv6]);
});

/** The kilobytes that the agents hold on to. */
function retainedKb(): Promise<number[]> {
  return Promise.all(lab.hosts.map((host) => retainedKbOf(lab.process(host, 'agent'), netnsPath(host.netns))));
}
