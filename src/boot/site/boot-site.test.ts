/** The boot server over real sockets on loopback, with neighbour entries and leases as the test sets them. */

import { once } from 'node:events';
import {
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { linkFaults } from '../../disk/published-path.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { machineIdOf } from '../../model/machine.ts';
import { createServer } from '../../protocol/http/http.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { BootSighting } from '../frames/sighting.ts';
import { Attempts } from './attempts.ts';
import { BootLoadLimiter } from './boot-load-limiter.ts';
import type { BootImage } from './boot-request-handler.ts';
import { BootSite } from './boot-site.ts';

const UUID = '4c4c4544-0042-3510-8052-b9c04f4e3732';
const machine = machineIdOf(UUID);
const mac = parseMac('52:54:00:12:34:56');
const SHA256 = 'ab'.repeat(32);
const KERNEL = Buffer.from('0123456789');
const HOST0 = '10.11.0.1' as Ipv4;

let directory: string;
let site: BootSite;
let server: ReturnType<typeof createServer>;
let port: number;
let there: Mac | undefined;
let leasedTo: Mac | undefined;
let noOverlay: MeshError | undefined;
let double: MeshError | undefined;
let loadLimiter: BootLoadLimiter;
let image: BootImage;
let sightings: BootSighting[];
let events: MeshEvent[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'boot-site-'));
  mkdirSync(join(directory, 'images/abc1'), { recursive: true });
  mkdirSync(join(directory, 'isos/deep'), { recursive: true });
  writeFileSync(join(directory, 'images/abc1/vmlinuz'), KERNEL);
  writeFileSync(join(directory, 'images/abc1/initrd.img'), 'initrd');
  writeFileSync(join(directory, 'isos/deep/a b.iso'), 'iso');
  mkdirSync(join(directory, 'tftp'));
  writeFileSync(join(directory, 'tftp/ipxe.efi'), 'MZ');
  writeFileSync(join(directory, 'secret'), 'not to be had');
  symlinkSync('../secret', join(directory, 'isos/out'));
  lchownSync(join(directory, 'isos/out'), 1000, 1000);
  symlinkSync('deep', join(directory, 'isos/in'));
  writeFileSync(join(directory, 'overlay'), 'overlay of 10eff964');
  [there, leasedTo, noOverlay, double, sightings, events] = [mac, undefined, undefined, undefined, [], []];
  image = { kernel: '/image/abc1/vmlinuz', initrd: '/image/abc1/initrd.img', commandLine: 'quiet' };
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  journal.subscribe((event) => events.push(event));
  loadLimiter = new BootLoadLimiter(1, clock);
  site = new BootSite({
    clock,
    journal,
    attempts: new Attempts(clock, { keep: async () => {} }),
    loadLimiter,
    catalogue: {
      image: async () => image,
      overlay: async () => {
        if (noOverlay !== undefined) throw noOverlay;
        return { sha256: SHA256, path: join(directory, 'overlay') };
      },
    },
    registry: {
      isKnown: () => false,
      isNamedWith: () => false,
      namedByMac: () => undefined,
      mayBoot: () => {
        if (double !== undefined) throw double;
        return 'node1';
      },
      boots: (_machine, _hardware, _device, begin) => begin('node1'),
    },
    sharedIds: [],
    neighbour: async () => there,
    leasedTo: async () => leasedTo,
    secretsOf: async () => Buffer.from('secrets'),
    host0Addresses: () => [HOST0, '10.11.1.1' as Ipv4],
    images: join(directory, 'images'),
    isos: join(directory, 'isos'),
    mirror: join(directory, 'generations'),
    bootFiles: join(directory, 'tftp'),
    onSighting: (sighting) => sightings.push(sighting),
  });
  server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true });
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  void site.handle(request, response, { device: 'eth1', host0: HOST0 });
}

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers });
const askScript = (from: Mac = mac) => get(`/boot/${from.replaceAll(':', '-')}.ipxe?uuid=${UUID}&product=Box`);

/** Sends a path as it is; `fetch` would normalise it. */
async function raw(path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  return text(socket);
}

/** The value of `name=` in a boot script. */
function word(script: string, name: string): string {
  return new RegExp(`${name.replace('.', '\\.')}=(\\S+)`).exec(script)?.[1] ?? '';
}

