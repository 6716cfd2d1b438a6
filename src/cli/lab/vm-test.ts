/** `mesh lab test DIR`: runs the tests of a directory on a lab of its own, and reports them as TAP and JUnit. */
import type { ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { hostEnvironment, spawnInside } from '../../lab/hosts/host-process.ts';
import { readSuite, type SuiteStep } from '../../lab/suites/suite-file.ts';
import { countsText, junitText, type StepResult, type SuiteResult, tapText } from '../../lab/suites/suite-report.ts';
import { findTopology } from '../../lab/topologies/shipped-topologies.ts';
import { vmName, vmNumberOf } from '../../lab/topologies/vm-address.ts';
import { planMachines } from '../../lab/topologies/vm-plan.ts';
import { consoleLog } from '../../lab/vms/vm-files.ts';
import type { VmLab } from '../../lab/vms/vm-lab.ts';
import { spawnOnVm } from '../../lab/vms/vm-terminal.ts';
import { MeshError } from '../../model/error.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { Stages } from '../print/stages.ts';
import { buildLab } from './vm-up.ts';
import { type LabName, labNameOption } from './vm-words.ts';

interface TestOptions extends LabName {
  readonly junit?: string;
  readonly artifacts?: string;
  readonly keep?: boolean;
}

/** A command that fails is repeated so often. */
const PAUSE_MS = 500;
const OUTPUT_MAX = 16_384;

/** Adds the command to `mesh lab`. */
export function addVmTest(lab: Command, context: Context): void {
  lab
    .command('test')
    .argument('<directory>', 'with test.yaml')
    .option('--junit <file>', 'also write the results as XML of JUnit')
    .option('--artifacts <directory>', 'where the consoles of the machines are kept after a failure')
    .option('--keep', 'leave the lab running after a failure')
    .addOption(labNameOption())
    .description('Run tests on a lab of virtual machines of their own, and report them as TAP')
    .addHelpText(
      'after',
      '\nThe exit code is 0 when all have passed, 1 when one has failed, and 2 when there was no lab to test.\n' +
        '\nExample:\n  $ mesh lab test tests/routing --junit result.xml --artifacts kept',
    )
    .action((directory: string, options: TestOptions) => runSuite(context, directory, options));
}

async function runSuite(context: Context, directory: string, options: TestOptions): Promise<void> {
  const file = join(resolve(directory), 'test.yaml');
  if (!existsSync(file)) {
    throw new MeshError('MESH_LAB_TOPOLOGY', `there is no ${file}`, {
      object: file,
      rule: 'The tests of a directory are in its test.yaml.',
      remedy: 'Name a directory with such a file; docs/clusters.md has an example.',
    });
  }
  const { topology, nodes, routers, testers, steps } = readSuite(file, readFileSync(file, 'utf8'));
  const found = findTopology(topology, resolve(directory));
  const counts = {
    ...(nodes !== undefined && { nodes }),
    ...(routers !== undefined && { routers }),
    ...(testers !== undefined && { testers }),
  };
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const results: StepResult[] = [];
  let error: string | undefined;
  let lab: VmLab | undefined;
  try {
    lab = await buildLab(found, { ...counts, name: options.name }, stages, signal);
    const plans = planMachines(lab.record.topology);
    const nets = lab.startNets(signal);
    // Where the machines fail first, the nets fail later, or not at all.
    nets.catch(() => undefined);
    await lab.boot(plans, { bridges: nets, onStage: stages.show, signal });
    stages.show('starting the machines');
    await lab.wait(
      plans.map(({ number }) => number),
      { signal },
    );
    for (const [index, step] of steps.entries()) {
      stages.show('running the tests', index, steps.length);
      results.push(await runStep(lab, step, signal));
    }
  } catch (thrown) {
    error = MeshError.from(thrown).message;
  } finally {
    stages.end();
    const result: SuiteResult = {
      name: basename(resolve(directory)),
      steps: results,
      ...(error !== undefined && { error }),
    };
    const isWell = error === undefined && results.every(({ failure }) => failure === undefined);
    context.exitCode = interrupt.exitCode || (error === undefined ? (isWell ? 0 : 1) : 2);
    const { junit, artifacts } = options;
    await reportThenEnd(
      [
        () => context.answer({ ...result, counts: countsText(results) }, () => tapText(result)),
        () => junit !== undefined && writeReport(junit, junitText(result, new Date())),
        () => lab !== undefined && !isWell && artifacts !== undefined && keepConsoles(lab, artifacts),
      ],
      async () => {
        if (!isWell && options.keep === true) await lab?.lab.keep();
        else await lab?.down();
      },
    );
  }
}

/**
 * Gives each report, and then ends the lab: a report that cannot be given keeps no lab running, and no other report away.
 * @throws what the first report has thrown that could not be given
 */
export async function reportThenEnd(reports: readonly (() => unknown)[], end: () => Promise<void>): Promise<void> {
  const faults: unknown[] = [];
  for (const report of reports) {
    try {
      report();
    } catch (fault) {
      faults.push(fault);
    }
  }
  await end();
  if (faults.length > 0) throw faults[0];
}

/** @throws MESH_LAB_FAILED */
export function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new MeshError('MESH_LAB_FAILED', `the results cannot be written: ${MeshError.from(cause).message}`, {
      object: file,
      remedy: 'Name a file in a directory that is there, on a disk with room.',
      cause,
    });
  }
}

