/** The house: which room may import from which, which sub-folder from which, and that the map of the source is true. */
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { basename, dirname } from 'node:path/posix';
import { describe, expect, test } from 'vitest';
import { claimsIn, parsesIn } from './architecture/document-readers.ts';
import { FOLDERS } from './architecture/folders.ts';
import { LANGUAGES } from './architecture/languages.ts';
import { ROOMS } from './architecture/rooms.ts';
import { circlesIn, folderOf, roomOf, SOURCE, sourceFiles } from './architecture/source-imports.ts';

/** Folders and files are small enough to be read at a glance. */
const FOLDER_MAX_FILES = 20;
const FILE_MAX_LINES = 400;

/** Exported names that stand for two things, each with the reason. */
const DOUBLE_NAMES: Readonly<Record<string, string>> = {};

/** Files of `src/` that are run by their name, each with what runs it. */
const ENTRIES: Readonly<Record<string, string>> = {
  'main/cli.ts': '`bin/mesh`',
  'main/host0.ts': 'a service of host0',
  'main/agent.ts': 'a service of every machine',
  'store/sqlite/sqlite-worker.ts': 'a thread, which `store/sqlite/sqlite-thread.ts` starts by its URL',
  'libvirt/client/libvirt.ts': 'programs in TypeScript, as `meshwork/libvirt`',
  'cli/pages/manual.ts': '`packaging/tree.ts`, which writes the manual pages',
};

/** The file that parses JSON. */
const READER = 'protocol/shapes/document.ts';

/** Source that no entry needs, each with the reason why it is not in `test/`. */
const APART: Readonly<Record<string, string>> = {
  'cli/pages/http-page.ts': 'docs/reference/http.md, which its test writes, is made of it',
  'cli/pages/reference.ts': 'the pages in `docs/reference`, which its test writes, are made of it',
};

const FILES = sourceFiles();
const IMPORTS = [...FILES.values()].flatMap(({ file, imports }) => imports.map((imported) => ({ file, imported })));

describe('rooms', () => {
  test('every room has its row', () => {
    const rooms = readdirSync(SOURCE, { withFileTypes: true }).map(({ name }) => name);
    expect(rooms.toSorted()).toEqual(Object.keys(ROOMS).toSorted());
  });

  test('a room imports only from the rooms that it may', () => {
    const forbidden = IMPORTS.filter(({ file, imported }) => roomOf(file) !== roomOf(imported))
      .filter(({ file, imported }) => ROOMS[roomOf(file)]?.may[roomOf(imported)] === undefined)
      .map(({ file, imported }) => `${file} imports ${imported}`);
    expect(forbidden).toEqual([]);
  });

  test('the table of rooms names only rooms that are imported', () => {
    const used = new Set(IMPORTS.map(({ file, imported }) => `${roomOf(file)} → ${roomOf(imported)}`));
    const rows = Object.entries(ROOMS).flatMap(([room, { may }]) =>
      Object.keys(may).map((other) => `${room} → ${other}`),
    );
    expect(rows.filter((row) => !used.has(row))).toEqual([]);
  });

  test('rooms stand above what they import', () => {
    expect(circlesIn(new Map(Object.entries(ROOMS).map(([room, { may }]) => [room, Object.keys(may)])))).toEqual([]);
  });
});

describe('sub-folders', () => {
  test('every sub-folder has its row', () => {
    const rows = Object.entries(FOLDERS).flatMap(([room, folders]) =>
      Object.keys(folders).map((folder) => `${room}/${folder}`),
    );
    const there = new Set([...FILES.keys()].map((file) => `${roomOf(file)}/${folderOf(file)}`));
    const folders = [...there].filter((place) => !place.endsWith('/.'));
    expect(rows.toSorted()).toEqual(expect.arrayContaining(folders.toSorted()));
    expect(rows.filter((place) => !there.has(place))).toEqual([]);
  });

  test('a sub-folder imports only from the sub-folders that it may', () => {
    const forbidden = IMPORTS.filter(
      ({ file, imported }) => roomOf(file) === roomOf(imported) && folderOf(file) !== folderOf(imported),
    )
      .filter(({ file, imported }) => FOLDERS[roomOf(file)]?.[folderOf(file)]?.[folderOf(imported)] === undefined)
      .map(({ file, imported }) => `${file} imports ${imported}`);
    expect(forbidden).toEqual([]);
  });

  test('the rows of sub-folders name only what is imported', () => {
    const used = new Set(
      IMPORTS.filter(({ file, imported }) => roomOf(file) === roomOf(imported)).map(
        ({ file, imported }) => `${roomOf(file)}: ${folderOf(file)} → ${folderOf(imported)}`,
      ),
    );
    const rows = Object.entries(FOLDERS).flatMap(([room, folders]) =>
      Object.entries(folders).flatMap(([folder, may]) =>
        Object.keys(may).map((other) => `${room}: ${folder} → ${other}`),
      ),
    );
    expect(rows.filter((row) => !used.has(row))).toEqual([]);
  });

  // The files beside the sub-folders may stand on both sides: a room's errors are below, its face is above.
  test('no arrow between two sub-folders runs back', () => {
    const circles = Object.values(FOLDERS).flatMap((folders) => {
      const graph = Object.entries(folders).filter(([folder]) => folder !== '.');
      return circlesIn(
        new Map(graph.map(([folder, may]) => [folder, Object.keys(may).filter((other) => other !== '.')])),
      );
    });
    expect(circles).toEqual([]);
  });
});

