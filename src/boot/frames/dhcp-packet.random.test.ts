/** The parsers of boot packets over random input. The seed is printed; `MESH_SEED=N` repeats a run. */
import { expect, test } from 'vitest';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { type DhcpFields, decodeDhcp, encodeDhcp } from './dhcp-packet.ts';
import { encodeProbe, type Host0Mark, host0MarkOf, type Installation } from './host0-mark.ts';
import { observe } from './observation.ts';
import { decodeScanProbe, encodeScanProbe } from './scan-probe.ts';
import { decodeUdpFrame, encodeUdpFrame } from './udp-frame.ts';

const FUZZ_MS = 2000;
const SEED = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
console.info(`MESH_SEED=${SEED}`);
const random = randomFrom(SEED);

const below = (bound: number) => Math.floor(random() * bound);
const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
const mac = () => [...bytes(6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac;
const ipv4 = () => bytes(4).join('.') as Ipv4;
const text = (length: number) => Array.from({ length }, () => String.fromCharCode(32 + below(95))).join('');

function packet(): DhcpFields {
  const type = [53, Uint8Array.of(1 + below(9))] as const;
  const codes = new Set(
    Array.from({ length: below(12) }, () =>
      pick(random, [1, 43, 53, 54, 55, 60, 61, 67, 77, 82, 93, 97, 175, 224, 253]),
    ),
  );
  codes.delete(53);
  return {
    op: pick(random, [1, 2]),
    xid: below(2 ** 32),
    secs: below(2 ** 16),
    broadcast: random() < 0.5,
    ciaddr: ipv4(),
    yiaddr: ipv4(),
    siaddr: ipv4(),
    giaddr: ipv4(),
    chaddr: mac(),
    sname: text(below(64)),
    file: text(below(128)),
    options: [
      type,
      ...[...codes].map((code) => [code, bytes(pick(random, [0, 1, 2, 4, 17, 40, 255, 256, 600]))] as const),
    ],
  };
}

test('a message is decoded as it was encoded, with options that had to be split', () => {
  for (let i = 0; i < 1000; i++) {
    const { options, ...fields } = packet();
    const read = decodeDhcp(encodeDhcp({ ...fields, options }));
    expect({ ...read, options: undefined }).toEqual({ ...fields, options: undefined });
    expect([...(read?.options ?? [])]).toEqual([...options].map(([code, value]) => [code, Buffer.from(value)]));
  }
});

test('options continue in `file` and `sname` if option 52 says so', () => {
  const base = encodeDhcp({
    op: 2,
    chaddr: mac(),
    options: [
      [52, Uint8Array.of(3)],
      [67, Buffer.from('one')],
    ],
  });
  base.set([67, 3, ...Buffer.from('two'), 255], 108);
  base.set([67, 5, ...Buffer.from('three'), 255], 44);
  expect(decodeDhcp(base)).toMatchObject({ file: '', sname: '' });
  expect(decodeDhcp(base)?.options.get(67)?.toString()).toBe('onetwothree');
  base[242] = 0;
  expect(decodeDhcp(base)?.options.get(67)?.toString()).toBe('one');
});

test('host0’s mark and a scan probe are decoded as they were encoded', () => {
  for (let i = 0; i < 200; i++) {
    const mark: Host0Mark = {
      installation: bytes(4).toString('hex') as Installation,
      ageMs: below(2 ** 47),
      reply: random() < 0.5,
      passive: random() < 0.5,
      ...(random() < 0.5 && { ipv4: `10.${below(256)}.0.1` as Ipv4 }),
    };
    const frame = decodeUdpFrame(encodeProbe(mac(), below(2 ** 32), mark));
    const read = decodeDhcp(frame?.payload ?? Buffer.alloc(0));
    expect(read && host0MarkOf(read)).toEqual(mark);
  }
  const probe = { scan: 0xfedcba9876543210n, nic: 300 };
  expect(decodeScanProbe(encodeScanProbe(mac(), probe))).toEqual(probe);
});

test('a frame of any bytes is understood or ignored, without an error', () => {
  const deadline = performance.now() + FUZZ_MS;
  let understood = 0;
  let ignored = 0;
  while (performance.now() < deadline) {
    const ends = { from: { mac: mac(), ipv4: ipv4(), port: port() }, to: { mac: mac(), ipv4: ipv4(), port: port() } };
    let frame = encodeUdpFrame({ ...ends, payload: random() < 0.7 ? encodeDhcp(packet()) : bytes(below(600)) });
    for (let times = below(3); times > 0; times--) frame = mutated(frame);
    const observation = observe(frame, random() < 0.5, { device: 'eth0', nowMs: 0 });
    decodeScanProbe(frame);
    if (observation === undefined) ignored++;
    else {
      understood++;
      // No byte that a terminal obeys.
      expect(JSON.stringify(observation)).toMatch(/^[\x20-\x7e]*$/);
    }
  }
  console.info(`${understood} understood, ${ignored} ignored`);
  expect(understood).toBeGreaterThan(0);
  expect(ignored).toBeGreaterThan(0);
});

function port(): number {
  return pick(random, [67, 68, 69, 4011, 67, 68, 69, below(65_536)]);
}

/** A copy with some bytes replaced, the end cut off, or some bytes inserted. */
function mutated(frame: Buffer): Buffer {
  const at = below(frame.length + 1);
  const put = bytes(below(6));
  return pick(random, [
    () => Buffer.concat([frame.subarray(0, at), put, frame.subarray(at + put.length)]),
    () => Buffer.from(frame.subarray(0, at)),
    () => Buffer.concat([frame.subarray(0, at), put, frame.subarray(at)]),
  ])();
}
