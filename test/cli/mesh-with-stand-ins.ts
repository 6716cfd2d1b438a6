/** `mesh` as src/main/cli.ts puts it together, but what it runs is a stand-in. */
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { STAND_INS } from './mesh.ts';

const words = process.argv.slice(2);
const host = { stdout: process.stdout, stderr: process.stderr, entries: STAND_INS };
process.exitCode = await runProgram(await createProgram(host, words), words);
