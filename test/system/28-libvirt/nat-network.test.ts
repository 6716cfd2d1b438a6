/** A NAT network of host0 by the commands of its page: leases, names, the way out, a port forward and each rule, with real packets. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { recordFileOf } from '../../../src/services/process/process-start.ts';
import { missingLine, type ShownCommand, shownCommands } from '../../cli/console-block.ts';
import { runToEnd } from '../../kit/command.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

const PAGE = 'docs/virtual-networks.md';
const COMMANDS = shownCommands(pageOf(PAGE));
const COMMAND_DEADLINE_MS = 25_000;
/** dnsmasq asks for three seconds whether an address is in use. */
const LEASE_DEADLINE_MS = 40_000;
const UDHCPC_SCRIPT = join(import.meta.dirname, '..', '27-services', 'udhcpc.sh');
const GATEWAY = '10.0.0.1';

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let outside: LabHost;
let guests: readonly [Guest, Guest];
/** Where the commands of the page are typed. */
let directory: string;
/** Addresses on the underlay. */
let [ofHost0, ofOutside] = ['', ''];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mw-nat-'));
  shared.use({ [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) });
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(pageOf(PAGE)) ?? [];
  writeFileSync(join(directory, 'lan.yaml'), yaml);
  lab = shared.use(await Lab.up({ name: `nat-${process.pid}`, nodes: 1, segments: 1 }));
  [host0, outside] = [lab.host('host0'), lab.host('node1')];
  guests = [shared.use(Guest.behind(host0, 'vm1', 'fd99::11')), shared.use(Guest.behind(host0, 'vm2', 'fd99::12'))];
  guests[1].run('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:07');
  [ofHost0, ofOutside] = [underlayOf(host0), underlayOf(outside)];
});

function underlayOf({ netns }: LabHost): string {
  const links: { ifname: string; addr_info: { local: string }[] }[] = JSON.parse(
    inside(netnsPath(netns), 'ip', '-j', '-4', 'address', 'show', 'scope', 'global'),
  );
  const found = links.flatMap(({ addr_info }) => addr_info).find(({ local }) => local.startsWith('10.11.'));
  if (found === undefined) throw new Error(`${netns} has no address on the underlay`);
  return found.local;
}

/** Runs a line of shell on host0, where the page has its file. */
const shell = (text: string) => lab.exec(host0, ['sh', '-c', `cd ${directory} && ${text}`]);

async function type({ text, answer, line }: ShownCommand): Promise<void> {
  let said = '';
  await until(`${PAGE}:${line}: ${text}`, COMMAND_DEADLINE_MS, async () => {
    const { code, stdout, stderr } = await shell(text);
    said = stdout + stderr;
    return code === 0 && missingLine(stdout, answer) === undefined;
  }).catch((cause: unknown) => {
    throw new Error(said, { cause });
  });
}

/** Types the commands of the page up to the first with these words, which is left for later. */
async function typeBefore(words: string): Promise<void> {
  for (let [command] = COMMANDS; command !== undefined; [command] = COMMANDS) {
    if (command.text.includes(words)) return;
    COMMANDS.shift();
    await type(command);
  }
  throw new Error(`${PAGE} has no command with ${words}`);
}

/** What DHCP tells a guest, which sets its address and its router. */
async function lease(guest: Guest, name: string): Promise<Record<string, string | undefined>> {
  const argv = ['udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '8', '-T', '1', '-s', UDHCPC_SCRIPT];
  let said = '';
  await until(`${name} has a lease`, LEASE_DEADLINE_MS, () => {
    const { status, stdout } = runToEnd([...argv, '-x', `hostname:${name}`], { netns: guest.netns });
    said = stdout;
    return status === 0;
  });
  const told = Object.fromEntries([...said.matchAll(/(\w+)='([^']*)'/g)].map(([, key = '', value]) => [key, value]));
  if (told.router) guest.run('ip', 'route', 'replace', 'default', 'via', told.router);
  return told;
}

/** The address of a name, as the resolver of the network tells a guest. */
function resolved(guest: Guest, name: string): string | undefined {
  const { stdout } = runToEnd(['busybox', 'nslookup', '-type=a', name, GATEWAY], { netns: guest.netns });
  return [...stdout.matchAll(/^Address: (?:\d: )?([\d.]+)$/gm)].map(([, address]) => address).at(-1);
}

const SERVER = `import socketserver,sys
class H(socketserver.BaseRequestHandler):
  def handle(s): s.request.sendall(s.client_address[0].encode())
class S(socketserver.ThreadingTCPServer):
  allow_reuse_address=True
s=S(('0.0.0.0',int(sys.argv[1])),H); print('listens',flush=True); s.serve_forever()`;

/** Tells each caller at a TCP port who it is, until all tests are over. */
async function serve(netns: string, port: number): Promise<void> {
  const child = spawn('nsenter', [`--net=${netns}`, 'python3', '-c', SERVER, String(port)]);
  shared.use({ [Symbol.dispose]: () => child.kill() });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error(`no server at ${port}`)));
  });
}

/** As whom a caller is seen at that port; undefined when no connection comes about. */
function seenAs(netns: string, address: string, port: number): string | undefined {
  const script = `import socket,sys
try: print(socket.create_connection((sys.argv[1],int(sys.argv[2])),1).recv(99).decode())
except OSError: sys.exit(1)`;
  const { status, stdout } = runToEnd(['python3', '-c', script, address, String(port)], { netns });
  return status === 0 ? stdout.trim() : undefined;
}

function pings(netns: string, address: string): boolean {
  return runToEnd(['ping', '-n', '-c', '1', '-W', '1', address], { netns }).status === 0;
}

