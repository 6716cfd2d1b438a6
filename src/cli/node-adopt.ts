/** `mesh node adopt`: gives a machine that has been seen a name, and with it a folder of its own. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { readHost0Tree } from '../formats/host0-tree.ts';
import { requireRoot } from '../kernel/root.ts';
import { MeshError } from '../model/error.ts';
import { parseMachineId } from '../model/machine.ts';
import type { Context } from './context.ts';

export function nodeAdoptCommand(context: Context): Command {
  return new Command('adopt')
    .description('Give a machine a name, and with it a folder of its own in /host0/machines')
    .argument('<machine>', 'its id, as `mesh node list` shows it')
    .argument('<name>', 'the name of the folder, and the host name of the machine')
    .addHelpText(
      'after',
      '\nThe folder begins with the groups of the default machine. What is in it is the manifest’s business.\n' +
        '\nExample:\n  $ mesh node adopt 10eff964 node1',
    )
    .action((machine: string, name: string) => adopt(context, machine, name));
}

const MANIFEST = `# What this machine gets besides what its groups say; host0.conf's default_networks come by themselves.
# O MODE=root:root:0644 SRC=/host0/machines/NAME/motd TGT=/etc/motd
`;

async function adopt(context: Context, wanted: string, name: string): Promise<void> {
  const machine = parseMachineId(wanted);
  requireRoot('make a folder in /host0', 'Whoever makes one decides what a machine runs.');
  const { host0 } = context.paths;
  mustBeName(name);
  const owner = readHost0Tree(host0).machines.find((folder) => folder.machine === machine);
  if (owner !== undefined) {
    throw new MeshError('MESH_MACHINE_TWICE', `machine ${machine} has a folder: ${owner.name}`, {
      object: machine,
      remedy: `Rename /host0/machines/${owner.name} to give it another name.`,
    });
  }
  const folder = join(host0, 'machines', name);
  await mkdir(join(host0, 'machines'), { recursive: true });
  await mkdir(folder).catch(() => {
    throw new MeshError('MESH_ALREADY_MADE', `there is a folder ${folder} already`, {
      object: folder,
      remedy: 'Choose another name.',
    });
  });
  try {
    await writeFile(join(folder, 'UUID'), `${machine}\n`);
    await writeFile(join(folder, 'manifest'), MANIFEST.replace('NAME', name));
    await copyDefaultGroups(host0, folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw MeshError.from(error);
  }
  context.answer({ machine, name, folder }, () => `Machine ${machine} is ${name} now.\nNext: mesh system configure\n`);
}

async function copyDefaultGroups(host0: string, folder: string): Promise<void> {
  const fallback = readHost0Tree(host0).machines.find(({ machine }) => machine === 'default');
  if (fallback === undefined) return;
  const groups = join(host0, 'machines', fallback.name, 'groups');
  if ((await readFile(groups).catch(() => undefined)) !== undefined) await copyFile(groups, join(folder, 'groups'));
}

function mustBeName(name: string): void {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(name) && name !== 'default' && name !== 'host0') return;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot be the name of a machine`, {
    rule: 'A name has at most 63 letters, digits and hyphens, and is neither default nor host0.',
    remedy: 'Choose another, as in node1.',
  });
}
