/** Services of a network: two routers advertise it, guests address themselves, and nothing is left when the service goes. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { linkLocalOf } from '../../../src/kernel/sockets/neighbour-frame.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseMac } from '../../../src/model/address/mac.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { recordFileOf } from '../../../src/services/process/process-start.ts';
import { missingLine, shownCommands } from '../../cli/console-block.ts';
import { inside } from '../../kit/namespaces.ts';
import type { BareHost } from '../bare-host.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

/** A guest has an address three seconds after it was plugged in, most of which it looks for another one that has the address. */
const ADDRESS_DEADLINE_MS = 20_000;
const READY_DEADLINE_MS = 25_000;
/** The test of addresses has a dozen commands, and three guests that wait for an address. */
const ADDRESSES_DEADLINE_MS = 240_000;
/** A command waits for one advertisement at most. */
const COMMAND_DEADLINE_MS = 25_000;

const PAGE = 'docs/services.md';
const COMMANDS = shownCommands(pageOf(PAGE));

/** Sets the address that the client was given, and prints all that it was told. */
const UDHCPC_SCRIPT = join(import.meta.dirname, 'udhcpc.sh');

const shared = forAllTests();
let lab: Lab;
let router1: LabHost;
let router2: LabHost;
let guests: readonly [Guest, Guest];

beforeAll(async () => {
  lab = shared.use(
    await Lab.up({ name: `services-${process.pid}`, nodes: 3, segments: 2, deadlineMs: READY_DEADLINE_MS }),
  );
  const [, node1, node2, node3] = ['host0', 'node1', 'node2', 'node3'].map((name) => lab.host(name));
  if (node1 === undefined || node2 === undefined || node3 === undefined) throw new Error('the lab has too few nodes');
  [router1, router2] = [node1, node2];
  guests = [shared.use(Guest.behind(node1, 'vm1', 'fd99::11')), shared.use(Guest.behind(node3, 'vm3', 'fd99::13'))];
});

/** Types the next commands of the page on host0, up to and with one that has these words. */
async function typeTo(words: string): Promise<void> {
  for (let command = COMMANDS.shift(); ; command = COMMANDS.shift()) {
    if (command === undefined) throw new Error(`${PAGE} has no command with ${words}`);
    const { text, answer, line } = command;
    let last = '';
    await until(`${PAGE}:${line}: ${text}`, COMMAND_DEADLINE_MS, async () => {
      const { code, stdout, stderr } = await lab.exec(lab.host('host0'), ['sh', '-c', text]);
      last = stdout + stderr;
      return code === 0 && missingLine(stdout, answer) === undefined;
    }).catch((cause: unknown) => {
      throw new Error(last, { cause });
    });
    if (text.includes(words)) return;
  }
}

const plug = (host: LabHost, port: string) =>
  agentClient(pathsBelow(host.root)).ask('PUT /v1/ports/{interface}', {
    path: { interface: port },
    body: { network: 'blue' },
  });

/** The guest's addresses in a prefix that it uses for new connections. */
function addressesOf(guest: Guest, prefix: string): string[] {
  const lines = guest.run('ip', '-6', '-o', 'address', 'show', 'dev', 'eth0').split('\n');
  return lines.filter((line) => line.includes(prefix) && !/tentative|deprecated/.test(line));
}

/** The routers that the guest knows now. */
function routersOf(guest: Guest): string[] {
  const text = guest.run('ip', '-6', 'route', 'show', 'default');
  return [...text.matchAll(/via (fe80\S+)/g)].map(([, router = '']) => router).toSorted();
}

function pidOf(host: LabHost, name: string): number {
  const file = recordFileOf(join(pathsBelow(host.root).state, 'services/processes'), name);
  return Reflect.get(Object(JSON.parse(readFileSync(file, 'utf8'))), 'pid');
}

const radvdOf = (host: LabHost) => pidOf(host, 'radvd-1001');

/** The address of a router's DHCP and DNS server. */
function serverOf({ root }: LabHost): string {
  const space = join(pathsBelow(root).netns, 'meshwork-1001');
  const [address] = JSON.parse(inside(space, 'ip', '-j', '-4', 'address', 'show', 'dev', 'eth0'));
  return address.addr_info[0].local;
}

