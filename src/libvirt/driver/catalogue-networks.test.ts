/** host0's networks as clients of libvirt see them, at a real catalogue. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { MeshError } from '../../model/error.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { CatalogueNetworks } from './catalogue-networks.ts';
import { isOwnFault, libvirtErrorOf } from './driver-errors.ts';
import { PortDocuments } from './port-documents.ts';

const RED = `<network><name>red</name><bridge name='virbr9'/><ip address='10.9.0.1' netmask='255.255.255.0'/></network>`;
const PORT = `<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
  <owner><name>guest</name><uuid>06578fc1-c686-46fa-bc2c-83893b466a6e</uuid></owner>
  <mac address='52:54:00:7b:35:93'/></networkport>`;

async function opened() {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const use = { ports: () => [], nodes: () => [], unplug: async () => undefined };
  const catalogue = await NetworkCatalogue.open({ store: new MemoryStore(), clock, journal, use });
  const directory = await mkdtemp(join(tmpdir(), 'ports-'));
  onTestFinished(async () => {
    catalogue.close();
    await rm(directory, { recursive: true });
  });
  const ports = await PortDocuments.open(join(directory, 'ports.json'));
  const leases = () => Promise.reject(new Error('no lease is asked for'));
  const networks = new CatalogueNetworks({ catalogue, node: 'n1', leases, ports, journal });
  const { uuid } = await networks.define(RED, { validate: true });
  return { catalogue, networks, uuid, ports };
}

test.each([
  [10, "<host ip='10.9.0.9'><hostname>h</hostname></host>"],
  [11, "<txt name='a' value='b'/>"],
  [12, "<srv service='x' protocol='tcp'/>"],
])('the last entry of section %i is deleted, too', async (section, xml) => {
  const { networks, uuid } = await opened();
  const before = networks.xml(uuid, { inactive: true });
  const config = { live: false, config: true };
  const change = { section, parentIndex: -1, xml };
  await networks.update(uuid, { ...change, command: 3 }, config);
  expect(networks.xml(uuid, { inactive: true })).toContain('<dns>');
  await networks.update(uuid, { ...change, command: 2 }, config);
  expect(networks.xml(uuid, { inactive: true })).toBe(before);
});

test('ports go with the network, whichever command stopped it', async () => {
  const { catalogue, networks, uuid, ports } = await opened();
  await networks.start(uuid);
  await networks.createPort(uuid, PORT, { validate: false, reclaim: false });
  expect(networks.ports(uuid)).toHaveLength(1);
  await catalogue.stop('red');
  await expect.poll(() => ports.in(uuid)).toEqual([]);
});

/** A network on two cards of this machine. */
const poolXml = (mode: string) =>
  `<network><name>pool</name><forward mode='${mode}'><interface dev='a'/><interface dev='b'/></forward></network>`;

test('ports are on the card with the fewest, and the network says how many each has', async () => {
  const { networks, ports } = await opened();
  const { uuid } = await networks.define(poolXml('bridge'), { validate: true });
  const port = (digit: number) => PORT.replace(/7d<\/uuid>\s*<owner>/, `${digit}d</uuid><owner>`);
  const options = { validate: false, reclaim: false };
  await Promise.all([1, 2, 3].map((digit) => networks.createPort(uuid, port(digit), options)));
  expect(['a', 'b'].map((card) => ports.on(uuid, card))).toEqual([2, 1]);
  const removal = { command: 2, section: 7, parentIndex: -1, xml: "<interface dev='a'/>" };
  await expect(networks.update(uuid, removal, { live: false, config: true })).rejects.toMatchObject({
    libvirt: { code: 55, message: expect.stringContaining('used by 2 domains') },
  });
});

test('a card that is passed through is given to one guest', async () => {
  const { networks } = await opened();
  const { uuid } = await networks.define(poolXml('passthrough'), { validate: true });
  const port = (digit: number) => PORT.replace(/7d<\/uuid>\s*<owner>/, `${digit}d</uuid><owner>`);
  const options = { validate: false, reclaim: false };
  for (const digit of [1, 2]) await networks.createPort(uuid, port(digit), options);
  await expect(networks.createPort(uuid, port(3), options)).rejects.toMatchObject({
    code: 1,
    message: expect.stringContaining('requires exclusive access to interfaces, but none are available'),
  });
});

test('a start and a stop that change nothing are refused', async () => {
  const { networks, uuid } = await opened();
  await expect(networks.stop(uuid)).rejects.toMatchObject({ code: 55 });
  await networks.start(uuid);
  await expect(networks.start(uuid)).rejects.toMatchObject({ code: 55 });
});

test.each([
  ['MESH_NET_ACTIVE', 55],
  ['MESH_NET_INACTIVE', 55],
  ['MESH_NET_TRANSIENT', 55],
  ['MESH_NET_UUID_TWICE', 9],
  ['MESH_NET_NAME_TWICE', 9],
  ['MESH_NET_DEVICE_TWICE', 1],
] as const)('%s is libvirt code %i, and no fault', (code, number) => {
  const error = new MeshError(code, 'no', { operation: 'test' });
  expect(libvirtErrorOf(error).code).toBe(number);
  expect(isOwnFault(error)).toBe(false);
  expect(isOwnFault(new TypeError('x'))).toBe(true);
});
