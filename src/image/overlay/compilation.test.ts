/** Compiles trees on a real disk to the bytes that a machine fetches, and unpacks these again. */
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MachineId } from '../../model/machine.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { type Compilation, compile } from './compilation.ts';
import { contentHash } from './content-hash.ts';
import { packOverlay, unpackOverlay } from './overlay.ts';
import { OverlayStore } from './overlay-store.ts';

const NOW = new Date('2026-11-21T10:00:00Z');
const MANAGE = 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mesh-host0-'));
  put('host0/network/manage.conf', MANAGE);
  put('host0/groups/baseline/manifest', 'O MODE=root:root:0644 SRC=/host0/groups/baseline/motd TGT=/etc/motd\n');
  put('host0/groups/baseline/motd', 'from the group\n');
  put('host0/groups/baseline/packages', 'chrony\nbash # for people\n');
  put('host0/machines/node1/UUID', '10eff964\n');
  put('host0/machines/node1/groups', 'baseline\n');
  put(
    'host0/machines/node1/manifest',
    'O MODE=root:root:0600 SRC=/host0/machines/node1/motd TGT=/etc/motd\n' +
      'A MODE=root:root:0644 SRC=/host0/machines/node1/world TGT=/etc/apk/world\n' +
      'L SRC=/usr/share/zoneinfo/EST TGT=/etc/localtime\nD MODE=root:root:0750 TGT=/mnt/data\n',
  );
  put('host0/machines/node1/motd', 'from the machine\n');
  put('host0/machines/node1/world', 'vim\nbash\n');
  put('host0/machines/spare/UUID', 'default');
  put('host0/machines/spare/manifest', '');
});

afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const compileAll = () => compile({ paths: pathsBelow(root), authorizedKeys: ['ssh-ed25519 AAAA host0'] });

function entriesOf({ machines }: Compilation, name: string) {
  return machines.find((machine) => machine.name === name)?.overlay?.entries ?? [];
}

/** What tar lists for an overlay: one line an entry, with mode, owner, name and link. */
function listed(bytes: Buffer): string[] {
  return execFileSync('tar', ['-tvz', '--numeric-owner'], {
    input: bytes,
    encoding: 'utf8',
    env: { TZ: 'UTC', PATH: process.env.PATH },
  })
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +\d+ 20\d\d-\d\d-\d\d \d\d:\d\d/, ''));
}

test('groups come first, then the machine; packages end in the world file', async () => {
  const compilation = await compileAll();
  expect(compilation.errors).toEqual([]);
  const text = new Map(
    entriesOf(compilation, 'node1').map((entry) => [
      entry.path,
      entry.type === 'file' ? Buffer.from(entry.content).toString() : entry.type,
    ]),
  );
  expect(text.get('etc/motd')).toBe('from the machine\n');
  expect(text.get('etc/apk/world')).toBe('bash\nchrony\nvim\n');
  expect(text.get('etc/hostname')).toBe('node1\n');
  expect(text.get('var/pxen/networks/manage.conf')).toBe(MANAGE);
  expect(text.get('root/.ssh/authorized_keys')).toBe('ssh-ed25519 AAAA host0\n');
  expect(entriesOf(compilation, 'spare').some(({ path }) => path === 'etc/hostname')).toBe(false);
  expect(compilation.packages).toEqual(['bash', 'chrony']);
});

test('tar reads an overlay, with modes, owners and links, and its bytes are always the same', async () => {
  const entries = entriesOf(await compileAll(), 'node1');
  const bytes = await packOverlay(entries);
  expect(await packOverlay(entries)).toEqual(bytes);
  const lines = listed(bytes);
  expect(lines).toContain('-rw------- 0/0 etc/motd');
  expect(lines).toContain('lrwxrwxrwx 0/0 etc/localtime -> /usr/share/zoneinfo/EST');
  expect(lines).toContain('drwxr-x--- 0/0 mnt/data/');
  expect(lines).toContain('drwx------ 0/0 root/.ssh/');
  expect(lines).toContain('lrwxrwxrwx 0/0 etc/runlevels/default/meshwork-agent -> /etc/init.d/meshwork-agent');
  expect(lines.findIndex((line) => line.endsWith(' root/'))).toBeLessThan(
    lines.findIndex((line) => line.endsWith(' root/.ssh/')),
  );
  expect(lines.some((line) => line.includes('./'))).toBe(false);
  const again = await unpackOverlay(bytes);
  expect(contentHash(again)).toBe(contentHash(entries));
});

