/** Proves when the record lists the tables again, and which listings it does not trust. */
import { expect, test } from 'vitest';
import type { RulesetItem } from '../items/ruleset.ts';
import { RulesetRecord } from './ruleset-record.ts';

function table(...elements: string[]): RulesetItem {
  const sets = new Map([['s', { declaration: 'type ipv4_addr', elements: new Set(elements) }]]);
  return { kind: 'ruleset', family: 'inet', intact: true, sets, body: '' };
}

function printed(elements: string): string {
  return `table inet meshwork {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { ${elements} }\n\t}\n}\n`;
}

/** A kernel with our inet table, which counts its listings. */
function recordOf(text: string) {
  const kernel = { text, listings: 0, duringListing: async () => {}, events: () => {} };
  const record = new RulesetRecord({
    drainEvents: () => kernel.events(),
    listRuleset: async (family) => {
      kernel.listings++;
      const seen = kernel.text;
      await kernel.duringListing();
      return family === 'inet' ? seen : undefined;
    },
  });
  return { kernel, record };
}

test('after our own change of elements, the tables are not listed', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  const { listings } = kernel;
  record.noteElements(table('10.0.0.2'));
  expect(await record.observe()).toEqual([table('10.0.0.2')]);
  expect(kernel.listings).toBe(listings);
});

test('after a change by another program, both tables are listed once', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  const { listings } = kernel;
  kernel.text = printed('10.0.0.1, 10.0.0.3');
  record.invalidate();
  expect(await record.observe()).toEqual([table('10.0.0.1', '10.0.0.3')]);
  await record.observe();
  expect(kernel.listings).toBe(listings + 2);
});

test('a listing during which we changed elements is not trusted', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1, 10.0.0.2'));
  await record.noteWhole(table('10.0.0.1', '10.0.0.2'));
  await record.observe();
  record.invalidate();
  kernel.duringListing = async () => {
    kernel.duringListing = async () => {};
    kernel.text = printed('10.0.0.1');
    record.noteElements(table('10.0.0.1'));
  };
  await record.observe();
  expect(await record.observe()).toEqual([table('10.0.0.1')]);
});

test('who asks during a listing gets what it shows, and not what was known before', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  kernel.text = printed('10.0.0.1, 10.0.0.3');
  const { listings } = kernel;
  record.invalidate();
  const [first, second] = await Promise.all([record.observe(), record.observe()]);
  expect(first).toEqual([table('10.0.0.1', '10.0.0.3')]);
  expect(second).toEqual(first);
  expect(kernel.listings).toBe(listings + 2);
});

test('a listing that began before a change by another program does not hide that change', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  record.invalidate();
  const before = record.observe();
  kernel.text = printed('10.0.0.3');
  record.invalidate();
  const after = record.observe();
  await before;
  expect(await record.observe()).toEqual([table('10.0.0.3')]);
  expect(await after).toEqual([table('10.0.0.3')]);
});

test('after a listing that failed, the tables are listed again', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  kernel.text = printed('10.0.0.3');
  record.invalidate();
  kernel.duringListing = async () => {
    throw new Error('no memory is left');
  };
  await expect(record.observe()).rejects.toThrow('no memory is left');
  kernel.duringListing = async () => {};
  expect(await record.observe()).toEqual([table('10.0.0.3')]);
});

test('a rule that another program adds between our transaction and the listing is not taken for ours', async () => {
  const ours = printed('10.0.0.1');
  const foreign = `${ours}chain c {\n\t\tdrop\n}\n`;
  const { kernel, record } = recordOf(foreign);
  kernel.events = () => {
    kernel.events = () => {};
    record.noteForeignChange();
  };
  await record.observe();
  await record.noteWhole(table('10.0.0.1'));
  expect(await record.observe()).toMatchObject([{ family: 'inet', intact: false }]);
  kernel.text = ours;
  await record.noteWhole(table('10.0.0.1'));
  expect(await record.observe()).toEqual([table('10.0.0.1')]);
});

test('a program that changes nftables all the time keeps no table from being recorded', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  kernel.events = () => record.noteForeignChange();
  await record.observe();
  await record.noteWhole(table('10.0.0.1'));
  expect(await record.observe()).toMatchObject([{ family: 'inet', intact: false }]);
  await record.noteWhole(table('10.0.0.1'));
  expect(await record.observe()).toEqual([table('10.0.0.1')]);
});
