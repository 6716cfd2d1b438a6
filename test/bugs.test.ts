/** The catalogue of deliberate bugs fits the source; `npm run bugs` tests that each is caught. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Bug, CATCHERS, catalogue } from './bugs/bug.ts';
import { type Change, changed } from './bugs/change.ts';
import { definitionsIn } from './bugs/definition.ts';
import { SourceTree, type SymbolName } from './bugs/source-tree.ts';

const ROOT = join(import.meta.dirname, '..');
const BUGS = await catalogue();
const TABLE = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');

test('there are at least ten bugs', () => {
  expect(BUGS.size).toBeGreaterThanOrEqual(10);
});

const SOURCE = SourceTree.read(ROOT);

test.each([...BUGS])('each change of %s fits the source exactly once', (_, { changes }: Bug) => {
  const tree = SOURCE.copy();
  for (const change of changes) {
    const { file, text } = changed(tree, change);
    expect(tree.has(file) ? tree.text(file) : undefined).not.toBe(text);
    if (file.endsWith('.ts')) expect(() => [...definitionsIn(text)], `${file} is TypeScript`).not.toThrow();
    tree.put(file, text);
  }
});

test.each([...BUGS])('%s is in the table of docs/testing.md', (_, { title }: Bug) => {
  expect(TABLE).toContain(`| ${title} |`);
});

const BACKOFF = `import { later } from './later.ts';

/** A class with \`}\` in what it says. */
export class Backoff {
  #waits = [1, 2];

