/** `mesh node reboot`: reboots nodes, which then get what `mesh system configure` has compiled for them. */
import { Command } from 'commander';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { followBoots } from './node-boot.ts';
import { chosenNodes } from './node-choice.ts';
import { type CommandedNode, RemoteShell } from './remote-shell.ts';

export function nodeRebootCommand(context: Context): Command {
  return new Command('reboot')
    .description('Reboot nodes; they boot with what is compiled for them now')
    .argument('<node...>', 'their names or machine ids')
    .option('-f, --follow', 'show each stage that they reach, until all are members again, or until Ctrl-C')
    .addHelpText('after', '\nExamples:\n  $ mesh node reboot node1 --follow\n  $ mesh node reboot node1 node2 2b1c0d3e')
    .action((words: string[], { follow = false }: { follow?: boolean }) => reboot(context, words, follow));
}

/** Waits a second in the background, so that the exit code arrives before the machine reboots. */
const COMMAND = '(sleep 1; reboot) </dev/null >/dev/null 2>&1 &';

/** The document that `--json` prints for each node. */
interface Rebooting {
  readonly node: string;
  readonly machine: MachineId;
  readonly error?: ErrorDocument;
}

async function reboot(context: Context, words: readonly string[], follow: boolean): Promise<void> {
  const nodes = await chosenNodes(context, words);
  const since = new Date().toISOString();
  const outcomes = await rebootAll(context, nodes);
  const [failed] = outcomes.flatMap(({ error }) => (error === undefined ? [] : [MeshError.fromJSON(error)]));
  if (failed !== undefined && nodes.length === 1) throw failed;
  if (failed !== undefined) context.exitCode = failed.exitCode;
  if (!follow) return context.answer(outcomes, () => outcomes.map(outcomeText).join(''));
  for (const outcome of outcomes) context.emit(outcome, () => outcomeText(outcome));
  const gone = outcomes.filter(({ error }) => error === undefined).map(({ machine }) => machine);
  if (gone.length > 0) await followBoots(context, gone, since);
}

async function rebootAll(context: Context, nodes: readonly CommandedNode[]): Promise<Rebooting[]> {
  await using shell = await RemoteShell.open(context);
  const outcomes: Rebooting[] = [];
  for (const node of nodes) {
    const { name, machine } = node;
    try {
      const code = await shell.run(node, COMMAND, { onOutput: () => {} });
      if (code !== 0) throw new MeshError('MESH_NODE_NO_CONTROL', `the shell of ${name} ended with exit code ${code}`);
      outcomes.push({ node: name, machine });
    } catch (thrown) {
      outcomes.push({ node: name, machine, error: MeshError.from(thrown).toJSON() });
    }
  }
  return outcomes;
}

function outcomeText({ node, error }: Rebooting): string {
  if (error !== undefined) return `${printable(node)} does not reboot: ${printable(error.message)} [${error.code}]\n`;
  return `${printable(node)} reboots.\n`;
}
