/** Which id host0 gives a machine, and that the node derives the same. */
import { expect, test } from 'vitest';
import { machineId } from '../../machine/machine-id.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
import { parseHardware } from './hardware.ts';
import { identifyMachine } from './identification.ts';

const UUID = '4c4c4544-0042-3510-8052-b9c04f4e3732';
const SWAPPED = '44454c4c-4200-1035-8052-b9c04f4e3732';
const unknown = () => false;
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
  const known = (machine: MachineId) => machine === machineIdOf(SWAPPED);
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
