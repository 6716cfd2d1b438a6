/** Which room may import from which, and why; a room that is not named here may not exist. And what may lie in a room at all. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const TOP = resolve(import.meta.dirname, '..');
const SOURCE = join(TOP, 'src');

/** Room → the rooms that it may import from, each with the reason. */
const ALLOWED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  model: {},
  protocol: { model: 'documents are made of the model’s types' },
  metrics: { model: 'the clock and the version', protocol: 'the status that becomes numbers' },
  formats: { model: 'doors parse into the model', protocol: 'a door may print what a process told' },
  store: { model: 'errors and the clock', formats: 'directories that survive a power cut' },
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

/** Files of `src/` that are run by their name, each with what runs it. Files of `packaging/` are run by hand and by CI. */
const ENTRIES: Readonly<Record<string, string>> = {
  'main/cli.ts': '`bin/mesh`',
  'main/host0.ts': 'a service of host0',
  'main/agent.ts': 'a service of every machine',
  'store/sqlite/sqlite-worker.ts': 'a thread, which `store/sqlite/sqlite-thread.ts` starts by its URL',
};

/** Source that no entry needs, each with the reason why it is not in `test/`. */
const APART: Readonly<Record<string, string>> = {
  'cli/pages/reference.ts': 'the pages in `docs/reference`, which its test writes, are made of it',
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

function* imports(): Generator<Import> {
  for (const file of sources()) {
    for (const target of importsOf(join(SOURCE, file))) {
      yield { file, from: roomOf(file), to: roomOf(relative(SOURCE, target)) };
    }
  }
}

/** The files below `src/` that are not tests, by their paths there. */
function sources(): string[] {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
}

/** The absolute paths of the files of this repository that the file at `path` imports, types among them. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const matches = text.matchAll(/(?:from|import|import\()\s*'(\.{1,2}\/[^']+)'/g);
  return [...matches].map(([, target = '']) => resolve(dirname(path), target));
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

test('what is installed needs nothing of the tests and benchmarks', () => {
  const outside = sources().flatMap((file) => {
    const targets = importsOf(join(SOURCE, file)).map((target) => relative(TOP, target));
    return targets.filter((target) => !target.startsWith('src/')).map((target) => `${file} imports ${target}`);
  });
  expect(outside).toEqual([]);
});

test('a room holds what is run: what only tests and benchmarks need is in test/kit', () => {
  const packaging = readdirSync(join(TOP, 'packaging')).filter((name) => name.endsWith('.ts'));
  const waiting = [
    ...Object.keys(ENTRIES).map((entry) => join(SOURCE, entry)),
    ...packaging.map((name) => join(TOP, 'packaging', name)),
  ];
  const reached = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...importsOf(path));
  }
  const unreached = sources().filter((file) => !reached.has(join(SOURCE, file)));
  expect(unreached.toSorted()).toEqual(Object.keys(APART).toSorted());
});
