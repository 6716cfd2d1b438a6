/** The `mesh` command: runs the command line, prints what it throws, and ends with that error's exit code. */
import { inspect } from 'node:util';
import { ownWords } from '../cli/own-words.ts';
import { createProgram, runProgram } from '../cli/program.ts';
import { programFile } from '../image/node/program-files.ts';
import { MeshError } from '../model/error.ts';
import { terminalJson, visibleLines } from '../protocol/documents/terminal-text.ts';

/** A reader may close the pipe early (`mesh events | head`). That is not an error. */
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code === 'EPIPE') process.exit(0);
  void complain(cause, 'the answer on standard output').then((code) => process.exit(code));
});
/** Nothing can be said where nothing can be written. The exit code tells. */
process.stderr.on('error', () => {});

/**
 * Prints an error, as JSON on stdout with `--json`.
 * @param what the object of an error of stdout itself, which is printed on stderr
 * @returns its exit code
 */
async function complain(thrown: unknown, what?: string): Promise<number> {
  const [{ errorText }, { explained }] = await Promise.all([
    import('../formats/error-text.ts'),
    import('../formats/system-error.ts'),
  ]);
  const error = explained(MeshError.from(thrown), what);
  if (what === undefined && ownWords(words).includes('--json')) {
    process.stdout.write(`${terminalJson({ error }, 2)}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${errorText(error, { color: process.stderr.isTTY && process.stderr.hasColors() })}\n`);
  if (error.code === 'MESH_INTERNAL') process.stderr.write(`${visibleLines(inspect(error.cause ?? error))}\n`);
  return error.exitCode;
}

const words = process.argv.slice(2);
try {
  const program = await createProgram(
    {
      stdout: process.stdout,
      stderr: process.stderr,
      entries: { host0: programFile('host0'), agent: programFile('agent') },
    },
    words,
  );
  process.exitCode = await runProgram(program, words);
} catch (thrown) {
  process.exitCode = await complain(thrown);
}
