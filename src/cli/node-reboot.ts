/** `mesh node reboot`: nodes start anew, and take what `mesh system configure` has put in force since. */
import { Command } from 'commander';
import { type ErrorDocument, MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import type { Context } from './context.ts';
import { chosenNodes } from './node-choice.ts';
import { printable } from './printable.ts';
import { RemoteShell } from './remote-shell.ts';

export function nodeRebootCommand(context: Context): Command {
  return new Command('reboot')
    .description('Boot nodes anew, with what is compiled for them now')
    .argument('<machine...>', 'their names or machine ids')
    .addHelpText(
      'after',
      '\nExamples:\n  $ mesh node reboot node1\n  $ mesh node reboot node1 node2 && mesh node boot node2 --follow',
    )
    .action((words: string[]) => reboot(context, words));
}

/** The answer comes back before the machine goes. */
const COMMAND = '(sleep 1; reboot) </dev/null >/dev/null 2>&1 &';

/** What `--json` prints of each. */
interface Rebooting {
  readonly node: string;
  readonly machine: MachineId;
  readonly error?: ErrorDocument;
}

async function reboot(context: Context, words: readonly string[]): Promise<void> {
  const nodes = await chosenNodes(context, words);
  await using shell = await RemoteShell.open(context.paths.state);
  const outcomes: Rebooting[] = [];
  const errors: MeshError[] = [];
  for (const node of nodes) {
    const { name, machine } = node;
    try {
      const code = await shell.run(node, COMMAND, { onOutput: () => {} });
      if (code !== 0)
        throw new MeshError('MESH_NODE_NO_CONTROL', `${name} does not reboot: its shell ended with ${code}`);
      outcomes.push({ node: name, machine });
    } catch (thrown) {
      const error = MeshError.from(thrown);
      errors.push(error);
      outcomes.push({ node: name, machine, error: error.toJSON() });
    }
  }
  const [first] = errors;
  if (first !== undefined && nodes.length === 1) throw first;
  if (first !== undefined) context.exitCode = first.exitCode;
  context.answer(outcomes, () => outcomes.map(outcomeText).join(''));
}

function outcomeText({ node, error }: Rebooting): string {
  if (error !== undefined) return `${printable(node)} does not: ${printable(error.message)} [${error.code}]\n`;
  return `${printable(node)} boots anew: \`mesh node boot ${printable(node)} --follow\` shows how far it is.\n`;
}
