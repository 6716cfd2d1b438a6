/** Images on a real disk: published, kept, repaired, and refused by the disk. */
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Generations, type NodeImage } from './generations.ts';

let state: string;
let generations: Generations;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mw-generations-'));
  generations = new Generations(state);
});

afterEach(() => rmSync(state, { recursive: true }));

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

async function publish(content: string): Promise<string> {
  const file = { bytes: content.length, sha256: hash(content) };
  const image: NodeImage = {
    generation: hash(content).slice(0, 16),
    flavor: 'debian',
    kernelRelease: '6.1.0',
    kernelArguments: [],
    vmlinuz: file,
    initrd: file,
    packages: [],
    meshworkVersion: '0.1.0',
    nodeVersion: 'v24.0.0',
  };
  await generations.publish(image, { vmlinuz: Buffer.from(content), initrd: Buffer.from(content) });
  return image.generation;
}

const here = () => readdirSync(generations.directory).sort();

test('without an image there is no current one', async () => {
  expect(await generations.list()).toEqual([]);
  expect(await generations.current()).toBeUndefined();
});

test('a published image is the current one, with its files', async () => {
  const name = await publish('one');
  expect(await generations.current()).toMatchObject({ generation: name, kernelRelease: '6.1.0', current: true });
  expect(readlinkSync(join(generations.directory, 'current'))).toBe(name);
  expect(readFileSync(join(generations.directory, 'current/initrd.img'), 'utf8')).toBe('one');
  expect(readFileSync(join(generations.directory, 'current/vmlinuz'), 'utf8')).toBe('one');
});

test('the previous image stays; older and unfinished ones are removed', async () => {
  await publish('one');
  const before = await publish('two');
  mkdirSync(join(generations.directory, `${'0'.repeat(16)}.new-0a0b0c0d`));
  const current = await publish('three');
  expect(here()).toEqual([before, current, 'current'].sort());
  expect(await generations.current()).toMatchObject({ generation: current });
});

test('publishing the same image again changes nothing, or repairs a damaged one', async () => {
  const name = await publish('one');
  const initrd = join(generations.directory, name, 'initrd.img');
  await publish('one');
  expect(here()).toEqual([name, 'current'].sort());
  writeFileSync(initrd, 'damaged');
  const { ino } = statSync(join(generations.directory, name));
  await publish('one');
  expect(readFileSync(initrd, 'utf8')).toBe('one');
  // The directory that `current` names was there all the time.
  expect(statSync(join(generations.directory, name)).ino).toBe(ino);
  expect(here()).toEqual([name, 'current'].sort());
});

test('going back to the image before keeps both', async () => {
  const one = await publish('one');
  const two = await publish('two');
  await publish('one');
  expect(await generations.current()).toMatchObject({ generation: one });
  expect(here()).toEqual([one, two, 'current'].sort());
});

test('when the disk refuses, machines boot the image before', async () => {
  const one = await publish('one');
  // rename(2) does not replace a directory that is not empty.
  mkdirSync(join(generations.directory, 'current.new/in-the-way'), { recursive: true });
  await expect(publish('two')).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
  expect(await generations.current()).toMatchObject({ generation: one });
});
