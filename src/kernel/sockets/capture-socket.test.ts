/** Captures of frames on a veth pair, and their filters. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { inside, twoHosts } from '../../../test/kit/namespaces.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { failed, libc } from '../libc.ts';
import { framesWithout, vxlanWithout } from './capture-filter.ts';
import { type CapturedFrame, CaptureSocket } from './capture-socket.ts';
import type { FilterStep } from './packet-filter.ts';
import { openPacketSocket } from './packet-socket.ts';

const SNAP_BYTES = 120;
const OUR_PORTS = [8001, 8004];
/** An Ethernet type for experiments (IEEE 802), which no other program on the segment sends. */
const MARK = '88b5';
const MACS = '020000000002020000000001';
/** A frame with TCP over IPv6; `ports` are source and destination, in hex. */
const tcp6 = (ports: string) =>
  Buffer.from(
    `${MACS}86dd600000000014${'06'}40${'fd42'.padEnd(32, '0')}${'fd43'.padEnd(32, '0')}${ports}${'00'.repeat(16)}`,
    'hex',
  );
const vxlan = (vni: string, inner: Buffer, { port = '12b5', protocol = '11', fragment = '0000', options = '' } = {}) =>
  Buffer.concat([
    Buffer.from(
      `${MACS}08004${5 + options.length / 8}00${'0000'}0000${fragment}40${protocol}0000${'0a090001'}${'0a090002'}${options}`,
      'hex',
    ),
    Buffer.from(`1000${port}00000000${'08000000'}${vni}00`, 'hex'),
    inner,
  ]);
const arp = Buffer.from(`${MACS}0806`.padEnd(84, '0'), 'hex');

let segment: ReturnType<typeof twoHosts>;
let socket: CaptureSocket | undefined;

beforeAll(() => {
  segment = twoHosts();
});
afterEach(() => {
  socket?.close();
  socket = undefined;
});
afterAll(() => segment.close());

function indexIn(netns: string): number {
  return Number(inside(netns, 'ip', '-o', 'link', 'show', 'eth0').split(':')[0]);
}

/** What `taken` read last, the kernels' own frames among them. */
let read: readonly CapturedFrame[] = [];

/** The frames that pass the filter. The segment is a veth pair: a sent frame has arrived when the call returns. */
function taken(filter: readonly FilterStep[], frames: readonly Buffer[]): CapturedFrame[] {
  socket = CaptureSocket.open({
    device: 'eth0',
    index: indexIn(segment.there),
    filter,
    snapBytes: SNAP_BYTES,
    netns: segment.there,
  });
  const sender = openPacketSocket({
    device: 'eth0',
    index: indexIn(segment.here),
    hears: 'frames',
    netns: segment.here,
  });
  try {
    for (const frame of frames)
      if (libc.sendto(sender, frame, frame.length, 0, null, 0) < 0) throw failed('send', 'a frame');
  } finally {
    libc.close(sender);
  }
  // Ignores frames that the kernels send themselves, such as router solicitations.
  const ours = new Set(frames.map((frame) => frame.subarray(0, SNAP_BYTES).toString('hex')));
  read = [...socket.frames(1000)];
  return read.filter(({ bytes }) => ours.has(bytes.toString('hex')));
}

test('takes the VXLAN packets of the VNI, except those that carry the capture', () => {
  const wanted = [
    vxlan('0001c8', arp),
    vxlan('0001c8', tcp6('1f401f40')),
    vxlan('0001c8', arp, { options: '01010101' }),
    vxlan('0001c8', Buffer.concat([Buffer.from(`${MACS}${MARK}`, 'hex'), Buffer.alloc(200)])),
  ];
  const unwanted = [
    vxlan('0001c9', arp),
    vxlan('0001c8', arp, { port: '12b6' }),
    vxlan('0001c8', arp, { protocol: '06' }),
    vxlan('0001c8', arp, { fragment: '0010' }),
    vxlan('0001c8', tcp6('1f411f40')),
    vxlan('0001c8', tcp6('1f401f41')),
    vxlan('0001c8', tcp6('1f401f41'), { options: '01010101' }),
    arp,
  ];
  const seen = taken(vxlanWithout(OUR_PORTS, 456 as Vni), [...unwanted, ...wanted]);
  expect(seen.map(({ bytes }) => bytes)).toEqual(wanted.map((frame) => frame.subarray(0, SNAP_BYTES)));
  expect(seen.map(({ frameBytes }) => frameBytes)).toEqual(wanted.map((frame) => frame.length));
});

test('takes all frames except those of the capture, with times and counts', () => {
  const wanted = [arp, tcp6('1f401f40'), vxlan('0001c8', arp), Buffer.from(`${MACS}${MARK}`.padEnd(1000, '7'), 'hex')];
  const beforeNs = BigInt(Date.now()) * 1_000_000n;
  const seen = taken(framesWithout(OUR_PORTS), [tcp6('1f411f40'), tcp6('1f401f41'), ...wanted]);
  expect(seen.map(({ bytes }) => bytes)).toEqual(wanted.map((frame) => frame.subarray(0, SNAP_BYTES)));
  const times = seen.map(({ timeNs }) => timeNs);
  expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
  expect(times.every((timeNs) => timeNs >= beforeNs && timeNs < beforeNs + 60_000_000_000n)).toBe(true);
  expect(socket?.counters().dropped).toBe(0);
  expect(socket?.counters().frames).toBeGreaterThanOrEqual(wanted.length);
});

test('counts frames that do not fit the buffer while it is not read', () => {
  const frame = Buffer.from(`${MACS}${MARK}`.padEnd(2000, '7'), 'hex');
  const seen = taken(framesWithout(OUR_PORTS), Array<Buffer>(20_000).fill(frame));
  expect(read).toHaveLength(1_000);
  // The others are the kernels' own: MLD reports and router solicitations of the veth.
  expect(seen.length).toBeGreaterThanOrEqual(990);
  const { frames, dropped } = socket?.counters() ?? { frames: 0, dropped: 0 };
  expect(dropped).toBeGreaterThan(0);
  expect(frames).toBeGreaterThanOrEqual(20_000);
});

test('an absent device is refused', () => {
  const filter = framesWithout(OUR_PORTS);
  expect(() =>
    CaptureSocket.open({ device: 'eth9', index: 4711, filter, snapBytes: SNAP_BYTES, netns: segment.there }),
  ).toThrow(expect.objectContaining({ code: 'MESH_KERNEL_REFUSED' }));
});
