/** What the files of `src/` import from each other, and what they export. Tests are left out. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dirname, normalize } from 'node:path/posix';

export const SOURCE = resolve(import.meta.dirname, '../../src');

/** One file of `src/`. Paths are relative to `src/`. */
export interface SourceFile {
  readonly file: string;
  readonly text: string;
  /** The files that it imports, types included. */
  readonly imports: readonly string[];
  /** The names that it defines and exports. */
  readonly exports: readonly string[];
  /** Those of `exports` without a docstring right above them. */
  readonly bareExports: readonly string[];
}

const IMPORT = /(?:\bfrom|\bimport\(|^import)\s*'(\.{1,2}\/[^']+)'/gm;
const EXPORT =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:const enum|const|let|function\*?|class|interface|type|enum) (\w+)/gm;

/** All files of `src/` but tests, by their path. */
export function sourceFiles(): ReadonlyMap<string, SourceFile> {
  const files = globSync('**/*.ts', { cwd: SOURCE }).filter((file) => !file.endsWith('.test.ts'));
  return new Map(files.toSorted().map((file) => [file, sourceFile(file)]));
}

function sourceFile(file: string): SourceFile {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  const imports = [...text.matchAll(IMPORT)].map(([, target = '']) => normalize(`${dirname(file)}/${target}`));
  const found = [...text.matchAll(EXPORT)].map(({ index, 1: name = '' }) => ({ index, name }));
  const bare = found.filter(({ index }) => !text.slice(0, index).endsWith('*/\n'));
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  return { file, text, imports, exports: names(found), bareExports: names(bare) };
}

/** `agent/loop/plan.ts` is in the room `agent`. */
export function roomOf(file: string): string {
  return file.split('/')[0] ?? '';
}

/** `agent/loop/plan.ts` is in the sub-folder `loop`, `agent/doctor/checks/clock.ts` in `doctor`, `agent/agent.ts` in `.`. */
export function folderOf(file: string): string {
  const [, folder = '', ...below] = file.split('/');
  return below.length > 0 ? folder : '.';
}

/** The circles in a graph, each as its path from a node back to that node; one for each edge that closes a circle. */
export function circlesIn(graph: ReadonlyMap<string, Iterable<string>>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const begin = path.indexOf(node);
    if (begin >= 0) circles.push([...path.slice(begin), node]);
    if (begin >= 0 || done.has(node)) return;
    path.push(node);
    for (const next of graph.get(node) ?? []) visit(next);
    path.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return circles;
}
