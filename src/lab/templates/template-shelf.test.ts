/** The shelf of templates: what is believed, what is swept, and what is refused. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  draftTemplate,
  findTemplate,
  listTemplates,
  memoryIn,
  removeTemplate,
  shelve,
  stateIn,
  sweepTemplates,
  templateShelf,
} from './template-shelf.ts';

const BYTES = 4_096;
const HOUR_MS = 60 * 60 * 1_000;
let within: string;
let shelf: string;

beforeEach(() => {
  within = mkdtempSync('/dev/shm/mw-shelf-');
  shelf = templateShelf(within);
  onTestFinished(() => rmSync(within, { recursive: true }));
});

const keyOf = (number: number) => String(number).padStart(32, '0');

async function put(number: number, usedAgoMs = 0): Promise<void> {
  const draft = await draftTemplate(BYTES, shelf);
  writeFileSync(memoryIn(draft), Buffer.alloc(BYTES));
  writeFileSync(stateIn(draft), 'state');
  const { state } = await shelve(draft, { key: keyOf(number), memoryBytes: BYTES, overlays: ['a'] }, shelf);
  const at = new Date(Date.now() - usedAgoMs);
  utimesSync(state, at, at);
}

test('a template is found by its key, and using it makes it the first of all', async () => {
  expect(await findTemplate(keyOf(1), shelf)).toBeUndefined();
  await put(1, HOUR_MS);
  await put(2);
  expect(listTemplates(shelf).map(({ key }) => key)).toEqual([keyOf(2), keyOf(1)]);
  expect(await findTemplate(keyOf(1), shelf)).toMatchObject({ key: keyOf(1), overlays: ['a'], memoryBytes: BYTES });
  expect(listTemplates(shelf).map(({ key }) => key)).toEqual([keyOf(1), keyOf(2)]);
  expect(readdirSync(shelf).sort()).toEqual([keyOf(1), keyOf(2)]);
});

test('a template that is cut or has no record is none', async () => {
  await put(1);
  await put(2);
  await put(3);
  truncateSync(memoryIn(join(shelf, keyOf(1))), BYTES - 1);
  writeFileSync(join(shelf, keyOf(2), 'template.json'), '{"key": 1}');
  rmSync(stateIn(join(shelf, keyOf(3))));
  for (const number of [1, 2, 3]) expect(await findTemplate(keyOf(number), shelf)).toBeUndefined();
});

test('the draft of a process that is gone is swept, and that of one that works is not', async () => {
  const own = await draftTemplate(BYTES, shelf);
  const gone = join(shelf, 'draft-4194303-1-abcdef');
  mkdirSync(gone);
  await sweepTemplates(shelf);
  expect([existsSync(own), existsSync(gone)]).toEqual([true, false]);
});

test('a fifth template takes the place of the one that was used longest ago, and a day without use ends any', async () => {
  for (const number of [1, 2, 3, 4]) await put(number, (5 - number) * HOUR_MS);
  await put(5);
  expect(listTemplates(shelf).map(({ key }) => key)).toEqual([5, 4, 3, 2].map(keyOf));
  await sweepTemplates(shelf, Date.now() + 22 * HOUR_MS);
  expect(listTemplates(shelf).map(({ key }) => key)).toEqual([5, 4].map(keyOf));
  await removeTemplate({ directory: join(shelf, keyOf(5)) });
  expect(listTemplates(shelf).map(({ key }) => key)).toEqual([keyOf(4)]);
});

test('what others can write to is refused, and so is too little room', async () => {
  await expect(draftTemplate(2 ** 50, shelf)).rejects.toMatchObject({
    code: 'MESH_LAB_TEMPLATE',
    message: expect.stringContaining('has no room'),
  });
  await put(1);
  chmodSync(shelf, 0o777);
  expect(await findTemplate(keyOf(1), shelf)).toBeUndefined();
  expect(listTemplates(shelf)).toEqual([]);
  await expect(draftTemplate(BYTES, shelf)).rejects.toMatchObject({
    message: expect.stringContaining('open to others'),
  });
});

test('a disk is no place for a template', async () => {
  const disk = mkdtempSync(join(tmpdir(), 'mw-shelf-'));
  onTestFinished(() => rmSync(disk, { recursive: true }));
  const refused = draftTemplate(BYTES, templateShelf(disk));
  // Where this machine has its temporary files in memory, they are a place.
  await refused.then(
    (draft) => expect(existsSync(draft)).toBe(true),
    (error: unknown) => expect(error).toMatchObject({ message: expect.stringContaining('is not in memory') }),
  );
});
