/** Filters on frames that are made by hand. */
import { expect, test } from 'vitest';
import { innerFrame, parseFrameFilter } from './frame-filter.ts';

const MACS = '020000000002020000000001';
const IPV6 = (next: string, payload: string) =>
  Buffer.from(
    `${MACS}86dd60000000${'0008'}${next}40fd420000000000000000000000000001fd420000000000000000000000000002${payload}`,
    'hex',
  );
const FRAMES = {
  arp: Buffer.from(`${MACS}08060001080006040001${'020000000001'}0a0b0002${'000000000000'}0a0b0003`, 'hex'),
  ping: Buffer.from(`${MACS}0800450000540000400040010000${'0a0b0002'}${'0a0b0003'}0800`, 'hex'),
  ping6: IPV6('3a', '8000'),
  web: IPV6('06', '01bbc350'),
  name: IPV6('11', '00350035'),
  /** With options, so that the ports are further back. */
  web4: Buffer.from(`${MACS}0800460000540000400040060000${'0a0b0002'}${'0a0b0003'}01010101${'01bbc350'}`, 'hex'),
  cut: IPV6('06', ''),
};

function taken(filter: string): string[] {
  const wanted = parseFrameFilter(filter);
  return Object.entries(FRAMES).flatMap(([name, frame]) => (wanted(frame) ? [name] : []));
}

test.each<[filter: string, names: string[]]>([
  ['', Object.keys(FRAMES)],
  ['arp', ['arp']],
  ['ip', ['ping', 'web4']],
  ['ip6', ['ping6', 'web', 'name', 'cut']],
  ['icmp', ['ping']],
  ['icmp6', ['ping6']],
  ['tcp', ['web', 'web4', 'cut']],
  ['tcp port 443', ['web', 'web4']],
  ['port 50000', ['web', 'web4']],
  ['udp and port 53', ['name']],
  ['not tcp not arp', ['ping', 'ping6', 'name']],
  ['host 10.11.0.3', ['arp', 'ping', 'web4']],
  ['host fd42::2', ['ping6', 'web', 'name', 'cut']],
  ['host fd42::3', []],
  ['ether host 02:00:00:00:00:01 icmp6', ['ping6']],
  ['ether 02:00:00:00:00:03', []],
])('%s', (filter, names) => {
  expect(taken(filter)).toEqual(names);
});

test.each([
  'tcp or udp',
  'port',
  'port http',
  'port 70000',
  'host',
  'host name',
  'not',
  'ether 02',
  'x'.repeat(300),
])('refused: %s', (filter) => {
  expect(() => parseFrameFilter(filter)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^MESH_/) }));
});

test('the frame inside a VXLAN packet is found', () => {
  const outer = Buffer.concat([
    Buffer.from(`${MACS}0800450000540000400040110000${'0a0b0002'}${'0a0b0003'}`, 'hex'),
    Buffer.alloc(16),
    FRAMES.ping6,
  ]);
  expect(innerFrame(outer)).toEqual(FRAMES.ping6);
});
