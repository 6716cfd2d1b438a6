/** `mesh node adopt`: gives a machine a name, and with it a folder of its own; tells host0 which network cards it has. */
import { existsSync, statSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { createDurable } from '../../disk/durable-file.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { nearest } from '../../formats/conf/nearest.ts';
import { FLAVORS, type Flavor } from '../../formats/host0/flavor.ts';
import { type MachineFolder, readHost0Tree } from '../../formats/host0/host0-tree.ts';
import { FOLDER_NAME_RULE, isFolderName } from '../../formats/host0/tree-files.ts';
import { requireRoot } from '../../kernel/root.ts';
import { isUnicastMac, type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, machineIdOf, parseMachineId } from '../../model/machine.ts';
import { type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { fetchFromHost0 } from './node-list.ts';

export function nodeAdoptCommand(context: Context): Command {
  return new Command('adopt')
    .description('Give a machine a name, and with it a folder of its own in /host0/machines')
    .argument('<machine>', 'its id, as `mesh node list` shows it; or the MAC of its network card')
    .argument('[name]', 'the name of the folder, and the host name of the machine')
    .option('--card <mac>', 'a network card that the machine may boot from, besides those that host0 knows')
    .addOption(
      new Option('--flavor <flavor>', 'what the machine boots; by default, what its groups or host0.conf say').choices(
        FLAVORS,
      ),
    )
    .addHelpText(
      'after',
      '\nThe folder begins with the groups of the default machine and an empty manifest.\n' +
        'A machine with a folder boots from its own network cards only: those that host0 knows now,\n' +
        'those that it reports as a member, and those that --card names.\n' +
        '\nSome makers give several machines one UUID, and with it one id. A machine that is named by the MAC\n' +
        'of its network card is told apart from the others: its id comes from that MAC.\n' +
        '\nExamples:\n  $ mesh node adopt 10eff964 node1\n  $ mesh node adopt 10eff964 --card 52:54:00:12:34:56\n' +
        '  $ mesh node adopt 52:54:00:12:34:57 node2\n' +
        '  $ mesh node adopt 10eff964 node1 --flavor alpine',
    )
    .action((machine: string, name: string | undefined, options: AdoptOptions) =>
      adopt(context, machine, name, options),
    );
}

interface AdoptOptions {
  readonly card?: string;
  readonly flavor?: Flavor;
}

const MANIFEST = `# Files of this machine besides those of its groups. host0.conf's default_networks are added automatically.
# O MODE=root:root:0644 SRC=/host0/machines/NAME/motd TGT=/etc/motd
`;

async function adopt(
  context: Context,
  wanted: string,
  name: string | undefined,
  { card: wantedCard, flavor }: AdoptOptions,
): Promise<void> {
  const own = MAC.test(wanted) ? cardOf(wanted) : undefined;
  const machine = own === undefined ? parseMachineId(wanted) : machineIdOf(own);
  const card = wantedCard === undefined ? undefined : cardOf(wantedCard);
  requireRoot('adopt a machine', 'Its files decide what a machine runs, and its network cards who gets its secrets.');
  const { paths } = context;
  mustBeHost0(paths.host0);
  const { machines } = readHost0Tree(paths.host0);
  const owner = machines.find((folder) => folder.machine === machine);
  const folder = join(paths.host0, 'machines', owner?.name ?? name ?? '');
  if (name === undefined && flavor !== undefined) throw flavorAlone(machine, owner);
  if (name === undefined) mustBeAdopted(machine, owner, card);
  else mustBeNew(machine, name, folder, owner);
  const host0 = host0Client(paths);
  const unseen = name === undefined ? '' : await unseenText(host0, machine, folder);
  // Before the folder: without host0's daemon, nothing is done.
  const present = card === undefined ? await cardsOf(host0, machine) : await addCard(host0, machine, card);
  // A machine that is named by its MAC may boot from this card, even if host0 has heard of another one first.
  const cards = own === undefined || present === undefined ? present : await addCard(host0, machine, own);
  if (name !== undefined) await makeFolder(paths.host0, { machine, name, flavor }, folder, machines);
  const title = owner?.name ?? name;
  const next = name === undefined ? '' : `Machine ${machine} is ${name} now.\n`;
  context.answer(
    { machine, name: title, folder, ...(unseen !== '' && { seen: false }), ...(cards !== undefined && { cards }) },
    () =>
      [
        next,
        cards === undefined || cards.length === 0 ? '' : `${title} boots from: ${cards.join(', ')}\n`,
        unseen,
        name === undefined ? '' : 'Next: mesh system configure\n',
      ].join(''),
  );
}

/** The flavor of a machine with a folder is a file in there. */
function flavorAlone(machine: MachineId, owner: MachineFolder | undefined): MeshError {
  return new MeshError('MESH_USAGE', 'no name is given for the flavor', {
    rule: '--flavor is for a new folder.',
    remedy:
      owner === undefined
        ? `Name the machine, as in \`mesh node adopt ${machine} node1 --flavor alpine\`.`
        : `Write the flavor into /host0/machines/${owner.name}/flavor.`,
  });
}

/**
 * On another machine the folder would make a second host0: a machine that has host0's directory runs its daemon.
 * @throws MESH_OBJECT_UNKNOWN
 */
function mustBeHost0(directory: string): void {
  if (existsSync(directory)) return;
  throw new MeshError('MESH_OBJECT_UNKNOWN', `this machine is not host0: there is no directory ${directory}`, {
    operation: 'adopt a machine',
    object: directory,
    rule: 'host0 has the folders of all machines.',
    remedy: 'Run the command on host0. If this is host0, see that the drive with the directory is mounted.',
  });
}

const IDS_SHOWN = 5;

/** A warning if host0 has never seen the machine: the id may be mistyped. Empty where host0's daemon does not answer. */
async function unseenText(host0: ControlClient<'host0'>, machine: MachineId, folder: string): Promise<string> {
  const known = await fetchFromHost0(host0).catch(() => undefined);
  if (known === undefined) return '';
  const ids = known.flatMap((node) => (node.machine === undefined ? [] : [node.machine]));
  if (ids.includes(machine)) return '';
  const near = ids.filter((id) => nearest(machine, [id]) !== undefined);
  const unnamed = known.filter((node) => node.name === undefined).flatMap((node) => node.machine ?? []);
  const [title, shown] = near.length > 0 ? ['Similar', near] : ['Seen, and without a name', unnamed];
  const others = shown.length === 0 ? '' : ` ${title}: ${shown.slice(0, IDS_SHOWN).join(', ')}.`;
  return `host0 has never seen a machine ${machine}.${others}\nIf the id is mistyped, remove ${folder}.\n`;
}
/** A MAC as people write it; no machine id has this form. */
const MAC = /^[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}$/;

function cardOf(text: string): Mac {
  const mac = parseMac(text.toLowerCase().replaceAll('-', ':'));
  if (isUnicastMac(mac)) return mac;
  throw new MeshError('MESH_USAGE', `${mac} is not the MAC of a network card`, {
    rule: 'The lowest bit of the first byte of a network card is 0.',
    remedy: 'Take the MAC that `mesh status` shows.',
  });
}

/** The cards that host0 knows; undefined if its daemon does not run. */
async function cardsOf(host0: ControlClient<'host0'>, machine: MachineId): Promise<readonly Mac[] | undefined> {
  if (!(await host0.answers())) return undefined;
  const machines = await host0.ask('GET /v1/machines');
  return machines.find((view) => view.machine === machine)?.cards.map(({ mac }) => mac) ?? [];
}

function addCard(host0: ControlClient<'host0'>, machine: MachineId, mac: Mac): Promise<readonly Mac[]> {
  return host0.ask('PUT /v1/machines/{machine}/cards/{mac}', { path: { machine, mac } });
}

function mustBeAdopted(machine: MachineId, owner: MachineFolder | undefined, card: Mac | undefined): void {
  if (card === undefined) {
    throw new MeshError('MESH_USAGE', 'neither a name nor --card is given', {
      remedy: `Name the machine, as in \`mesh node adopt ${machine} node1\`.`,
    });
  }
  if (owner !== undefined) return;
  throw new MeshError('MESH_NODE_UNKNOWN', `machine ${machine} has no name yet`, {
    operation: 'add a network card',
    object: machine,
    rule: 'Only a machine with a folder in /host0/machines boots from its own network cards only.',
    remedy: `Name it: \`mesh node adopt ${machine} NAME --card ${card}\`.`,
  });
}

function mustBeNew(machine: MachineId, name: string, folder: string, owner: MachineFolder | undefined): void {
  mustBeName(name);
  if (owner === undefined) return;
  throw new MeshError('MESH_MACHINE_TWICE', `machine ${machine} has a folder already: ${owner.name}`, {
    object: machine,
    remedy: `Rename ${folder} to give it another name.`,
  });
}

async function makeFolder(
  host0: string,
  {
    machine,
    name,
    flavor,
  }: { readonly machine: MachineId; readonly name: string; readonly flavor: Flavor | undefined },
  folder: string,
  machines: readonly MachineFolder[],
): Promise<void> {
  const fallback = machines.find((other) => other.machine === 'default');
  const groups = fallback === undefined ? undefined : await groupsOf(join(host0, 'machines', fallback.name));
  await mkdir(join(host0, 'machines'), { recursive: true });
  await mkdir(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
    const what = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? 'a folder' : 'something else';
    throw new MeshError('MESH_ALREADY_MADE', `there is ${what} at ${folder} already`, {
      object: folder,
      remedy: 'Choose another name.',
    });
  });
  try {
    if (groups !== undefined) await createDurable(join(folder, 'groups'), () => groups, 0o644);
    await createDurable(join(folder, 'manifest'), () => MANIFEST.replace('NAME', name), 0o644);
    if (flavor !== undefined) await createDurable(join(folder, 'flavor'), () => `${flavor}\n`, 0o644);
    // UUID is the last file: a folder without it, as a power cut may leave one, is a fault that `mesh system configure` shows.
    await createDurable(join(folder, 'UUID'), () => `${machine}\n`, 0o644);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw MeshError.from(error);
  }
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
