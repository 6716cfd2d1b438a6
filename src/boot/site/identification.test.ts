/** Which id host0 gives a machine, and that the node derives the same. */
import { expect, test } from 'vitest';
import { machineId } from '../../machine/machine-id.ts';
import type { Mac } from '../../model/address/mac.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
import { parseHardware } from './hardware.ts';
import { identifyMachine, type KnownIds } from './identification.ts';

const UUID = '4c4c4544-0042-3510-8052-b9c04f4e3732';
const SWAPPED = '44454c4c-4200-1035-8052-b9c04f4e3732';
const unknown: KnownIds = { isKnown: () => false, isNamedWith: () => false, namedByMac: () => undefined };
const hardware = (query: string) => parseHardware('52-54-00-12-34-56', new URLSearchParams(query));

test('the id comes from the UUID', () => {
  expect(identifyMachine(hardware(`uuid=${UUID.toUpperCase()}&boardSerial=PF1234`), unknown)).toEqual({
    machine: machineIdOf(UUID),
    from: 'product uuid',
    hardware: UUID,
    passedOver: [],
  });
});

test('the id comes from the other byte order of the UUID if that one is known', () => {
  const known = { ...unknown, isKnown: (machine: MachineId) => machine === machineIdOf(SWAPPED) };
  expect(identifyMachine(hardware(`uuid=${UUID}`), known).hardware).toBe(SWAPPED);
});

test('the id comes from the board if the UUID is a dummy, and from the MAC if both are', () => {
  const dummy = 'uuid=03000200-0400-0500-0006-000700080009';
  expect(identifyMachine(hardware(`${dummy}&boardSerial=PF1234`), unknown)).toMatchObject({
    machine: machineIdOf('PF1234'),
    from: 'board serial',
    passedOver: ['product uuid: the template of AMI firmware'],
  });
  expect(identifyMachine(hardware(`${dummy}&boardSerial=Default%20string`), unknown)).toMatchObject({
    machine: machineIdOf('52:54:00:12:34:56'),
    from: 'boot nic mac',
    passedOver: ['product uuid: the template of AMI firmware', 'board serial: a text that makers leave in'],
  });
});

test('texts with characters that mean something in a query come whole, and two boards stay two', () => {
  const hex = (value: string) => Buffer.from(value, 'latin1').toString('hex');
  const board = (serial: string) =>
    hardware(`uuid=&architecture=x86_64&platform=efi&boardSerialHex=${hex(serial)}&productHex=${hex('A&B+C=D;50%')}`);
  for (const serial of ['PF+12&34', 'PF+12&35', 'a=b;c', '100%20AB', '#7-AB12', ' PF12 ']) {
    expect(board(serial)).toMatchObject({ boardSerial: serial.trim(), product: 'A&B+C=D;50%', architecture: 'x86_64' });
    expect(identifyMachine(board(serial), unknown).machine).toBe(machineIdOf(serial.trim()));
  }
  expect(board('\x1b[2J').boardSerial).toBeUndefined();
  // A script that an earlier version gave, and that still runs.
  expect(hardware('boardSerial=PF%2012')).toMatchObject({ boardSerial: 'PF 12' });
});

test('a UUID or serial that the administrator calls shared identifies no machine, in either byte order and case', () => {
  const { mac } = hardware('');
  for (const shared of [[UUID], [SWAPPED]]) {
    expect(identifyMachine(hardware(`uuid=${UUID}&boardSerial=PF1234`), unknown, shared)).toMatchObject({
      machine: machineIdOf('PF1234'),
      passedOver: ['product uuid: host0.conf says that several machines have it'],
    });
    expect(identifyMachine(hardware(`uuid=${UUID}&boardSerial=PF1234`), unknown, [...shared, 'pf1234'])).toMatchObject({
      machine: machineIdOf(mac),
      from: 'boot nic mac',
    });
  }
});

test('a machine that was adopted under a shared UUID keeps its id on its own cards, and the next one has its own', () => {
  const { mac } = hardware('');
  const dummy = '11111111-1111-1111-1111-111111111111';
  for (const [uuid, shared] of [
    [dummy, []],
    [UUID, [UUID]],
  ] as const) {
    const named = { ...unknown, isNamedWith: (id: MachineId, card: Mac) => id === machineIdOf(uuid) && card === mac };
    expect(identifyMachine(hardware(`uuid=${uuid}`), named, shared).machine).toBe(machineIdOf(uuid));
    const second = parseHardware('52-54-00-12-34-57', new URLSearchParams(`uuid=${uuid}`));
    expect(identifyMachine(second, named, shared).machine).toBe(machineIdOf('52:54:00:12:34:57'));
  }
});

test('a machine that is named by the MAC of a card is that machine, whatever its UUID', () => {
  const byMac = machineIdOf('52:54:00:12:34:56');
  expect(identifyMachine(hardware(`uuid=${UUID}`), { ...unknown, namedByMac: () => byMac })).toMatchObject({
    machine: byMac,
    from: 'boot nic mac',
  });
});

test('the node derives the same id from the same hardware', () => {
  const mac = '52:54:00:12:34:56';
  const nodeDecides = machineId({
    root: '/nonexistent',
    sysRoot: '/nonexistent',
    env: {},
    permanentMacs: [{ index: 2, name: 'eth0', mac: hardware('').mac }],
  });
  expect(nodeDecides).toMatchObject({ id: identifyMachine(hardware(''), unknown).machine, hardware: mac });
});

test('values that cannot come from SMBIOS are left out', () => {
  const odd = `uuid=${'a'.repeat(500)}&product=%00%1b[2J&serial=  `;
  expect(hardware(odd)).toEqual({ mac: '52:54:00:12:34:56' });
});
