/** The `mesh` command: runs the command line, prints what it throws, and ends with that error's exit code. */
import { inspect } from 'node:util';
import { createProgram, runProgram } from '../cli/program.ts';
import { programFile } from '../image/node/program-files.ts';
import { MeshError } from '../model/error.ts';
import { terminalJson, visibleLines } from '../protocol/documents/terminal-text.ts';

/** A reader may close the pipe early (`mesh events | head`). That is not an error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const words = process.argv.slice(2);
/** Words after `--` belong to another command (`mesh lab exec node1 -- mesh status --json`). */
const ownWords = words.slice(0, words.includes('--') ? words.indexOf('--') : undefined);
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
  const error = MeshError.from(thrown);
  if (ownWords.includes('--json')) {
    process.stdout.write(`${terminalJson({ error }, 2)}\n`);
  } else {
    const { errorText } = await import('../formats/error-text.ts');
    process.stderr.write(`${errorText(error, { color: process.stderr.isTTY && process.stderr.hasColors() })}\n`);
    if (error.code === 'MESH_INTERNAL') {
      process.stderr.write(`${visibleLines(inspect(error.cause ?? error))}\n`);
    }
  }
  process.exitCode = error.exitCode;
}
