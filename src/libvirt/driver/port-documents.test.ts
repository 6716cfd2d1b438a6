/** The ports of libvirt networks on the disk: what is wrong with one, with the file or with the disk costs no other port. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePortXml } from '../../formats/xml/port-xml.ts';
import { type KeptPort, PortDocuments } from './port-documents.ts';

const NETWORK = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ports-'));
  path = join(directory, 'run', 'ports.json');
  await mkdir(join(directory, 'run'));
});

afterEach(() => rm(directory, { recursive: true }));

function kept(digit: number, owner = 'guest'): KeptPort {
  const uuid = `6fa459ea-ee8a-4ca4-894e-db77e160355${digit}`;
  const port = parsePortXml(
    `<networkport><uuid>${uuid}</uuid><owner><name>${owner}</name><uuid>${uuid}</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>`,
  );
  return { network: NETWORK, port };
}

const add = (ports: PortDocuments, { network, port }: KeptPort) => ports.add(network, port, () => port);

async function listed(): Promise<readonly string[]> {
  return (await PortDocuments.open(path)).in(NETWORK).map(({ port }) => port.uuid.slice(-1));
}

test('a port that could not be read again is refused, and the others stay', async () => {
  const ports = await PortDocuments.open(path);
  await add(ports, kept(1));
  await expect(add(ports, kept(2, 'x'.repeat(5_000)))).rejects.toMatchObject({ code: 27 });
  await expect(ports.replace(kept(1, 'x'.repeat(5_000)))).rejects.toMatchObject({ code: 27 });
  await add(ports, kept(3));
  expect(await listed()).toEqual(['1', '3']);
});

test('of a file with a port that does not fit, the others are read', async () => {
  const ports = [kept(1), { network: NETWORK, port: { uuid: 'none' } }, kept(2)];
  await writeFile(path, JSON.stringify({ format: 1, ports }));
  expect(await listed()).toEqual(['1', '2']);
});

test('a damaged file is put aside and told, and one of a later version stays as it is', async () => {
  await writeFile(path, '{"version": 1, "ports": [');
  const damaged = await PortDocuments.open(path);
  expect(damaged.health()).toMatchObject([{ code: 'MESH_STATE_DAMAGED' }]);
  await add(damaged, kept(1));
  expect(damaged.health()).toEqual([]);
  expect(await listed()).toEqual(['1']);

  const later = '{"version": 2, "ports": []}';
  await writeFile(path, later);
  const ports = await PortDocuments.open(path);
  expect(ports.health()).toMatchObject([{ code: 'MESH_STATE_LATER' }]);
  await expect(add(ports, kept(2))).rejects.toMatchObject({ code: 'MESH_STATE_LATER' });
  expect(await readFile(path, 'utf8')).toBe(later);
});

test('a change that the disk does not take is none', async () => {
  const ports = await PortDocuments.open(path);
  await add(ports, kept(1));
  await rm(join(directory, 'run'), { recursive: true });
  await writeFile(join(directory, 'run'), '');
  await expect(add(ports, kept(2))).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
  await expect(ports.delete(NETWORK, kept(1).port.uuid)).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
  expect(ports.in(NETWORK)).toEqual([kept(1)]);
  await rm(join(directory, 'run'));
  await mkdir(join(directory, 'run'));
  await add(ports, kept(2));
  expect(await listed()).toEqual(['1', '2']);
});
