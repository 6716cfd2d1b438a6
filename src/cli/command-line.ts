/** One command line, from its words to its exit code: an error is printed, and gives the code. */
import { inspect } from 'node:util';
import { MeshError } from '../model/error.ts';
import { terminalJson, visibleLines } from '../protocol/documents/terminal-text.ts';
import type { Host } from './context.ts';
import { ownWords } from './own-words.ts';
import { createProgram, runProgram } from './program.ts';

/** Runs a command line, and prints its error if there is one. @returns the exit code */
export async function runCommandLine(host: Host, words: readonly string[]): Promise<number> {
  try {
    return await runProgram(await createProgram(host, words), words);
  } catch (thrown) {
    return complain(host, words, thrown);
  }
}

/**
 * Prints an error, as JSON on stdout with `--json`.
 * @param what the object of an error of stdout itself, which is printed on stderr
 * @returns its exit code
 */
export async function complain(
  { stdout, stderr }: Host,
  words: readonly string[],
  thrown: unknown,
  what?: string,
): Promise<number> {
  const [{ errorText }, { explained }] = await Promise.all([
    import('../formats/error-text.ts'),
    import('../formats/system-error.ts'),
  ]);
  const error = explained(MeshError.from(thrown), what);
  if (what === undefined && ownWords(words).includes('--json')) {
    stdout.write(`${terminalJson({ error }, 2)}\n`);
    return error.exitCode;
  }
  stderr.write(`${errorText(error, { color: stderr.isTTY === true && stderr.hasColors?.() === true })}\n`);
  if (error.code === 'MESH_INTERNAL') stderr.write(`${visibleLines(inspect(error.cause ?? error))}\n`);
  return error.exitCode;
}
