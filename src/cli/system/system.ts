/** `mesh system`: the processes of this machine (host0's daemon on host0, and the agent), and what machines boot. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { noHost0Directory } from '../../formats/host0/host0-tree.ts';
import { requireRoot } from '../../kernel/root.ts';
import { host0Addresses, requireOthers } from '../../machine/host0-addresses.ts';
import { MeshError } from '../../model/error.ts';
import { agentClient, host0Client } from '../../protocol/calls/control-client.ts';
import { type DaemonName, serviceManager, serviceName, TITLES } from '../../protocol/http/service-manager.ts';
import { endLeftOver } from '../../services/process/left-over.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { wholeNumber } from '../print/number-option.ts';
import { withProgress } from '../print/progress.ts';
import { type Column, table } from '../print/table.ts';
import { host0Flags, host0Option, isHost0Machine } from './agent.ts';
import { addBackup } from './backup-commands.ts';
import { Daemon, logFileOf } from './daemon.ts';
import { imageCommand } from './image.ts';
import { lastLines, logJson, logLine, mergedLines, newLines } from './log-file.ts';
import { addMirror } from './mirror.ts';
import { isCommanded, OPTIONS_FILES } from './service.ts';
import { lastJournalLines, linesOfUnit, newJournalLines } from './service-log.ts';
import { chooseStore, storeOption } from './store-choice.ts';
import { addBoot, addScan } from './system-boot.ts';
import { systemConfigureCommand, systemInitCommand } from './system-configure.ts';

const PROCESSES: readonly DaemonName[] = ['host0', 'agent'];

export function systemCommand(context: Context): Command {
  const system = new Command('system');

  system
    .command('run')
    .description("Run host0's daemon in the foreground, for a service manager")
    .addHelpText('after', '\nExample:\n  $ mesh system run')
    .action(async () => {
      requireRoot("run host0's daemon", 'It listens on single network devices, which only root may do.');
      if (!isHost0Machine(context)) throw noHost0Directory(context.paths.host0);
      await new Daemon('host0', context).become([]);
    });

  system
    .command('start')
    .description('Start the processes of this machine in the background')
    .addOption(host0Option())
    .addOption(storeOption())
    .addHelpText(
      'after',
      "\nA machine with a host0 directory runs host0's daemon and the agent; any other machine runs only the agent.\n" +
        'Where the package has made them services, systemd or OpenRC starts them, with the options of their files.\n' +
        'Another store begins empty: `mesh system backup` and `mesh system restore` carry over what the one before has.\n' +
        '\nExamples:\n  $ mesh system start\n  $ mesh system start --host0 10.11.0.1\n' +
        '  $ mesh system start --store etcd://10.0.0.1:2379,10.0.0.2:2379',
    )
    .action(async ({ host0, store }: { host0?: string; store?: string }) => {
      requireRoot('start the daemons', 'Networks are made in the kernel, which only root may do.');
      await finishRestoreOf(context);
      if (store !== undefined) await chooseStore(context, store);
      await start(context, host0);
    });

  system
    .command('stop')
    .description('Stop the processes of this machine; networks keep carrying traffic')
    .option(
      '--left-over',
      "end only the programs that a daemon which is gone has left running, such as host0's dnsmasq",
    )
    .addHelpText(
      'after',
      '\nThe programs that the processes have started end, too, such as the dnsmasq of a network and virtual machines.\n' +
        'A service is stopped by systemd or OpenRC. It starts again at the next boot if it is enabled.\n' +
        '\nExample:\n  $ mesh system stop',
    )
    .action((options: StopOptions) => stop(context, options));

  system
    .command('status')
    .description('Show which processes run here')
    .addHelpText(
      'after',
      '\nExit code 0 when all processes of this machine answer, else 3.\n\nExample:\n  $ mesh system status',
    )
    .action(() => showStatus(context));

  addScan(system, context);
  addBoot(system, context);

  system
    .command('logview')
    .description('Show what the processes wrote into their logs, or into the journal of systemd')
    .option('-f, --follow', 'go on with new lines, until Ctrl-C')
    .addOption(new Option('-n, --lines <n>', 'show this many of the last lines').default(50).argParser(wholeNumber(0)))
    .addOption(new Option('--process <name>', 'only this process').choices(PROCESSES))
    .addHelpText(
      'after',
      '\nWith --json the lines are printed as they are in the log.\n\nExample:\n  $ mesh system logview --follow -n 20',
    )
    .action((options: LogviewOptions) => showLogs(context, options));

  system.addCommand(systemInitCommand(context));
  system.addCommand(systemConfigureCommand(context));
  system.addCommand(imageCommand(context));
  addMirror(system, context);
  addBackup(system, context);

  return system;
}

function daemonsOf(context: Context): Daemon[] {
  return PROCESSES.filter((name) => name === 'agent' || isHost0Machine(context)).map(
    (name) => new Daemon(name, context),
  );
}

/** A service may not write everywhere: a restore that was cut short is finished here, before the processes start. */
async function finishRestoreOf({ paths }: Context): Promise<void> {
  if (!existsSync(join(paths.state, 'restore.json'))) return;
  const { finishRestore } = await import('../../backup/finish-restore.ts');
  await finishRestore(paths);
}