describe('files', () => {
  test('no files import each other in a circle, not even types', () => {
    expect(circlesIn(new Map([...FILES].map(([file, { imports }]) => [file, imports])))).toEqual([]);
  });

  test('source imports nothing of the tests and benchmarks', () => {
    expect(IMPORTS.filter(({ imported }) => imported.startsWith('..'))).toEqual([]);
  });

  test('a room holds what is run: what only tests and benchmarks need is in test/kit', () => {
    const reached = new Set<string>();
    const waiting = Object.keys(ENTRIES);
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (reached.has(file)) continue;
      reached.add(file);
      waiting.push(...(FILES.get(file)?.imports ?? []));
    }
    expect([...FILES.keys()].filter((file) => !reached.has(file))).toEqual(Object.keys(APART));
  });

  test('nobody imports a composition root', () => {
    const forbidden = IMPORTS.filter(({ file, imported }) => roomOf(imported) === 'main' && roomOf(file) !== 'main');
    expect(forbidden).toEqual([]);
  });

  test('an exported name stands for one thing', () => {
    const definers = Map.groupBy(
      [...FILES.values()].flatMap(({ file, exports }) => exports.map((name) => ({ name, file }))),
      ({ name }) => name,
    );
    const double = [...definers]
      .filter(([name, places]) => places.length > 1 && DOUBLE_NAMES[name] === undefined)
      .map(([name, places]) => `${name}: ${places.map(({ file }) => file).join(', ')}`);
    expect(double).toEqual([]);
    expect(Object.keys(DOUBLE_NAMES).filter((name) => (definers.get(name)?.length ?? 0) < 2)).toEqual([]);
  });

  // A file's only export is described by the file's header.
  test('every export has a docstring', () => {
    const bare = [...FILES.values()].flatMap(({ file, exports, bareExports }) =>
      exports.length > 1 ? bareExports.map((name) => `${file}: ${name}`) : [],
    );
    expect(bare).toEqual([]);
  });

  test(`a folder holds at most ${FOLDER_MAX_FILES} source files, a file at most ${FILE_MAX_LINES} lines`, () => {
    const folders = Map.groupBy(FILES.keys(), (file) => dirname(file));
    const full = [...folders].filter(([, files]) => files.length > FOLDER_MAX_FILES).map(([folder]) => folder);
    const long = [...FILES.values()].filter(({ text }) => text.split('\n').length - 1 > FILE_MAX_LINES);
    expect(full).toEqual([]);
    expect(long.map(({ file }) => file)).toEqual([]);
  });

  test('a process that outlives the one that starts it is started in one way, by a spec', () => {
    const having = (sign: RegExp) => [...FILES.values()].filter(({ text }) => sign.test(text)).map(({ file }) => file);
    // A hook has its own session, so that it is ended with all its children: with host0 at the latest.
    // So has the script of an overlay: with the build at the latest.
    const ownSession = ['lab/overlays/script-output.ts', 'services/hook/run-hook.ts', 'services/process/launch.ts'];
    expect(having(/\bdetached\b|\bnohup\b|\bsetsid\b/)).toEqual(ownSession);
    const starts = [...FILES.values()].filter(({ imports }) => imports.includes('services/process/launch.ts'));
    expect(starts.map(({ file }) => file)).toEqual(['services/process/process-start.ts']);
  });

  test('the model is pure: it touches no file, no network and no process', () => {
    const impure = [...FILES.values()]
      .filter(({ file }) => roomOf(file) === 'model')
      .flatMap(({ file, text }) =>
        [...text.matchAll(/from 'node:([a-z/_]+)'/g)].map(([, module]) => `${file} uses node:${module}`),
      )
      .filter((line) => !/node:(?:crypto|net|timers\/promises|util)$/.test(line));
    expect(impure).toEqual([]);
  });
});