test('names up to the longest that is allowed survive', async () => {
  const long = `/srv/${'d'.repeat(100)}/${'e'.repeat(60)}/${'f'.repeat(70)}`;
  put('host0/machines/node1/manifest', `D MODE=root:root:0755 TGT=${long}\n`);
  const bytes = await packOverlay(entriesOf(await compileAll(), 'node1'));
  expect(listed(bytes)).toContain(`drwxr-xr-x 0/0 ${long.slice(1)}/`);
  expect((await unpackOverlay(bytes)).map(({ path }) => path)).toContain(long.slice(1));
});

test.each([
  ['a source that is not there', 'O MODE=root:root:0644 SRC=/host0/nothing TGT=/etc/a', 'MESH_MANIFEST_SOURCE', '1:27'],
  ['a directory as a source', 'O MODE=root:root:0644 SRC=/host0/groups TGT=/etc/a', 'MESH_MANIFEST_SOURCE', '1:27'],
  ['a pipe as a source', 'O MODE=root:root:0644 SRC=/host0/pipe TGT=/etc/a', 'MESH_MANIFEST_SOURCE', '1:27'],
  ['a relative path', 'O MODE=root:root:0644 SRC=motd TGT=/etc/a', 'MESH_MANIFEST_INVALID', '1:27'],
  ['an unknown action', 'X TGT=/etc/a', 'MESH_MANIFEST_INVALID', '1:1'],
  ['a bad mode', 'D MODE=root:root:9 TGT=/etc/a', 'MESH_MANIFEST_INVALID', '1:18'],
  ['a path through ..', 'D MODE=root:root:0755 TGT=/etc/../a', 'MESH_MANIFEST_INVALID', '1:27'],
  ['a directory in the place of a file', 'D MODE=root:root:0755 TGT=/etc/motd', 'MESH_MANIFEST_TARGET', '1:27'],
  ['something below a file', 'D MODE=root:root:0755 TGT=/etc/motd/a', 'MESH_MANIFEST_TARGET', '1:27'],
  ['a removal of nothing', 'R TGT=/etc/nothing', 'MESH_MANIFEST_TARGET', '1:7'],
])('%s is refused with its own error', async (_what, line, code, where) => {
  execFileSync('mkfifo', [join(root, 'host0/pipe')]);
  put('host0/machines/node1/manifest', `${line}\n`);
  const { errors } = await compileAll();
  expect(errors.map((error) => `${error.code} ${error.place?.line}:${error.place?.column}`)).toEqual([
    `${code} ${where}`,
  ]);
  expect(errors[0]?.place?.file).toBe(join(root, 'host0/machines/node1/manifest'));
});

