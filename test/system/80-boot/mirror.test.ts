/** A machine on a boot segment fetches its packages from host0, with the client that Alpine has. The source is a server on loopback. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readIndexArchive } from '../../../src/formats/apk/index-archive.ts';
import { trustedKey } from '../../../src/formats/apk/signature.ts';
import { mirrorPublicKey } from '../../../src/image/mirror-key.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { commandLine } from '../../cli/mesh.ts';
import { testSigner, writeRepository } from '../../kit/alpine-repository.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { BootBench, type BootHost } from './boot-bench.ts';

const HOST0 = '10.77.0.1';
const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\n';
const signer = testSigner('alpine-test-1.rsa.pub');

let bench: BootBench;
let host: BootHost;
let node: string;
let source: string;
let server: Server;

beforeAll(async () => {
  source = mkdtempSync(join(tmpdir(), 'mirror-source-'));
  server = createServer((request, response) => {
    try {
      const bytes = readFileSync(join(source, decodeURIComponent(request.url ?? '')));
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench = new BootBench();
  const machine = bench.machine();
  bench.segment('one');
  bench.plug(machine, { eth1: 'one' });
  node = bench.machine();
  bench.plug(node, { eth0: 'one' });
  host = bench.host0('host0', machine, CONF);
  host.start('host0');
  host.start('agent');
  await host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
  ip(node, `address add ${bench.udhcpc(node).ip}/26 dev eth0`);
});

afterAll(async () => {
  server?.close();
  await bench?.close();
  rmSync(source, { recursive: true, force: true });
});

function put(path: string, text: string): void {
  const file = join(host.host0Dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const mesh = (...words: string[]) => commandLine(['--root', host.root, '--host0-dir', host.host0Dir, ...words]);

/** What the machine gets with Alpine's wget. */
function fetched(path: string): Buffer {
  const file = join(host.root, 'fetched');
  rmSync(file, { force: true });
  inside(node, 'busybox', 'wget', '-q', '-O', file, `http://${HOST0}/alpine/${path}`);
  return readFileSync(file);
}

test('a machine gets its packages from the generation that it began with, while others begin with the next', async () => {
  const packages = [
    { title: 'alpine-base-3.19.1-r0', depends: 'busybox' },
    { title: 'busybox-1.36.1-r0', provides: 'cmd:sh=1.36.1-r0' },
    { title: 'libstdc++-13.2.1-r0' },
  ];
  writeRepository(source, 'v3.19/main', packages, signer);
  const { port } = server.address() as AddressInfo;
  put('mirror.conf', `source="http://127.0.0.1:${port}"\nrelease="v3.19"\nrepositories="main"\n`);
  put(`mirror-keys/${signer.name}`, signer.pem);
  put('machines/node1/UUID', '10eff964\n');
  put('machines/node1/manifest', '');
  put('machines/node1/packages', 'libstdc++\n');
  expect(await mesh('system', 'download')).toMatchObject({ code: 0 });
  const key = await mirrorPublicKey(pathsBelow(host.root).state);
  const keys = new Map([[key?.name ?? '', trustedKey(key?.name ?? '', key?.pem ?? '')]]);
  const namesIn = (generation: string) =>
    readIndexArchive(fetched(`${generation}/v3.19/main/x86_64/APKINDEX.tar.gz`), keys).records.map(
      ({ name, version }) => `${name}-${version}`,
    );
  expect(namesIn('current')).toEqual(packages.map(({ title }) => title));
  const file = 'v3.19/main/x86_64/libstdc++-13.2.1-r0.apk';
  expect(fetched(`1/${file}`)).toEqual(readFileSync(join(source, file)));

  const newer = packages.map((one) => ({
    ...one,
    title: one.title.replace('libstdc++-13.2.1-r0', 'libstdc++-13.2.1-r1'),
  }));
  writeRepository(source, 'v3.19/main', newer, signer, 1_800_000_000);
  expect(await mesh('system', 'download')).toMatchObject({ code: 0 });
  expect(namesIn('current')).toContain('libstdc++-13.2.1-r1');
  expect(namesIn('1')).toContain('libstdc++-13.2.1-r0');
  expect(fetched(`1/${file}`).length).toBeGreaterThan(0);

  // A source that is changed leaves everything as it was.
  writeRepository(source, 'v3.19/main', packages, testSigner(signer.name), 1_900_000_000);
  expect(await mesh('system', 'download')).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('MESH_MIRROR_FORGED'),
  });
  expect(namesIn('current')).toContain('libstdc++-13.2.1-r1');
  expect(await mesh('system', 'rollback')).toMatchObject({ code: 0 });
  expect(namesIn('current')).toContain('libstdc++-13.2.1-r0');
});
