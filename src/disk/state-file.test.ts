/** A state file is read as it was written, by this version and the one before, and damage of any kind costs only its document. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as form from '../protocol/shapes/form.ts';
import { StateFile, type StateForm } from './state-file.ts';

interface Names {
  readonly names: readonly string[];
}

const NAMES: StateForm<Names> = {
  version: 2,
  shape: form.object({ names: form.listOf(form.string(), 10) }),
  holds: 'the names',
  remedy: 'Name them again.',
  comesBack: true,
};
const LOST: StateForm<Names> = { ...NAMES, comesBack: false };
const DOCUMENT: Names = { names: ['a', 'b'] };

async function newPath(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mw-state-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'names.json');
}

/** What a process finds that starts now. */
async function restarted(path: string, kind = NAMES) {
  const file = new StateFile(path, kind);
  const document = await file.read();
  return { file, document, findings: file.health() };
}

test('a document is read as it was written, and by the version before, which knows no checksum', async () => {
  const path = await newPath();
  expect(await restarted(path)).toMatchObject({ document: undefined, findings: [] });
  await new StateFile(path, NAMES).write(DOCUMENT);
  expect(await restarted(path)).toMatchObject({ document: DOCUMENT, findings: [] });
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ version: 2, ...DOCUMENT });
  for (const text of ['{"names":["a","b"]}', '{"version":1,"names":["a","b"]}']) {
    await writeFile(path, text);
    expect(await restarted(path)).toMatchObject({ document: DOCUMENT, findings: [] });
  }
});

test.each([
  ['a flipped letter', (path: string) => change(path, '"b"', '"c"'), 'does not fit its checksum'],
  ['a flipped number of an earlier version', (path: string) => change(path, ': 2', ': 1'), 'does not fit its checksum'],
  ['no version', (path: string) => change(path, ': 2', ': 0'), 'has no version'],
  ['half of it', (path: string) => change(path, /"b".*$/s, ''), 'is no JSON'],
  ['nothing', (path: string) => writeFile(path, ''), 'is no JSON'],
  ['zeros', (path: string) => writeFile(path, Buffer.alloc(4096)), 'is no JSON'],
  [
    'a directory',
    (path: string) => replaceBy(path, () => mkdir(join(path, 'sub'), { recursive: true })),
    'is no plain file',
  ],
  ['a pipe', (path: string) => replaceBy(path, async () => spawnSync('mkfifo', [path])), 'is no plain file'],
])('%s is told, moved aside, and healed by the next write', async (_, damage, fault) => {
  const path = await newPath();
  await new StateFile(path, NAMES).write(DOCUMENT);
  await damage(path);
  const { file, document, findings } = await restarted(path);
  expect(document).toBeUndefined();
  expect(findings).toEqual([
    {
      code: 'MESH_STATE_DAMAGED',
      severity: 'warning',
      object: path,
      message: `${path} is damaged: the file ${fault}; the names in it are lost`,
      remedy: `Name them again. The damaged file is ${path}.damaged.`,
    },
  ]);
  expect((await restarted(path)).findings).toMatchObject([
    { object: path, message: `${path} was damaged; the names in it are lost` },
  ]);
  await file.write(DOCUMENT);
  expect(file.health()).toEqual([]);
  expect(await restarted(path)).toMatchObject({ document: DOCUMENT, findings: [] });
  expect(await readdir(join(path, '..'))).toEqual(['names.json']);
});

test('what does not come back is told until the administrator removes the damaged file', async () => {
  const path = await newPath();
  await writeFile(path, '{');
  const { file } = await restarted(path, LOST);
  await file.write(DOCUMENT);
  const finding = { object: path, remedy: `Name them again. Then remove ${path}.damaged, which is the damaged file.` };
  expect(file.health()).toMatchObject([finding]);
  expect(await restarted(path, LOST)).toMatchObject({ document: DOCUMENT, findings: [finding] });
  expect(await readFile(`${path}.damaged`, 'utf8')).toBe('{');
  await rm(`${path}.damaged`);
  expect(file.health()).toEqual([]);
});

test.each([
  ['of a later version', (path: string) => writeFile(path, '{"version":3,"people":[]}'), 'MESH_STATE_LATER'],
  ['that cannot be read', (path: string) => symlink(path, path), 'MESH_STATE_DAMAGED'],
])('nothing is written over a file %s', async (_, put, code) => {
  const path = await newPath();
  await put(path);
  const { file, document, findings } = await restarted(path);
  expect(document).toBeUndefined();
  expect(findings).toMatchObject([{ code, object: path, message: expect.stringContaining('it is left as it is') }]);
  await expect(file.write(DOCUMENT)).rejects.toMatchObject({ code });
  expect(await readdir(join(path, '..'))).toEqual(['names.json']);
  // As the remedy says.
  await rm(path);
  const healed = await restarted(path);
  await healed.file.write(DOCUMENT);
  expect(await restarted(path)).toMatchObject({ document: DOCUMENT, findings: [] });
});

async function change(path: string, from: string | RegExp, to: string): Promise<void> {
  await writeFile(path, (await readFile(path, 'utf8')).replace(from, to));
}

async function replaceBy(path: string, make: () => Promise<unknown>): Promise<void> {
  await rm(path);
  await make();
}
