/** `mesh node adopt`: gives a machine a name, and with it a folder of its own. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { createDurable } from '../../disk/durable-file.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { FOLDER_NAME_RULE, isFolderName, readHost0Tree } from '../../formats/host0/host0-tree.ts';
import { requireRoot } from '../../kernel/root.ts';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import type { Context } from '../context.ts';

export function nodeAdoptCommand(context: Context): Command {
  return new Command('adopt')
    .description('Give a machine a name, and with it a folder of its own in /host0/machines')
    .argument('<machine>', 'its id, as `mesh node list` shows it')
    .argument('<name>', 'the name of the folder, and the host name of the machine')
    .addHelpText(
      'after',
      '\nThe folder begins with the groups of the default machine and an empty manifest.\n' +
        '\nExample:\n  $ mesh node adopt 10eff964 node1',
    )
    .action((machine: string, name: string) => adopt(context, machine, name));
}

const MANIFEST = `# Files of this machine besides those of its groups. host0.conf's default_networks are added automatically.
# O MODE=root:root:0644 SRC=/host0/machines/NAME/motd TGT=/etc/motd
`;

async function adopt(context: Context, wanted: string, name: string): Promise<void> {
  const machine = parseMachineId(wanted);
  requireRoot('make a folder in /host0', 'Its files decide what a machine runs.');
  const { host0 } = context.paths;
  mustBeName(name);
  const { machines } = readHost0Tree(host0);
  const owner = machines.find((folder) => folder.machine === machine);
  if (owner !== undefined) {
    throw new MeshError('MESH_MACHINE_TWICE', `machine ${machine} has a folder already: ${owner.name}`, {
      object: machine,
      remedy: `Rename ${join(host0, 'machines', owner.name)} to give it another name.`,
    });
  }
  const fallback = machines.find((other) => other.machine === 'default');
  const groups = fallback === undefined ? undefined : await groupsOf(join(host0, 'machines', fallback.name));
  const folder = join(host0, 'machines', name);
  await mkdir(join(host0, 'machines'), { recursive: true });
  await mkdir(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
    throw new MeshError('MESH_ALREADY_MADE', `there is a folder ${folder} already`, {
      object: folder,
      remedy: 'Choose another name.',
    });
  });
  try {
    if (groups !== undefined) await createDurable(join(folder, 'groups'), () => groups, 0o644);
    await createDurable(join(folder, 'manifest'), () => MANIFEST.replace('NAME', name), 0o644);
    // UUID is the last file: a folder without it, as a power cut may leave one, is a fault that `mesh system configure` shows.
    await createDurable(join(folder, 'UUID'), () => `${machine}\n`, 0o644);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw MeshError.from(error);
  }
  context.answer({ machine, name, folder }, () => `Machine ${machine} is ${name} now.\nNext: mesh system configure\n`);
}

/** The text of the file `groups` with its comments; undefined if there is none. */
async function groupsOf(folder: string): Promise<string | undefined> {
  return await readFile(join(folder, 'groups'), 'utf8').catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
}

function mustBeName(name: string): void {
  if (isFolderName(name) && name !== 'default' && name !== 'host0') return;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot be the name of a machine`, {
    rule: `${FOLDER_NAME_RULE} It is neither default nor host0.`,
    remedy: 'Choose another name, such as node1.',
  });
}
