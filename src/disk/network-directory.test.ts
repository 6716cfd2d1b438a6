/** Network files that are added, changed, broken and removed while they are watched, and at a restart. */
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Ipv6Cidr } from '../model/address/ipv6.ts';
import { systemClock } from '../model/clock.ts';
import type { UnderlayPrefix } from '../model/network/underlay-prefix.ts';
import { NetworkDirectory, type NetworkOutcome } from './network-directory.ts';

const meshText = (name: string, vni: number | string) =>
  `name=${name}\nprefix=fd42:0:0:${Number(vni).toString(16)}::/64\nvni=${vni}\nkey=${vni}\n`;

/** A machine's directory of networks, which records all outcomes. */
class Machine {
  readonly root: string;
  readonly directory: string;
  underlay: UnderlayPrefix[] = [];
  /** The time of day on the machine; by default the present one. */
  wallMs: number | undefined;
  readonly outcomes: NetworkOutcome[] = [];
  #networks: NetworkDirectory | undefined;
  #waiting: (() => void)[] = [];

  static async make(): Promise<Machine> {
    const root = await mkdtemp(join(tmpdir(), 'mw-networks-'));
    const machine = new Machine(root);
    onTestFinished(async () => {
      await machine.stop();
      await rm(root, { recursive: true });
    });
    return machine;
  }

  constructor(root: string) {
    this.root = root;
    this.directory = join(root, 'var/pxen/networks');
  }

  async put(name: string, text: string): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await writeFile(join(this.directory, name), text);
  }

  async start(): Promise<NetworkOutcome> {
    this.#networks = new NetworkDirectory({
      directory: this.directory,
      stateFile: join(this.root, 'state/networks.accepted.json'),
      clock: { ...systemClock, wallTime: () => new Date(this.wallMs ?? Date.now()) },
    });
    this.#networks.changes.subscribe((outcome) => {
      this.outcomes.push(outcome);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    return this.#networks.start(() => this.underlay);
  }

  async reload(): Promise<NetworkOutcome> {
    if (this.#networks === undefined) throw new Error('not started');
    return this.#networks.reload();
  }

  async stop(): Promise<void> {
    await this.#networks?.close();
  }

  /** Waits until the networks in force are these. */
  async until(...names: string[]): Promise<NetworkOutcome> {
    for (;;) {
      const last = this.outcomes.at(-1);
      if (last !== undefined && namesOf(last).join() === names.join()) return last;
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }
}

const namesOf = ({ networks }: NetworkOutcome) => networks.map(({ name }) => name);
const codesOf = ({ errors }: NetworkOutcome) => errors.map(({ code }) => code);

test('a missing directory has no networks, and files that are added later are taken', async () => {
  const machine = await Machine.make();
  expect(await machine.start()).toEqual({ networks: [], files: {}, errors: [], warnings: [] });

  await machine.put('blue.conf', meshText('blue', 1));
  const outcome = await machine.until('blue');
  expect(outcome.files).toEqual({ 'mesh-1': join(machine.directory, 'blue.conf') });

  await machine.put('amber.conf', meshText('amber', 2));
  await machine.until('amber', 'blue');
  await rm(join(machine.directory, 'blue.conf'));
  await machine.until('amber');
});

test('a directory that is replaced by another is still watched', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await machine.start();
  await rename(machine.directory, `${machine.directory}.old`);
  await machine.put('red.conf', meshText('red', 3));
  await machine.until('red');
  await machine.put('zinc.conf', meshText('zinc', 4));
  await machine.until('red', 'zinc');
});

test('while running, a set is taken whole or not at all', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await machine.start();

  await machine.put('red.conf', meshText('red', 3));
  await machine.put('bad.conf', 'name=bad\n');
  await machine.put('blue.conf', meshText('azure', 1));
  const held = await machine.reload();
  expect(namesOf(held)).toContain('blue');
  expect(namesOf(held)).not.toContain('azure');
  expect(codesOf(held)).toEqual(['MESH_CONF_KEY_MISSING', 'MESH_CONF_KEY_MISSING', 'MESH_CONF_KEY_MISSING']);

  await rm(join(machine.directory, 'bad.conf'));
  expect((await machine.until('azure', 'red')).errors).toEqual([]);
});

test('after a restart, the last accepted set is used when the files are bad', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', `\uFEFF${meshText('blue', 1)}`);
  await machine.start();
  await machine.stop();

  await machine.put('blue.conf', 'junk\0');
  await machine.put('red.conf', meshText('red', 3));
  const outcome = await machine.start();
  expect(namesOf(outcome)).toEqual(['blue']);
  expect(codesOf(outcome)).toEqual(['MESH_CONF_BINARY']);
});

