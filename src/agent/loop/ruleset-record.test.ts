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

/** A kernel with our inet table, which counts the looks at it. */
function recordOf(text: string) {
  const kernel = { text, looks: 0, looking: async () => {} };
  const record = new RulesetRecord({
    listRuleset: async (family) => {
      kernel.looks++;
      const seen = kernel.text;
      await kernel.looking();
      return family === 'inet' ? seen : undefined;
    },
  });
  return { kernel, record };
}

test('what we have put in force ourselves needs no look', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  const { looks } = kernel;
  record.noteElements(table('10.0.0.2'));
  expect(await record.observe()).toEqual([table('10.0.0.2')]);
  expect(kernel.looks).toBe(looks);
});

test('what somebody else has changed is looked at once', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1'));
  await record.noteWhole(table('10.0.0.1'));
  await record.observe();
  const { looks } = kernel;
  kernel.text = printed('10.0.0.1, 10.0.0.3');
  record.invalidate();
  expect(await record.observe()).toEqual([table('10.0.0.1', '10.0.0.3')]);
  await record.observe();
  expect(kernel.looks).toBe(looks + 2);
});

test('a look that we have overtaken with a change of our own is not believed', async () => {
  const { kernel, record } = recordOf(printed('10.0.0.1, 10.0.0.2'));
  await record.noteWhole(table('10.0.0.1', '10.0.0.2'));
  await record.observe();
  record.invalidate();
  kernel.looking = async () => {
    kernel.looking = async () => {};
    kernel.text = printed('10.0.0.1');
    record.noteElements(table('10.0.0.1'));
  };
  await record.observe();
  expect(await record.observe()).toEqual([table('10.0.0.1')]);
});
