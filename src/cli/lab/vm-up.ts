/** `mesh lab up TOPOLOGY` and the steps that it is made of: labs of virtual machines that start, grow and shrink. */
import { type Command, Option } from 'commander';
import { LastWords } from '../../lab/checks/silence.ts';
import { findNetSetup } from '../../lab/netsetup/net-setup.ts';
import { baseOf, type FoundTopology, findTopology } from '../../lab/topologies/shipped-topologies.ts';
import { numberInRole, ROLE_NUMBERS, VM_ROLES, vmName } from '../../lab/topologies/vm-address.ts';
import { planMachines } from '../../lab/topologies/vm-plan.ts';
import { withCounts } from '../../lab/topologies/vm-topology.ts';
import type { StartMode } from '../../lab/vms/cluster-record.ts';
import { VmLab } from '../../lab/vms/vm-lab.ts';
import type { VmStage } from '../../lab/vms/vm-readiness.ts';
import { ConsoleEnd } from '../../lab/vms/vm-trouble.ts';
import { MeshError } from '../../model/error.ts';
import { visibleLines } from '../../protocol/documents/terminal-text.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { Stages } from '../print/stages.ts';
import { type LabName, labNameOption, netWords, vmWords } from './vm-words.ts';

/** The options of `mesh lab up` and `create` that are for virtual machines. */
export interface VmUpOptions extends LabName {
  readonly nodes?: number;
  readonly routers?: number;
  readonly testers?: number;
  readonly netSetup?: string;
  readonly overlay?: readonly string[];
  readonly timeout?: number;
  readonly keep?: boolean;
  readonly cold?: boolean;
  readonly template?: boolean;
}

/** Adds the commands to `mesh lab`. */
export function addVmSteps(lab: Command, context: Context): void {
  vmOptions(lab.command('create').argument('<topology>', 'its name or its file'))
    .addOption(labNameOption())
    .description('Build a lab of virtual machines with its nets, and start no machine yet')
    .addHelpText('after', '\nExample:\n  $ mesh lab create default --nodes 4')
    .action((topology: string, options: VmUpOptions) => create(context, topology, options));
  lab
    .command('numbers')
    .addOption(labNameOption())
    .description('Print the numbers of the machines that the topology of a lab has')
    .addHelpText('after', '\nExample:\n  $ mesh lab numbers')
    .action(({ name }: LabName) => {
      const plans = planMachines(VmLab.open(name).record.topology);
      context.answer(plans, () => plans.map(({ number }) => `${number}\n`).join(''));
    });
  lab
    .command('net')
    .argument('<net>', 'its number', wholeNumber(0, 255))
    .addOption(labNameOption())
    .description('Add a net to a lab of virtual machines')
    .addHelpText('after', '\nExample:\n  $ mesh lab net 3')
    .action(async (net: number, { name }: LabName) => {
      await VmLab.open(name).addNet(net);
      context.answer({ net }, () => '');
    });
  lab
    .command('boot')
    .argument('<machine...>', 'numbers or names', vmWords)
    .option('--nets <nets>', 'the nets of their cards, in place of those of the topology', netWords)
    .addOption(labNameOption())
    .description('Start machines of a lab, and do not wait for them')
    .addHelpText('after', '\nExamples:\n  $ mesh lab boot 1 2\n  $ mesh lab boot vm-201 --nets 0,1,2,3')
    .action((numbers: readonly number[], options: LabName & { readonly nets?: readonly number[] }) =>
      boot(context, numbers, options),
    );
  lab
    .command('wait')
    .argument('[machine...]', 'numbers or names; all that were started when none is named', vmWords)
    .option('--timeout <seconds>', 'how long to wait', wholeNumber(1))
    .addOption(labNameOption())
    .description('Wait until machines are up')
    .addHelpText('after', '\nExample:\n  $ mesh lab wait 1 2')
    .action((numbers: readonly number[] | undefined, options: LabName & { readonly timeout?: number }) =>
      wait(context, numbers, options),
    );
  lab
    .command('off')
    .argument('<machine...>', 'numbers or names', vmWords)
    .addOption(labNameOption())
    .description('Switch machines of a lab off, like pulling their power cables')
    .addHelpText('after', '\nExample:\n  $ mesh lab off 2')
    .action(async (numbers: readonly number[], { name }: LabName) => {
      await VmLab.open(name).off(numbers);
      context.answer({ off: numbers }, () => '');
    });
  lab
    .command('scale')
    .argument('<nodes>', 'so many nodes', wholeNumber(0))
    .option('--routers <count>', 'so many routers', wholeNumber(0))
    .option('--testers <count>', 'so many testers', wholeNumber(0))
    .option('--timeout <seconds>', 'how long to wait for new machines', wholeNumber(1))
    .addOption(labNameOption())
    .description('Start or switch off machines of a lab, so that it has so many')
    .addHelpText('after', '\nExamples:\n  $ mesh lab scale 4\n  $ mesh lab scale 2 --routers 1')
    .action((nodes: number, options: VmUpOptions) => scale(context, nodes, options));
}