function pidOfDnsmasq(): number {
  const file = recordFileOf(join(pathsBelow(host0.root).state, 'services/processes'), 'dnsmasq-1001');
  return JSON.parse(readFileSync(file, 'utf8')).pid;
}

let first: string;

test('by the commands of the page, guests get leases, and resolve the names of each other', async () => {
  await typeBefore('mesh network leases');
  const one = await lease(guests[0], 'foobar');
  const two = await lease(guests[1], 'two');
  first = one.ip ?? '';
  for (const told of [one, two]) {
    expect(told).toMatchObject({ dns: GATEWAY, router: GATEWAY, domain: 'lan.example', serverid: GATEWAY });
    expect(Number(told.ip?.split('.')[3])).toBeGreaterThanOrEqual(128);
  }
  await typeBefore('sed ');
  expect(resolved(guests[1], 'foobar.lan.example')).toBe(one.ip);
  expect(resolved(guests[0], 'two.lan.example')).toBe(two.ip);
  expect(resolved(guests[0], 'gate.lan.example')).toBe('10.0.0.1');
  expect(pings(guests[0].netns, two.ip ?? '')).toBe(true);
});

test('guests form addresses in the IPv6 subnet, and know host0 as their router', async () => {
  await until('the guest has an address', COMMAND_DEADLINE_MS, () =>
    /fd00:a1::/.test(guests[0].run('ip', '-6', 'address', 'show', 'dev', 'eth0')),
  );
  expect(guests[0].run('ip', '-6', 'route', 'show', 'default')).toContain('proto ra');
});

test.each([
  '0',
  '1',
])('each rule, by packets that pass and packets that do not, with bridge-nf-call at %s', async (value) => {
  for (const family of ['iptables', 'ip6tables'])
    inside(netnsPath(host0.netns), 'sysctl', '-qw', `net.bridge.bridge-nf-call-${family}=${value}`);
  inside(netnsPath(outside.netns), 'ip', 'route', 'replace', '10.0.0.0/24', 'via', ofHost0);
  const [inner, outer] = [guests[0].netns, netnsPath(outside.netns)];
  if (value === '0') {
    for (const port of [321, 322]) await serve(inner, port);
    for (const port of [25, 26]) await serve(outer, port);
  }
  // The port forward, from outside, from host0 and from the other guest.
  await until('the port leads to the guest', COMMAND_DEADLINE_MS, () => seenAs(outer, ofHost0, 123) !== undefined);
  expect(seenAs(outer, ofHost0, 123)).toBe(ofOutside);
  expect(seenAs(netnsPath(host0.netns), ofHost0, 123)).toBe(ofHost0);
  expect(seenAs(guests[1].netns, ofHost0, 123)).toBe(GATEWAY);
  // Nothing else comes in.
  expect(seenAs(outer, first, 321)).toBeUndefined();
  expect(seenAs(outer, first, 322)).toBeUndefined();
  expect(seenAs(outer, ofHost0, 124)).toBeUndefined();
  expect(pings(outer, first)).toBe(false);
  // All but one port leads out.
  expect(seenAs(inner, ofOutside, 26)).toBe(ofHost0);
  expect(seenAs(inner, ofOutside, 25)).toBeUndefined();
  expect(pings(inner, ofOutside)).toBe(true);
});

test('a reservation is added and removed live: no ping is lost, and dnsmasq is the same', async () => {
  const pid = pidOfDnsmasq();
  expect(pid).toBeGreaterThan(1);
  for (const [at, guest] of guests.entries())
    guest.run('ip', 'address', 'add', `fd98::${at + 1}/64`, 'dev', 'eth0', 'nodad');
  using between = await Pings.start(guests[0].netns, parseIpv6('fd98::2'), 1);
  using toHost = await Pings.start(guests[0].netns, parseIpv6('fd00:a1::1'), 1);
  await typeBefore('no such command').catch(() => undefined);
  await until(
    'the guest has the reserved address',
    LEASE_DEADLINE_MS,
    async () => (await lease(guests[1], 'two')).ip === '10.0.0.7',
  );
  await until('the name is known', COMMAND_DEADLINE_MS, () => resolved(guests[0], 'web.lan.example') === '10.0.0.7');
  const { code } = await shell('mesh network apply lan.yaml');
  expect(code).toBe(0);
  await until('the guest has an address of the range', LEASE_DEADLINE_MS, async () => {
    const { ip = '' } = await lease(guests[1], 'two');
    return Number(ip.split('.')[3]) >= 128;
  });
  expect(await between.lost()).toBe('');
  expect(await toHost.lost()).toBe('');
  expect(pidOfDnsmasq()).toBe(pid);
});

test('a bad line for dnsmasq keeps the network from being ready, with its own words, and nothing is left of a network', async () => {
  const change = (sed: string) => shell(`sed '${sed}' lan.yaml | mesh network apply -`);
  await change('$adnsmasqOptions: ["foo=bar"]');
  await until('the network tells of the bad line', COMMAND_DEADLINE_MS, async () => {
    const { stdout } = await meshOn(host0, 'network', 'show', 'lan');
    return /bad option at line \d+/.test(stdout);
  });
  await change('');
  await until('the network is ready', COMMAND_DEADLINE_MS, async () =>
    /on this node *ready/.test((await meshOn(host0, 'network', 'show', 'lan')).stdout),
  );
  await noDrift([host0]);
  await meshOn(host0, 'network', 'delete', 'lan', '--force');
  await until('nothing is left', COMMAND_DEADLINE_MS, () => {
    const rules = inside(netnsPath(host0.netns), 'nft', 'list', 'table', 'inet', 'meshwork');
    const links = inside(netnsPath(host0.netns), 'ip', 'link');
    return !/4097|nat hook/.test(rules) && !links.includes('br1001');
  });
});