test('at a cold boot, every valid file that collides with no other is taken', async () => {
  const machine = await Machine.make();
  await machine.put('a.conf', meshText('blue', 1));
  await machine.put('b.conf', meshText('red', 3));
  await machine.put('c.conf', meshText('rot', 3));
  await machine.put('d.conf', meshText('grey', '0x5'));
  await machine.put('e.conf', meshText('green', 4));
  const outcome = await machine.start();
  expect(namesOf(outcome)).toEqual(['blue', 'green']);
  expect(codesOf(outcome)).toEqual([
    'MESH_NET_VNI_INVALID',
    'MESH_NET_KEY_INVALID',
    'MESH_NET_VNI_TWICE',
    'MESH_NET_PREFIX_TWICE',
  ]);

  // Networks that were taken this way stay when a further file becomes bad.
  await machine.put('a.conf', 'name=blue\n');
  expect(namesOf(await machine.reload())).toEqual(['blue', 'green']);
});

test('while no network is in force, a valid file beside a bad one is taken at once', async () => {
  const machine = await Machine.make();
  await machine.start();
  await machine.put('bad.conf', 'name=bad\n');
  await machine.put('blue.conf', meshText('blue', 1));
  expect((await machine.until('blue')).networks).toHaveLength(1);
});

test('an unreadable file is an error; a sub-directory, a hidden file and another extension are ignored', async () => {
  const machine = await Machine.make();
  await mkdir(join(machine.directory, 'sub.conf'), { recursive: true });
  await machine.put('.blue.conf', 'half writ');
  await machine.put('README', 'text');
  await symlink('/nowhere', join(machine.directory, 'link.conf'));
  await symlink('/dev/zero', join(machine.directory, 'zero.conf'));
  await machine.put('blue.conf', meshText('blue', 1));
  const outcome = await machine.start();
  expect(outcome.errors.map(({ code, object }) => `${code} ${object}`)).toEqual([
    `MESH_CONF_UNREADABLE ${join(machine.directory, 'link.conf')}`,
    `MESH_CONF_UNREADABLE ${join(machine.directory, 'zero.conf')}`,
  ]);
  expect(namesOf(outcome)).toEqual(['blue']);
});

test('a damaged state file is a warning, and is written again', async () => {
  const machine = await Machine.make();
  await mkdir(join(machine.root, 'state'));
  await writeFile(join(machine.root, 'state/networks.accepted.json'), '{"version":1,"files":[{}]}');
  await machine.put('bad.conf', 'name=bad\n');
  await machine.put('blue.conf', meshText('blue', 1));
  const outcome = await machine.start();
  expect(namesOf(outcome)).toEqual(['blue']);
  expect(outcome.warnings).toMatchObject([{ code: 'MESH_STATE_DAMAGED' }]);

  await rm(join(machine.directory, 'bad.conf'));
  expect((await machine.reload()).warnings).toEqual([]);
});

test('a damaged state file is told also if the files are right, and it is written again at once', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await mkdir(join(machine.root, 'state/networks.accepted.json'), { recursive: true });
  const outcome = await machine.start();
  expect(namesOf(outcome)).toEqual(['blue']);
  expect(outcome.warnings).toMatchObject([
    { code: 'MESH_STATE_DAMAGED', message: expect.stringContaining('is no plain file') },
  ]);
  expect((await machine.reload()).warnings).toEqual([]);
});

test('a state file of a later version is a warning, and stays as it is', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await mkdir(join(machine.root, 'state'));
  const file = join(machine.root, 'state/networks.accepted.json');
  await writeFile(file, '{"version":2,"networks":[]}');
  expect((await machine.start()).warnings).toMatchObject([{ code: 'MESH_STATE_LATER', object: file }]);
  await machine.put('red.conf', meshText('red', 2));
  expect(await machine.reload()).toMatchObject({ warnings: [{ code: 'MESH_STATE_LATER' }] });
  expect(await readFile(file, 'utf8')).toBe('{"version":2,"networks":[]}');
});

test('a state file that cannot be written is a warning, and the set is taken nevertheless', async () => {
  const machine = await Machine.make();
  await writeFile(join(machine.root, 'state'), 'a file where the directory should be');
  await machine.put('blue.conf', meshText('blue', 1));
  const outcome = await machine.start();
  expect(namesOf(outcome)).toEqual(['blue']);
  expect(outcome.errors).toEqual([]);
  expect(outcome.warnings).not.toEqual([]);
});

