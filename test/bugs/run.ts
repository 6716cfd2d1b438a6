/**
 * `npm run bugs -- [NAME...]`: puts each deliberate bug into a copy of this tree, runs what should catch it, and prints a
 * table. Ends with 1 when one was not caught. The simulation runs up to the first cluster that is not well, which takes seconds;
 * the storm a minute on real kernels.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bug, CATCHERS, catalogue, changed } from './bug.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = ['bin', 'packaging', 'src', 'test', 'package.json', 'vitest.config.ts'];
/** The table's cells hold this much of a sentence. */
const SAID_MAX = 140;

interface Verdict {
  readonly caught: boolean;
  /** The first run that was not well, and what it said. */
  readonly run: string;
  readonly what: string;
  readonly seconds: number;
}

/** A copy of the tree with the bug in it. */
function infested({ changes }: Bug): string {
  const place = mkdtempSync(join(tmpdir(), 'meshwork-bug-'));
  for (const entry of COPIED) cpSync(join(ROOT, entry), join(place, entry), { recursive: true });
  symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(place, 'node_modules'));
  for (const change of changes) {
    const file = join(place, change.file);
    writeFileSync(file, changed(readFileSync(file, 'utf8'), change));
  }
  return place;
}

async function hunt(bug: Bug): Promise<Verdict> {
  const { command, env, says, deadlineMs } = CATCHERS[bug.catcher];
  const place = infested(bug);
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
      // One cluster of eighty is enough. A storm takes down what it made, and ends by itself.
      if (bug.catcher === 'simulation' && says.test(output)) child.kill();
    }
    const failed = (await ended) !== 0;
    const { run = bug.catcher, what = 'it did not end' } = says.exec(output)?.groups ?? {};
    const betrayed = bug.sign?.test(output) ?? true;
    return { caught: failed && betrayed, run, what, seconds: Math.round((performance.now() - startMs) / 1_000) };
  } finally {
    rmSync(place, { recursive: true });
  }
}

function row({ title, changes }: Bug, { caught, run, what, seconds }: Verdict): string {
  const files = [...new Set(changes.map(({ file }) => `\`${file.replace(/^src\//, '')}\``))].join(', ');
  const said = what.length > SAID_MAX ? `${what.slice(0, SAID_MAX)}…` : what;
  return caught
    ? `| ${title} | ${files} | ${run} | ${seconds} s | ${said.replaceAll('|', '/')} |`
    : `| ${title} | ${files} | NOT CAUGHT | ${seconds} s | |`;
}

const { positionals } = parseArgs({ allowPositionals: true });
const bugs = await catalogue();
for (const name of positionals)
  if (!bugs.has(name)) throw new TypeError(`no bug ${name}: ${[...bugs.keys()].join(', ')}`);
process.stdout.write('| Bug | Where | Caught in | After | What it said first |\n| --- | --- | --- | --- | --- |\n');
for (const [name, bug] of bugs) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const verdict = await hunt(bug);
  process.stdout.write(`${row(bug, verdict)}\n`);
  if (!verdict.caught) process.exitCode = 1;
}
