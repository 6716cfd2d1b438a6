/** What strangers find on host0's disk, and what they can make host0 write: with real daemons and a real dnsmasq. */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { SORT_LINES_MAX } from '../../../src/protocol/journal/log.ts';
import { systemUser } from '../../../src/services/process/system-user.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { BootBench, type BootHost } from '../80-boot/boot-bench.ts';

const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\n';
const HOST0 = '10.77.0.1';

let bench: BootBench;
let host: BootHost;
let node: string;

beforeAll(async () => {
  bench = new BootBench();
  const machine = bench.machine();
  bench.segment('one');
  bench.plug(machine, { eth1: 'one' });
  node = bench.machine();
  bench.plug(node, { eth0: 'one' });
  host = bench.host0('host0', machine, CONF);
  leaveOpenFiles(pathsBelow(host.root));
  host.start('host0', '0000');
  host.start('agent', '0000');
  await host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
  const { ip: address } = bench.udhcpc(node);
  ip(node, `address add ${address}/26 dev eth0`);
});

afterAll(() => bench.close());

/** As an earlier version left them, under a umask of 022 or none. */
function leaveOpenFiles({ state, run }: { readonly state: string; readonly run: string }): void {
  for (const file of ['store.db', 'store.db-wal', 'members.json', 'boot/installation', 'keys/command.old']) {
    mkdirSync(dirname(join(state, file)), { recursive: true });
    writeFileSync(join(state, file), '');
    chmodSync(join(state, file), 0o666);
  }
  mkdirSync(run, { recursive: true });
  chmodSync(run, 0o755);
}

/** The user of the servers of networks. */
const SERVERS_UID = systemUser(['meshwork-net', 'nobody'])?.uid ?? 0;

/** What each may do with a file, by its path below the root; the first row that fits counts. Root owns those without a user. */
const TABLE: readonly (readonly [path: RegExp, mode: number, uid?: number])[] = [
  [/^var\/lib\/meshwork$/, 0o711],
  // dnsmasq reads these as its own user; they are the files of a package.
  [/^var\/lib\/meshwork\/boot$/, 0o711],
  [/^var\/lib\/meshwork\/boot\/tftp$/, 0o755],
  [/^var\/lib\/meshwork\/boot\/tftp\/(undionly\.kpxe|ipxe\.efi)$/, 0o644],
  [/^var\/lib\/meshwork\/boot\/\w+\.hosts$/, 0o644],
  [/^var\/lib\/meshwork\/boot\/\w+\.leases$/, 0o640],
  [/^var\/lib\/meshwork\/boot\/[\w.-]+$/, 0o640],
  [/^var\/lib\/meshwork\/keys$/, 0o700],
  // The disks of guests are for emulators alone, which root starts.
  [/^var\/lib\/meshwork\/disks(\/images(\/(parts|uses))?)?$/, 0o700],
  [/^var\/lib\/meshwork\/keys\/command\.pub$/, 0o640],
  [/^var\/lib\/meshwork\/keys\/[\w./-]+$/, 0o600],
  // The servers of networks reach their own files through the first one.
  [/^var\/lib\/meshwork\/services$/, 0o711],
  [/^var\/lib\/meshwork\/services\/own$/, 0o700, SERVERS_UID],
  [/^var\/lib\/meshwork\/[\w.-]+$/, 0o640],
  [/^run\/meshwork$/, 0o750],
  [/^run\/meshwork\/\w+\.sock$/, 0o660],
  [/^run\/meshwork\/[\w.-]+$/, 0o640],
];

test('each file of the daemons has the mode and the owner of its row, under a umask of 0', async () => {
  // The cache of disk images is opened by the first question for it.
  await host0Client(pathsBelow(host.root)).ask('GET /v1/disk-images');
  const { root } = host;
  const { state, run } = pathsBelow(root);
  const tops = [state, run].flatMap((top) => [
    top,
    ...readdirSync(top, { recursive: true }).map((name) => join(top, String(name))),
  ]);
  const used = new Set<RegExp>();
  const wrong = tops.flatMap((path) => {
    const name = relative(root, path);
    const row = TABLE.find(([pattern]) => pattern.test(name));
    const { mode, uid } = lstatSync(path);
    const found = `${name} ${(mode & 0o7777).toString(8)} of user ${uid}`;
    if (row === undefined) return [`${found}: in no row`];
    const [pattern, fileMode, owner = 0] = row;
    used.add(pattern);
    // Who may read a directory may also enter it.
    const wanted = lstatSync(path).isDirectory() ? fileMode | ((fileMode & 0o444) >> 2) : fileMode;
    return (mode & 0o7777) === wanted && uid === owner ? [] : [found];
  });
  expect(wrong).toEqual([]);
  expect(TABLE.map(([pattern]) => pattern).filter((pattern) => !used.has(pattern))).toEqual([]);
  // The system's own directories above are left alone.
  expect(statSync(dirname(state)).mode & 0o005).toBe(0o005);
});

test('a stranger who asks under made-up names fills no log', () => {
  const before = lines().length;
  const url = `http://${HOST0}/boot/02-00-00-00-00-01.ipxe?uuid=4c4c4544-0000-1000-8000-0000000[10001-11440]`;
  const answers = inside(node, 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}\n', url).trim().split('\n');
  expect(answers).toHaveLength(1_440);
  // iPXE reads an answer, and no error: each refusal is a script.
  expect(new Set(answers)).toEqual(new Set(['200']));
  const refusals = lines().slice(before);
  expect(refusals.length).toBeLessThan(SORT_LINES_MAX + 100);
  expect(refusals.length).toBeGreaterThan(100);
});

function lines(): string[] {
  return readFileSync(join(host.root, 'host0.log'), 'utf8').split('\n');
}
