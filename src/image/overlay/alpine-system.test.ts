/** What the overlay of a machine with Alpine has besides its manifests, and what its scripts do, as busybox runs them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { ALPINE_SCRIPTS, BOOT_SCRIPTS } from '../node/program-files.ts';
import { compile } from './compilation.ts';
import { type OverlayEntry, packOverlay } from './overlay.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mesh-alpine-'));
  put('host0/network/manage.conf', 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n');
  put('host0/machines/node1/UUID', '10eff964\n');
  put('host0/machines/node1/manifest', '');
  put('host0/machines/node1/packages', 'chrony\n!nano\n');
});

afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string, permissions = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, permissions);
}

const KEY = { name: 'host0-0123abcd.rsa.pub', pem: 'PEM\n' };
const compiled = () => compile({ paths: pathsBelow(root), authorizedKeys: ['ssh-ed25519 AAAA host0'], mirrorKey: KEY });

async function overlayOf(name = 'node1') {
  const { machines, errors } = await compiled();
  expect(errors).toEqual([]);
  const machine = machines.find((one) => one.name === name);
  const entries = machine?.overlay?.entries ?? [];
  return { flavor: machine?.flavor, entries, text: (path: string) => textOf(entries, path) };
}

function textOf(entries: readonly OverlayEntry[], path: string): string | undefined {
  const entry = entries.find((one) => one.path === path);
  return entry?.type === 'file' ? Buffer.from(entry.content).toString() : undefined;
}

describe('the flavor', () => {
  test('is that of the machine, then of its last group that has one, then of host0.conf', async () => {
    expect((await overlayOf()).flavor).toBeUndefined();
    put('host0/host0.conf', 'flavor="alpine"\n');
    expect((await overlayOf()).flavor).toBe('alpine');
    put('host0/groups/one/manifest', '');
    put('host0/groups/two/manifest', '');
    put('host0/groups/one/flavor', 'alpine\n');
    put('host0/groups/two/flavor', '# of this rack\ndebian\n');
    put('host0/machines/node1/groups', 'one\ntwo\n');
    expect((await overlayOf()).flavor).toBe('debian');
    put('host0/machines/node1/groups', 'two\none\n');
    expect((await overlayOf()).flavor).toBe('alpine');
    put('host0/machines/node1/flavor', 'debian');
    expect((await overlayOf()).flavor).toBe('debian');
  });

  test.each([
    ['alpin\n', 'Write alpine', 1],
    ['alpine\ndebian\n', 'Remove this line', 2],
  ])('%j is a fault with its place', async (text, remedy, line) => {
    put('host0/machines/node1/flavor', text);
    expect((await compiled()).errors).toMatchObject([{ code: 'MESH_MACHINE_FOLDER', remedy, place: { line } }]);
  });

  test('a file of that name with another case is told', async () => {
    put('host0/machines/node1/Flavor', 'alpine\n');
    expect((await compiled()).warnings).toMatchObject([{ remedy: 'Rename it to flavor.' }]);
  });
});

describe('the overlay', () => {
  beforeEach(() => put('host0/machines/node1/flavor', 'alpine\n'));

  test('has a sorted world with the agent and the SSH server of host0', async () => {
    const { text } = await overlayOf();
    expect(text('etc/apk/world')).toBe('!nano\nchrony\ndropbear\ndropbear-convert\nmeshwork\n');
  });

  test.each([
    'openssh',
    'openssh-server=9.9_p2-r0',
    'dropbear',
  ])('has no other server where %s is wanted', async (word) => {
    put('host0/machines/node1/world', `${word}\n`);
    put('host0/machines/node1/manifest', 'A MODE=root:root:0644 SRC=/host0/machines/node1/world TGT=/etc/apk/world\n');
    const { text, entries } = await overlayOf();
    expect(text('etc/apk/world')?.split('\n')).toEqual(['!nano', 'chrony', 'meshwork', word, ''].toSorted(byWord));
    expect(entries.some(({ path }) => path.endsWith('/meshwork-shell'))).toBe(false);
  });

  test('has the key of the mirror, the loopback device, and a root without a password that anybody knows', async () => {
    const { text, entries } = await overlayOf();
    expect(text(`etc/apk/keys/${KEY.name}`)).toBe(KEY.pem);
    expect(text('etc/network/interfaces')).toBe('auto lo\niface lo inet loopback\n');
    expect(text('etc/shadow')?.split('\n')[0]).toBe('root:*:::::::');
    expect(text('etc/shadow')).not.toMatch(/^[^:]+::/m);
    expect(entries.find(({ path }) => path === 'etc/shadow')).toMatchObject({ mode: { uid: 0, permissions: 0o600 } });
  });

  test('starts network, secrets and agent by links of runlevels', async () => {
    const { entries } = await overlayOf();
    const links = entries.flatMap((one) => (one.type === 'link' ? [`${one.path} ${one.to}`] : []));
    expect(links.map((link) => link.replace('etc/runlevels/', '').replace(' /etc/init.d/', ' ')).toSorted()).toEqual(
      [
        ...['devfs', 'dmesg', 'mdev', 'hwdrivers', 'modloop'].map((name) => `sysinit/${name} ${name}`),
        ...['modules', 'sysctl', 'hostname', 'bootmisc', 'syslog', 'networking', 'meshwork-card'].map(
          (name) => `boot/${name} ${name}`,
        ),
        ...['local', 'meshwork-agent', 'meshwork-boot', 'meshwork-shell'].map((name) => `default/${name} ${name}`),
        ...['mount-ro', 'killprocs', 'savecache'].map((name) => `shutdown/${name} ${name}`),
      ].toSorted(),
    );
  });

  test("keeps an administrator's files", async () => {
    put('host0/machines/node1/interfaces', 'auto eth7\niface eth7 inet dhcp\n');
    put(
      'host0/machines/node1/manifest',
      'O MODE=root:root:0644 SRC=/host0/machines/node1/interfaces TGT=/etc/network/interfaces\n',
    );
    expect((await overlayOf()).text('etc/network/interfaces')).toBe('auto eth7\niface eth7 inet dhcp\n');
  });

  test('is no part of the overlay of another flavor', async () => {
    put('host0/machines/node1/flavor', 'debian\n');
    const { entries } = await overlayOf();
    expect(entries.filter(({ path }) => /shadow|interfaces|init\.d\/meshwork|usr\/lib\/meshwork/.test(path))).toEqual(
      [],
    );
  });

  test("comes out of Alpine's tar as it went in, and names have no dot before them", async () => {
    const deep = `srv/${'long-name/'.repeat(14)}é`;
    put('host0/machines/node1/deep', 'deep\n');
    put(
      'host0/machines/node1/manifest',
      `O MODE=root:root:4750 SRC=/host0/machines/node1/deep TGT=/${deep}\n` +
        'O MODE=root:root:0600 SRC=/host0/machines/node1/deep TGT=/etc/secret\nD MODE=root:root:0700 TGT=/srv/closed\n',
    );
    const { entries } = await overlayOf();
    const bytes = await packOverlay(entries);
    expect(Buffer.compare(bytes, await packOverlay(entries))).toBe(0);
    const listed = execFileSync('busybox', ['tar', '-tz'], { input: bytes, encoding: 'utf8' }).trim().split('\n');
    expect(listed.filter((name) => name.startsWith('.') || name.startsWith('/'))).toEqual([]);
    const place = join(root, 'unpacked');
    mkdirSync(place);
    execFileSync('busybox', ['tar', '-xz', '-C', place], { input: bytes });
    for (const entry of entries) {
      if (entry.type === 'file') expect(readFileSync(join(place, entry.path))).toEqual(Buffer.from(entry.content));
      if (entry.type !== 'link')
        expect(statSync(join(place, entry.path)).mode & 0o7777, entry.path).toBe(entry.mode.permissions);
    }
  });

  test('of a machine whose folder has another name now has that name, and is of the same machine', async () => {
    expect((await overlayOf()).text('etc/hostname')).toBe('node1\n');
    execFileSync('mv', [join(root, 'host0/machines/node1'), join(root, 'host0/machines/rack7')]);
    expect((await overlayOf('rack7')).text('etc/hostname')).toBe('rack7\n');
    expect((await compiled()).machines).toMatchObject([{ machine: '10eff964', name: 'rack7' }]);
  });

  test('has bytes also when a machine has no file of its own', async () => {
    // An overlay without a byte would count as fetched on the machine, and it would boot without one.
    expect((await packOverlay([])).length).toBeGreaterThan(20);
  });
});

function byWord(a: string, b: string): number {
  return a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1;
}

describe('scripts', () => {
  /** Runs a script as it would run on a node whose root is `root`: its paths lead there. */
  function run(script: string, programs: Readonly<Record<string, string>>, cmdline: string, ...words: string[]) {
    put('proc/cmdline', `${cmdline}\n`);
    for (const [name, text] of Object.entries(programs)) put(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
    for (const [name, from] of [
      ['common', BOOT_SCRIPTS],
      ['secrets', BOOT_SCRIPTS],
      [script, ALPINE_SCRIPTS],
    ] as const) {
      const text = readFileSync(join(from, name), 'utf8');
      const moved = text.replaceAll(/(?<![\w.$}/"])\/(?=(?:usr|etc|proc|run|sys|var)\/)/g, `${root}/`);
      put(`usr/lib/meshwork/boot/${name}`, moved, 0o755);
    }
    // busybox would take its own wget and tar before those of the test.
    const shell = Object.keys(programs).length === 0 ? ['busybox', 'sh'] : ['sh'];
    const [program = '', ...first] = shell;
    return spawnSync(program, [...first, join(root, `usr/lib/meshwork/boot/${script}`), ...words], {
      encoding: 'utf8',
      env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin` },
    });
  }

  const LINE =
    'mesh.machine=10eff964 BOOTIF=01-52-54-00-AB-CD-02 mesh.boot=ab mesh.token=cd apkovl=http://10.11.0.1/overlay/ab/x.apkovl.tar.gz';
  const card = (name: string, mac: string) => {
    put(`net/${name}/address`, `${mac}\n`);
    put(`net/${name}/device`, '');
  };

  test('the card that has booted gets an entry, whatever its name is', () => {
    put('interfaces', 'auto lo\niface lo inet loopback\n');
    card('eth0', '52:54:00:ab:cd:01');
    card('enp3s0', '52:54:00:ab:cd:02');
    run('alpine-card', {}, LINE, join(root, 'interfaces'), join(root, 'net'));
    const text = 'auto lo\niface lo inet loopback\n\nauto enp3s0\niface enp3s0 inet dhcp\n';
    expect(readFileSync(join(root, 'interfaces'), 'utf8')).toBe(text);
    // At the second time the card is there.
    run('alpine-card', {}, LINE, join(root, 'interfaces'), join(root, 'net'));
    expect(readFileSync(join(root, 'interfaces'), 'utf8')).toBe(text);
  });

  test('a card that the administrator has named is enough', () => {
    put('interfaces', 'auto eth0\niface eth0 inet static\n');
    card('eth1', '52:54:00:ab:cd:02');
    run('alpine-card', {}, LINE, join(root, 'interfaces'), join(root, 'net'));
    expect(readFileSync(join(root, 'interfaces'), 'utf8')).toBe('auto eth0\niface eth0 inet static\n');
  });

  test('what the world names and is not there is reported, with what is there and must not be', () => {
    put('etc/apk/world', '!nano\n!vi\nalpine-base\nchrony>4\nhtop@edge\nmeshwork\n');
    const asked = join(root, 'asked');
    const programs = {
      // It knows a version and a tag, as apk does.
      apk: 'case "$3" in alpine-base | "chrony>4" | nano) exit 0 ;; esac; exit 1',
      wget: `for url; do :; done; echo "$url" >>${asked}; exit 0`,
      timeout: 'shift; exec "$@"',
      tar: 'exit 0',
      rm: 'exit 0',
      date: 'exit 0',
    };
    run('alpine-boot', programs, LINE.replace('mesh.token=cd', ''));
    const reports = () =>
      readFileSync(asked, 'utf8')
        .split('\n')
        .filter((url) => url.includes('/stage/'));
    for (let looks = 0; looks < 100 && reports().length < 2; looks++) spawnSync('sleep', ['0.05']);
    expect(reports().toSorted()).toEqual([
      'http://10.11.0.1/stage/ab/overlay',
      'http://10.11.0.1/stage/ab/packages?detail=not%20installed:%20!nano%20htop@edge%20meshwork',
    ]);
  });
});
