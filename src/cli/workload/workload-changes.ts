/** `mesh workload create|start|stop|restart|pause|resume|move|delete`: what becomes of workloads. */
import { type Command, Option } from 'commander';
import { errorText } from '../../formats/error-text.ts';
import { findWorkloadFile, readWorkloadFile, type WorkloadFileResult } from '../../formats/workload/workload-file.ts';
import { MeshError } from '../../model/error.ts';
import type { Workload } from '../../model/workload/workload.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { answerText } from './workload-text.ts';
import { answerAndWait } from './workload-wait.ts';

interface NamedOptions {
  readonly workload: string;
  readonly plan?: boolean;
  /** False with --no-wait. */
  readonly wait?: boolean;
}

interface PlacedOptions extends NamedOptions {
  readonly node?: string;
}

interface MoveOptions extends Partial<PlacedOptions> {
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** The option that names a workload. */
export const NAMED: readonly [string, string] = ['-w, --workload <name>', 'the name of a workload'];
/** The option that names a node. */
export const ON_NODE: readonly [string, string] = ['-n, --node <node>', 'the name or the machine id of a node'];
/** The option of a dry run. */
export const PLAN: readonly [string, string] = ['--plan', 'show the steps, and do nothing'];
const NO_WAIT: readonly [string, string] = ['--no-wait', 'do not wait until it is done'];

/** Whether a workload runs as it should. */
export const runsAsWanted = ({ state, run, generation }: WorkloadView): boolean =>
  state === 'running' && run?.generation === generation;
const isStill = ({ state, wanted }: WorkloadView): boolean =>
  wanted === 'stopped' && ['new', 'stopped', 'ended'].includes(state);

/** Adds the commands to `mesh workload`. */
export function addWorkloadChanges(workload: Command, context: Context): void {
  workload
    .command('create')
    .description('Keep the workload of a file without starting it, or change one that is stopped')
    .argument('<file>', 'a workload file')
    .option(...PLAN)
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh workload create web1.conf')
    .action(async (file: string, { plan = false }: { readonly plan?: boolean }) => {
      const order = await workloadOf(context, await readWorkloadFile(file));
      if (order === undefined) return;
      const answer = await host0Client(context.paths).ask('PUT /v1/workloads', { body: order, query: dryRun(plan) });
      context.answer(answer, () => answerText(answer));
    });

  for (const verb of ['start', 'restart'] as const) {
    workload
      .command(verb)
      .description(
        verb === 'start'
          ? 'Start a workload: that of its file on host0, or one that host0 keeps'
          : 'End a workload and start it anew, as its file on host0 has it now',
      )
      .requiredOption(...NAMED)
      .option(...ON_NODE)
      .option(...PLAN)
      .option(...NO_WAIT)
      .addHelpText(
        'after',
        `${FILES}\nExamples:\n  $ mesh workload ${verb} -w web1\n  $ mesh workload ${verb} -w web1 --plan`,
      )
      .action(async (options: PlacedOptions) => {
        const { workload: name, node, plan = false, wait = true } = options;
        const file = await findWorkloadFile(context.paths.workloads, name);
        const order = file === undefined ? undefined : await workloadOf(context, file);
        if (file !== undefined && order === undefined) return;
        const body = { ...(node !== undefined && { node }), ...(order !== undefined && { workload: order }) };
        const request = { path: { name }, body, query: dryRun(plan) };
        const answer = await host0Client(context.paths).ask(`POST /v1/workloads/{name}/${verb}`, request);
        await answerAndWait(context, answer, wait ? { doing: 'Starting', isDone: runsAsWanted } : undefined);
      });
  }

  workload
    .command('stop')
    .description('Have the guest power off, and end it when it does not')
    .requiredOption(...NAMED)
    .option(...PLAN)
    .option(...NO_WAIT)
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh workload stop -w web1')
    .action(async ({ workload: name, plan = false, wait = true }: NamedOptions) => {
      const request = { path: { name }, query: dryRun(plan) };
      const answer = await host0Client(context.paths).ask('POST /v1/workloads/{name}/stop', request);
      await answerAndWait(context, answer, wait ? { doing: 'Stopping', isDone: isStill } : undefined);
    });

  const holds = [
    ['pause', 'Hold a guest still: it keeps its memory, and does nothing', 'Pausing', 'paused'],
    ['resume', 'Let a guest go on that was paused', 'Resuming', 'running'],
  ] as const;
  for (const [verb, description, doing, state] of holds) {
    workload
      .command(verb)
      .description(description)
      .requiredOption(...NAMED)
      .option(...PLAN)
      .option(...NO_WAIT)
      .addHelpText('after', `\nThe command is for host0.\n\nExample:\n  $ mesh workload ${verb} -w web1`)
      .action(async ({ workload: name, plan = false, wait = true }: NamedOptions) => {
        const request = { path: { name }, query: dryRun(plan) };
        const answer = await host0Client(context.paths).ask(`POST /v1/workloads/{name}/${verb}`, request);
        const isDone = (view: WorkloadView) => view.state === state;
        await answerAndWait(context, answer, wait ? { doing, isDone } : undefined);
      });
  }

  addMove(workload, context);

  workload
    .command('delete')
    .description('Forget a workload: its ports and the disks that were made for it go')
    .requiredOption(...NAMED)
    .option('--force', 'also while it runs')
    .option(...PLAN)
    .addHelpText(
      'after',
      '\nThe command is for host0. Its file on host0 stays. A node that is away removes the disks when it is back.\n\n' +
        'Example:\n  $ mesh workload delete -w web1',
    )
    .action(async ({ workload: name, force = false, plan = false }: NamedOptions & { readonly force?: boolean }) => {
      const request = { path: { name }, query: { ...dryRun(plan), force } };
      const answer = await host0Client(context.paths).ask('DELETE /v1/workloads/{name}', request);
      context.answer(answer, () => answerText(answer));
    });
}

function addMove(workload: Command, context: Context): void {
  workload
    .command('move')
    .description('Move a workload to another node: it stops, its disks are copied, and it starts there')
    .argument('[name]', 'the name of a workload, in place of -w')
    .argument('[node]', 'the name or the machine id of a node, in place of -n')
    .option(...NAMED)
    .option(...ON_NODE)
    .option('--force', 'with new disks; also when its present node is away, which must be off then')
    .addOption(
      new Option('--yes', 'its disks may go, and a node that is away is off: do not ask').implies({ force: true }),
    )
    .option(...PLAN)
    .option(...NO_WAIT)
    .addHelpText(
      'after',
      '\nThe command is for host0. Nothing starts elsewhere by itself. The disks are copied by host0, over the channels of both nodes;\n' +
        'the old ones go when all is on the new node and the hashes are right. With --force the workload gets new disks of their\n' +
        'images. Two guests of one workload would write to one network, so --force asks whether a node that is away is off. When\n' +
        'that node comes back, host0 takes the workload off it. A move to its present node gives up the one that is under way.\n\n' +
        'Examples:\n  $ mesh workload move web1 node2\n  $ mesh workload move -w web1 -n node2 --force --yes',
    )
    .action(async (givenName: string | undefined, givenNode: string | undefined, options: MoveOptions) => {
      const { force = false, yes = false, plan = false, wait = true } = options;
      const words = [givenName, givenNode].filter((word) => word !== undefined);
      const name = named('workload', options.workload ?? words.shift());
      const node = named('node', options.node ?? words.shift());
      if (words.length > 0) throw twiceNamed(words);
      const host0 = host0Client(context.paths);
      const before = await host0.ask('GET /v1/workloads/{name}', { path: { name } });
      if (force && !yes && !plan) throw mustBeSure(before, node);
      const request = { path: { name }, body: { node, force }, query: dryRun(plan) };
      const answer = await host0.ask('POST /v1/workloads/{name}/move', request);
      const isDone = (view: WorkloadView) =>
        view.movesTo === undefined && (view.wanted === 'stopped' || view.state === view.wanted);
      const isThere = answer.steps.length === 0;
      await answerAndWait(context, answer, wait && !isThere ? { doing: 'Moving', isDone } : undefined);
    });
}

/** @returns the query of a dry run */
export function dryRun(plan: boolean): { readonly 'dry-run': boolean } {
  return { 'dry-run': plan };
}

/** The workload of a file. Undefined after its errors were printed. */
async function workloadOf(context: Context, { workload, errors }: WorkloadFileResult): Promise<Workload | undefined> {
  if (workload !== undefined) return workload;
  const [first, ...others] = errors;
  if (first === undefined) throw new TypeError('a file is read, or has an error');
  const color = context.paint !== plain;
  if (others.length === 0) throw first;
  context.exitCode = 1;
  context.answer({ errors }, () => errors.map((error) => `${errorText(error, { color })}\n`).join('\n'));
  return undefined;
}

const MOVE_WORDS = 'Name both once: `mesh workload move NAME NODE`, or `mesh workload move -w NAME -n NODE`.';

/** @throws MESH_USAGE */
function named(what: string, given: string | undefined): string {
  if (given !== undefined) return given;
  throw new MeshError('MESH_USAGE', `the command names no ${what}`, { remedy: MOVE_WORDS });
}

function twiceNamed(words: readonly string[]): MeshError {
  return new MeshError('MESH_USAGE', `there is a word too many: ${words.join(' ')}`, { remedy: MOVE_WORDS });
}

function mustBeSure({ name, node = 'its node', state }: WorkloadView, target: string): MeshError {
  const question =
    state === 'lost'
      ? `is ${node} off? If ${name} still runs there, two guests have its addresses`
      : `what ${name} has written to its disks on ${node} will be lost`;
  return new MeshError('MESH_USAGE', question, {
    object: name,
    rule: 'A workload moves without its disks, and from a node that is away, only when you say that you have looked.',
    remedy: `If that is right: \`mesh workload move -w ${name} -n ${target} --force --yes\`.`,
  });
}

const FILES =
  '\nThe command is for host0. The files are in /var/pxen/monoliths: NAME.conf, or another one with name=NAME. A workload that\n' +
  'has a file is started as the file has it.\n';