describe('documents', () => {
  const found = (places: (text: string) => string[]) =>
    [...FILES.values()].flatMap(({ file, text }) => places(text).map((place) => `${file}:${place}`));

  test('JSON is parsed by the reader of documents alone', () => {
    expect(found(parsesIn).map((place) => place.split(':')[0])).toEqual([READER]);
  });

  test('nothing claims a type for a document: its shape gives the type', () => {
    expect(found(claimsIn)).toEqual([]);
  });

  test.each([
    ['JSON.parse(text)', 1],
    ["JSON['parse'](text)", 1],
    ['const { parse } = JSON;', 1],
    ['const body: unknown = await response.json();', 1],
    ['JSON.stringify(document)', 0],
    ['// JSON.parse is slow', 0],
    ['/** As JSON.parse does. */', 0],
  ])('%s parses %i times', (text, count) => {
    expect(parsesIn(text)).toHaveLength(count);
  });

  test.each([
    ['return document as Assignment;', 1],
    ['readDocument(Shape, text).document as Host0Status', 1],
    ['const health = (reading.document?.health as Finding[]);', 1],
    ['const { document, fault } = readDocument(Shape, text);', 0],
    ['return { document } as const;', 0],
    ["import type { Document as Page } from './page.ts';", 0],
  ])('%s claims a type %i times', (text, count) => {
    expect(claimsIn(text)).toHaveLength(count);
  });
});

describe('languages', () => {
  test.each(Object.entries(LANGUAGES))('%s: text gets in by one way', (_name, { sign, files, inserted }) => {
    const written = [...FILES.values()].flatMap(({ file, text }) =>
      text
        .split('\n')
        .filter((line) => sign.test(line) && !/^\s*(?:\/?\*|\/\/)/.test(line))
        .map((line) => ({ file, line: line.trim() })),
    );
    expect([...new Set(written.map(({ file }) => file))].toSorted()).toEqual(Object.keys(files).toSorted());
    const unchecked = written.flatMap(({ file, line }) =>
      insertionsOf(line)
        .filter((text) => !inserted.some((form) => form.test(text)))
        .map((text) => `${file}: \${${text}}`),
    );
    expect(unchecked).toEqual([]);
  });
});

/** The texts between `${` and its `}`, without those that a backslash makes plain text. */
function insertionsOf(line: string): string[] {
  return [...line.matchAll(/(?<!\\)\$\{((?:[^{}]|\{[^{}]*\})*)\}/g)].map(([, text = '']) => text);
}

describe('CONTRIBUTING.md', () => {
  const page = readFileSync(join(SOURCE, '../CONTRIBUTING.md'), 'utf8');

  test('the map is the table of rooms', () => {
    const rows = Object.entries(ROOMS).map(([room, { what }]) => {
      const names = Object.keys(FOLDERS[room] ?? {}).filter((folder) => folder !== '.');
      return `| \`${room}/\` | ${what} | ${names.length > 0 ? names.join(' ') : '–'} |`;
    });
    expect(page.split('\n').filter((line) => /^\| `\w+\/` \|/.test(line))).toEqual(rows);
  });

  const walks = [...page.matchAll(/^To follow (.*?):\n\n((?:\d+\. .*\n)+)/gm)].map(([, what = '', text = '']) => ({
    what,
    stops: [...text.matchAll(/`([\w-]+(?:\/[\w.-]+)+)`/g)].map(([, stop = '']) => stop),
  }));

  test('there are two walks through the source', () => {
    expect(walks.map(({ what }) => what)).toEqual([
      '`vni` from its file to the kernel',
      'a boot from its first frame to a member',
    ]);
  });

  test.each(walks)('$what: each file hands on to the next', ({ stops }) => {
    const there = globSync('**/*', { cwd: SOURCE });
    expect(stops.filter((stop) => !there.includes(stop))).toEqual([]);
    expect(stops.length).toBeGreaterThan(5);
    const broken = stops
      .slice(1)
      .map((stop, index) => [stops[index] ?? '', stop] as const)
      .filter(([from, to]) => !handsOn(from, to));
    expect(broken.map((pair) => pair.join(' → '))).toEqual([]);
  });
});

/**
 * Whether one of two files hands on to the other: by an import; a script by the name of the other file, as it is called where
 * it is installed; and host0 to a script by a word of the kernel command line.
 */
function handsOn(from: string, to: string): boolean {
  const [source, target] = [FILES.get(from), FILES.get(to)];
  if (source !== undefined && target !== undefined) return source.imports.includes(to) || target.imports.includes(from);
  const [before, after] = [textOf(from), textOf(to)];
  const words = before.match(/\bmesh\.\w+=/g) ?? [];
  return names(before, to) || names(after, from) || words.some((word) => after.includes(word));
}

function textOf(file: string): string {
  return readFileSync(join(SOURCE, file), 'utf8');
}

/** `dist/agent.mjs` is what `main/agent.ts` is called in a bundle, `boot/agent` and `etc/inittab` what files are called on a node. */
function names(text: string, file: string): boolean {
  const installed = file.endsWith('.ts') ? `dist/${basename(file, '.ts')}.mjs` : `(?:boot|etc)/${basename(file)}`;
  return new RegExp(`\\b${installed}(?![\\w-])`).test(text);
}