/** The option that has each machine boot by itself. */
export function coldOption(): Option {
  return new Option('--cold', 'with a topology: each machine boots by itself').conflicts('template');
}

/** The option that has machines come from templates. */
export function templateOption(): Option {
  return new Option(
    '--template',
    'with a topology: machines are copies of a booted one, also where only one is wanted',
  );
}

function startMode({ cold = false, template = false }: VmUpOptions): StartMode {
  if (cold) return 'cold';
  return template ? 'template' : 'auto';
}

function vmOptions(command: Command): Command {
  return command
    .option('--nodes <count>', 'so many nodes, in place of those of the topology', wholeNumber(0))
    .option('--routers <count>', 'so many routers', wholeNumber(0))
    .option('--testers <count>', 'so many testers', wholeNumber(0))
    .option('--overlay <overlay...>', 'overlays behind those of the topology')
    .option('--net-setup <script>', 'joins cards to nets, in place of taps on bridges (env: __net_setup)')
    .addOption(coldOption())
    .addOption(templateOption());
}

/** Builds a lab, starts its machines, and waits for them. */
export async function vmUp(context: Context, word: string, options: VmUpOptions): Promise<void> {
  const startedMs = performance.now();
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const lab = await buildLab(findTopology(word), options, stages, signal);
  let isUp = false;
  try {
    context.stderr.write(acceleratorText(lab));
    const plans = planMachines(lab.record.topology);
    stages.show('starting the machines', 0, plans.length);
    const nets = lab.startNets(signal);
    // Where the machines fail first, the nets fail later, or not at all.
    nets.catch(() => undefined);
    await lab.boot(plans, { bridges: nets, onStage: stages.show, signal });
    stages.show('starting the machines', 0, plans.length);
    const up = new Set<string>();
    await lab.wait(
      plans.map(({ number }) => number),
      { signal, timeoutSec: options.timeout, onVm: progress(stages, up, plans.length) },
    );
    await lab.lab.keep();
    isUp = true;
    stages.end();
    const tookMs = performance.now() - startedMs;
    context.answer({ name: lab.lab.name, topology: lab.record.title, machines: plans, tookMs }, () =>
      [
        ...plans.map(({ name, nets: joined }) => `${name}  nets ${joined.join(', ')}\n`),
        `All ${plans.length} answer after ${seconds(tookMs)} s.\n`,
      ].join(''),
    );
  } catch (error) {
    stages.end();
    showLastWords(context, error);
    if (!signal.aborted) throw error;
    context.exitCode = interrupt.exitCode;
  } finally {
    if (!isUp && options.keep === true) await lab.lab.keep();
    else if (!isUp) await lab.down();
  }
}

/** Prints the end of the console of a machine that does not come up, or of the logs of host0 and the agent when nets do not. */
function showLastWords({ stderr }: Context, error: unknown): void {
  if (!(error instanceof MeshError)) return;
  if (error.cause instanceof ConsoleEnd || error.cause instanceof LastWords)
    stderr.write(`${visibleLines(error.cause.message)}\n`);
}

