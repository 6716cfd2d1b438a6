/** `mesh genid`: identifiers as nodes, host0 and boot scripts derive them, and the id of this machine. */
import { Command } from 'commander';
import { MeshError } from '../model/error.ts';
import { genid } from '../model/genid.ts';
import type { Context } from './context.ts';

/** SHA-256 has so many hex digits. */
const MAX_DIGITS = 64;

export function genidCommand(context: Context): Command {
  return new Command('genid')
    .argument('<word...>', 'what the identifier is made of, then how many hex digits it has')
    .addHelpText('after', '\nExamples:\n  $ mesh genid machine 8\n  $ mesh genid vxlan 456 host0 manage456 10')
    .action((words: string[]) => {
      const digits = parseDigits(words.at(-1) ?? '');
      const parts = words.slice(0, -1);
      context.answer({ parts, id: genid(parts, digits) }, () => `${genid(parts, digits)}\n`);
    });
}

/** @throws MESH_USAGE */
function parseDigits(text: string): number {
  const digits = /^[1-9][0-9]?$/.test(text) ? Number(text) : Number.NaN;
  if (digits <= MAX_DIGITS) return digits;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(text)} is not a number of hex digits`, {
    remedy: `End the line with a number from 1 to ${MAX_DIGITS}: \`mesh genid machine 8\`.`,
  });
}