interface Started {
  readonly process: DaemonName;
  readonly pid?: number;
  readonly wasRunning: boolean;
}

/** Starts host0's daemon first, since the agent of this machine takes its assignment from it. */
async function start(context: Context, host0: string | undefined): Promise<void> {
  if (host0 !== undefined) await checkHost0(context, host0);
  const { manager } = new Daemon('agent', context);
  // A service has the address in its own options.
  const flags = isHost0Machine(context) ? ['--on-host0'] : manager === 'none' ? host0Flags(host0) : [];
  const started: Started[] = [];
  for (const daemon of daemonsOf(context)) {
    const wasRunning = await daemon.client.answers();
    const running = daemon.run(daemon.name === 'agent' ? flags : []);
    await withProgress(context.stderr, `Waiting for ${TITLES[daemon.name]}`, running);
    const pid = daemon.pid();
    started.push({ process: daemon.name, wasRunning, ...(pid !== undefined && { pid }) });
  }
  context.answer(started, () => started.map(startedText).join(''));
}

/**
 * Checks the value of `--host0` against this machine and against an agent that runs already.
 * @throws MESH_USAGE on host0, MESH_HOST0_UNKNOWN for an address of this machine, MESH_ALREADY_RUNNING beside an agent that
 *   takes other addresses for host0's
 */
async function checkHost0(context: Context, host0: string): Promise<void> {
  if (isHost0Machine(context)) {
    throw new MeshError('MESH_USAGE', 'this machine is host0 itself: it has a host0 directory', {
      operation: 'start the agent',
      object: context.paths.host0,
      remedy: `Leave --host0 out; or, if this machine is to be a node, move ${context.paths.host0} away.`,
    });
  }
  const wanted = host0Addresses(host0, '');
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []);
  requireOthers(wanted, own);
  const agent = agentClient(context.paths);
  if (!(await agent.answers())) return mustTakeOptions(context, wanted.join());
  const { host0: present } = await agent.ask('GET /v1/status');
  if (present.join() === wanted.join()) return;
  throw new MeshError(
    'MESH_ALREADY_RUNNING',
    `the agent runs already, and knows host0 at ${present.join(', ') || 'no address'}`,
    {
      operation: 'start the agent',
      remedy: `To use ${wanted.join(', ')}, stop the agent first: \`mesh system stop\`.`,
    },
  );
}

/** @throws MESH_USAGE where the agent is a service, which takes its options from a file */
function mustTakeOptions(context: Context, host0: string): void {
  const { manager } = new Daemon('agent', context);
  if (!isCommanded(manager)) return;
  throw new MeshError('MESH_USAGE', `${manager} starts the agent here, with options of its own`, {
    operation: 'start the agent',
    object: OPTIONS_FILES[manager],
    remedy: `Write AGENT_OPTIONS="--host0 ${host0}" into ${OPTIONS_FILES[manager]}, then \`mesh system start\`.`,
  });
}

function startedText({ process, pid, wasRunning }: Started): string {
  const title = TITLES[process];
  const number = pid === undefined ? '' : ` (pid ${pid})`;
  return wasRunning ? `Already running: ${title}${number}.\n` : `Started ${title}${number}.\n`;
}

interface Stopped {
  /** Also the name of a program that host0's daemon had started, such as `dnsmasq-eth1`. */
  readonly process: string;
  readonly pid: number;
}

interface StopOptions {
  readonly leftOver?: boolean;
}

/** Stops the agent first, so that it does not report that host0's daemon has gone. */
async function stop(context: Context, { leftOver }: StopOptions): Promise<void> {
  requireRoot('stop the daemons', 'Only root may end them.');
  const daemons = leftOver ? [] : PROCESSES.toReversed().map((name) => new Daemon(name, context));
  const stopped: Stopped[] = [];
  const foreign: Daemon[] = [];
  for (const daemon of daemons) {
    const pid = await withProgress(
      context.stderr,
      `Waiting for ${TITLES[daemon.name]} to end`,
      stopDaemon(daemon, context),
    );
    if (pid !== undefined) stopped.push({ process: daemon.name, pid });
    else if (await daemon.client.answers()) foreign.push(daemon);
  }
  const left = [...(await endPrograms(context)), ...(leftOver ? [] : await endProgramsOfAgent(context))];
  const [other] = foreign;
  if (other !== undefined) {
    throw new MeshError(
      'MESH_NOT_RUNNING',
      `${TITLES[other.name]} runs, but was not started by \`mesh system start\``,
      {
        operation: 'stop',
        object: other.client.sock,
        remedy: 'Stop it where it was started: in its service manager, its terminal or its lab.',
      },
    );
  }
  context.answer([...stopped, ...left], () => stoppedText(stopped, left, context));
}

/** Also stops what host0's daemon runs (dnsmasq). When a service manager restarts the daemon, that goes on running. */
async function stopDaemon(daemon: Daemon, { paths }: Context): Promise<number | undefined> {
  if (daemon.name === 'host0' && daemon.pid() !== undefined) {
    await host0Client(paths)
      .ask('POST /v1/boot/stop')
      .catch(() => {});
  }
  return await daemon.stop();
}

