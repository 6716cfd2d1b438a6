/** `mesh network edit NAME` without options: the network as YAML in an editor. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { errorText } from '../../formats/error-text.ts';
import { networkYaml } from '../../formats/network/network-yaml.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { readNetworkText } from './network-input.ts';

/** The exit code of a shell that finds no such program. */
const NO_PROGRAM = 127;

/** What the editor has to do with its surroundings. */
export interface Editing {
  /** Changes the network. What it throws is shown, and the text can be mended. */
  readonly take: (order: NetworkOrder) => Promise<void>;
  /** Whether a person can be asked. */
  readonly isTerminal: boolean;
  readonly print: (text: string) => void;
  readonly color: boolean;
}

/** The editor that the environment names; `vi` on a terminal, undefined elsewhere. */
export function editorNamed(env: NodeJS.ProcessEnv, isTerminal: boolean): string | undefined {
  return env.VISUAL || env.EDITOR || (isTerminal ? 'vi' : undefined);
}

/**
 * Opens the editor, and changes the network as the text says afterwards.
 * @returns false for a text that was not changed
 * @throws MESH_USAGE, and what refuses the text
 */
export function editNetwork(editor: string, network: Network, { take, ...editing }: Editing): Promise<boolean> {
  const before = `${headOf(network)}${networkYaml(network)}`;
  return editText(editor, `${network.name}.yaml`, before, {
    ...editing,
    take: async (file, text) => take(await orderIn(file, text, network)),
    again: 'mesh network apply',
  });
}

/** What the editing of a text has to do with its surroundings. */
export interface TextEditing extends Omit<Editing, 'take'> {
  /** Takes the new text. What it throws is shown, and the text can be mended. */
  readonly take: (file: string, text: string) => Promise<void>;
  /** The command that takes the file of a text that was refused. */
  readonly again: string;
}

/**
 * Opens the editor with a text. A text that is refused changes nothing: it is shown again, or kept in its file.
 * @returns false for a text that was not changed
 * @throws MESH_USAGE, and what refuses the text
 */
export async function editText(editor: string, name: string, before: string, editing: TextEditing): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'mesh-'));
  const file = join(directory, name);
  await writeFile(file, before, { mode: 0o600 });
  let isKept = false;
  try {
    for (;;) {
      await run(editor, file);
      const text = await readFile(file, 'utf8');
      if (text === before || text.replaceAll(/^#.*$/gm, '').trim() === '') return false;
      isKept = true;
      const refusal = await refusalOf(() => editing.take(file, text));
      isKept = refusal !== undefined;
      if (refusal === undefined) return true;
      if (!editing.isTerminal) throw keptIn(file, refusal, editing.again);
      editing.print(`${errorText(refusal, { color: editing.color })}\n`);
      if (!(await isWantedAgain())) throw keptIn(file, refusal, editing.again);
    }
  } finally {
    if (!isKept) await rm(directory, { recursive: true, force: true });
  }
}

function headOf({ name }: Network): string {
  return (
    `# Network ${name}. It is changed as this file says when you save the file and leave the editor.\n` +
    '# Parts that you remove become as in a new network. An unchanged or empty file changes nothing.\n'
  );
}

async function orderIn(file: string, text: string, { name, number }: Network): Promise<NetworkOrder> {
  const order = await readNetworkText(file, text);
  if (order.number === undefined || order.number === number) return { ...order, number };
  throw new MeshError('MESH_USAGE', `the number of network ${name} cannot be changed`, {
    object: name,
    rule: 'The number is what a network is known by on all nodes.',
    remedy: 'Write the number as it was, or make another network',
  });
}

async function refusalOf(work: () => Promise<void>): Promise<MeshError | undefined> {
  try {
    await work();
    return undefined;
  } catch (thrown) {
    return MeshError.from(thrown);
  }
}

/** The refusal, with the place of the text. */
function keptIn(file: string, error: MeshError, again: string): MeshError {
  const kept = `The network is as it was. Your text is in ${file}: mend it, then \`${again} ${file}\``;
  const remedy = error.remedy === undefined ? kept : `${error.remedy}. ${kept}`;
  return new MeshError(error.code, error.message, { ...error.toJSON(), remedy });
}

/** Runs the editor on this terminal. Ctrl-C is for the editor. */
async function run(editor: string, file: string): Promise<void> {
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  try {
    // The variable may hold words, as `code --wait`: a shell takes them apart.
    const child = spawn('sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' });
    const [code, signal]: unknown[] = await once(child, 'close');
    if (code === 0) return;
    const end = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    throw new MeshError('MESH_USAGE', code === NO_PROGRAM ? `there is no editor ${editor}` : `the editor ${end}`, {
      operation: 'edit network',
      object: editor,
      remedy:
        'The network is as it was. Name another editor, as `EDITOR=nano`, or the parts to change, as `--mtu 1400`',
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}

/** Asks on the terminal. Ctrl-C and the end of input are a no. */
async function isWantedAgain(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = once(lines, 'close').then(() => 'n');
  const answer = await Promise.race([lines.question('Edit the text again? [Y/n] '), closed]);
  lines.close();
  return !/^\s*n/i.test(answer);
}
