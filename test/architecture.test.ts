/** Which room may import from which, and why. A room that is not named here may not exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../src');

/** Room → the rooms that it may import from, each with the reason. */
const ALLOWED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  model: {},
  protocol: { model: 'documents are made of the model’s types' },
  metrics: { model: 'the clock and the version', protocol: 'the status that becomes numbers' },
  formats: { model: 'doors parse into the model', protocol: 'a door may print what a process told' },
  disk: { model: 'errors and the clock', formats: 'network files are judged before they are taken' },
  store: { model: 'errors, the clock and randomness', disk: 'directories that survive a power cut' },
  machine: { model: 'machine ids and errors', protocol: 'the paths of a machine' },
  kernel: { model: 'addresses and errors' },
  services: { model: 'the clock and errors', protocol: 'the journal, and what a service tells of itself' },
  agent: {
    disk: 'what must be there again after a power cut',
    model: 'what a node takes part in',
    protocol: 'what it tells host0 and hears from it',
    formats: 'a node’s own network files, and durable writing',
    kernel: 'the only writer of kernel state',
    machine: 'who this machine is',
    metrics: 'what it counts of itself',
  },
  controller: {
    model: 'what a cluster is',
    protocol: 'what it tells agents and hears from them',
    formats: 'host0’s network files and settings',
    store: 'the only writer of desired state',
    metrics: 'what it counts of itself',
  },
  image: {
    disk: 'overlays and images that survive a power cut',
    model: 'machines, errors and the version',
    protocol: 'the paths of host0',
    formats: 'manifests, archives and programs, and writing that survives a power cut',
    services: 'which process builds an image now',
  },
  lab: {
    disk: 'the record of a lab, which survives a crash',
    model: 'addresses and identities of its hosts',
    protocol: 'paths and member lists',
    formats: 'printing network files',
    kernel: 'namespaces, links and pings',
    services: 'processes by pid and start time',
    image: 'emulated machines boot what is compiled and built for real ones',
  },
  boot: {
    disk: 'allocations that survive a power cut',
    model: 'segments have addresses',
    protocol: 'the segment that assignments speak of',
    kernel: 'which ports host0 has, and what is on them',
    machine: 'a machine is recognised as it would recognise itself',
    services: 'dnsmasq, which speaks DHCP and TFTP for us',
    formats: 'allocations that survive a power cut, and host0’s settings',
    store: 'boots under way, which outlive host0’s daemon',
  },
  api: {
    model: 'documents are made of the model’s types',
    protocol: 'the routes’ documents',
    controller: 'a transport calls the controller',
    kernel: 'listeners bound to a device, and who is at the other end',
    formats: 'nothing but settings',
    metrics: 'it times its answers, and serves what was counted',
  },
  cli: {
    disk: 'machine folders that survive a power cut',
    model: 'names and addresses as arguments',
    protocol: 'the documents that it prints',
    formats: '`network check` works without a running process',
    machine: '`genid machine` works without a running process',
    kernel: 'permanent Ethernet addresses for `genid machine`, and what only root may do',
    lab: '`mesh lab`',
    image: '`mesh system image`, `mesh system configure` and `mesh node preview` work without a running process',
    services: 'processes by pid and start time',
    boot: 'the boot script that `mesh node preview` shows',
    metrics: 'how labels are written',
  },
  main: Object.fromEntries(
    [
      'model',
      'protocol',
      'metrics',
      'formats',
      'disk',
      'store',
      'machine',
      'kernel',
      'agent',
      'controller',
      'image',
      'services',
      'boot',
      'lab',
      'api',
      'cli',
    ].map((room) => [room, 'a composition root puts the parts together']),
  ),
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

function* imports(): Generator<Import> {
  for (const entry of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts') || entry.endsWith('.test.ts')) continue;
    const path = join(SOURCE, entry);
    const text = readFileSync(path, 'utf8');
    for (const [, target = ''] of text.matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)) {
      const resolved = relative(SOURCE, resolve(dirname(path), target));
      yield { file: entry, from: roomOf(entry), to: roomOf(resolved) };
    }
  }
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? '';
}

test('a room imports only from the rooms that it may', () => {
  const forbidden = [...imports()]
    .filter(({ from, to }) => from !== to && ALLOWED[from]?.[to] === undefined)
    .map(({ file, to }) => `${file} imports from ${to}/`);
  expect(forbidden).toEqual([]);
});

test('nobody imports a composition root', () => {
  expect([...imports()].filter(({ from, to }) => to === 'main' && from !== 'main')).toEqual([]);
});

test('every room has its row', () => {
  const rooms = readdirSync(SOURCE, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(rooms.map(({ name }) => name).filter((name) => ALLOWED[name] === undefined)).toEqual([]);
});

test('the model is pure: it touches no file, no network and no process', () => {
  const impure = [...readdirSync(join(SOURCE, 'model'), { encoding: 'utf8' })]
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(SOURCE, 'model', name), 'utf8');
      return [...text.matchAll(/from 'node:([a-z/_]+)'/g)].map(([, module]) => `${name} uses node:${module}`);
    })
    // Of node:util it is the comparison of plain values that the model needs.
    .filter((line) => !/node:(?:crypto|net|timers\/promises|util)$/.test(line));
  expect(impure).toEqual([]);
});
