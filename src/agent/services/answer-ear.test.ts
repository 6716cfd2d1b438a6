/** Whether a real dnsmasq answers, as it is heard at the device behind which it is; and that the questions take nothing from it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { inside, twoHosts } from '../../../test/kit/namespaces.ts';
import { endOf, startedDnsmasq } from '../../../test/kit/network-dnsmasq.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import { type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6FromBytes, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { systemClock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { DnsmasqService } from '../../protocol/documents/service/assigned-dhcp.ts';
import { AnswerEar } from './answer-ear.ts';
import { answeredBy, dhcp6Frame, introduction, type ProbedService } from './probe-frames.ts';

const [HERE, THERE] = ['aaaaaaaa', 'bbbbbbbb'] as [MachineWord, MachineWord];
const OWN = parseIpv4('10.77.0.2');
const OWN6 = parseIpv6('fd77::a');
const LINK_LOCAL = parseIpv6('fe80::a');
const HEARD_WITHIN_MS = 10_000;

const RANGE = { first: parseIpv4('10.77.0.128'), last: parseIpv4('10.77.0.254') };
const RANGE6 = { first: parseIpv6('fd77::1:0'), last: parseIpv6('fd77::1:ff') };

/** @param isAlone no other node serves @param isDynamic there is a range, and not reservations alone */
function services(isAlone: boolean, isDynamic: boolean): DnsmasqService[] {
  const own = { machine: HERE, address: OWN, ranges: isDynamic ? [RANGE] : [] };
  const other = { machine: THERE, address: parseIpv4('10.77.0.3'), ranges: [] };
  const common = { hosts: [], leaseSec: 120 };
  return [
    {
      ...{ kind: 'dhcp4', id: '4', subnet: '10.77.0.0/24' as Ipv4Cidr, routers: [], mtuBytes: 1500, ...common },
      servers: isAlone ? [own] : [own, other],
    },
    {
      ...{
        kind: 'dhcp6',
        id: '6',
        prefix: 'fd77::/64' as Ipv6Cidr,
        mode: isDynamic ? 'stateful' : 'stateless',
        ...common,
      },
      servers: [{ machine: HERE, address: OWN6, ranges: isDynamic ? [RANGE6] : [] }],
    },
    // A forwarder that never answers: what is asked is not forwarded.
    {
      ...{ kind: 'dns', id: 'n', hosts: [], srv: [], txt: [], localOnly: true },
      servers: [{ machine: HERE, address: OWN6 }],
      forwarders: [{ address: parseIpv4('10.77.0.99') }],
    },
  ];
}

test.each([
  [true, true],
  [false, true],
  [true, false],
  [false, false],
])('each service is heard, alone %s, with a range %s; no lease is taken', async (isAlone, isDynamic) => {
  const { here, there, close } = twoHosts();
  onTestFinished(close);
  const directory = mkdtempSync(join(tmpdir(), 'mw-answers-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const address of [`${OWN}/24`, `${OWN6}/64`, `${LINK_LOCAL}/64`])
    inside(here, 'ip', 'address', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
  const linkOf = (netns: string) => JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', 'eth0'))[0];
  const kinds: readonly ProbedService[] = ['dhcp4', 'dhcp6', 'dns'];
  let changes = 0;
  const ear = new AnswerEar({
    space: { mac: parseMac(linkOf(here).address), addresses: [{ address: LINK_LOCAL, length: 64 }] },
    asker: parseMac('02:00:00:00:00:42'),
    link: linkOf(there).ifindex,
    kinds,
    ipv4: OWN,
    clock: systemClock,
    openEar: (options) => FrameSocket.open({ ...options, netns: there }),
    onChange: () => changes++,
  });
  onTestFinished(() => ear.close());
  expect(kinds.map((kind) => ear.hears(kind, 1))).toEqual([false, false, false]);
  const server = await startedDnsmasq(here, HERE, services(isAlone, isDynamic), directory);
  await vi.waitFor(() => expect(kinds.filter((kind) => !ear.hears(kind, 1))).toEqual([]), HEARD_WITHIN_MS);
  expect(changes).toBe(3);
  const taken = readFileSync(join(directory, 'leases'), 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line));
  expect(taken).toEqual([]);
  // Another process has to be heard anew.
  await endOf(server);
  expect(kinds.map((kind) => ear.hears(kind, 2))).toEqual([false, false, false]);
});

function option(code: number, value: readonly number[]): number[] {
  return [code >> 8, code & 0xff, value.length >> 8, value.length & 0xff, ...value];
}

/** The value of the first option of this code. */
function optionOf(options: Buffer, code: number): Buffer {
  for (let at = 0; at + 4 <= options.length; at += 4 + options.readUInt16BE(at + 2))
    if (options.readUInt16BE(at) === code) return options.subarray(at + 4, at + 4 + options.readUInt16BE(at + 2));
  return Buffer.alloc(0);
}

test('a guest of IPv6 is offered its reservation, by its Ethernet address or its DUID; another guest an address of the range', async () => {
  const { here, there, close } = twoHosts();
  onTestFinished(close);
  const directory = mkdtempSync(join(tmpdir(), 'mw-answers-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  inside(here, 'ip', 'address', 'add', `${OWN6}/64`, 'dev', 'eth0', 'nodad');
  const linkOf = (netns: string) => JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', 'eth0'))[0];
  const guest = (last: number) => {
    const mac = parseMac(`02:00:00:00:00:0${last}`);
    return { mac, ipv6: parseIpv6(`fe80::f${last}`), duid: [0, 3, 0, 1, 2, 0, 0, 0, 0, last] };
  };
  const [byMac, byDuid, other] = [guest(7), guest(8), guest(9)];
  const hosts = [
    { mac: byMac.mac, address: parseIpv6('fd77::7') },
    { id: '00:03:00:01:02:00:00:00:00:08', address: parseIpv6('fd77::8') },
  ];
  const given = services(true, true).map((service) => (service.kind === 'dhcp6' ? { ...service, hosts } : service));
  await startedDnsmasq(here, HERE, given, directory);
  const offered = new Map<string, string>();
  const socket = FrameSocket.open({
    ...{ link: linkOf(there).ifindex, netns: there, filter: [{ take: true }] },
    onFrame: ({ bytes }) => {
      if (answeredBy(bytes) !== 'dhcp6') return;
      // Ethernet, IPv6, UDP, then the message: its type, its transaction and options.
      const options = bytes.subarray(14 + 40 + 8 + 4);
      const address = optionOf(optionOf(options, 3).subarray(12), 5).subarray(0, 16);
      if (address.length === 16) offered.set(optionOf(options, 1).toString('hex'), ipv6FromBytes(address));
    },
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => socket.close());
  const server = { mac: parseMac(linkOf(here).address), ipv6: parseIpv6('fe80::1') };
  const offer = async ({ duid, ...client }: ReturnType<typeof guest>) => {
    const association = option(3, [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    const solicit = Buffer.from([1, 1, 2, 3, ...option(1, duid), ...association]);
    const key = Buffer.from(duid).toString('hex');
    await vi.waitFor(
      () => {
        socket.send(introduction(client, server));
        socket.send(dhcp6Frame(client, solicit));
        expect(offered.get(key)).toBeDefined();
      },
      { timeout: HEARD_WITHIN_MS, interval: 200 },
    );
    return offered.get(key);
  };
  expect(await offer(byMac)).toBe('fd77::7');
  expect(await offer(byDuid)).toBe('fd77::8');
  expect(await offer(other)).toMatch(/^fd77::1:/);
});
