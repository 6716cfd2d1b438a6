/** The sources of the machine id, their order and their faults. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMac } from '../model/address/mac.ts';
import { explainMachineId, type MachineIdInput, machineId } from './machine-id.ts';

const UUID = '4c4c4544-0042-3510-8053-b4c04f564433';
const DUMMY_UUID = '03000200-0400-0500-0006-000700080009';
const NICS = [
  { index: 7, name: 'eth1', mac: parseMac('52:54:00:00:00:07') },
  { index: 2, name: 'eth0', mac: parseMac('52:54:00:00:00:02') },
];

let tree: string;
let input: MachineIdInput;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'meshwork-machine-'));
  input = { root: tree, sysRoot: tree, env: {}, permanentMacs: [] };
});

afterEach(() => rmSync(tree, { recursive: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text, { mode });
}

test('each source wins over those after it', () => {
  const identify = (): unknown => machineId(input);
  input = { ...input, permanentMacs: NICS };
  expect(identify()).toEqual({ id: '18175a26', from: 'lowest mac', hardware: '52:54:00:00:00:02' });
  put('proc/cmdline', 'quiet BOOTIF=01-52-54-00-00-00-07\n');
  expect(identify()).toEqual({ id: 'c1c26862', from: 'boot nic mac', hardware: '52:54:00:00:00:07' });
  put('sys/class/dmi/id/board_serial', ' .8V5DTR1.CN7016308V00E8. \n');
  expect(identify()).toEqual({ id: '5bb07ce2', from: 'board serial', hardware: '.8V5DTR1.CN7016308V00E8.' });
  put('sys/class/dmi/id/product_uuid', `${UUID.toUpperCase()}\n`, 0o400);
  expect(identify()).toEqual({ id: 'd31a9ae7', from: 'product uuid', hardware: UUID });
  put('proc/cmdline', 'mesh.machine=00000001 mesh.machine=00000002 quiet\n');
  expect(identify()).toEqual({ id: '00000002', from: 'command line', hardware: '00000002' });
  put('etc/meshwork/machine', '00000003\n');
  expect(identify()).toEqual({ id: '00000003', from: 'file', hardware: '00000003' });
  input = { ...input, env: { MESH_MACHINE: '00000004' } };
  expect(identify()).toEqual({ id: '00000004', from: 'environment', hardware: '00000004' });
  input = { ...input, override: '00000005' };
  expect(identify()).toEqual({ id: '00000005', from: 'option', hardware: '00000005' });
});

test('placeholders are skipped, and the explanation says why', () => {
  put('proc/cmdline', 'BOOTIF=01-52-54-00-00-00-99\n');
  put('sys/class/dmi/id/product_uuid', `${DUMMY_UUID}\n`);
  put('sys/class/dmi/id/board_serial', 'Default string\n');
  input = { ...input, permanentMacs: NICS };
  expect(
    explainMachineId(input).map(({ source, value, verdict }) => [source, value, verdict.taken ? 'taken' : verdict.why]),
  ).toEqual([
    ['option', undefined, 'not there'],
    ['environment', undefined, 'not there'],
    ['file', undefined, 'not there'],
    ['command line', undefined, 'not there'],
    ['product uuid', DUMMY_UUID, 'the template of AMI firmware'],
    ['board serial', 'Default string', 'a text that makers leave in'],
    ['boot nic mac', '52:54:00:00:00:99', 'no NIC has this permanent address'],
    ['lowest mac', '52:54:00:00:00:02', 'taken'],
  ]);
});

test('a source that exists and cannot be read is an error, never skipped', () => {
  chmodSync(tree, 0o755);
  put('sys/class/dmi/id/product_uuid', UUID, 0o400);
  input = { ...input, permanentMacs: NICS };
  const asUnprivileged = (): unknown => {
    process.seteuid?.(65534);
    try {
      return machineId(input);
    } finally {
      process.seteuid?.(0);
    }
  };
  expect(asUnprivileged).toThrow(/product_uuid cannot be read: EACCES/);
  expect(explainMachineId(input).at(-1)).toMatchObject({ verdict: { taken: true } });
});

test.each([
  '10EFF964',
  '10eff96',
  '10eff9644',
  'host0',
  '',
])('a malformed chosen id %j is refused, not skipped', (text) => {
  put('etc/meshwork/machine', `${text}\n`);
  put('sys/class/dmi/id/product_uuid', UUID);
  expect(() => machineId(input)).toThrow(
    expect.objectContaining({ code: 'MESH_MACHINE_INVALID', object: join(tree, 'etc/meshwork/machine') }),
  );
});

test('without any source, the error says what to do', () => {
  expect(() => machineId(input)).toThrow(
    expect.objectContaining({ code: 'MESH_MACHINE_NONE', remedy: expect.stringContaining('etc/meshwork/machine') }),
  );
});
