/** Whether a real dnsmasq answers, as it is heard at the device behind which it is; and that the questions take nothing from it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { inside, twoHosts } from '../../../test/kit/namespaces.ts';
import { inNetns } from '../../kernel/netns.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import { type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { systemClock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { DnsmasqService } from '../../protocol/documents/service/assigned-dhcp.ts';
import { networkConf, networkHosts, networkReservations } from '../../services/dnsmasq/network-conf.ts';
import { AnswerEar } from './answer-ear.ts';
import type { ProbedService } from './probe-frames.ts';

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

async function started(netns: string, given: readonly DnsmasqService[], directory: string): Promise<ChildProcess> {
  const [reservationFile, hostsFile, leaseFile] = ['r', 'h', 'leases'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(reservationFile, networkReservations(given));
  writeFileSync(hostsFile, networkHosts(given));
  const conf = networkConf({
    ...{ device: 'eth0', machine: HERE, services: given },
    ...{ reservationFile, hostsFile, leaseFile },
  });
  const file = join(directory, 'conf');
  writeFileSync(file, conf);
  const child = inNetns(netns, () =>
    spawn('dnsmasq', ['--keep-in-foreground', `--conf-file=${file}`, '--pid-file', '--log-facility=-'], {
      stdio: 'ignore',
    }),
  );
  onTestFinished(() => ended(child));
  await vi.waitFor(() => expect(existsSync(leaseFile)).toBe(true), HEARD_WITHIN_MS);
  return child;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    child.kill('SIGKILL');
  });
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
  const server = await started(here, services(isAlone, isDynamic), directory);
  await vi.waitFor(() => expect(kinds.filter((kind) => !ear.hears(kind, 1))).toEqual([]), HEARD_WITHIN_MS);
  expect(changes).toBe(3);
  const taken = readFileSync(join(directory, 'leases'), 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line));
  expect(taken).toEqual([]);
  // Another process has to be heard anew.
  await ended(server);
  expect(kinds.map((kind) => ear.hears(kind, 2))).toEqual([false, false, false]);
});