  failed(key: string): number {
    const note = \`\${key} has { \${'}'}\`; // }
    return /[{'"]/.test(note) ? later(this.#waits, key) : this.#put(key);
  }

  #put(key: string): number {
    return later(this.#waits, key);
  }
}

export const FIRST = [10, 20],
  SECOND = [10, 20];

function wait(key: string): number;
function wait(key: string, more = 1): number {
  return later([more], key);
}
`;

function treeOf(texts: Readonly<Record<string, string>>): SourceTree {
  return new SourceTree(Object.entries(texts));
}

/** The text of the module after an edit. */
function edited(text: string, symbol: string, find: string, replace = 'X'): string {
  return changed(treeOf({ 'src/agent/backoff.ts': text }), { kind: 'edit', symbol, find, replace }).text;
}

describe('a symbol', () => {
  const tree = treeOf({
    'src/agent/loop/backoff.ts': BACKOFF,
    'src/agent/names.ts': 'export const REQUEST = 1;\n',
    'src/kernel/names.ts': 'const REQUEST = 2;\n',
    'src/kernel/names.test.ts': 'const REQUEST = 3;\nconst ONLY_HERE = REQUEST;\n',
    'docs/testing.md': 'const REQUEST = 4;\n',
  });

  test.each([
    'Backoff',
    'Backoff.failed',
    'Backoff.#put',
    'Backoff.#waits',
    'FIRST',
    'SECOND',
    'wait',
  ])('%s is found in whichever folder its file is', (symbol) => {
    expect(tree.definition({ symbol }).file).toBe('src/agent/loop/backoff.ts');
  });

  test('ends where its own text ends, whatever brackets its strings and comments hold', () => {
    const texts = new Map(
      [...definitionsIn(BACKOFF)].map(({ symbol, start, end }) => [symbol, BACKOFF.slice(start, end)]),
    );
    expect(texts.get('SECOND')).toBe('SECOND = [10, 20]');
    expect(texts.get('Backoff.#put')).toBe('#put(key: string): number {\n    return later(this.#waits, key);\n  }');
    expect(texts.get('Backoff.failed')).toMatch(/^failed\(.*this\.#put\(key\);\n {2}\}$/s);
    expect(texts.get('wait')).toMatch(/^function wait\(key: string, more = 1\).*\}$/s);
  });

  test.each<[SymbolName, string]>([
    [{ symbol: 'Backoff.succeeded' }, 'nothing in src/ is called Backoff.succeeded'],
    [{ symbol: 'ONLY_HERE' }, 'nothing in src/ is called ONLY_HERE'],
    [{ symbol: 'Backoff', in: 'kernel' }, 'nothing in src/kernel/ is called Backoff'],
    [
      { symbol: 'REQUEST' },
      'REQUEST is defined 2 times, in src/agent/names.ts and src/kernel/names.ts: name the room with `in`',
    ],
  ])('that is missing or defined twice is named in the error: %o', (name, message) => {
    expect(() => tree.definition(name)).toThrow(new RangeError(message));
  });

  test('that two rooms define is found by its room', () => {
    expect(tree.definition({ symbol: 'REQUEST', in: 'kernel' }).file).toBe('src/kernel/names.ts');
  });
});

describe('an edit', () => {
  test('changes the text of its symbol only', () => {
    const text = edited(BACKOFF, 'Backoff.#put', 'later(this.#waits, key)');
    expect(text).toBe(BACKOFF.replace('return later(this.#waits, key);\n', 'return X;\n'));
  });

  test.each([
    ['broken into lines', 'later(\n      this.#waits,\n      key,\n    )'],
    ['without spaces', 'later(this.#waits,key)'],
    ['with a comma at the end', 'later(this.#waits, key,)'],
  ])('finds its place in a call %s', (_, laidOut) => {
    const text = BACKOFF.replaceAll('later(this.#waits, key)', laidOut);
    expect(edited(text, 'Backoff.#put', 'return later(this.#waits, key);')).toContain(
      '#put(key: string): number {\n    X\n  }',
    );
    expect(edited(text, 'Backoff.#put', 'return later(\n  this.#waits,\n  key,\n);')).toContain('{\n    X\n  }');
  });

  test('tells two words from one', () => {
    expect(() => edited('const a = returned;\n', 'a', 'return ed')).toThrow(RangeError);
  });

  test.each([
    ['FIRST', '30', 'FIRST in src/agent/backoff.ts has "30" 0 times'],
    ['FIRST', '', 'FIRST in src/agent/backoff.ts has "" 0 times'],
    ['Backoff', 'later(this.#waits, key)', 'Backoff in src/agent/backoff.ts has "later(this.#waits, key)" 2 times'],
  ])('of %s says how often its words are there: %o', (symbol, find, message) => {
    expect(() => edited(BACKOFF, symbol, find)).toThrow(new RangeError(message));
  });

  test('inserts its replacement literally', () => {
    expect(edited('const a = 1;\n', 'a', '1', "'$& $1'")).toBe("const a = '$& $1';\n");
  });
});

describe('another change', () => {
  const tree = treeOf({
    'src/agent/loop/backoff.ts': BACKOFF,
    'src/agent/loop/reconciler.ts': 'export class Reconciler {}\n',
    'src/model/clock.ts': 'export const NOON = 12;\n',
    'CONTRIBUTING.md': '| `model/` | clocks |\n| `store/` | revisions |\n',
  });

  test.each<[string, Change, string, string]>([
    [
      'appends to the module of a symbol',
      { kind: 'append', symbol: 'NOON', text: 'export const Backoff = 0;' },
      'src/model/clock.ts',
      'export const NOON = 12;\nexport const Backoff = 0;\n',
    ],
    [
      'imports from another room',
      { kind: 'import', symbol: 'NOON', of: { symbol: 'Backoff', in: 'agent' } },
      'src/model/clock.ts',
      "export const NOON = 12;\nimport { Backoff } from '../agent/loop/backoff.ts';\n",
    ],
    [
      'imports from the same folder',
      { kind: 'import', symbol: 'Reconciler', of: { symbol: 'FIRST' } },
      'src/agent/loop/reconciler.ts',
      "export class Reconciler {}\nimport { FIRST } from './backoff.ts';\n",
    ],
    [
      'adds a file',
      { kind: 'new-file', file: 'src/model/noon.ts', text: 'export const NOON = 12;\n' },
      'src/model/noon.ts',
      'export const NOON = 12;\n',
    ],
    [
      'edits a page',
      { kind: 'document', file: 'CONTRIBUTING.md', find: '| `store/`', replace: '| `stores/`' },
      'CONTRIBUTING.md',
      '| `model/` | clocks |\n| `stores/` | revisions |\n',
    ],
  ])('%s', (_, change, file, text) => {
    expect(changed(tree, change)).toEqual({ file, text });
    // The same change does not fit a second time.
    const after = treeOf({ [file]: text });
    if (change.kind === 'import') after.put(tree.definition(change.of).file, BACKOFF);
    expect(() => changed(after, change)).toThrow(RangeError);
  });

  test.each<[Change, string]>([
    [{ kind: 'append', symbol: 'MIDNIGHT', text: 'x' }, 'nothing in src/ is called MIDNIGHT'],
    [{ kind: 'append', symbol: 'NOON', text: 'NOON = 12;' }, 'src/model/clock.ts has "NOON = 12;" already'],
    [
      { kind: 'import', symbol: 'FIRST', of: { symbol: 'wait' } },
      'src/agent/loop/backoff.ts defines both FIRST and wait',
    ],
    [{ kind: 'new-file', file: 'src/model/clock.ts', text: '' }, 'src/model/clock.ts is there already'],
    [{ kind: 'document', file: 'docs/a.md', find: 'a', replace: 'b' }, 'there is no docs/a.md'],
    [{ kind: 'document', file: 'CONTRIBUTING.md', find: '| `', replace: '' }, 'CONTRIBUTING.md has "| `" 2 times'],
  ])('that does not fit says why: %o', (change, message) => {
    expect(() => changed(tree, change)).toThrow(new RangeError(message));
  });
});

test('the catcher `architecture` finds the name of the broken rule', () => {
  const output = ` FAIL  |unit| test/architecture.test.ts > every room has its row\nAssertionError: expected [ 'x' ] to equal []\n`;
  expect(CATCHERS.architecture.says.exec(output)?.groups).toMatchObject({ what: 'every room has its row' });
});
