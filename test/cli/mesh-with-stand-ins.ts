/** `mesh` as in src/main/cli.ts, but it starts stand-ins instead of the daemons. */
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { STAND_INS } from './mesh.ts';

const words = process.argv.slice(2);
const host = { stdout: process.stdout, stderr: process.stderr, entries: STAND_INS };
process.exitCode = await runProgram(await createProgram(host, words), words);
