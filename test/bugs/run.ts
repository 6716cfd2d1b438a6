/**
 * `npm run bugs -- [NAME...]`: puts each deliberate bug into a copy of this tree, runs the command that should catch
 * it, and prints a table. Exits with 1 when a bug was not caught. The simulation runs up to the first cluster with a
 * fault, which takes seconds; the storm takes a minute on real kernels; the architecture test takes a few seconds.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bug, CATCHERS, catalogue } from './bug.ts';
import { changed } from './change.ts';
import { SourceTree } from './source-tree.ts';

const ROOT = join(import.meta.dirname, '../..');
/** The files that the catchers read. They find the packages through a link. */
const COPIED = [
  'bin',
  'docs',
  'packaging',
  'src',
  'test',
  'CONTRIBUTING.md',
  'README.md',
  'package.json',
  'vitest.config.ts',
];
/** The longest message in a cell of the table. */
const SAID_MAX = 140;

interface Verdict {
  readonly caught: boolean;
  /** The files that the bug has changed. */
  readonly files: readonly string[];
  /** The first failed run and its message; the last line of the output when nothing was caught. */
  readonly run: string;
  readonly what: string;
  readonly seconds: number;
}

/** The files that the bug changes, by their paths from the root, with their new texts. */
function changedFiles({ changes }: Bug): ReadonlyMap<string, string> {
  const tree = SourceTree.read(ROOT);
  const texts = new Map<string, string>();
  for (const change of changes) {
    const { file, text } = changed(tree, change);
    tree.put(file, text);
    texts.set(file, text);
  }
  return texts;
}

/**
 * Makes a copy of the tree that has the bug.
 * @returns its directory
 */
function copyWith(texts: ReadonlyMap<string, string>): string {
  const place = mkdtempSync(join(tmpdir(), 'meshwork-bug-'));
  for (const entry of COPIED) cpSync(join(ROOT, entry), join(place, entry), { recursive: true });
  symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(place, 'node_modules'));
  for (const [file, text] of texts) {
    mkdirSync(dirname(join(place, file)), { recursive: true });
    writeFileSync(join(place, file), text);
  }
  return place;
}

async function catchBug(bug: Bug): Promise<Verdict> {
  const { command, env, says, deadlineMs } = CATCHERS[bug.catcher];
  const texts = changedFiles(bug);
  const place = copyWith(texts);
  const startMs = performance.now();
  try {
    const [program = '', ...words] = command;
    const child = spawn(program, words, {
      cwd: place,
      env: { ...process.env, ...env, PATH: `${join(place, 'node_modules/.bin')}${delimiter}${process.env.PATH}` },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: deadlineMs,
    });
    const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    for await (const text of child.stdout.setEncoding('utf8')) {
      output += text;
      // One failed cluster of eighty is enough. A storm removes its lab and ends without help.
      if (bug.catcher === 'simulation' && says.test(output)) child.kill();
    }
    const failed = (await ended) !== 0;
    const tookMs = performance.now() - startMs;
    const late = tookMs >= deadlineMs;
    const said = says.exec(output);
    const { run = bug.catcher, what = late ? 'the command did not end' : lastLine(output) } = said?.groups ?? {};
    const hasSign = bug.sign?.test(output) ?? true;
    // A catcher that could not start has caught nothing.
    const caught = failed && hasSign && (said !== null || late);
    return { caught, files: [...texts.keys()], run, what, seconds: Math.round(tookMs / 1_000) };
  } finally {
    rmSync(place, { recursive: true });
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

function row({ title }: Bug, { caught, files, run, what, seconds }: Verdict): string {
  const places = files.map((file) => `\`${file.replace(/^src\//, '')}\``).join(', ');
  const said = what.length > SAID_MAX ? `${what.slice(0, SAID_MAX)}…` : what;
  return `| ${title} | ${places} | ${caught ? run : 'NOT CAUGHT'} | ${seconds} s | ${said.replaceAll('|', '/')} |`;
}

const { positionals } = parseArgs({ allowPositionals: true });
const bugs = await catalogue();
for (const name of positionals)
  if (!bugs.has(name)) throw new TypeError(`no bug ${name}: ${[...bugs.keys()].join(', ')}`);
process.stdout.write('| Bug | Where | Caught in | After | First message |\n| --- | --- | --- | --- | --- |\n');
for (const [name, bug] of bugs) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const verdict = await catchBug(bug);
  process.stdout.write(`${row(bug, verdict)}\n`);
  if (!verdict.caught) process.exitCode = 1;
}
