/** IPv4 addresses of virtual machines: given, refused and taken back. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { eui64Address } from '../../model/address/eui64.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Nat64Service } from '../../model/network/services/nat64.ts';
import type { Subnet } from '../../model/network/subnet.ts';
import { Signal } from '../../model/signal.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { PortChange } from '../ports/port-book.ts';
import type { PlacedPort } from '../ports/port-record.ts';
import { AddressMaps } from './address-maps.ts';
import { dropLostMaps } from './lost-address-maps.ts';
import type { ServiceRecord } from './service-record.ts';

const NAT64: Nat64Service = {
  kind: 'nat64',
  prefix: 'fd64:64::/96' as Ipv6Cidr,
  device: 'eth1',
  address: '203.0.113.1' as Ipv4,
  length: 29,
  block: '203.0.113.0/29' as Ipv4Cidr,
  maps: [],
};

const withPrefix = (name: string, number: number) => ({
  ...storeNetwork(name, number),
  subnets: [{ cidr: `fd00:${number.toString(16)}::/64` } as Subnet],
});

/** host0 with `blue`, which has NAT64; `red`, which has addresses alone; and `pure`, which has neither. Each has VMs. */
function host0() {
  const removals = new Signal<PortChange>();
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  const [blue, red, pure] = [withPrefix('blue', 0x1001), withPrefix('red', 0x1002), storeNetwork('pure', 0x1003)];
  const vms: Readonly<Record<string, typeof pure | undefined>> = {
    ...{ web: blue, db: blue, mail: red, wire: pure, new: undefined },
    ...Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, blue])),
  };
  const names = Object.keys(vms);
  const gone = new Set<string>();
  const ports = names.flatMap((name, number) => {
    const network = vms[name]?.id;
    return network === undefined
      ? []
      : [{ id: `${number}`, network, mac: parseMac(`02:00:00:00:00:0${number.toString(16)}`) } as PlacedPort];
  });
  const records = new Map<number, ServiceRecord>([
    [blue.number, { format: 1, network: blue.number, service: NAT64 }],
    [red.number, { format: 1, network: red.number, service: { kind: 'ra' } }],
  ]);
  const maps = new AddressMaps({
    services: {
      get records() {
        return [...records.values()];
      },
      find: ({ number }) => records.get(number),
      put: async (record) => void records.set(record.network, record),
    },
    networks: () => [blue, red, pure],
    ports: { all: ports },
    portsOf: (name) => {
      if (!names.includes(name) || gone.has(name))
        throw new MeshError('MESH_WORKLOAD_UNKNOWN', `there is no workload ${name}`);
      return vms[name] === undefined ? [] : [`${names.indexOf(name)}`];
    },
  });
  /** Removes the port of a machine, alone or with the machine. */
  const remove = (name: string, isWhole: boolean) => {
    if (isWhole) gone.add(name);
    const at = ports.findIndex(({ id }) => id === `${names.indexOf(name)}`);
    const [before] = ports.splice(at, 1);
    if (before !== undefined) removals.emit({ before });
  };
  const machines = new Signal<void>();
  const follow = (findings: readonly Finding[] = []) => {
    const books = [{ health: () => findings }];
    onTestFinished(dropLostMaps({ maps, ports: { changes: removals }, books, machines, journal }));
  };
  const mapped = () => maps.list().map(({ vm }) => vm);
  return { maps, records, remove, follow, mapped, journal, ports, gone, machines };
}

test('the EUI-64 address is the one of RFC 4291, appendix A', () => {
  expect(eui64Address('2001:db8:1::/64' as Ipv6Cidr, parseMac('02:00:00:00:10:01'))).toBe('2001:db8:1::ff:fe00:1001');
  expect(eui64Address('fe80::/64' as Ipv6Cidr, parseMac('34:56:78:9a:bc:de'))).toBe('fe80::3656:78ff:fe9a:bcde');
});

test('a machine gets the next free address, or the wanted one, and keeps it', async () => {
  const { maps } = host0();
  const web = { vm: 'web', network: 'blue', ipv4: '203.0.113.2', ipv6: 'fd00:1001::ff:fe00:0' };
  expect(await maps.map('web', undefined)).toEqual(web);
  expect(await maps.map('web', undefined)).toEqual(web);
  expect(await maps.map('db', '203.0.113.4' as Ipv4)).toMatchObject({ ipv4: '203.0.113.4' });
  expect(maps.list().map(({ vm, ipv4 }) => `${vm} ${ipv4}`)).toEqual(['web 203.0.113.2', 'db 203.0.113.4']);
  expect(await maps.map('web', '203.0.113.3' as Ipv4)).toMatchObject({ ipv4: '203.0.113.3' });
  expect(await maps.unmap('203.0.113.4')).toMatchObject({ vm: 'db' });
  expect(maps.list()).toHaveLength(1);
});