test('an underlay that begins to use a prefix is a warning, and the network stays, also after a restart', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await machine.start();
  machine.underlay = [{ prefix: 'fd42:0:0:1:8000::/80' as Ipv6Cidr, device: 'tun0' }];
  const expected = { errors: [], warnings: [{ code: 'MESH_NET_PREFIX_UNDERLAY' }] };
  const outcome = await machine.reload();
  expect(namesOf(outcome)).toEqual(['blue']);
  expect(outcome).toMatchObject(expected);

  await machine.stop();
  const restarted = await machine.start();
  expect(namesOf(restarted)).toEqual(['blue']);
  expect(restarted).toMatchObject(expected);

  // The underlay of one network does not keep the file of another out.
  await machine.put('red.conf', meshText('red', 3));
  expect(await machine.until('blue', 'red')).toMatchObject(expected);

  // The warning goes with its cause, also while a file is bad.
  machine.underlay = [];
  await machine.put('bad.conf', 'name=bad\n');
  expect((await machine.reload()).warnings).toEqual([]);
});

test('a new network whose prefix the underlay uses is refused', async () => {
  const machine = await Machine.make();
  machine.underlay = [{ prefix: 'fd42:0:0:1::7/128' as Ipv6Cidr, device: 'eth0' }];
  await machine.put('blue.conf', meshText('blue', 1));
  const outcome = await machine.start();
  expect(namesOf(outcome)).toEqual([]);
  expect(codesOf(outcome)).toEqual(['MESH_NET_PREFIX_UNDERLAY']);
});

test('the networks of a directory that is gone stay, also after a restart, until the directory is there without them', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await machine.start();
  await rename(machine.directory, `${machine.directory}.old`);
  const expected = { errors: [{ code: 'MESH_CONF_UNREADABLE', object: machine.directory }], warnings: [] };
  const outcome = await machine.reload();
  expect(namesOf(outcome)).toEqual(['blue']);
  expect(outcome).toMatchObject(expected);

  await machine.stop();
  const restarted = await machine.start();
  expect(namesOf(restarted)).toEqual(['blue']);
  expect(restarted).toMatchObject(expected);

  await mkdir(machine.directory);
  expect((await machine.until()).errors).toEqual([]);
});

test('an unchanged network is the same object in the next outcome', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  const before = await machine.start();
  await machine.put('blue.conf', `# a remark\n${meshText('blue', 1)}`);
  await machine.put('bad.conf', 'name=bad\n');
  const refused = await machine.reload();
  expect(refused.errors).not.toEqual([]);
  expect(refused.networks).toBe(before.networks);

  await rm(join(machine.directory, 'bad.conf'));
  await machine.put('red.conf', meshText('red', 3));
  const after = await machine.until('blue', 'red');
  expect(after.networks[0]).toBe(before.networks[0]);
});

test('an unchanged outcome is not emitted again', async () => {
  const machine = await Machine.make();
  await machine.put('blue.conf', meshText('blue', 1));
  await machine.start();
  await machine.reload();
  await machine.put('note.txt', 'text');
  await machine.reload();
  expect(machine.outcomes).toHaveLength(1);
});

test('a file of the same length that is written within the second in which it was read is read again', async () => {
  const machine = await Machine.make();
  await machine.put('a.conf', meshText('red', 1));
  await machine.start();
  for (const name of ['tan', 'sky', 'red', 'ash']) {
    await machine.put('a.conf', meshText(name, 1));
    expect((await machine.reload()).networks.map((network) => network.name)).toEqual([name]);
  }
});

test('a file that was written long ago is read again when it is replaced, touched or linked elsewhere', async () => {
  const machine = await Machine.make();
  const path = join(machine.directory, 'a.conf');
  const other = join(machine.root, 'other.conf');
  await machine.put('a.conf', meshText('red', 1));
  machine.wallMs = Date.now() + 3_600_000;
  await machine.start();
  const name = async () => (await machine.reload()).networks.map((network) => network.name);
  expect(await name()).toEqual(['red']);
  await writeFile(other, meshText('tan', 1));
  await rename(other, path);
  expect(await name()).toEqual(['tan']);
  await writeFile(path, meshText('sky', 1));
  expect(await name()).toEqual(['sky']);
  await writeFile(other, meshText('ash', 1));
  await rm(path);
  await symlink(other, path);
  expect(await name()).toEqual(['ash']);
  await rm(path);
  expect(await name()).toEqual([]);
});
