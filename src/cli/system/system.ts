/** `mesh system`: the processes of this machine (host0's daemon on host0, and the agent), and what machines boot. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { Command, Option } from 'commander';
import { noHost0Directory } from '../../formats/host0/host0-tree.ts';
import { requireRoot } from '../../kernel/root.ts';
import { host0Addresses, requireOthers } from '../../machine/host0-addresses.ts';
import { MeshError } from '../../model/error.ts';
import { agentClient, type DaemonName, host0Client, TITLES } from '../../protocol/http/control-client.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { wholeNumber } from '../print/number-option.ts';
import { withProgress } from '../print/progress.ts';
import { type Column, table } from '../print/table.ts';
import { host0Flags, host0Option, isHost0Machine } from './agent.ts';
import { Daemon, logFileOf } from './daemon.ts';
import { imageCommand } from './image.ts';
import { lastLines, logJson, logLine, mergedLines, newLines } from './log-file.ts';
import { addBoot, addScan } from './system-boot.ts';
import { systemConfigureCommand, systemInitCommand } from './system-configure.ts';

const PROCESSES: readonly DaemonName[] = ['host0', 'agent'];

export function systemCommand(context: Context): Command {
  const system = new Command('system');

  system
    .command('run')
    .description("Run host0's daemon in the foreground, for a service manager")
    .addHelpText('after', '\nExample:\n  $ mesh system run')
    .action(() => {
      requireRoot("run host0's daemon", 'It listens on single network devices, which only root may do.');
      if (!isHost0Machine(context)) throw noHost0Directory(context.paths.host0);
      new Daemon('host0', context).become([]);
    });

  system
    .command('start')
    .description('Start the processes of this machine in the background')
    .addOption(host0Option())
    .addHelpText(
      'after',
      "\nA machine with a host0 directory runs host0's daemon and the agent; any other machine runs only the agent.\n" +
        '\nExamples:\n  $ mesh system start\n  $ mesh system start --host0 10.11.0.1',
    )
    .action(async ({ host0 }: { host0?: string }) => {
      requireRoot('start the daemons', 'Networks are made in the kernel, which only root may do.');
      await start(context, host0);
    });

  system
    .command('stop')
    .description('Stop the processes that `mesh system start` started; networks keep carrying traffic')
    .addHelpText('after', '\nExample:\n  $ mesh system stop')
    .action(() => stop(context));

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
    .description('Show what the processes wrote into their logs')
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

  return system;
}

function daemonsOf(context: Context): Daemon[] {
  return PROCESSES.filter((name) => name === 'agent' || isHost0Machine(context)).map(
    (name) => new Daemon(name, context),
  );
}

interface Started {
  readonly process: DaemonName;
  readonly pid?: number;
  readonly wasRunning: boolean;
}

/** Starts host0's daemon first, since the agent of this machine takes its assignment from it. */
async function start(context: Context, host0: string | undefined): Promise<void> {
  const flags = isHost0Machine(context) ? ['--on-host0'] : host0Flags(host0);
  if (host0 !== undefined) await checkHost0(context, host0);
  const started: Started[] = [];
  for (const daemon of daemonsOf(context)) {
    const wasRunning = await daemon.client.answers();
    const pid = daemon.pid() ?? (wasRunning ? undefined : daemon.start(daemon.name === 'agent' ? flags : []));
    await withProgress(context.stderr, `Waiting for ${TITLES[daemon.name]}`, daemon.untilItAnswers());
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
  if (!(await agent.answers())) return;
  const { host0: present } = await agent.ask('GET /v1/status');
  if (present.join() === wanted.join()) return;
  throw new MeshError(
    'MESH_ALREADY_RUNNING',
    `the agent runs already, and knows host0 at ${present.join(', ') || 'no address'}`,
    {
      operation: 'start the agent',
      remedy: `To use ${wanted.join(', ')}, stop the agent first: \`mesh system stop\`, or its service.`,
    },
  );
}

function startedText({ process, pid, wasRunning }: Started): string {
  const title = TITLES[process];
  const number = pid === undefined ? '' : ` (pid ${pid})`;
  return wasRunning ? `Already running: ${title}${number}.\n` : `Started ${title}${number}.\n`;
}

interface Stopped {
  readonly process: DaemonName;
  readonly pid: number;
}

/** Stops the agent first, so that it does not report that host0's daemon has gone. */
async function stop(context: Context): Promise<void> {
  const stopped: Stopped[] = [];
  const foreign: Daemon[] = [];
  for (const daemon of PROCESSES.toReversed().map((name) => new Daemon(name, context))) {
    // This also stops what host0's daemon runs (dnsmasq). When a service manager restarts the daemon, that goes on running.
    if (daemon.name === 'host0' && daemon.pid() !== undefined)
      await host0Client(context.paths)
        .ask('POST /v1/boot/stop', { body: {} })
        .catch(() => {});
    const pid = await withProgress(context.stderr, `Waiting for ${TITLES[daemon.name]} to end`, daemon.stop());
    if (pid !== undefined) stopped.push({ process: daemon.name, pid });
    else if (await daemon.client.answers()) foreign.push(daemon);
  }
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
  context.answer(stopped, () => stoppedText(stopped));
}

function stoppedText(stopped: readonly Stopped[]): string {
  if (stopped.length === 0) return 'Nothing was running here.\n';
  const names = stopped.map(({ process, pid }) => `${TITLES[process]} (pid ${pid})`).join(' and ');
  return (
    `Stopped ${names}.\n` +
    'Forwarding stays in the kernel: the networks keep working, but changes and faults are not seen until the next start.\n'
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
  const files = PROCESSES.filter((name) => process === undefined || name === process).map((name) =>
    logFileOf(paths, name),
  );
  const show = (line: string) => context.print(json ? logJson(line) : logLine(line, paint));
  if (!existsSync(paths.logs)) {
    throw new MeshError('MESH_NOT_RUNNING', 'there are no logs here yet', {
      object: paths.logs,
      remedy: 'The processes that `mesh system start` starts write logs.',
    });
  }
  const past = mergedLines(await Promise.all(files.map((file) => lastLines(file, lines))));
  past.slice(Math.max(0, past.length - lines)).forEach(show);
  if (!follow) return;
  await Promise.all(
    files.map(async (file) => {
      for await (const line of newLines(file, paths.logs)) show(line);
    }),
  );
}