async function runStep(lab: VmLab, step: SuiteStep, signal: AbortSignal): Promise<StepResult> {
  const startedMs = performance.now();
  for (;;) {
    const leftMs = step.withinSec * 1_000 - (performance.now() - startedMs);
    const { code, output } = await outcome(started(lab, step), Math.max(1_000, leftMs));
    const failure = faultOf(step, code, output);
    const tookMs = performance.now() - startedMs;
    if (failure === undefined) return { name: step.name, tookMs, output };
    if (tookMs + PAUSE_MS >= step.withinSec * 1_000) return { name: step.name, tookMs, failure, output };
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

function faultOf(
  { code: wanted, says, withinSec }: SuiteStep,
  code: number | undefined,
  output: string,
): string | undefined {
  if (code === undefined) return `did not end within ${withinSec} s`;
  if (code !== wanted) return `ended with ${code}, not with ${wanted}`;
  if (says !== undefined && !new RegExp(says, 'm').test(output)) return `did not say ${says}`;
  return undefined;
}

function started(lab: VmLab, { on, run }: SuiteStep): ChildProcess {
  const argv = ['sh', '-c', run];
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const number = vmNumberOf({ hostName: on });
  if (number !== undefined) {
    return spawnOnVm({ directory: lab.lab.directory, netns: lab.netns, number }, argv, { stdio: [...stdio] });
  }
  const { root } = lab.lab.host('host0');
  return spawnInside(lab.netns, argv, { stdio: [...stdio], env: hostEnvironment(root) });
}

async function outcome(child: ChildProcess, withinMs: number): Promise<{ code: number | undefined; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = `${output}${text}`.slice(-OUTPUT_MAX);
    });
  }
  const ended = new Promise<number>((settle) => {
    child.once('error', () => settle(127));
    child.once('exit', (code) => settle(code ?? 128));
  });
  const late = new AbortController();
  const code = await Promise.race([ended, sleep(withinMs, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  if (code === undefined) child.kill('SIGKILL');
  return { code, output };
}

/** @throws MESH_LAB_FAILED */
function keepConsoles(lab: VmLab, directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    for (const { number } of lab.machines) {
      const log = consoleLog(lab.directoryOf(number));
      if (existsSync(log)) cpSync(log, join(directory, `${vmName(number)}.console`));
    }
  } catch (cause) {
    throw new MeshError('MESH_LAB_FAILED', `the consoles cannot be kept: ${MeshError.from(cause).message}`, {
      object: directory,
      remedy: 'Name another directory with --artifacts, on a disk with room.',
      cause,
    });
  }
}