/** Nothing of the network's servers is on the routers any more. */
async function nothingLeft(): Promise<void> {
  for (const host of [router1, router2]) {
    const { netns, state, run } = pathsBelow(host.root);
    const isThere = () => [
      ...(existsSync(netns) ? readdirSync(netns) : []),
      ...readdirSync(join(state, 'services/files')),
      ...(existsSync(join(state, 'services/leases')) ? readdirSync(join(state, 'services/leases')) : []),
      ...readdirSync(join(state, 'services/processes')).filter((name) => !name.endsWith('.log')),
      ...readdirSync(run).filter((name) => name.startsWith('radvd')),
      ...(inside(netnsPath(host.netns), 'ip', '-o', 'link').match(/ s1001[@:]/g) ?? []),
    ];
    await until(`nothing is left on ${host.name}`, COMMAND_DEADLINE_MS, () => isThere().length === 0).catch((cause) => {
      throw new Error(isThere().join(), { cause });
    });
    const { stdout } = spawnSync('ip', ['netns', 'pids', host.netns], { encoding: 'utf8' });
    const names = stdout
      .trim()
      .split('\n')
      .map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    for (const name of ['radvd', 'dnsmasq']) expect(names).not.toContain(name);
  }
  await noDrift([router1, router2]);
}

/** What the script of the client prints. */
const TOLD = ['ip', 'dns', 'domain', 'serverid', 'lease', 'router', 'hostname'] as const;

/** What a guest is told when it asks for an address, which it then has. @param hostname what it calls itself */
function lease(guest: BareHost, hostname: string): Partial<Record<(typeof TOLD)[number], string>> {
  const client = ['udhcpc', '-f', '-q', '-n', '-t', '10', '-T', '3', '-i', 'eth0', '-x', `hostname:${hostname}`];
  const told = guest.run(...client, '-s', UDHCPC_SCRIPT);
  const line = told.split('\n').findLast((one) => one.startsWith('bound ')) ?? '';
  return Object.fromEntries(TOLD.map((word) => [word, new RegExp(` ${word}='([^']*)'`).exec(line)?.[1] ?? '']));
}

/** The address of a name, as a resolver tells the guest; undefined where there is none. */
function resolved(guest: BareHost, name: string, resolver: string): string | undefined {
  const { stdout } = spawnSync('nsenter', [`--net=${guest.netns}`, 'busybox', 'nslookup', '-type=a', name, resolver], {
    encoding: 'utf8',
  });
  return /^Name:.*\nAddress: (\S+)$/m.exec(stdout)?.[1];
}

test('two routers advertise the network, and a guest on another node addresses itself and reaches both', async () => {
  await typeTo('mesh network wait blue');
  await Promise.all([plug(router1, 'vm1'), plug(lab.host('node3'), 'vm3')]);
  for (const guest of guests) {
    await until('the guest has an address', ADDRESS_DEADLINE_MS, () => addressesOf(guest, 'fd00:b1::').length === 1);
    const mac = parseMac(JSON.parse(guest.run('ip', '-j', 'link', 'show', 'eth0'))[0].address);
    expect(addressesOf(guest, 'fd00:b1::')[0]).toContain(linkLocalOf(mac).replace('fe80::', 'fd00:b1::'));
    await until('the guest knows both routers', ADDRESS_DEADLINE_MS, () => routersOf(guest).length === 2);
    for (const router of routersOf(guest)) guest.run('ping', '-6', '-c', '1', '-W', '5', `${router}%eth0`);
  }
});

test('an agent that crashes leaves its router as it is, and the next one takes it over', async () => {
  const [guest] = guests;
  const pid = radvdOf(router1);
  const gaps: string[] = [];
  await lab.stop(router1, 'agent');
  expect(routersOf(guest)).toHaveLength(2);
  lab.start(router1, 'agent');
  await until('the service is ready again', COMMAND_DEADLINE_MS, async () => {
    if (routersOf(guest).length !== 2) gaps.push(routersOf(guest).join());
    const { stdout } = await meshOn(lab.host('host0'), 'network', 'service', 'list', 'blue');
    return [...stdout.matchAll(/^ra .* ready /gm)].length === 2;
  });
  expect(gaps).toEqual([]);
  expect(radvdOf(router1)).toBe(pid);
  await noDrift([router1, router2]);
});

