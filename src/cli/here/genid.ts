/** `mesh genid`: identifiers as nodes, host0 and boot scripts derive them, and the id of this machine. */
import { Command } from 'commander';
import { permanentMacs } from '../../kernel/rtnl/permanent-macs.ts';
import { explainMachineId, type MachineIdStep, machineId, type PermanentMac } from '../../machine/machine-id.ts';
import { uuidFault } from '../../machine/smbios.ts';
import { MeshError } from '../../model/error.ts';
import { genid } from '../../model/genid.ts';
import { machineIdOf } from '../../model/machine.ts';
import type { Context } from '../context.ts';
import { type Column, table } from '../print/table.ts';

/** The hex digits of a SHA-256. */
const MAX_DIGITS = 64;
const MACHINE_DIGITS = 8;

interface GenidOptions {
  readonly productUuid?: string;
  readonly explain?: boolean;
}

export function genidCommand(context: Context): Command {
  return new Command('genid')
    .argument('<word...>', 'what the identifier is made of, then how many hex digits it has')
    .option(
      '--product-uuid <uuid>',
      'with `machine 8`: the id of the machine with this SMBIOS UUID, instead of this machine',
    )
    .option('--explain', 'with `machine 8`: show every source that was asked')
    .addHelpText(
      'after',
      '\n`mesh genid machine 8` is the id of this machine. Other words are joined by NUL and hashed with SHA-256.\n' +
        '\nExamples:\n  $ mesh genid machine 8 --explain' +
        '\n  $ mesh genid machine 8 --product-uuid 4c4c4544-0042-3510-8054-b7c04f4b3332' +
        '\n  $ mesh genid vxlan 456 host0 manage456 10',
    )
    .action(async (words: string[], options: GenidOptions) => {
      const digits = parseDigits(words.at(-1) ?? '');
      const parts = words.slice(0, -1);
      if (parts.length === 1 && parts[0] === 'machine') return answerMachine(context, digits, options);
      if (parts.length === 0) throw usage('there is nothing to make an identifier of', 'Name one word or more.');
      const id = genid(parts, digits);
      context.answer({ id, parts }, () => `${id}\n`);
    });
}

function parseDigits(text: string): number {
  const digits = /^[1-9][0-9]?$/.test(text) ? Number(text) : Number.NaN;
  if (digits <= MAX_DIGITS) return digits;
  throw usage(
    `${JSON.stringify(text)} is not a number of hex digits`,
    `End the line with a number from 1 to ${MAX_DIGITS}: \`mesh genid machine 8\`.`,
  );
}

function usage(message: string, remedy: string): MeshError {
  return new MeshError('MESH_USAGE', message, { remedy });
}

async function answerMachine(context: Context, digits: number, { productUuid, explain }: GenidOptions): Promise<void> {
  if (digits !== MACHINE_DIGITS) throw usage('a machine id has 8 digits', 'Write `mesh genid machine 8`.');
  if (productUuid !== undefined) {
    const hardware = parseProductUuid(productUuid);
    const id = machineIdOf(hardware);
    context.answer({ id, from: 'product uuid', hardware }, () => `${id}\n`);
    return;
  }
  const input = { root: context.paths.root, env: process.env, permanentMacs: await ownMacs() };
  const steps = explainMachineId(input);
  if (explain && !context.json) context.print(`${table(steps, STEP_COLUMNS, context.page)}\n`);
  const identity = machineId(input);
  context.answer(explain ? { ...identity, steps } : identity, () => `${identity.id}\n`);
}

/**
 * The UUID in lower case, as the kernel of that machine prints it.
 * @throws MESH_MACHINE_INVALID when the text is no UUID, or one that many machines share
 */
function parseProductUuid(text: string): string {
  const uuid = text.trim().toLowerCase();
  const why = uuidFault(uuid);
  if (why === undefined) return uuid;
  throw new MeshError('MESH_MACHINE_INVALID', `${JSON.stringify(text)} identifies no machine: ${why}`, {
    rule: 'A machine is known by a product UUID that no other machine has.',
    remedy: 'See `mesh genid machine 8 --explain` on the machine itself for other sources of its id.',
  });
}

const STEP_COLUMNS: readonly Column<MachineIdStep>[] = [
  { title: 'SOURCE', text: (step) => step.source },
  { title: 'PLACE', text: (step) => step.place, flexible: true },
  { title: 'VALUE', text: (step) => step.value ?? '-', flexible: true },
  {
    title: 'VERDICT',
    text: ({ verdict }) => (verdict.taken ? 'taken' : verdict.why),
    flexible: true,
    tone: ({ verdict }) => (verdict.taken ? 'good' : undefined),
  },
];

/** Loads the netlink code only here, since no other command reads the kernel. */
async function ownMacs(): Promise<PermanentMac[]> {
  const { Rtnl } = await import('../../kernel/rtnl/rtnl.ts');
  const rtnl = await Rtnl.open();
  try {
    return permanentMacs(await rtnl.links());
  } finally {
    await rtnl.close();
  }
}