/** Ends the programs of a daemon that was killed or has crashed. They would serve machines that boot for ever. */
async function endPrograms({ paths }: Context): Promise<Stopped[]> {
  if (await host0Client(paths).answers()) return [];
  const ended = await endLeftOver(join(paths.state, 'boot'));
  return ended.map(({ name, pid }) => ({ process: name, pid }));
}

/**
 * Ends what the agent has started for networks and virtual machines, when the agent itself is gone. The init of a node starts the
 * agent again, which then finds its programs as they were.
 */
async function endProgramsOfAgent(context: Context): Promise<Stopped[]> {
  const agent = new Daemon('agent', context);
  if (agent.manager === 'init' || agent.pid() !== undefined || (await agent.client.answers())) return [];
  const ended = await endLeftOver(join(context.paths.state, 'services/processes'));
  return ended.map(({ name, pid }) => ({ process: name, pid }));
}

function stoppedText(stopped: readonly Stopped[], left: readonly Stopped[], context: Context): string {
  if (stopped.length + left.length === 0) return 'Nothing was running here.\n';
  const named = (list: readonly Stopped[], titleOf: (process: string) => string) =>
    list.map(({ process, pid }) => `${titleOf(process)} (pid ${pid})`).join(' and ');
  const programs = left.length === 0 ? '' : `Ended what was left running: ${named(left, (name) => name)}.\n`;
  if (stopped.length === 0) return programs;
  const { manager } = new Daemon('agent', context);
  return (
    `Stopped ${named(stopped, (name) => (name === 'host0' ? TITLES.host0 : TITLES.agent))}.\n${programs}` +
    'Forwarding stays in the kernel: the networks keep working, but changes and faults are not seen until the next start.\n' +
    (manager === 'init' ? 'The init of this node starts the agent again within seconds.\n' : '')
  );
}

interface ProcessStatus {
  readonly process: DaemonName;
  readonly state: 'answers' | 'silent' | 'stopped';
  readonly pid?: number;
  readonly version?: string;
  readonly upSec?: number;
}

const STATUS_TONES = { answers: 'good', silent: 'warning', stopped: 'bad' } as const;

const STATUS_COLUMNS: readonly Column<ProcessStatus>[] = [
  { title: 'PROCESS', text: ({ process }) => process },
  { title: 'STATE', text: ({ state }) => state, tone: ({ state }) => STATUS_TONES[state] },
  { title: 'PID', text: ({ pid }) => String(pid ?? '-'), align: 'right' },
  { title: 'VERSION', text: ({ version }) => version ?? '-' },
  { title: 'UP', text: ({ upSec }) => (upSec === undefined ? '-' : durationText(upSec)) },
];

async function showStatus(context: Context): Promise<void> {
  const processes = await Promise.all(daemonsOf(context).map(processStatus));
  if (processes.some(({ state }) => state !== 'answers')) context.exitCode = 3;
  context.answer(processes, () => {
    const hint = context.exitCode === 0 ? '' : '\nStart what is missing with `mesh system start`.\n';
    return table(processes, STATUS_COLUMNS, context.page) + hint;
  });
}

async function processStatus(daemon: Daemon): Promise<ProcessStatus> {
  const pid = daemon.pid();
  const known = { process: daemon.name, ...(pid !== undefined && { pid }) };
  if (!(await daemon.client.answers())) return { ...known, state: pid === undefined ? 'stopped' : 'silent' };
  const { version, upSec } = await daemon.client.ask('GET /v1/status');
  return { ...known, state: 'answers', version, upSec };
}

interface LogviewOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly process?: DaemonName;
}

async function showLogs(context: Context, { follow, lines, process }: LogviewOptions): Promise<void> {
  const { paths, paint, json } = context;
  const names = PROCESSES.filter((name) => process === undefined || name === process);
  const files = names.map((name) => logFileOf(paths, name));
  const units = names
    .filter((name) => serviceManager(name, paths.root) === 'systemd')
    .map((name) => linesOfUnit(serviceName(name)));
  const show = (line: string) => context.print(json ? logJson(line) : logLine(line, paint));
  const hasFiles = existsSync(paths.logs);
  if (!hasFiles && units.length === 0) {
    throw new MeshError('MESH_NOT_RUNNING', 'there are no logs here yet', {
      object: paths.logs,
      remedy: 'The processes that `mesh system start` starts write logs.',
    });
  }
  // A process that a person started beside its service writes into the file.
  const past = mergedLines(
    await Promise.all([
      ...files.map((file) => lastLines(file, lines)),
      ...units.map((unit) => lastJournalLines(unit, lines)),
    ]),
  );
  past.slice(Math.max(0, past.length - lines)).forEach(show);
  if (!follow) return;
  const added = [...(hasFiles ? files.map((file) => newLines(file, paths.logs)) : []), ...units.map(newJournalLines)];
  await Promise.all(
    added.map(async (lines) => {
      for await (const line of lines) show(line);
    }),
  );
}