test('all at once, machines get distinct addresses until none is left', async () => {
  const { maps } = host0();
  const got = await Promise.allSettled(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => maps.map(name, undefined)));
  const given = got.flatMap((one) => (one.status === 'fulfilled' ? [one.value.ipv4] : []));
  expect(given).toEqual(['203.0.113.2', '203.0.113.3', '203.0.113.4', '203.0.113.5', '203.0.113.6']);
  expect(got.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'MESH_ADDRESS_MAPPED' } });
});

test('the address of a machine that is gone, or whose port is gone, is taken back', async () => {
  const { maps, remove, follow, mapped, journal } = host0();
  for (const vm of ['web', 'db', 'a', 'b']) await maps.map(vm, undefined);
  // While host0 was away.
  remove('web', true);
  follow();
  await expect.poll(mapped).toEqual(['db', 'a', 'b']);
  remove('db', true);
  await expect.poll(mapped).toEqual(['a', 'b']);
  remove('a', false);
  await expect.poll(mapped).toEqual(['b']);
  expect(journal.recent().map(({ message }) => message)).toEqual([
    '203.0.113.2 of web, which is gone from its network',
    '203.0.113.3 of db, which is gone from its network',
    '203.0.113.4 of a, which is gone from its network',
  ]);
  expect(await maps.map('c', undefined)).toMatchObject({ ipv4: '203.0.113.2' });
});

test('while the document of a port or a machine cannot be read, every address stays', async () => {
  const { maps, remove, follow, mapped } = host0();
  for (const vm of ['web', 'db']) await maps.map(vm, undefined);
  const error = new MeshError('MESH_STATE_DAMAGED', 'the document of a port cannot be read');
  follow([findingOf(error.toJSON(), { object: '/v1/ports/1' })]);
  remove('web', true);
  await maps.map('a', undefined);
  expect(mapped()).toEqual(['web', 'db', 'a']);
});

test('a machine that lost its port before it goes loses its address as well', async () => {
  const { maps, follow, mapped, ports, gone, machines } = host0();
  for (const vm of ['web', 'db']) await maps.map(vm, undefined);
  follow();
  ports.splice(0, 1);
  gone.add('web');
  machines.emit();
  await vi.waitFor(() => expect(mapped()).toEqual(['db']));
});

test('what cannot be is refused with the reason', async () => {
  const { maps } = host0();
  await maps.map('db', '203.0.113.4' as Ipv4);
  for (const [vm, ipv4, code, says] of [
    ['nobody', undefined, 'MESH_WORKLOAD_UNKNOWN', 'nobody'],
    ['new', undefined, 'MESH_ADDRESS_UNMAPPABLE', 'no port yet'],
    ['wire', undefined, 'MESH_ADDRESS_UNMAPPABLE', 'networks without addresses: pure'],
    ['mail', undefined, 'MESH_ADDRESS_UNMAPPABLE', 'has NAT64: red'],
    ['web', '198.51.100.1', 'MESH_ADDRESS_UNMAPPABLE', 'not for the guests'],
    ['web', '203.0.113.1', 'MESH_ADDRESS_UNMAPPABLE', 'not for the guests'],
    ['web', '203.0.113.4', 'MESH_ADDRESS_MAPPED', 'taken by db'],
  ] as const) {
    const refused = expect.objectContaining({ code, message: expect.stringContaining(says) });
    await expect(maps.map(vm, ipv4 as Ipv4 | undefined), says).rejects.toEqual(refused);
  }
  await expect(maps.unmap('web')).rejects.toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
});

test('an address of a network that is stopped, or that loses its NAT64, is given to no other', async () => {
  const { maps, records } = host0();
  const gone = 0x1009 as ServiceRecord['network'];
  const web = { vm: 'web', ipv4: '203.0.113.2' as Ipv4, ipv6: 'fd00::2' as Ipv6 };
  const service = { ...NAT64, address: '203.0.113.3' as Ipv4, maps: [web] };
  for (const removing of [undefined, true] as const) {
    records.set(gone, { format: 1, network: gone, service, ...(removing && { removing }) });
    const mapped = expect.objectContaining({ code: 'MESH_ADDRESS_MAPPED' });
    // Not even the machine itself has it twice: the two networks have different routers.
    await expect(maps.map('web', web.ipv4)).rejects.toEqual(mapped);
    await expect(maps.map('db', web.ipv4)).rejects.toMatchObject({ message: '203.0.113.2 is taken by web' });
    const router = '203.0.113.3 is taken by the router of network 0x1009';
    await expect(maps.map('db', service.address)).rejects.toMatchObject({ message: router });
    expect(await maps.map('db', undefined)).toMatchObject({ ipv4: '203.0.113.4' });
  }
});