function progress(
  stages: Stages,
  up: Set<string>,
  all: number,
): (name: string, stage: VmStage, afterMs: number) => void {
  return (name, stage, afterMs) => {
    if (stage === 'answers') up.add(name);
    stages.show('starting the machines', up.size, all);
    if (stage === 'answers' || stage === 'fails') stages.aside(`${name} ${stage} after ${seconds(afterMs)} s\n`);
    else stages.detail(`${up.size} of ${all}; ${name} ${stage}`);
  };
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

/** The accelerator, and why it is not KVM: a slow lab must never be a riddle. */
export function acceleratorText({ record: { accelerator } }: VmLab): string {
  if (accelerator.accelerator === 'kvm') return 'Accelerator: KVM.\n';
  return `Accelerator: none, QEMU interprets (TCG). ${accelerator.why ?? ''}\n`;
}

/** Builds a lab of a topology, and starts nothing yet. @throws MESH_LAB_*, and others of `VmLab.build` */
export async function buildLab(
  found: FoundTopology,
  options: VmUpOptions,
  stages: Stages,
  signal: AbortSignal,
): Promise<VmLab> {
  const { nodes, routers, testers, overlay = [], name, netSetup } = options;
  const counted = withCounts(found.topology, {
    ...(nodes !== undefined && { node: nodes }),
    ...(routers !== undefined && { router: routers }),
    ...(testers !== undefined && { tester: testers }),
  });
  const own = overlay.map((each) => (each.includes('/') ? `${process.cwd()}/${each}` : each));
  const absolute = own.map((each, index) => (overlay[index]?.startsWith('/') ? overlay[index] : each));
  // As in xcluster: a long option is a shell variable, and the variable is a default of the option.
  const script = findNetSetup(netSetup ?? process.env.__net_setup, process.cwd());
  return await VmLab.build({
    name,
    title: found.title,
    topology: { ...counted, overlays: [...counted.overlays, ...absolute] },
    base: baseOf(found),
    netSetup: script,
    start: startMode(options),
    onStage: stages.show,
    signal,
  });
}

async function create(context: Context, word: string, options: VmUpOptions): Promise<void> {
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  const lab = await buildLab(findTopology(word), options, stages, interrupt.signal);
  try {
    context.stderr.write(acceleratorText(lab));
    stages.show('making the nets');
    await lab.startNets(interrupt.signal);
    await lab.lab.keep();
  } catch (error) {
    stages.end();
    showLastWords(context, error);
    await lab.down();
    if (!interrupt.signal.aborted) throw error;
    context.exitCode = interrupt.exitCode;
  }
  stages.end();
  context.answer({ name: lab.lab.name, nets: lab.nets }, () => '');
}

async function boot(
  context: Context,
  numbers: readonly number[],
  { name, nets }: LabName & { readonly nets?: readonly number[] },
): Promise<void> {
  const lab = VmLab.open(name);
  await lab.boot(numbers.map((number) => lab.plan(number, nets)));
  context.answer({ booting: numbers.map(vmName) }, () => '');
}

async function wait(
  context: Context,
  words: readonly number[] | undefined,
  { name, timeout }: LabName & { readonly timeout?: number },
): Promise<void> {
  const lab = VmLab.open(name);
  const numbers = words !== undefined && words.length > 0 ? words : lab.machines.map(({ number }) => number);
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  stages.show('starting the machines', 0, numbers.length);
  try {
    await lab.wait(numbers, {
      timeoutSec: timeout,
      signal: interrupt.signal,
      onVm: progress(stages, new Set(), numbers.length),
    });
  } catch (error) {
    stages.end();
    showLastWords(context, error);
    throw error;
  }
  stages.end();
  context.answer({ up: numbers.map(vmName) }, () => '');
}

async function scale(context: Context, nodes: number, { name, routers, testers, timeout }: VmUpOptions): Promise<void> {
  const lab = VmLab.open(name);
  const wanted = { node: nodes, router: routers, tester: testers };
  const [more, fewer]: [number[], number[]] = [[], []];
  const started = new Set(lab.machines.map(({ number }) => number));
  for (const role of VM_ROLES) {
    const count = wanted[role];
    if (count === undefined) continue;
    if (count > 0) numberInRole(role, count);
    const { first, last } = ROLE_NUMBERS[role];
    for (let number = first; number <= last; number++) {
      const isWanted = number < first + count;
      if (isWanted && !started.has(number)) more.push(number);
      if (!isWanted && started.has(number)) fewer.push(number);
    }
  }
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  await lab.off(fewer);
  await lab.retitle(withCounts(lab.record.topology, definedOf(wanted)));
  stages.show('starting the machines', 0, more.length);
  await lab.boot(more.map((number) => lab.plan(number)));
  await lab.wait(more, {
    timeoutSec: timeout,
    signal: interrupt.signal,
    onVm: progress(stages, new Set(), more.length),
  });
  stages.end();
  context.answer({ started: more.map(vmName), off: fewer.map(vmName) }, () =>
    [
      ...more.map((number) => `${vmName(number)} answers\n`),
      ...fewer.map((number) => `${vmName(number)} is off\n`),
    ].join(''),
  );
}

function definedOf(
  counts: Readonly<Record<(typeof VM_ROLES)[number], number | undefined>>,
): Partial<Record<(typeof VM_ROLES)[number], number>> {
  const { node, router, tester } = counts;
  return {
    ...(node !== undefined && { node }),
    ...(router !== undefined && { router }),
    ...(tester !== undefined && { tester }),
  };
}
