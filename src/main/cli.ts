/** The `mesh` command: runs the command line on the standard streams, and ends with its exit code. */
import { complain, runCommandLine } from '../cli/command-line.ts';
import { programFile } from '../image/node/program-files.ts';

const words = process.argv.slice(2);
const host = {
  stdout: process.stdout,
  stderr: process.stderr,
  entries: { host0: programFile('host0'), agent: programFile('agent') },
};

/** A reader may close the pipe early (`mesh events | head`). That is not an error. */
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code === 'EPIPE') process.exit(0);
  void complain(host, words, cause, 'the answer on standard output').then((code) => process.exit(code));
});
/** Nothing can be said where nothing can be written. The exit code tells. */
process.stderr.on('error', () => {});

process.exitCode = await runCommandLine(host, words);