test('a machine gets its first script, its kernel, its overlay and its secrets', async () => {
  const entry = await (await get('/boot.ipxe')).text();
  expect(entry).toMatch(
    `chain --replace http://${HOST0}/boot/\${netX/mac:hexhyp}.ipxe?uuid=\${uuid}&architecture=\${buildarch}&platform=\${platform}&boardSerialHex=\${smbios/2.7.0:hexraw}`,
  );
  const script = await (await askScript()).text();
  expect(script.split('\n').slice(0, 3)).toEqual(['#!ipxe', `echo Meshwork: machine ${machine}, node1`, 'imgfree']);
  expect(word(script, 'mesh.machine')).toBe(machine);
  expect(word(script, 'host0')).toBe('10.11.0.1,10.11.1.1');
  expect(word(script, 'BOOTIF')).toBe('01-52-54-00-12-34-56');
  expect(script).toMatch(/^initrd --name initrd.img http:\/\/10.11.0.1\/image\/abc1\/initrd.img \|\| goto failed$/m);
  expect(await (await get('/image/abc1/vmlinuz')).text()).toBe('0123456789');
  expect(loadLimiter.loading).toBe(1);
  await (await get('/image/abc1/initrd.img')).text();
  await expect.poll(() => loadLimiter.loading).toBe(0);
  const attempt = word(script, 'mesh.boot');
  expect(await (await get(`/stage/${attempt}/overlay?detail=eth0%20up`)).text()).toBe('noted\n');
  const overlay = await get(word(script, 'mesh.overlay').replace(`http://${HOST0}`, ''));
  expect(await overlay.text()).toBe('overlay of 10eff964');
  expect(overlay.headers.get('content-length')).toBe('19');
  const secrets = await get(`/secrets/${word(script, 'mesh.token')}`);
  expect([secrets.headers.get('content-type'), await secrets.text()]).toEqual(['application/x-tar', 'secrets']);
  expect(sightings).toContainEqual(
    expect.objectContaining({ kind: 'identified', machine, attempt, ipv4: '127.0.0.1' }),
  );
  expect(sightings).toContainEqual(expect.objectContaining({ kind: 'stage', stage: 'overlay', detail: 'eth0 up' }));
  expect(JSON.stringify([sightings, events]).includes(word(script, 'mesh.token'))).toBe(false);
});

test('secrets are given once and only to the machine itself, and each refusal is reported', async () => {
  const token = word(await (await askScript()).text(), 'mesh.token');
  there = parseMac('52:54:00:66:66:66');
  expect((await get(`/secrets/${token}`)).status).toBe(403);
  there = mac;
  leasedTo = parseMac('52:54:00:66:66:66');
  expect((await get(`/secrets/${token}`)).status).toBe(403);
  leasedTo = mac;
  expect((await get(`/secrets/${token}`)).status).toBe(200);
  const again = await get(`/secrets/${token}`);
  expect(again.status).toBe(403);
  expect(again.statusText).toBe(`the token of machine ${machine} was shown a second time, by 127.0.0.1`);
  expect(events.map(({ code, object }) => `${code} ${object}`)).toEqual(
    Array.from({ length: 3 }, () => `MESH_BOOT_SECRET_REFUSED ${machine}`),
  );
});

test('a machine that cannot boot shows why on its console, and asks again', async () => {
  noOverlay = new MeshError('MESH_BOOT_NO_OVERLAY', 'no overlay for it', {
    remedy: 'Run `mesh system configure` $now.',
  });
  expect(await (await askScript()).text()).toBe(
    `#!ipxe\necho Meshwork does not boot machine ${machine}: no overlay for it\n` +
      'echo Run `mesh system configure`  now.\n:again\nsleep 10\n' +
      `chain --replace http://${HOST0}/boot.ipxe || goto again\n`,
  );
  noOverlay = undefined;
  double = new MeshError('MESH_BOOT_MACHINE_DOUBLE', 'two of them');
  expect(await (await askScript()).text()).toMatch('two of them');
  double = undefined;
  const told = await (await askScript(parseMac('52:54:00:66:66:66'))).text();
  expect(told).toMatch('but host0 sees another network card at this address');
  // The card at that address, which a guest behind it would have to name.
  expect(told).not.toMatch('52:54:00:12:34:56');
  expect(events.map(({ code }) => code)).toEqual([
    'MESH_BOOT_NO_OVERLAY',
    'MESH_BOOT_MACHINE_DOUBLE',
    'MESH_BOOT_FORGED',
  ]);
  expect(sightings.filter(({ kind }) => kind === 'refused')).toHaveLength(3);
});

test('while others load, iPXE is told to ask again', async () => {
  loadLimiter.ask(parseMac('52:54:00:66:66:66'), true);
  const answer = await askScript();
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
  expect(sightings).toContainEqual(expect.objectContaining({ kind: 'queued', machine, ahead: 0, againSec: 2 }));
});