test('a prefix is withdrawn, and when the service goes nothing is left of it', async () => {
  await typeTo('mesh network wait blue');
  for (const guest of guests) {
    await until(
      'the guest uses the new prefix',
      ADDRESS_DEADLINE_MS,
      () => addressesOf(guest, 'fd00:b2::').length === 1,
    );
    expect(addressesOf(guest, 'fd00:b1::')).toEqual([]);
  }
  await typeTo('mesh network wait blue');
  await nothingLeft();
});

test(
  'guests get addresses and names, wherever they are, and keep them when the node that gave them dies',
  async () => {
    await typeTo('mesh network wait blue');
    const [near, far] = guests;
    near.run('ip', 'link', 'set', 'eth0', 'down', 'address', '02:00:00:00:00:07');
    near.run('ip', 'link', 'set', 'eth0', 'up');
    const own = serverOf(router1);
    const first = lease(near, 'vm1');
    // The guest of a node that serves asks that node.
    expect(first).toMatchObject({ ip: '10.77.0.7', serverid: own, domain: 'blue.example', lease: '3600' });
    expect(first.dns?.split(' ')[0]).toBe(own);
    const second = lease(far, 'far');
    expect(Number(second.ip?.split('.')[3])).toBeGreaterThanOrEqual(128);
    far.run('ping', '-c', '1', '-W', '5', '10.77.0.7');
    for (const resolver of [router1, router2].map(serverOf)) {
      expect(resolved(far, 'web.blue.example', resolver)).toBe('10.77.0.7');
      expect(resolved(far, 'db.blue.example', resolver)).toBe('10.77.0.20');
      expect(resolved(far, 'nobody.blue.example', resolver)).toBeUndefined();
    }
    expect(resolved(near, 'far.blue.example', second.serverid ?? '')).toBe(second.ip);
    await typeTo('mesh network leases blue');

    // A reservation is read by the server that runs.
    const mac = JSON.parse(far.run('ip', '-j', 'link', 'show', 'eth0'))[0].address;
    const pids = [router1, router2].map((host) => pidOf(host, 'dnsmasq-1001'));
    const reserve = ['--reserve', '02:00:00:00:00:07,10.77.0.7,web', `${mac},10.77.0.8,far`];
    await lab.exec(lab.host('host0'), ['mesh', 'network', 'service', 'set', 'blue', 'dhcp4', ...reserve]);
    await lab.exec(lab.host('host0'), ['mesh', 'network', 'wait', 'blue']);
    const third = lease(far, 'far');
    expect(third.ip).toBe('10.77.0.8');
    expect([router1, router2].map((host) => pidOf(host, 'dnsmasq-1001'))).toEqual(pids);

    const [server, other] = third.serverid === own ? [router1, router2] : [router2, router1];
    await lab.stop(server, 'agent');
    process.kill(pidOf(server, 'dnsmasq-1001'), 'SIGKILL');
    expect(lease(far, 'far')).toMatchObject({ ip: '10.77.0.8', serverid: serverOf(other) });
    expect(resolved(far, 'web.blue.example', serverOf(other))).toBe('10.77.0.7');
    lab.start(server, 'agent');
    await typeTo('mesh network wait blue');
    await nothingLeft();
  },
  ADDRESSES_DEADLINE_MS,
);

test('a lab that is taken down takes the servers of networks along', async () => {
  await meshOn(lab.host('host0'), 'network', 'service', 'set', 'blue', 'ra');
  await meshOn(lab.host('host0'), 'network', 'wait', 'blue');
  const pids = [router1, router2].map(radvdOf);
  await lab.down();
  expect(pids.map((pid) => existsSync(`/proc/${pid}/ns/net`))).toEqual([false, false]);
});
