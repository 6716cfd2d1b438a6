/** `mesh system init` makes the administrator's tree `/host0`; `mesh system configure` compiles it into overlays for machines. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { linkFaults } from '../../disk/published-path.ts';
import { errorText } from '../../formats/error-text.ts';
import { authorizedKeysIn, makeCommandKey } from '../../image/command-key.ts';
import { mirrorPublicKey } from '../../image/mirror-key.ts';
import { type Compilation, type CompiledMachine, compile } from '../../image/overlay/compilation.ts';
import { writeExampleTree } from '../../image/overlay/example-tree.ts';
import { overlayDifference, type PathChange } from '../../image/overlay/overlay-difference.ts';
import { OverlayStore } from '../../image/overlay/overlay-store.ts';
import { deviceNames } from '../../kernel/device-names.ts';
import { requireRoot } from '../../kernel/root.ts';
import { MeshError } from '../../model/error.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';
import { pendingSettings } from './pending-settings.ts';

/** `mesh system configure`: checks the tree, and compiles an overlay for each machine. */
export function systemConfigureCommand(context: Context): Command {
  return new Command('configure')
    .description('Check all of /host0 and compile what machines get when they boot')
    .option('--check', 'only check; changes nothing')
    .option('--plan', 'show what would change for each machine; changes nothing')
    .addHelpText(
      'after',
      '\nAll or nothing: with one fault anywhere, machines still get what was compiled before.\n' +
        'A machine gets what is new at its next boot.\n' +
        '\nExamples:\n  $ mesh system configure --check\n  $ mesh system configure --plan\n  $ mesh system configure\n' +
        '  $ mesh --host0-dir /media/stick/host0 system configure',
    )
    .action((options: ConfigureOptions) => configure(context, options));
}

/** `mesh system init`: writes the example tree. */
export function systemInitCommand(context: Context): Command {
  return new Command('init')
    .description('Make /host0 with a commented example: a default machine, a group and the network manage')
    .addHelpText(
      'after',
      '\nFiles that exist are not changed. The network has a random prefix and number, as `mesh network conf` makes them.\n' +
        'host0 boots no machines, and sends nothing on its NICs, until host0.conf has boot="auto".\n' +
        '\nExamples:\n  $ mesh system init\n  $ mesh --host0-dir /media/stick/host0 system init',
    )
    .action(() => init(context));
}

const ROOT_RULE = 'These files decide what runs on every machine.';
/** Stages that take less time are not shown. */
const PATIENCE_MS = 1000;

interface ConfigureOptions {
  readonly check?: boolean;
  readonly plan?: boolean;
}

interface MachineChange {
  readonly machine: string;
  readonly name: string;
  readonly change: 'new' | 'changed' | 'same' | 'skipped' | 'gone';
  readonly paths: readonly PathChange[];
}

async function configure(context: Context, { check, plan }: ConfigureOptions): Promise<void> {
  if (!check && !plan) requireRoot('write what machines boot with', ROOT_RULE);
  using stages = new Stages(context.stderr, PATIENCE_MS);
  const { paths } = context;
  stages.show(`Reading ${paths.host0}`);
  const overlayStore = new OverlayStore(paths.state);
  if (!check && !plan) await makeCommandKey(paths.state);
  const compilation = await compile({
    paths,
    authorizedKeys: await authorizedKeysIn(paths.state),
    mirrorKey: await mirrorPublicKey(paths.state),
    devices: deviceNames(),
  });
  const { machines, errors } = compilation;
  if (errors.length > 0) {
    stages.end();
    if (!check && !plan && errors[0] !== undefined) await overlayStore.refuse(errors[0], errors.length, new Date());
    return refuse(context, compilation);
  }
  stages.show('Comparing with what is served');
  const changes = await changesOf(machines, overlayStore);
  if (!check && !plan) {
    await overlayStore.publish(machines, new Date(), (count) =>
      stages.show('Writing overlays', count, machines.length),
    );
  }
  stages.end();
  const pending = (await pendingSettings(context)).map(
    ({ code, message, object, remedy }) => new MeshError(code, message, { object, remedy }),
  );
  const warnings = [...compilation.warnings, ...(await linkFaults(join(paths.host0, 'isos'))), ...pending];
  context.answer({ ok: true, changes, warnings }, () => {
    const text = check
      ? `All is sound: ${machinesText(machines.length)}.\n`
      : changesText(changes, context, plan === true);
    return warningsText(warnings, context) + text;
  });
}

function warningsText(warnings: readonly MeshError[], { paint }: Context): string {
  return warnings.map((error) => `${errorText(error, { color: paint !== plain, severity: 'warning' })}\n\n`).join('');
}

