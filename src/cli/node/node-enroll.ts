/** `mesh node enroll` and `mesh node revoke`: keys of machines that host0 does not boot, and the end of keys. */
import { Command } from 'commander';
import { writeDurable } from '../../disk/durable-file.ts';
import { requireRoot } from '../../kernel/root.ts';
import { machineId } from '../../machine/machine-id.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import { NODE_NAME } from '../../protocol/documents/membership.ts';
import type { Context } from '../context.ts';
import { fetchFromHost0, findNode, type ListedNode, nameOf } from './node-list.ts';

interface EnrollOptions {
  readonly machine?: string;
  readonly renew?: boolean;
  readonly output?: string;
}

const KEY_FILE_MODE = 0o600;
const WHERE = '/etc/meshwork/key';

/** `mesh node enroll NAME`: asks host0 for the key of a machine, and prints or writes the key file. */
export function nodeEnrollCommand(context: Context): Command {
  return new Command('enroll')
    .description('Make the key file of a machine that host0 does not boot')
    .argument('<name>', 'the node, by its name or machine id; with --machine the name of a machine that is new')
    .option('--machine <id>', 'the id of the machine, as `mesh genid machine 8` prints it there')
    .option('--renew', 'make the next key of a machine that has one; the key before holds until the next one is used')
    .option('--output <file>', 'write the key file there, for root only, in place of printing it')
    .addHelpText(
      'after',
      '\nBy its key a machine and host0 prove to each other who they are. A machine that boots from host0 gets\n' +
        'its key with its secrets. For any other machine, bring the file to it over a way that nobody else can\n' +
        `read, and put it at ${WHERE}, for root only (mode 600). The agent needs no restart.\n` +
        '\nExamples:\n  $ mesh node enroll node4 --machine 10eff964 --output node4.key\n' +
        '  $ mesh node enroll node4 --renew --output node4.key\n' +
        `  $ mesh node enroll node4 | ssh root@192.0.2.4 'umask 077; cat >${WHERE}'`,
    )
    .action((name: string, options: EnrollOptions) => enroll(context, name, options));
}

/** `mesh node revoke NAME`: asks host0 to take no key of a machine any more. */
export function nodeRevokeCommand(context: Context): Command {
  return new Command('revoke')
    .description('Take the keys of a machine away, until its next boot or enrolment')
    .argument('<name>', 'the node, by its name or machine id')
    .addHelpText(
      'after',
      '\nThe channel of the machine ends at once. Keys that a boot under way has fetched are worth nothing, too.\n' +
        'Its orphans are released: the machine lets them go if it comes back, and others may have their numbers.\n' +
        '\nExamples:\n  $ mesh node revoke node4\n  $ mesh node revoke 10eff964',
    )
    .action((name: string) => revoke(context, name));
}

async function enroll(context: Context, name: string, { machine: id, renew, output }: EnrollOptions): Promise<void> {
  requireRoot('enroll a machine', 'Its key is a secret of root.');
  const host0 = host0Client(context.paths);
  const machine = machineOf(context, await fetchFromHost0(host0), name, id);
  const body = { renew: renew === true };
  const { identity, text } = await host0.ask('POST /v1/machines/{machine}/key', { path: { machine }, body });
  if (output === undefined) return context.answer({ machine, name, identity, text }, () => text);
  await writeDurable(output, text, KEY_FILE_MODE);
  context.answer(
    { machine, name, identity, file: output },
    () =>
      `${output} has the key ${identity} for ${name}.\n` +
      `Next: bring the file to ${name} as ${WHERE}, for root only (mode 600), and remove it here.\n`,
  );
}

async function revoke(context: Context, name: string): Promise<void> {
  requireRoot('revoke a key', 'Who takes the key of a machine away cuts it off from host0.');
  const host0 = host0Client(context.paths);
  const machine = machineOf(context, await fetchFromHost0(host0), name);
  await host0.ask('DELETE /v1/machines/{machine}/key', { path: { machine } });
  context.answer({ machine, name }, () => `Machine ${machine} has no valid key any more.\n`);
}

/**
 * The machine that is meant.
 * @param id the value of `--machine`; without one, the name must be that of a machine which host0 knows
 * @throws MESH_USAGE, MESH_MACHINE_INVALID, MESH_MACHINE_TWICE, MESH_NODE_UNKNOWN
 */
function machineOf(context: Context, nodes: readonly ListedNode[], name: string, id?: string): MachineId {
  const machine = id === undefined ? knownMachine(nodes, name) : newMachine(nodes, name, parseMachineId(id));
  if (machine !== ownMachine(context)) return machine;
  throw isHost0(name, machine);
}

function knownMachine(nodes: readonly ListedNode[], name: string): MachineId {
  const node = found(nodes, name);
  if (node.role === 'host0') throw isHost0(name);
  if (node.machine !== undefined) return node.machine;
  throw new MeshError('MESH_USAGE', `${nameOf(node)} does not say which machine it is`, {
    object: name,
    remedy: `Give its id, as \`mesh genid machine 8\` prints it there: \`mesh node enroll ${name} --machine ID\`.`,
  });
}

function found(nodes: readonly ListedNode[], name: string): ListedNode {
  try {
    return findNode(nodes, name);
  } catch (thrown) {
    const { code, message } = MeshError.from(thrown);
    if (nodes.some((node) => node.name === name)) throw thrown;
    throw new MeshError(code, message, {
      operation: 'find node',
      object: name,
      remedy: `For a machine that host0 has not seen, give its id: \`mesh node enroll ${name} --machine ID\`.`,
    });
  }
}

function newMachine(nodes: readonly ListedNode[], name: string, machine: MachineId): MachineId {
  if (!NODE_NAME.test(name)) {
    throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot be the name of a node`, {
      rule: 'A host name has at most 63 letters, digits, dots and hyphens.',
      remedy: 'Choose another name, such as node1.',
    });
  }
  const own = nodes.find((node) => node.machine === machine);
  const namesake = nodes.find((node) => node.name === name);
  if (namesake?.role === 'host0' || name === 'host0') throw isHost0(name);
  if (own?.name !== undefined && own.name !== name) {
    throw new MeshError('MESH_MACHINE_TWICE', `machine ${machine} is ${own.name}, and not ${name}`, {
      object: machine,
      remedy: `Write \`mesh node enroll ${own.name}\`, or give the id of another machine.`,
    });
  }
  if (namesake?.machine === undefined || namesake.machine === machine) return machine;
  throw new MeshError('MESH_MACHINE_TWICE', `${name} is machine ${namesake.machine}, and not ${machine}`, {
    object: name,
    remedy: `Choose another name for machine ${machine}, or leave --machine out.`,
  });
}

function isHost0(name: string, machine?: MachineId): MeshError {
  const which = machine === undefined ? name : `machine ${machine}`;
  return new MeshError('MESH_USAGE', `${which} is host0 itself`, {
    object: name,
    rule: "host0's own agent hears from host0 over the control socket, and needs no key.",
    remedy: 'Name another node.',
  });
}

/** The id of this machine; undefined if nothing but a network card gives it one. */
function ownMachine({ paths }: Context): MachineId | undefined {
  try {
    return machineId({ root: paths.root, env: {}, permanentMacs: [] }).id;
  } catch {
    return undefined;
  }
}