test.each([
  ['its path', (_key: string) => '/var/lib/meshwork/keys/hosts/10eff964'],
  ['a symbolic link', (key: string) => linked('link', key)],
  ['a link to its directory', (key: string) => `${linked('there', dirname(key))}/10eff964`],
  [
    'a hard link',
    (key: string) => {
      linkSync(key, join(root, 'host0/hard'));
      return '/host0/hard';
    },
  ],
])("host0's own keys are no source, by %s", async (_how, sourceOf) => {
  const key = join(root, 'var/lib/meshwork/keys/hosts/10eff964');
  put('var/lib/meshwork/keys/hosts/10eff964', 'private');
  const source = sourceOf(key);
  put('host0/machines/node1/manifest', `O MODE=root:root:0600 SRC=${source} TGT=/etc/a\n`);
  const { errors } = await compileAll();
  expect(errors).toMatchObject([
    {
      code: 'MESH_MANIFEST_SOURCE',
      message: expect.stringMatching(/ is one of host0's own keys$/),
      rule: expect.stringContaining('sent without encryption'),
      place: { file: join(root, 'host0/machines/node1/manifest'), line: 1, column: 27 },
    },
  ]);
});

function linked(name: string, to: string): string {
  symlinkSync(to, join(root, 'host0', name));
  return `/host0/${name}`;
}

test('setuid and setgid files are a warning that names the line once; directories with setgid are none', async () => {
  put(
    'host0/groups/baseline/manifest',
    'O MODE=root:root:6777 SRC=/host0/groups/baseline/motd TGT=/usr/bin/all\n' +
      'O MODE=nobody:1000:2755 SRC=/host0/groups/baseline/motd TGT=/usr/bin/group\n' +
      'O MODE=root:root:1755 SRC=/host0/groups/baseline/motd TGT=/etc/plain\nD MODE=root:1000:2775 TGT=/srv/shared\n',
  );
  put('host0/machines/node2/UUID', '2b1c0d3e');
  put('host0/machines/node2/groups', 'baseline');
  put('host0/machines/node2/manifest', '');
  const { errors, warnings } = await compileAll();
  expect(errors).toEqual([]);
  expect(warnings.map(({ code, message, place }) => `${code} ${place?.line}:${place?.column} ${message}`)).toEqual([
    'MESH_MANIFEST_SETUID 1:8 every user who runs /usr/bin/all has the rights of user 0 and group 0, and every user may replace it',
    'MESH_MANIFEST_SETUID 2:8 every user who runs /usr/bin/group has the rights of group 1000',
  ]);
});

test('missing files, unknown groups and machines with two folders are errors', async () => {
  put('host0/machines/node1/groups', 'baseline\nbaselin\n');
  put('host0/machines/node2/UUID', '10eff964');
  put('host0/machines/node3/manifest', '');
  put('host0/machines/node4/UUID', 'six');
  const { errors } = await compileAll();
  expect(errors.map(({ code, message }) => `${code} ${message.replaceAll(root, '')}`)).toEqual([
    'MESH_GROUP_UNKNOWN there is no group "baselin"',
    'MESH_MACHINE_FOLDER there is no /host0/machines/node2/manifest',
    'MESH_MACHINE_FOLDER there is no /host0/machines/node3/UUID',
    'MESH_MACHINE_FOLDER "six" is not a machine id',
    'MESH_MACHINE_FOLDER there is no /host0/machines/node4/manifest',
    'MESH_MACHINE_TWICE machine 10eff964 has two folders: node1 and node2',
  ]);
  expect(errors[0]?.remedy).toBe('Write baseline');
});

test('a machine with SKIP has no overlay, and its faults are still reported', async () => {
  put('host0/machines/node1/SKIP', '');
  const { machines } = await compileAll();
  expect(machines.map(({ name, overlay }) => `${name} ${overlay !== undefined}`)).toEqual([
    'node1 false',
    'spare true',
  ]);
});

test('what is published is found by machine, and only what changed is written', async () => {
  const overlayStore = new OverlayStore(join(root, 'state'));
  expect(await overlayStore.index()).toBeUndefined();
  await overlayStore.publish((await compileAll()).machines, NOW);
  const files = () => readdirSync(join(root, 'state/overlays')).sort();
  expect(files()).toHaveLength(3);
  const own = await overlayStore.overlayOf('10eff964' as MachineId);
  expect(own?.name).toBe('node1');
  expect((await overlayStore.overlayOf('00000001' as MachineId))?.name).toBe('spare');
  const overlay = own?.overlay ?? { sha256: '', bytes: 0, content: '' };
  const path = overlayStore.pathOf(overlay);
  expect(readFileSync(path)).toHaveLength(overlay.bytes);
  const [before] = files();
  await overlayStore.publish((await compileAll()).machines, NOW);
  expect(files()[0]).toBe(before);
  put('host0/machines/node1/motd', 'another\n');
  // An overlay is kept for an hour after it went out of force, however old it is: a machine may have been given its name just before.
  for (const [hours, there] of [
    [2, 4],
    [2.9, 4],
    [3.1, 3],
  ] as const) {
    await overlayStore.publish((await compileAll()).machines, new Date(Date.now() + hours * 3_600_000));
    expect(files()).toHaveLength(there);
  }
  expect((await overlayStore.overlayOf('10eff964' as MachineId))?.overlay?.sha256).not.toBe(overlay.sha256);
});

test('a line of host0.conf that names an absent device is a warning with its place', async () => {
  const lines = ['segment_ports="eth1" "enp3s0"', 'boot_mode="eht1=off"', 'manual_subnets="eth8=26"'];
  put('host0/host0.conf', `${[...lines, 'join_groups="eth0 eth9"'].join('\n')}\n`);
  const { errors, warnings } = await compile({
    paths: pathsBelow(root),
    authorizedKeys: [],
    devices: ['lo', 'eth1', 'eth0'],
  });
  expect(errors).toEqual([]);
  expect(warnings.map(({ code, message, place }) => `${code} ${place?.line}:${place?.column} ${message}`)).toEqual([
    'MESH_SEGMENT_ABSENT 1:23 segment_ports names enp3s0, and this machine has no such network device',
    'MESH_SEGMENT_ABSENT 2:12 boot_mode names eht1, and this machine has no such network device',
    'MESH_SEGMENT_ABSENT 3:17 manual_subnets names eth8, and this machine has no such network device',
    'MESH_SEGMENT_ABSENT 4:19 join_groups names eth9, and this machine has no such network device',
  ]);
  expect(warnings.slice(0, 2).map(({ remedy }) => remedy)).toEqual([
    'This machine has eth0, eth1',
    'Did you mean eth1? This machine has eth0, eth1',
  ]);
});