/** Prints every fault, and sets the exit code of the first one. */
function refuse(context: Context, { errors, warnings }: Compilation): void {
  context.exitCode = errors[0]?.exitCode ?? 1;
  const color = context.paint !== plain;
  context.answer({ ok: false, errors, warnings }, () => {
    const faults = errors.map((error) => `${errorText(error, { color })}\n\n`).join('');
    const count = errors.length === 1 ? 'One fault' : `${errors.length} faults`;
    return `${warningsText(warnings, context)}${faults}${count}: nothing was changed, and machines boot with what they had.\n`;
  });
}

async function changesOf(machines: readonly CompiledMachine[], overlayStore: OverlayStore): Promise<MachineChange[]> {
  const before = new Map((await overlayStore.index())?.machines.map((machine) => [machine.machine, machine]));
  const changes: MachineChange[] = [];
  for (const { machine, name, overlay } of machines) {
    const stored = before.get(machine)?.overlay;
    before.delete(machine);
    if (overlay === undefined) {
      changes.push({ machine, name, change: 'skipped', paths: [] });
    } else if (stored?.content === overlay.content) {
      changes.push({ machine, name, change: 'same', paths: [] });
    } else {
      const old = stored === undefined ? [] : await overlayStore.entriesOf(stored);
      const paths = overlayDifference(old, overlay.entries);
      changes.push({ machine, name, change: stored === undefined ? 'new' : 'changed', paths });
    }
  }
  for (const { machine, name } of before.values()) changes.push({ machine, name, change: 'gone', paths: [] });
  return changes;
}

function isNews({ change }: MachineChange): boolean {
  return change === 'new' || change === 'changed' || change === 'gone';
}

const TONES = { new: 'good', changed: 'warning', same: 'quiet', skipped: 'quiet', gone: 'bad' } as const;

const COLUMNS: readonly Column<MachineChange>[] = [
  { title: 'NAME', text: ({ name }) => name, flexible: true },
  { title: 'MACHINE', text: ({ machine }) => machine },
  { title: 'OVERLAY', text: ({ change }) => change, tone: ({ change }) => TONES[change] },
  { title: 'FILES', text: ({ paths }) => (paths.length === 0 ? '-' : String(paths.length)), align: 'right' },
];

/** Paths shown for one machine: more would scroll the rest of the answer away. */
const PATHS_SHOWN = 12;

function changesText(changes: readonly MachineChange[], context: Context, planned: boolean): string {
  const { host0 } = context.paths;
  if (changes.length === 0)
    return `There is no machine in ${host0}/machines yet: \`mesh system init\` makes an example.\n`;
  const news = changes.filter(isNews);
  if (news.length === 0) return `Nothing changes: ${host0} is in force, for ${machinesText(changes.length)}.\n`;
  const details = news
    .filter(({ change }) => change === 'changed')
    .map(
      ({ name, paths }) =>
        `\n${context.paint('heading', name)}\n${paths.slice(0, PATHS_SHOWN).map(pathText).join('')}${moreText(paths)}`,
    );
  const end = planned
    ? '\nNothing was changed: `mesh system configure` makes these changes.\n'
    : '\nEach machine gets this at its next boot: `mesh node reboot` reboots one.\n';
  return `${table(news, COLUMNS, context.page)}${details.join('')}${end}`;
}

function machinesText(count: number): string {
  return count === 1 ? '1 machine' : `${count} machines`;
}

const SIGNS = { added: '+', changed: '~', removed: '-' } as const;

/** One line for a changed path, such as `  ~ /etc/motd  (content)`. */
export function pathText({ path, change, what }: PathChange): string {
  return `  ${SIGNS[change]} /${path}${what === undefined ? '' : `  (${what})`}\n`;
}

function moreText(paths: readonly PathChange[]): string {
  return paths.length > PATHS_SHOWN ? `  … and ${paths.length - PATHS_SHOWN} more\n` : '';
}

const NEXT = `
Next: mesh system configure
To boot machines, write boot="auto" into host0.conf before host0's daemon starts.
`;

/** Makes every file of the example that does not exist. @throws MESH_ALREADY_MADE when the tree has machines */
async function init(context: Context): Promise<void> {
  requireRoot(`make ${context.paths.host0}`, ROOT_RULE);
  const { host0 } = context.paths;
  const present = await readdir(join(host0, 'machines')).catch(() => []);
  if (present.length > 0) {
    throw new MeshError('MESH_ALREADY_MADE', `${host0} has machines already`, {
      operation: 'make an example',
      object: host0,
      remedy: 'Change its files, and run `mesh system configure`; for an example, give --host0-dir another directory.',
    });
  }
  const made = await writeExampleTree(host0);
  context.answer({ made }, () => `Made:\n${made.map((file) => `  ${file}\n`).join('')}${NEXT}`);
}
