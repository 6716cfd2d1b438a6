/** Networks are defined, started and stopped apart, by commands on host0, and are after a boot of its machine as they should be. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { missingLine, shownCommands } from '../../cli/console-block.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

const READY_DEADLINE_MS = 25_000;
/** A pass of host0's agent takes milliseconds; a busy machine takes longer. */
const DEVICE_DEADLINE_MS = 20_000;
const BOOT_DEADLINE_MS = 60_000;
const PAGE = 'docs/libvirt-commands.md';
const LAN = "<network>\n  <name>lan</name>\n  <bridge stp='off' delay='0'/>\n</network>\n";

const shared = forAllTests();
let lab: Lab;
let central: LabHost;

beforeAll(async () => {
  lab = shared.use(
    await Lab.up({ name: `active-${process.pid}`, nodes: 1, segments: 1, deadlineMs: READY_DEADLINE_MS }),
  );
  central = lab.host('host0');
});

/** Runs a command on host0. @returns what it printed */
async function mesh(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await meshOn(central, ...words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${code} ${stderr}`);
  return stdout;
}

/** Writes a document for host0's administrator. @returns its path */
function document(name: string, text: string): string {
  const file = join(central.root, name);
  writeFileSync(file, text);
  return file;
}

/** The networks with virsh's words of their state. */
async function states(): Promise<Record<string, string>> {
  const rows = (await mesh('net-list', '--all')).split('\n').slice(2);
  return Object.fromEntries(
    rows.flatMap((row) => {
      const [name, ...words] = row.trim().split(/\s+/);
      return name === undefined || name === '' ? [] : [[name, words.join(' ')]];
    }),
  );
}

const hasDevice = (name: string) =>
  inside(netnsPath(central.netns), 'ip', '-br', 'link', 'show')
    .split('\n')
    .some((line) => line.startsWith(`${name} `));

const deviceBecomes = (name: string, isThere: boolean) =>
  until(`${name} is ${isThere ? 'there' : 'gone'}`, DEVICE_DEADLINE_MS, () => hasDevice(name) === isThere);

/** Whether host0 has read its networks: the one of a file is the last. */
async function hasStarted(): Promise<boolean> {
  const { code, stdout } = await meshOn(central, 'net-list');
  return code === 0 && stdout.includes(' manage ');
}

/** Follows what becomes of networks, as a program does. */
async function follow() {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const seen: string[] = [];
  const stream = host0Client(pathsBelow(central.root)).messages('GET /v1/lifecycle', { signal: ending.signal });
  const first = stream.next();
  const take = async () => {
    for (let news = await first; !news.done; news = await stream.next()) {
      seen.push(`${news.value.data.kind} ${news.value.data.name}`);
    }
  };
  take().catch(() => undefined);
  return seen;
}

test('the page of the words of virsh shows what they do', async () => {
  const file = document('lan.xml', LAN);
  const shown = shownCommands(pageOf(PAGE));
  expect(shown.length).toBeGreaterThan(10);
  for (const { text, line, answer } of shown) {
    const words = text.replace('lan.xml', file).split(' ').slice(1);
    const printed = (await mesh(...words)).replaceAll(file, 'lan.xml');
    expect(missingLine(printed, answer), `${PAGE}:${line}: ${text}\n${printed}`).toBeUndefined();
  }
  await mesh('network', 'undefine', 'lan');
  expect(await states()).not.toHaveProperty('lan');
});

test('a network has its bridge on host0 while it runs, and each change by a command is told', async () => {
  const seen = await follow();
  await until('the stream is there', DEVICE_DEADLINE_MS, async () => {
    // The stream begins with its first event: changes of a network that the test looks at no further.
    await mesh('network', 'edit', 'main', '--description', String(seen.length + performance.now()));
    return seen.length > 0;
  });
  const file = document('lan.xml', LAN);
  await mesh('net-define', file);
  expect(hasDevice('virbr0')).toBe(false);
  await mesh('network', 'start', 'lan');
  await deviceBecomes('virbr0', true);
  const mac = /<mac address='(.*)'\/>/.exec(await mesh('net-dumpxml', 'lan'))?.[1];
  expect(inside(netnsPath(central.netns), 'ip', 'link', 'show', 'virbr0')).toContain(mac);
  await mesh('net-define', document('wide.xml', LAN.replace('<bridge ', "<mtu size='1400'/><bridge ")));
  expect(await mesh('net-dumpxml', 'lan')).not.toContain('1400');
  expect(await mesh('net-dumpxml', 'lan', '--inactive')).toContain("<mtu size='1400'/>");
  expect(inside(netnsPath(central.netns), 'ip', 'link', 'show', 'virbr0')).toContain('mtu 1500');
  await mesh('network-restart', 'lan');
  await until('the bridge has its new size', DEVICE_DEADLINE_MS, () => {
    return hasDevice('virbr0') && inside(netnsPath(central.netns), 'ip', 'link', 'show', 'virbr0').includes('mtu 1400');
  });
  await mesh('network', 'undefine', 'lan');
  await mesh('network', 'stop', 'lan');
  await deviceBecomes('virbr0', false);
  const wanted = ['defined', 'started', 'defined', 'stopped', 'started', 'undefined', 'stopped'].map(
    (kind) => `${kind} lan`,
  );
  await expect.poll(() => seen.filter((news) => news.endsWith(' lan'))).toEqual(wanted);
  const told = await mesh('events', '-n', '60');
  for (const kind of ['defined', 'started', 'stopped', 'undefined'])
    expect(told).toMatch(new RegExp(`network ${kind} +lan`));
  await noDrift([central]);
});

test('a start of host0 alone changes nothing, and a boot of its machine starts what starts by itself', async () => {
  for (const name of ['auto', 'byhand', 'plain']) {
    await mesh('net-define', document(`${name}.xml`, LAN.replace('lan', name)));
  }
  await mesh('net-create', document('passing.xml', LAN.replace('lan', 'passing')));
  await mesh('network', 'create', 'ours', '--type', 'bridge');
  for (const name of ['auto', 'byhand']) await mesh('net-autostart', name);
  await mesh('net-start', 'plain');
  await mesh('net-start', 'byhand');
  await mesh('net-destroy', 'byhand');
  const before = await states();
  expect(before).toMatchObject({
    auto: 'inactive yes yes',
    byhand: 'inactive yes yes',
    ours: 'active yes yes',
    passing: 'active no no',
    plain: 'active no yes',
  });
  await lab.stop(central, 'host0');
  lab.start(central, 'host0');
  await until('host0 answers', READY_DEADLINE_MS, hasStarted);
  expect(await states()).toEqual(before);

  await lab.rebootHost(central);
  await until('the boot has its networks', BOOT_DEADLINE_MS, async () => {
    // The transient network was made last but one, and host0 goes through the networks in this order.
    return (await hasStarted()) && !('passing' in (await states()));
  });
  const after = await states();
  expect(after).toMatchObject({
    auto: 'active yes yes',
    byhand: 'active yes yes',
    ours: 'active yes yes',
    plain: 'inactive no yes',
  });
  const bridge = /Bridge: +(\S+)/.exec(await mesh('net-info', 'auto'))?.[1] ?? '';
  await deviceBecomes(bridge, true);
  await mesh('net-destroy', 'auto');
  await lab.stop(central, 'host0');
  lab.start(central, 'host0');
  await until('host0 answers', READY_DEADLINE_MS, hasStarted);
  expect((await states()).auto).toBe('inactive yes yes');
  await noDrift([central]);
});

test('an element is added to a definition, and taken away', async () => {
  const subnet =
    "<ip address='192.168.150.1' netmask='255.255.255.0'><dhcp><range start='192.168.150.2' end='192.168.150.9'/></dhcp></ip>";
  await mesh('net-define', document('served.xml', `<network><name>served</name>${subnet}</network>`));
  const host = "<host mac='52:54:00:00:00:01' name='web' ip='192.168.150.5'/>";
  const update = (command: string) =>
    mesh('net-update', 'served', command, 'ip-dhcp-host', document('host.xml', host), '--config');
  expect(await update('add')).toContain('Updated network served persistent config');
  expect(await mesh('net-dumpxml', 'served')).toContain(host);
  expect((await meshOn(central, 'net-update', 'served', 'add', 'ip-dhcp-host', host)).code).not.toBe(0);
  await update('delete');
  expect(await mesh('net-dumpxml', 'served')).not.toContain(host);
  await mesh('net-undefine', 'served');
});
