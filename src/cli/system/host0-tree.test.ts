/** The administrator's steps from an empty /host0 to what a machine boots with, and what each step refuses. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { mesh } from '../../../test/cli/mesh.ts';
import { HOST0_DEFAULTS, readHost0Conf } from '../../formats/host0/host0-conf.ts';
import { authorizedKeysIn } from '../../image/command-key.ts';
import { parseIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { machineIdOf } from '../../model/machine.ts';
import type { BootView } from '../../protocol/documents/boot-views.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-host0-'));
});
afterEach(() => rm(root, { recursive: true }));

async function answer(line: string): Promise<string> {
  const { stdout, code } = await mesh(['--root', root, ...line.split(' ')]);
  const text = stdout.replaceAll(root, '');
  return code === 0 ? text : `${text}[exit ${code}]`;
}

const inHost0 = (path: string) => join(pathsBelow(root).host0, path);
const state = () => pathsBelow(root).state;

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(inHost0(path)), { recursive: true });
  await writeFile(inHost0(path), text);
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
}

describe('mesh system init', () => {
  test('makes a tree without faults', async () => {
    expect(await answer('system init')).toMatchInlineSnapshot(`
      "Made:
        /host0/host0.conf
        /host0/network/manage.conf
        /host0/packages
        /host0/groups/baseline/manifest
        /host0/groups/baseline/motd
        /host0/groups/baseline/packages
        /host0/machines/default/UUID
        /host0/machines/default/groups
        /host0/machines/default/manifest

      Next: mesh system configure
      To boot machines, write boot="auto" into host0.conf before host0's daemon starts.
      "
    `);
    expect(await answer('system configure --check')).toMatchInlineSnapshot(`
      "All is sound: 1 machine.
      "
    `);
  });

  test('switches no DHCP on, and makes another network each time', async () => {
    await answer('system init');
    const { settings } = await readHost0Conf([inHost0('host0.conf')]);
    expect(settings).toEqual(HOST0_DEFAULTS);
    const first = await readFile(inHost0('network/manage.conf'), 'utf8');
    await rm(inHost0('.'), { recursive: true });
    await answer('system init');
    expect(await readFile(inHost0('network/manage.conf'), 'utf8')).not.toBe(first);
  });

  test('changes no file that exists', async () => {
    await put('host0.conf', '# mine\n');
    await answer('system init');
    expect(await readFile(inHost0('host0.conf'), 'utf8')).toBe('# mine\n');
    await expect(answer('system init')).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  });
});

describe('mesh system configure', () => {
  beforeEach(() => answer('system init'));

  test('--check and --plan change nothing', async () => {
    const before = await filesBelow(root);
    await answer('system configure --check');
    const planned = await answer('system configure --plan');
    expect(planned).toMatchInlineSnapshot(`
      "NAME     MACHINE  OVERLAY  FILES
      default  default  new         17

      Nothing was changed: \`mesh system configure\` makes these changes.
      "
    `);
    expect(await filesBelow(root)).toEqual(before);
  });

  test("puts host0's public key into every overlay, and its private key into none", async () => {
    await answer('system configure');
    const [key] = await authorizedKeysIn(state());
    expect(await answer('node preview default --file /root/.ssh/authorized_keys')).toBe(`${key}\n`);
    expect((await stat(join(state(), 'keys/command'))).mode & 0o777).toBe(0o600);
    const secret = (await readFile(join(state(), 'keys/command'), 'utf8')).split('\n')[2] ?? '?';
    const archives = (await filesBelow(join(state(), 'overlays'))).filter((file) => file.endsWith('.tar.gz'));
    const served = await Promise.all(archives.map(async (file) => gunzipSync(await readFile(join(root, file)))));
    expect(served.map((bytes) => [bytes.includes(key ?? '?'), bytes.includes(secret)])).toEqual([[true, false]]);
    expect(await answer('system configure')).toMatchInlineSnapshot(`
      "Nothing changes: /host0 is in force, for 1 machine.
      "
    `);
  });

  test('--check tells of links below isos that no machine can follow', async () => {
    await mkdir(inHost0('isos'), { recursive: true });
    await symlink('/srv/big/debian.iso', inHost0('isos/debian.iso'));
    const checked = await answer('system configure --check');
    expect(checked).toContain('/isos/debian.iso is not published: the link leads to no file [MESH_BOOT_LINK_REFUSED]');
    expect(checked).toContain('All is sound: 1 machine.');
  });

  test('with one fault nothing is compiled, and the fault is shown with its place', async () => {
    await answer('system configure');
    const before = await readFile(join(state(), 'overlays/index.json'), 'utf8');
    await put('groups/base/manifest', 'X MODE=root:root:0644 SRC=/host0/nothing TGT=etc/motd\n');
    const refused = await answer('system configure');
    expect(refused).toContain('/host0/groups/base/manifest:1:1');
    expect(refused).toContain('One fault: nothing was changed, and machines boot with what they had.\n[exit 1]');
    expect(await readFile(join(state(), 'overlays/index.json'), 'utf8')).toBe(before);
    expect(JSON.parse((await answer('system configure --json')).replace('[exit 1]', ''))).toMatchObject({
      ok: false,
      errors: [{ code: 'MESH_MANIFEST_INVALID', place: { line: 1 } }],
    });
  });
});

test('a default network without a file is a fault; two meshes with one key are a warning', async () => {
  await put('network/manage.conf', '# ours\nname=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n');
  await answer('system init');
  await put('host0.conf', 'boot="auto"\ndefault_networks="manage" "storge"\n');
  await put('network/storage.conf', 'name=storage\nprefix=fd42:2345:1234:9abd::/64\nvni=457\nkey=456\n');
  expect(await answer('system configure --check')).toMatchInlineSnapshot(`
    "/host0/network/storage.conf:4:5: warning: key 456 is also that of /host0/network/manage.conf:5 [MESH_NET_KEY_SHARED]
      4 | key=456
        |     ^
      rule: Each mesh should have a key of its own, so that no two meshes derive the same addresses.
      remedy: Write another key in one of the two files before nodes join: it changes their addresses

    /host0/host0.conf:2:28: error: default_networks names storge, and there is no network/storge.conf [MESH_HOST0_CONF_INVALID]
      2 | default_networks="manage" "storge"
        |                            ^
      rule: A default network is one of the files in network/.
      remedy: Put storage in its place

    One fault: nothing was changed, and machines boot with what they had.
    [exit 1]"
  `);
  await put('host0.conf', 'boot="auto"\n');
  expect(await answer('system configure --check')).toMatchInlineSnapshot(`
    "/host0/network/storage.conf:4:5: warning: key 456 is also that of /host0/network/manage.conf:5 [MESH_NET_KEY_SHARED]
      4 | key=456
        |     ^
      rule: Each mesh should have a key of its own, so that no two meshes derive the same addresses.
      remedy: Write another key in one of the two files before nodes join: it changes their addresses

    All is sound: 1 machine.
    "
  `);
});

test('--host0-dir names another directory for every command, also by a relative path', async () => {
  const drive = join(root, 'media/stick');
  const there = (line: string) => answer(`--host0-dir ${relative(process.cwd(), drive)} ${line}`);
  expect(await there('system init')).toContain('  /media/stick/machines/default/UUID\n');
  await writeFile(join(drive, 'groups/baseline/motd'), 'from the stick\n');
  expect(await there('node adopt 10eff964 node1')).toContain('Machine 10eff964 is node1 now.');
  expect(await there('system configure --check')).toBe('All is sound: 2 machines.\n');
  expect(await there('system configure --plan')).toMatch(/^node1 +10eff964 +new/m);
  await there('system configure');
  expect(await there('node preview node1 --file /etc/motd')).toBe('from the stick\n');
  expect(await there('system configure')).toBe('Nothing changes: /media/stick is in force, for 2 machines.\n');
  expect(existsSync(inHost0(''))).toBe(false);
});

test('an empty --host0-dir is no directory, also where MESH_HOST0_DIR names one', async () => {
  vi.stubEnv('MESH_HOST0_DIR', join(root, 'elsewhere'));
  onTestFinished(() => void vi.unstubAllEnvs());
  expect((await mesh(['--root', root, '--host0-dir', '', 'system', 'init'])).code).toBe(0);
  expect([existsSync(inHost0('')), existsSync(join(root, 'elsewhere'))]).toEqual([true, false]);
});

test('without its directory host0 serves what was compiled before', async () => {
  await answer('system init');
  await answer('system configure');
  const before = await readFile(join(state(), 'overlays/index.json'), 'utf8');
  await rename(inHost0(''), join(root, 'unmounted'));
  expect(await answer('system configure')).toMatchInlineSnapshot(`
    "error: there is no directory /host0 [MESH_OBJECT_UNKNOWN]
      while: read the tree: /host0
      rule: host0 is described in a directory: /host0, or what --host0-dir or MESH_HOST0_DIR names.
      remedy: See that its drive is mounted; \`mesh system init\` makes a new one.

    One fault: nothing was changed, and machines boot with what they had.
    [exit 6]"
  `);
  expect(await readFile(join(state(), 'overlays/index.json'), 'utf8')).toBe(before);
});

test('mesh node adopt on a node is refused, and does not make the node a host0', async () => {
  await expect(answer('node adopt 10eff964 node1')).rejects.toMatchObject({
    code: 'MESH_OBJECT_UNKNOWN',
    remedy: expect.stringMatching(/^Run the command on host0\./),
  });
  expect(existsSync(inHost0(''))).toBe(false);
});

describe('mesh node adopt', () => {
  beforeEach(() => answer('system init'));

  test.each([
    ['10eff965', 'Similar: 10eff964.'],
    ['00000000', 'Seen, and without a name: 2b1c0d3e.'],
  ])('says that host0 has never seen %s', async (id, others) => {
    const common = { hardware: {}, firstSeen: '2026-11-21T06:12:01.000Z', cards: [] };
    const seen = [
      { machine: '10eff964', name: 'node1', ...common },
      { machine: '2b1c0d3e', ...common },
    ];
    const daemon = new FakeDaemon({ 'GET /v1/machines': seen, 'GET /v1/nodes': [] });
    await daemon.listen(pathsBelow(root).controlSock);
    try {
      expect(await answer(`node adopt ${id} node7`)).toBe(
        `Machine ${id} is node7 now.\nhost0 has never seen a machine ${id}. ${others}\n` +
          'If the id is mistyped, remove /host0/machines/node7.\nNext: mesh system configure\n',
      );
      expect(await answer('node adopt 2b1c0d3e node2')).not.toContain('never');
    } finally {
      await daemon.close();
    }
  });

  test('gives a machine a folder with the groups of the default one', async () => {
    expect(await answer('node adopt 10eff964 node1')).toMatchInlineSnapshot(`
      "Machine 10eff964 is node1 now.
      Next: mesh system configure
      "
    `);
    expect(await readFile(inHost0('machines/node1/UUID'), 'utf8')).toBe('10eff964\n');
    expect(await readFile(inHost0('machines/node1/groups'), 'utf8')).toBe(
      await readFile(inHost0('machines/default/groups'), 'utf8'),
    );
    const { changes } = JSON.parse(await answer('system configure --json'));
    expect(changes).toContainEqual(expect.objectContaining({ machine: '10eff964', name: 'node1', change: 'new' }));
    expect(await answer('node preview node1 --file /etc/hostname')).toBe('node1\n');
  });

  test('--card tells host0 a network card of a machine, which is named at the same time or was before', async () => {
    const card = '52:54:00:12:34:56';
    await expect(answer(`node adopt 10eff964 node1 --card ${card}`)).rejects.toMatchObject({
      code: 'MESH_NOT_RUNNING',
    });
    expect(existsSync(inHost0('machines/node1'))).toBe(false);
    const daemon = new FakeDaemon({
      [`PUT /v1/machines/10eff964/cards/${card}`]: [card],
      'PUT /v1/machines/10eff964/cards/52:54:00:12:34:57': [card, '52:54:00:12:34:57'],
      'GET /v1/machines': [
        { machine: '2b1c0d3e', hardware: {}, firstSeen: '2026-11-21T06:12:01.000Z', cards: [{ mac: card }] },
      ],
    });
    await daemon.listen(pathsBelow(root).controlSock);
    try {
      await expect(answer(`node adopt 10eff964 --card ${card}`)).rejects.toMatchObject({ code: 'MESH_NODE_UNKNOWN' });
      await expect(answer('node adopt 10eff964')).rejects.toMatchObject({ code: 'MESH_USAGE' });
      for (const wrong of ['52:54', '01:00:5e:00:00:01', '00:00:00:00:00:00', `${card}/../..`]) {
        await expect(answer(`node adopt 10eff964 node1 --card ${wrong}`)).rejects.toMatchObject({
          code: expect.stringMatching(/^MESH_(?:USAGE|ADDRESS_INVALID)$/),
        });
      }
      expect(daemon.asked).toEqual([]);
      expect(await answer(`node adopt 10eff964 node1 --card ${card.replaceAll(':', '-')}`)).toMatchInlineSnapshot(`
        "Machine 10eff964 is node1 now.
        node1 boots from: 52:54:00:12:34:56
        Next: mesh system configure
        "
      `);
      expect(JSON.parse(await answer('node adopt 10eff964 --card 52:54:00:12:34:57 --json'))).toEqual({
        machine: '10eff964',
        name: 'node1',
        folder: '/host0/machines/node1',
        cards: [card, '52:54:00:12:34:57'],
      });
      expect(await answer('node adopt 10eff964 --card 52:54:00:12:34:57')).toMatchInlineSnapshot(`
        "node1 boots from: 52:54:00:12:34:56, 52:54:00:12:34:57
        "
      `);
      // Without --card the command shows the cards that host0 knows, so that a stranger's card is seen.
      expect(await answer('node adopt 2b1c0d3e node2')).toMatchInlineSnapshot(`
        "Machine 2b1c0d3e is node2 now.
        node2 boots from: 52:54:00:12:34:56
        Next: mesh system configure
        "
      `);
    } finally {
      await daemon.close();
    }
  });

  test('by the MAC of its network card, a machine is told apart from others with its UUID', async () => {
    const id = machineIdOf('52:54:00:12:34:57');
    expect(await answer('node adopt 52-54-00-12-34-57 node2')).toMatch(`Machine ${id} is node2 now.`);
    expect(await readFile(inHost0('machines/node2/UUID'), 'utf8')).toBe(`${id}\n`);
    await expect(answer('node adopt 01:00:5e:00:00:01 node3')).rejects.toMatchObject({ code: 'MESH_USAGE' });
  });

  test.each([
    ['10eff964 node2', 'MESH_MACHINE_TWICE'],
    ['2b1c0d3e node1', 'MESH_ALREADY_MADE'],
    ['2b1c0d3e default', 'MESH_USAGE'],
    ['2b1c0d3e host0', 'MESH_USAGE'],
    ['2b1c0d3e ../../etc', 'MESH_USAGE'],
    ['2b1c0d3e -node', 'MESH_USAGE'],
    ['2B1C0D3E node2', 'MESH_MACHINE_INVALID'],
  ])('%s is refused, and nothing is made', async (words, code) => {
    await answer('node adopt 10eff964 node1');
    const before = await filesBelow(root);
    await expect(answer(`node adopt -- ${words}`)).rejects.toMatchObject({ code });
    expect(await filesBelow(root)).toEqual(before);
  });
});

describe('mesh node preview', () => {
  beforeEach(async () => {
    await answer('system init');
    await answer('node adopt 10eff964 node1');
    await answer('system configure');
  });

  test('shows what a machine gets, and which part of it is not in force yet', async () => {
    await put('machines/node1/issue', 'welcome\n');
    await put('machines/node1/manifest', 'O MODE=root:root:0644 SRC=/host0/machines/node1/issue TGT=/etc/issue\n');
    const shown = await answer('node preview node1');
    expect(shown).toMatch(/^machine {3}10eff964$/m);
    expect(shown).toContain('There is no image yet: `mesh system image node` builds one.');
    expect(shown).toMatch(/^ {2}0:0:0644 +8 {2}\/etc\/issue$/m);
    expect(shown.slice(shown.indexOf('\nNot in force'))).toBe('\nNot in force yet\n  + /etc/issue\n');
    expect(await answer('node preview 10eff964 --file /etc/issue')).toBe('welcome\n');
    await answer('system configure');
    expect(await answer('node preview node1')).toContain('nothing: this is in force');
  });

  test('says what each segment answers while host0 runs', async () => {
    const segment = {
      nics: ['eth1'],
      device: 'eth1',
      wanted: 'auto',
      reason: 'nobody else answers',
      sinceSec: 9,
    } as const;
    const none = { leases: [], foreignServers: [], otherHost0s: [] };
    const boot: BootView = {
      boot: 'auto',
      installation: '0a0b0c0d',
      segments: [
        {
          ...segment,
          ...none,
          mode: 'server',
          subnet: { subnet: parseIpv4Cidr('10.11.0.0/24'), origin: 'dynamic', ipv4: parseIpv4('10.11.0.1') },
        },
      ],
    };
    const daemon = new FakeDaemon({ 'GET /v1/boot': boot });
    await daemon.listen(pathsBelow(root).controlSock);
    const shown = await answer('node preview node1');
    await daemon.close();
    expect(shown).toMatch(/^on eth1 {3}an address of 10\.11\.0\.0\/24, and the boot file, from 10\.11\.0\.1$/m);
  });

  test('shows the default machine for one without a folder; refuses what does not exist', async () => {
    expect(await answer('node preview 2b1c0d3e')).toMatch(/^name +default$/m);
    await rm(inHost0('machines/default'), { recursive: true });
    await expect(answer('node preview 2b1c0d3e')).rejects.toMatchObject({ code: 'MESH_NODE_UNKNOWN' });
    await expect(answer('node preview node1 --file /etc/none')).rejects.toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
    await put('machines/node1/SKIP', '');
    await expect(answer('node preview node1')).rejects.toMatchObject({ code: 'MESH_BOOT_NO_OVERLAY' });
    expect(existsSync(join(state(), 'overlays/index.json'))).toBe(true);
  });
});
