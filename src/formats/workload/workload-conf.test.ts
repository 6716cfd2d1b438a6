/** What a workload file says, and that one fault in it is one error with its place, rule and remedy. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { errorText } from '../error-text.ts';
import { parseWorkloadConf } from './workload-conf.ts';
import { findWorkloadFile, readWorkloadFile } from './workload-file.ts';
import { SHOWN_KEYS } from './workload-keys.ts';

const GOOD = [
  'name=web1',
  'uuid=qweflmqwe23',
  'platform.memory.size=1G',
  'platform.cpu.threads=2',
  'platform.volume.root.type=qcow2',
  'platform.volume.root.path=web1.qcow2',
  'platform.network.lan.network=blue',
];
const parse = (lines: readonly string[]) => parseWorkloadConf('web1.conf', Buffer.from(`${lines.join('\n')}\n`));
const withLine = (line: string) => {
  const key = line.split('=')[0] ?? '';
  const known = GOOD.findIndex((other) => other.startsWith(`${key}=`));
  return known < 0 ? [...GOOD, line] : GOOD.with(known, line);
};

test('a file of the seed is read, and what it does not say is filled in', () => {
  expect(parse(GOOD).conf?.workload).toEqual({
    name: 'web1',
    uuid: 'qweflmqwe23',
    memoryBytes: 1024 ** 3,
    cpu: { threads: 2, mode: 'host' },
    volumes: [{ id: 'root', type: 'qcow2', path: 'web1.qcow2' }],
    networks: [{ id: 'lan', network: 'blue', addresses: [], model: 'virtio' }],
    console: { serial: true, vnc: false },
    firmware: 'bios',
    restart: 'on-failure',
    place: { kind: 'any' },
  });
});

test('every key has its effect', () => {
  const key = `ssh-ed25519 ${'A'.repeat(68)} you@desk`;
  const { conf, errors } = parse([
    ...GOOD,
    'platform.cpu.mode=Penryn-v1',
    'platform.volume.root.source=http://host0/isos/debian.qcow2   # a comment',
    `platform.volume.root.sha256=${'ab'.repeat(32)}`,
    'platform.volume.root.size=20G',
    'platform.volume.cd.type=iso',
    'platform.volume.cd.path=tmp/alpine.iso',
    'platform.network.lan.mac=02:00:00:00:10:01',
    'platform.network.lan.address="10.0.0.5/24 fd00::5/64"',
    'platform.network.lan.model=e1000',
    'platform.console.serial=off',
    'platform.console.vnc=on',
    'platform.firmware=uefi',
    'platform.restart=always',
    'platform.place=node1',
    'platform.cloud.hostname=web1',
    `platform.cloud.key.you=${key}`,
    'platform.kernel.path=/boot/vmlinuz',
    'platform.kernel.append="console=ttyS0 quiet"',
  ]);
  expect(errors).toEqual([]);
  expect(conf?.workload).toMatchObject({
    cpu: { mode: 'Penryn-v1' },
    volumes: [
      { source: 'http://host0/isos/debian.qcow2', sha256: 'ab'.repeat(32), sizeBytes: 20 * 1024 ** 3 },
      { id: 'cd', type: 'iso', path: 'tmp/alpine.iso' },
    ],
    networks: [
      {
        mac: '02:00:00:00:10:01',
        addresses: [
          { address: '10.0.0.5', length: 24 },
          { address: 'fd00::5', length: 64 },
        ],
        model: 'e1000',
      },
    ],
    console: { serial: false, vnc: true },
    firmware: 'uefi',
    restart: 'always',
    place: { kind: 'node', node: 'node1' },
    cloud: { hostName: 'web1', keys: [key] },
    boot: { kernel: '/boot/vmlinuz', append: 'console=ttyS0 quiet' },
  });
});

test.each([
  ['no name', GOOD.slice(1), 'MESH_CONF_KEY_MISSING', 7, 'Write name=web1'],
  ['no uuid', GOOD.toSpliced(1, 1), 'MESH_CONF_KEY_MISSING', 7, expect.stringMatching(/^Write uuid=[0-9a-f-]{36}$/)],
  ['no memory', GOOD.toSpliced(2, 1), 'MESH_CONF_KEY_MISSING', 7, 'Write platform.memory.size=1G'],
  [
    'memory in bytes',
    withLine('platform.memory.size=4GB'),
    'MESH_WORKLOAD_INVALID',
    3,
    'Write platform.memory.size=4G',
  ],
  [
    'too little memory',
    withLine('platform.memory.size=1K'),
    'MESH_WORKLOAD_INVALID',
    3,
    'Write platform.memory.size=1G',
  ],
  ['no threads', withLine('platform.cpu.threads=0'), 'MESH_WORKLOAD_INVALID', 4, 'Write platform.cpu.threads=2'],
  [
    'a model with a blank',
    withLine('platform.cpu.mode=Penryn v1'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Write platform.cpu.mode=host',
  ],
  [
    'an unknown type of volume',
    withLine('platform.volume.root.type=raw'),
    'MESH_WORKLOAD_INVALID',
    5,
    'Write platform.volume.root.type=qcow2',
  ],
  [
    'a volume without a path',
    GOOD.toSpliced(5, 1),
    'MESH_CONF_KEY_MISSING',
    7,
    'Write platform.volume.root.path=root.qcow2',
  ],
  [
    'a path that leaves its directory',
    withLine('platform.volume.root.path=../../etc/shadow'),
    'MESH_WORKLOAD_INVALID',
    6,
    'Write platform.volume.root.path=root.qcow2',
  ],
  [
    'a source of another scheme',
    withLine('platform.volume.root.source=ftp://x/y'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Write platform.volume.root.source=isos/debian.qcow2',
  ],
  [
    'a sum without a source',
    withLine(`platform.volume.root.sha256=${'0'.repeat(64)}`),
    'MESH_WORKLOAD_INVALID',
    8,
    'Remove the line',
  ],
  [
    'a misspelt key',
    [...GOOD.slice(0, 4), 'platform.volume.root.typ=qcow2', ...GOOD.slice(5)],
    'MESH_CONF_KEY_UNKNOWN',
    5,
    'Write platform.volume.root.type=qcow2',
  ],
  ['a key twice', [...GOOD, 'name=web2'], 'MESH_CONF_KEY_TWICE', 8, 'Remove one of the two lines'],
  [
    'blanks around the sign',
    GOOD.with(2, 'platform.memory.size = 1G'),
    'MESH_CONF_SYNTAX',
    3,
    'Write platform.memory.size=1G',
  ],
  [
    'an address without a length',
    withLine('platform.network.lan.address="10.0.0.5"'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Write platform.network.lan.address="10.0.0.5/24"',
  ],
  [
    'a group address',
    withLine('platform.network.lan.mac=01:00:5e:00:00:01'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Write platform.network.lan.mac=02:00:00:00:10:01',
  ],
  [
    'an unknown policy',
    withLine('platform.restart=onfailure'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Write platform.restart=on-failure',
  ],
  [
    'a switch that is a number',
    withLine('platform.console.vnc=1'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Write platform.console.vnc=on',
  ],
  [
    'a kernel line without a kernel',
    withLine('platform.kernel.append=quiet'),
    'MESH_WORKLOAD_INVALID',
    8,
    'Remove the line',
  ],
])('%s is one error', (_what, lines, code, line, remedy) => {
  const { errors } = parse(lines);
  expect(errors.map((error) => error.message)).toHaveLength(1);
  expect(errors[0]).toMatchObject({ code, remedy, rule: expect.stringMatching(/\.$/) });
  expect(errors[0]?.place).toMatchObject({ file: 'web1.conf', line });
});

test('an error shows the line, with a caret under the value', () => {
  const [error] = parse(withLine('platform.memory.size=4GB')).errors;
  if (error === undefined) throw new Error('no error');
  expect(errorText(error, { color: false })).toBe(
    [
      'web1.conf:3:22: error: platform.memory.size is "4GB" [MESH_WORKLOAD_INVALID]',
      '  3 | platform.memory.size=4GB',
      '    |                      ^',
      '  rule: A size of memory is a number with K, M, G or T, as 500M or 4G, and at least 16M.',
      '  write: platform.memory.size=4G',
    ].join('\n'),
  );
});

test('two volumes of one path, and two cards of one address, are refused', () => {
  const { errors } = parse([
    ...GOOD,
    'platform.volume.data.type=qcow2',
    'platform.volume.data.path=web1.qcow2',
    'platform.network.lan.mac=02:00:00:00:10:01',
    'platform.network.wan.network=red',
    'platform.network.wan.mac=02:00:00:00:10:01',
  ]);
  expect(errors.map(({ place }) => place?.line)).toEqual([9, 12]);
});

async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'workloads-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

test('a file is found by the name of its workload, and has its user data from beside it', async () => {
  const directory = await directoryWith({
    'a.conf': [...GOOD, 'platform.cloud.user_data=seed.yaml'].join('\n'),
    'seed.yaml': '#cloud-config\n',
    'broken.conf': 'name=broken\n',
  });
  expect((await findWorkloadFile(directory, 'web1'))?.workload?.cloud).toEqual({
    keys: [],
    userData: '#cloud-config\n',
  });
  expect((await findWorkloadFile(directory, 'broken'))?.errors).toHaveLength(2);
  expect(await findWorkloadFile(directory, 'other')).toBeUndefined();
  expect(await findWorkloadFile(join(directory, 'none'), 'web1')).toBeUndefined();
});

test('user data that is not there is an error at its line', async () => {
  const directory = await directoryWith({ 'a.conf': [...GOOD, 'platform.cloud.user_data=none'].join('\n') });
  const { errors } = await readWorkloadFile(join(directory, 'a.conf'));
  expect(errors).toMatchObject([{ code: 'MESH_WORKLOAD_INVALID', place: { line: 8 } }]);
});

test('no key is shown twice', () => {
  expect(new Set(SHOWN_KEYS).size).toBe(SHOWN_KEYS.length);
});