test('files are served in ranges, with ETags, and always with their length', async () => {
  const path = '/image/abc1/vmlinuz';
  const whole = await get(path);
  const etag = whole.headers.get('etag') ?? '';
  expect([await whole.text(), whole.headers.get('accept-ranges')]).toEqual(['0123456789', 'bytes']);
  const asked = async (range: string, headers = {}) => {
    const answer = await get(path, { range, ...headers });
    return [answer.status, await answer.text(), answer.headers.get('content-range')];
  };
  expect(await asked('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
  expect(await asked('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
  expect(await asked('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
  expect(await asked('bytes=5-99')).toEqual([206, '56789', 'bytes 5-9/10']);
  expect(await asked('bytes=10-')).toEqual([416, '', 'bytes */10']);
  expect(await asked('bytes=4-2')).toEqual([200, '0123456789', null]);
  expect(await asked('bytes=0-1,3-4')).toEqual([200, '0123456789', null]);
  expect(await asked('bytes=2-4', { 'if-range': etag })).toEqual([206, '234', 'bytes 2-4/10']);
  expect(await asked('bytes=2-4', { 'if-range': '"old"' })).toEqual([200, '0123456789', null]);
  expect((await get(path, { 'if-none-match': etag })).status).toBe(304);
  const head = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'HEAD' });
  expect([head.headers.get('content-length'), await head.text()]).toEqual(['10', '']);
  writeFileSync(join(directory, 'images/abc1/vmlinuz'), 'abcdefghij');
  expect((await get(path)).headers.get('etag')).not.toBe(etag);
});

test('many clients get a large file at the same time, whole and in ranges, even if one breaks off', async () => {
  const large = Buffer.alloc(3 * 1024 * 1024, 'meshwork');
  writeFileSync(join(directory, 'images/abc1/initrd.img'), large);
  const path = '/image/abc1/initrd.img';
  const fetched = async (range?: string) => {
    const answer = await get(path, range === undefined ? {} : { range });
    return Buffer.from(await answer.arrayBuffer());
  };
  const leaver = connect(port, '127.0.0.1');
  leaver.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  leaver.once('data', () => leaver.destroy());
  const all = await Promise.all([fetched(), fetched('bytes=1000000-2000000'), fetched('bytes=-7'), fetched()]);
  const wanted = [large, large.subarray(1_000_000, 2_000_001), large.subarray(-7), large];
  expect(all.map((bytes, index) => bytes.equals(wanted[index] ?? Buffer.alloc(0)))).toEqual([true, true, true, true]);
});

/**
 * Fetches slowly: a piece at a time, with a pause after each.
 * @returns how much came until the connection ended, and how long that took
 */
async function sip(to: number, path: string, pieceBytes: number, everyMs: number) {
  const startMs = performance.now();
  let bytes = 0;
  const socket = connect({
    port: to,
    host: '127.0.0.1',
    onread: {
      buffer: Buffer.alloc(pieceBytes),
      callback: (count) => {
        bytes += count;
        setTimeout(() => socket.resume(), everyMs);
        return false;
      },
    },
  });
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  await once(socket, 'close');
  return { bytes, tookMs: performance.now() - startMs };
}

test('a client that takes nothing is cut off, and a slow client gets the whole file', async () => {
  const patienceMs = 1_000;
  const patience = { address: '127.0.0.1' as Ipv4, port: 0, device: 'lo', sendTimeoutMs: patienceMs };
  await using impatient = createServer(answer).listen({ fd: boundListener(patience) });
  await once(impatient, 'listening');
  const { port: there } = impatient.address() as AddressInfo;
  const [shared, pieces, slow] = ['image/abc1/initrd.img', 'isos/dvd.iso', 'image/abc1/vmlinuz'] as const;
  const files = { [shared]: 24, [pieces]: 200, [slow]: 8 };
  for (const [file, mib] of Object.entries(files)) {
    const path = join(directory, file.replace(/^image\//, 'images/'));
    writeFileSync(path, '');
    truncateSync(path, mib * 1024 * 1024);
  }
  for (const file of [shared, pieces]) {
    const socket = connect(there, '127.0.0.1')
      .pause()
      .on('error', () => {});
    socket.write(`GET /${file} HTTP/1.1\r\nhost: x\r\n\r\n`);
    onTestFinished(() => void socket.destroy());
  }
  const { bytes, tookMs } = await sip(there, `/${slow}`, 64 * 1024, 20);
  expect(bytes).toBeGreaterThan(8 * 1024 * 1024);
  // The client was slower than the limit for silence.
  expect(tookMs).toBeGreaterThan(2 * patienceMs);
  for (const file of [shared, pieces]) {
    const outcome = { type: 'broken off', stalled: true };
    await expect
      .poll(() => sightings, { timeout: 5_000 })
      .toContainEqual(expect.objectContaining({ kind: 'http', path: `/${file}`, outcome }));
  }
  const openFiles = () =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return [];
      }
    });
  await expect.poll(() => openFiles().filter((path) => path.startsWith(directory))).toEqual([]);
  await expect.poll(() => promisify(impatient.getConnections.bind(impatient))()).toBe(0);
});

test('no path leads out of the published directories', async () => {
  expect(await raw('/isos/deep/a%20b.iso')).toMatch(/\r\n\r\niso$/);
  expect(await raw('/isos/in/a%20b.iso')).toMatch(/\r\n\r\niso$/);
  expect(await raw('/tftp/ipxe.efi')).toMatch(/content-type: application\/efi\r\n[\s\S]*\r\n\r\nMZ$/i);
  const outside = [
    '/isos/../secret',
    '/isos/%2e%2e/secret',
    '/isos/deep/../../secret',
    '/isos/out',
    '/isos//etc/passwd',
  ];
  const odd = [
    '/isos/',
    '/isos/deep',
    '/isos/%00',
    '/isos/%ff',
    '/isos/..',
    '/image/abc1/../../secret',
    '/secret',
    '//secret',
  ];
  for (const path of [
    ...outside,
    ...odd,
    '/stage/0123456789abcdef/x',
    `/overlay/0123456789abcdef/${SHA256}.apkovl.tar.gz`,
  ]) {
    expect(await raw(path), path).toMatch(/^HTTP\/1.1 404 /);
  }
  const put = await fetch(`http://127.0.0.1:${port}/boot.ipxe`, { method: 'PUT' });
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('a link leads out of isos if it is root’s, and what other links do not is told once, and by a check', async () => {
  const at = (name: string) => join(directory, 'isos', name);
  mkdirSync(join(directory, 'big'));
  writeFileSync(join(directory, 'big/debian.iso'), 'debian');
  symlinkSync('../secret', join(directory, 'big/theirs'));
  lchownSync(join(directory, 'big/theirs'), 1000, 1000);
  symlinkSync(join(directory, 'big'), at('big'));
  symlinkSync(join(directory, 'big/debian.iso'), at('debian.iso'));
  symlinkSync('../../big', at('deep/again'));
  symlinkSync('loop', at('loop'));
  symlinkSync('gone', at('dangling'));
  expect(await raw('/isos/debian.iso')).toMatch(/\r\n\r\ndebian$/);
  expect(await raw('/isos/big/debian.iso')).toMatch(/\r\n\r\ndebian$/);
  expect(await raw('/isos/deep/again/debian.iso')).toMatch(/\r\n\r\ndebian$/);
  for (const path of ['out', 'big/theirs', 'out', 'loop', 'dangling', 'big']) {
    expect(await raw(`/isos/${path}`), path).toMatch(/^HTTP\/1.1 404 /);
  }
  const told = events.map(({ code, object }) => `${code} ${object?.replace(directory, '')}`);
  expect(told).toEqual([
    'MESH_BOOT_LINK_REFUSED /isos/out',
    'MESH_BOOT_LINK_REFUSED /big/theirs',
    'MESH_BOOT_LINK_REFUSED /isos/loop',
  ]);
  const faults = (await linkFaults(join(directory, 'isos'))).map(({ message }) => message.replaceAll(directory, ''));
  expect(faults.toSorted()).toEqual([
    '/isos/dangling is not published: the link leads to no file',
    '/isos/loop is not published: the link leads to no file',
    '/isos/out is not published: the link leads out of the directory and does not belong to root',
  ]);
  // The remedy heals.
  lchownSync(at('out'), 0, 0);
  expect(await raw('/isos/out')).toMatch(/not to be had$/);
  // Images and boot loaders are never elsewhere.
  symlinkSync('../../secret', join(directory, 'images/abc1/initrd.img.new'));
  renameSync(join(directory, 'images/abc1/initrd.img.new'), join(directory, 'images/abc1/initrd.img'));
  expect(await raw('/image/abc1/initrd.img')).toMatch(/^HTTP\/1.1 404 /);
});

test('a client that has the file already is told so, whatever it writes', async () => {
  const etag = (await get('/image/abc1/vmlinuz')).headers.get('etag') ?? '';
  for (const [known, status] of [
    [etag, 304],
    [`W/${etag}`, 304],
    [`"other", W/${etag}`, 304],
    ['*', 304],
    ['"other"', 200],
    [etag.replaceAll('"', ''), 200],
  ] as const) {
    expect((await get('/image/abc1/vmlinuz', { 'if-none-match': known })).status, known).toBe(status);
  }
});

test('random paths never reach a file outside, and never break the server', async () => {
  const seed = Number(process.env.MESH_SEED ?? Date.now() % 1_000_000);
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const pieces = [
    'isos',
    'image',
    'abc1',
    '..',
    '.',
    '%2e%2e',
    '%2f',
    '/',
    '//',
    '\\',
    'secret',
    'out',
    '%00',
    '%',
    '?',
    'deep',
    '\u00e9',
    '*',
    'boot',
  ];
  const until = Date.now() + 400;
  for (let tries = 0; tries < 5_000 && Date.now() < until; tries++) {
    const length = 1 + Math.floor(random() * 8);
    const path = `/${Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join(random() < 0.5 ? '/' : '')}`;
    expect(await raw(path), `seed ${seed}: ${path}`).not.toMatch('not to be had');
  }
  expect((await get('/boot.ipxe')).status).toBe(200);
});

test('a file of the mirror comes from the generation that its address names, or from the current one', async () => {
  for (const number of ['1', '2']) {
    mkdirSync(join(directory, `generations/${number}/files/v3.19/main/x86_64`), { recursive: true });
    writeFileSync(join(directory, `generations/${number}/files/v3.19/main/x86_64/libstdc++-1.apk`), `of ${number}`);
    writeFileSync(join(directory, `generations/${number}/generation.json`), '{}');
  }
  symlinkSync('2', join(directory, 'generations/current'));
  const path = 'v3.19/main/x86_64/libstdc++-1.apk';
  expect(await (await get(`/alpine/1/${path}`)).text()).toBe('of 1');
  expect(await (await get(`/alpine/current/${path.replaceAll('+', '%2B')}`)).text()).toBe('of 2');
  expect((await get(`/alpine/1/${path}`)).headers.get('content-length')).toBe('4');
  // Of a generation that is gone, a node is led to the current one.
  expect(await raw(`/alpine/9/${path}`)).toContain(`location: http://${HOST0}/alpine/current/${path}`);
  for (const wrong of ['1/../generation.json', '1/%2e%2e/generation.json', '1/', 'x/y', '1/v3.19', '../secret']) {
    expect(await raw(`/alpine/${wrong}`), wrong).toContain('HTTP/1.1 404');
  }
});

test('a machine with Alpine is told where everything is in one generation, and its initramfs ends its turn', async () => {
  mkdirSync(join(directory, 'generations/7/files/boot'), { recursive: true });
  for (const name of ['vmlinuz-lts', 'initramfs-lts', 'modloop-lts'])
    writeFileSync(join(directory, 'generations/7/files/boot', name), name);
  image = {
    kernel: '/alpine/7/boot/vmlinuz-lts',
    initrd: '/alpine/7/boot/initramfs-lts',
    mirror: { generation: 7, repositories: [{ path: 'v3.21/main' }], modloop: '/alpine/7/boot/modloop-lts' },
  };
  const script = await (await askScript()).text();
  expect(script).toContain('kernel http://10.11.0.1/alpine/7/boot/vmlinuz-lts initrd=initrd.img ');
  expect(word(script, 'alpine_repo')).toBe('http://10.11.0.1/alpine/7/v3.21/main');
  expect(word(script, 'mesh.overlay')).toBe('');
  expect(await (await get(word(script, 'modloop').replace(`http://${HOST0}`, ''))).text()).toBe('modloop-lts');
  expect(loadLimiter.loading).toBe(1);
  await (await get('/alpine/7/boot/initramfs-lts')).text();
  await expect.poll(() => loadLimiter.loading).toBe(0);
  const overlay = word(script, 'apkovl').replace(`http://${HOST0}`, '');
  expect(await (await get(overlay)).text()).toBe('overlay of 10eff964');
  // An overlay is there for the boot that it was made for.
  expect((await get(overlay.replace(/overlay\/[\da-f]{16}/, `overlay/${'0'.repeat(16)}`))).status).toBe(404);
});

test('the card may be written in upper or lower case', async () => {
  for (const spelling of ['52-54-00-ab-cd-ef', '52-54-00-AB-CD-EF']) {
    there = parseMac('52:54:00:ab:cd:ef');
    const script = await (await get(`/boot/${spelling}.ipxe?uuid=${UUID}`)).text();
    expect(word(script, 'BOOTIF')).toBe('01-52-54-00-ab-cd-ef');
  }
});
