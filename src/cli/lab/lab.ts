/** `mesh lab`: a whole cluster on this machine, to try things on. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { errorText } from '../../formats/error-text.ts';
import { commandDirectory } from '../../image/node/program-files.ts';
import { LastWords } from '../../lab/checks/silence.ts';
import { type Examination, examine, reportOf } from '../../lab/cluster/examination.ts';
import { Lab } from '../../lab/cluster/lab.ts';
import { LABS_DIRECTORY, labRecords, stateOfLab } from '../../lab/cluster/record.ts';
import { programsOf } from '../../lab/hosts/host-process.ts';
import type { Firmware, LabSize } from '../../lab/hosts/topology.ts';
import { sweepTemplates } from '../../lab/templates/template-shelf.ts';
import { hasMachines } from '../../lab/vms/cluster-record.ts';
import { MeshError } from '../../model/error.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import { TITLES } from '../../protocol/http/service-manager.ts';
import { findProgram } from '../../services/process/program-path.ts';
import type { Context } from '../context.ts';
import { newsText } from '../node/node-boot.ts';
import { wantsColor } from '../print/color.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';
import { addHooks } from './hook-commands.ts';
import { labReportText } from './lab-report.ts';
import { addVmAccess, vmExec } from './vm-access.ts';
import { addVmParts } from './vm-parts.ts';
import { addVmPicture, vmStatus } from './vm-status.ts';
import { addVmSwitch } from './vm-switch.ts';
import { addVmTest } from './vm-test.ts';
import { addVmSteps, coldOption, templateOption, type VmUpOptions, vmUp } from './vm-up.ts';
import { isVmName, type LabName, labNameOption, vmWord } from './vm-words.ts';

interface UpOptions extends LabName {
  readonly driver: 'netns' | 'qemu';
  readonly nodes?: number;
  readonly segments?: number;
  readonly uefi?: boolean;
  readonly foreignDhcp?: boolean;
  readonly store?: 'sqlite' | 'etcd';
  readonly routers?: number;
  readonly keep?: boolean;
}

export function labCommand(context: Context): Command {
  const lab = new Command('lab');
  named(lab.command('up').argument('[topology]', 'a topology of virtual machines: its name or its file'))
    .description('Build a lab, run host0 and the agents in it, and show that every pair of hosts reaches each other')
    .addOption(
      new Option('--driver <driver>', 'what nodes are: network namespaces, or machines that QEMU emulates')
        .choices(['netns', 'qemu'])
        .default('netns'),
    )
    .option('--nodes <count>', 'nodes besides host0 (default: 3; with qemu 2)', wholeNumber(0))
    .option('--segments <count>', 'underlay segments, which meet in host0 only (default: 2)', wholeNumber(0))
    .option('--uefi', 'machines have UEFI; without it, BIOS')
    .option('--foreign-dhcp', "the machines' addresses come from a DHCP server that is not host0's")
    .addOption(
      new Option('--store <store>', 'where host0 keeps what it knows: a file, or an etcd of three members')
        .choices(['sqlite', 'etcd'])
        .default('sqlite'),
    )
    .option('--routers <count>', 'so many of the first nodes get the role router (default: 0)', wholeNumber(0))
    .option('--testers <count>', 'with a topology: so many testers', wholeNumber(0))
    .option('--overlay <overlay...>', 'with a topology: overlays behind its own')
    .option(
      '--net-setup <script>',
      'with a topology: joins cards to nets, in place of taps on bridges (env: __net_setup)',
    )
    .option('--timeout <seconds>', 'with a topology: how long to wait for the machines', wholeNumber(1))
    .addOption(coldOption())
    .addOption(templateOption())
    .option('--keep', 'leave the lab running; with a topology also a lab that fails')
    .addHelpText(
      'after',
      '\nWith --driver qemu the nodes are whole machines without a disk: they boot from host0 over the network, and what ' +
        'they boot is built from Debian packages the first time. Each takes 1 GB of memory.\n' +
        '\nWith --store etcd, `etcdctl` on host0 asks the etcd of the lab, which goes with the lab.\n' +
        '\nWith a topology, the lab has virtual machines on nets of their own, and stays up until `mesh lab down`.\n' +
        '\nExamples:\n  $ mesh lab up\n  $ mesh lab up default --nodes 4\n  $ mesh lab up --nodes 10 --segments 3 --keep\n' +
        '  $ mesh lab up --nodes 4 --segments 1 --store etcd --routers 2 --keep\n' +
        '  $ mesh lab up --driver qemu --nodes 1\n  $ mesh lab up --driver qemu --uefi --foreign-dhcp --keep',
    )
    .action((topology: string | undefined, options: UpOptions & VmUpOptions) =>
      topology === undefined ? up(context, options) : vmUp(context, topology, options),
    );
  named(lab.command('down'))
    .description('Stop everything in a lab, and remove it')
    .addHelpText('after', '\nExample:\n  $ mesh lab down')
    .action((options: LabName) => down(context, options));
  lab
    .command('list')
    .alias('ls')
    .description('List the labs of this machine')
    .addHelpText('after', '\nExample:\n  $ mesh lab list')
    .action(() => list(context));
  named(lab.command('status'))
    .description('Show the hosts of a lab, their processes, and which hosts are members')
    .addHelpText('after', '\nExample:\n  $ mesh lab status')
    .action((options: LabName) => status(context, options));
  named(lab.command('restart'))
    .description('Stop and start the processes of one host of a lab, as after a change of its settings')
    .argument('<host>', 'host0, node1 …')
    .addHelpText('after', '\nExample:\n  $ mesh lab restart host0')
    .action((host: string, options: LabName) => restart(context, host, options));
  named(lab.command('exec'))
    .description('Run a command on a host of a lab; `mesh` there speaks to that host')
    .argument('<host>', 'host0, node1, vm-001 …')
    .argument('<command...>', 'the command; options behind it belong to it')
    .addHelpText(
      'after',
      '\nExamples:\n  $ mesh lab exec node1 -- mesh status\n  $ mesh lab exec node1 mesh status --json',
    )
    .action((host: string, command: string[], options: LabName) => exec(context, host, command, options));
  addVmSteps(lab, context);
  addVmAccess(lab, context);
  addVmPicture(lab, context);
  addVmParts(lab, context);
  addVmSwitch(lab, context);
  addVmTest(lab, context);
  addHooks(lab, context);
  return lab;
}

type LabLine = { readonly name: string; readonly state: string; readonly driver: string } & Record<
  'nodes' | 'segments',
  number
>;

const LAB_COLUMNS: readonly Column<LabLine>[] = [
  { title: 'NAME', text: ({ name }) => name, flexible: true },
  {
    title: 'STATE',
    text: ({ state }) => state,
    tone: ({ state }) => (state === 'left behind' ? 'warning' : undefined),
  },
  { title: 'DRIVER', text: ({ driver }) => driver },
  { title: 'NODES', text: ({ nodes }) => String(nodes), align: 'right' },
  { title: 'SEGMENTS', text: ({ segments }) => String(segments), align: 'right' },
];

function named(command: Command): Command {
  return command.addOption(labNameOption());
}

async function up(context: Context, { keep = false, ...options }: UpOptions): Promise<void> {
  const size = sizeOf(options);
  const startedMs = performance.now();
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  const lab = await Lab.build({ ...size, onStage: stages.show, signal: interrupt.signal }).catch((error: unknown) => {
    if (!interrupt.signal.aborted) throw error;
    context.exitCode = interrupt.exitCode;
  });
  if (lab === undefined) return;
  let kept = false;
  try {
    const found = await run(lab, stages, context, interrupt.signal);
    const tookMs = performance.now() - startedMs;
    stages.end();
    context.answer(reportOf(lab, found, tookMs), () => labReportText(found, tookMs, context.page));
    if (found.failure !== undefined) complain(context, found.failure);
    if (keep) await lab.keep();
    kept = keep;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    context.exitCode = interrupt.exitCode;
  } finally {
    if (!kept) {
      stages.show('taking the lab down');
      await lab.down();
      stages.end();
    }
  }
  if (!kept && context.exitCode === 0)
    context.stderr.write('Add --keep to leave the lab running, and to look around in it.\n');
  if (kept) context.stderr.write(keptText(lab));
}

/** @throws MESH_USAGE for options of the other driver */
function sizeOf({
  driver,
  name,
  nodes,
  segments,
  uefi = false,
  foreignDhcp = false,
  store,
  routers = 0,
}: Omit<UpOptions, 'keep'>): LabSize {
  if (driver === 'netns') {
    const meant = (uefi && '--uefi') || (foreignDhcp && '--foreign-dhcp');
    if (meant) throw unfit(meant, 'Namespaces do not boot.', `Add --driver qemu, or leave ${meant} out.`);
    if (nodes === 0) {
      throw new MeshError('MESH_USAGE', 'a lab cannot have 0 nodes', {
        operation: 'lab up',
        rule: 'A lab without a topology shows that its hosts reach each other: it has one node at least.',
        remedy: 'Give --nodes a number from 1 on.',
      });
    }
    const services = { ...(store === 'etcd' && { store }), ...(routers > 0 && { routers }) };
    return { name, nodes: nodes ?? 3, segments: segments ?? 2, ...services };
  }
  const alien = (store === 'etcd' && '--store etcd') || (routers > 0 && '--routers');
  if (alien)
    throw unfit(
      alien,
      'Emulated machines have a host0 with a store of its own, and run no services.',
      `Leave ${alien} out.`,
    );
  if ((segments ?? 1) !== 1) {
    throw unfit('--segments', 'All emulated machines are on one segment.', 'Leave --segments out.');
  }
  const firmware = Array.from({ length: nodes ?? 2 }, () => (uefi ? 'uefi' : 'bios') as Firmware);
  return { name, nodes: firmware.length, segments: 1, machines: { firmware, foreignDhcp } };
}

function unfit(option: string, rule: string, remedy: string): MeshError {
  return new MeshError('MESH_USAGE', `${option} does not go with this driver`, { operation: 'lab up', rule, remedy });
}

async function run(lab: Lab, stages: Stages, { paint, stderr }: Context, signal: AbortSignal): Promise<Examination> {
  signal.throwIfAborted();
  const before = new Map<string, TimelineView>();
  const onBoot = (view: TimelineView): void => {
    const news = newsText(view, before.get(view.mac), {
      paint,
      page: { width: stderr.isTTY ? stderr.columns : undefined },
    });
    before.set(view.mac, view);
    stages.aside(news);
  };
  await lab.startAll({ onStage: stages.show, onBoot, signal });
  return await examine(lab, stages.show, signal);
}

/** Prints on stderr why the lab failed. The report on stdout only says that it is not ok. */
function complain(context: Context, failure: MeshError): void {
  context.stderr.write(`${errorText(failure, { color: wantsColor(context.stderr) })}\n`);
  if (failure.cause instanceof LastWords) context.stderr.write(`${failure.cause.message}\n`);
  context.exitCode = failure.exitCode;
}

function keptText({ name, topology }: Lab): string {
  const option = name === 'default' ? '' : ` --name ${name}`;
  const isFound = findProgram('mesh') !== undefined;
  return [
    'The lab is up. Look around in it, and take it down:',
    ...(isFound ? [] : [`  PATH=${commandDirectory}:$PATH`]),
    `  mesh lab exec${option} node1 -- mesh status`,
    ...(topology.machines === undefined ? [] : [`  mesh lab exec${option} host0 -- mesh node info node1`]),
    `  mesh lab status${option}`,
    `  mesh lab down${option}`,
    '',
  ].join('\n');
}

async function down(context: Context, { name }: LabName): Promise<void> {
  const lab = Lab.open(name);
  using stages = new Stages(context.stderr);
  stages.show(`taking the lab ${name} down`);
  await lab.down();
  // A start that was killed may have left half a template.
  await sweepTemplates();
  context.answer({ name, down: true }, () => '');
}

function list(context: Context): void {
  const labs = labRecords().map((record) => {
    const { name, nodes, segments, machines } = record;
    const driver = hasMachines(join(LABS_DIRECTORY, name)) ? 'vms' : machines === undefined ? 'netns' : 'qemu';
    return { name, state: stateOfLab(record), nodes, segments, driver };
  });
  context.answer(
    labs,
    () => table(labs, LAB_COLUMNS, context.page) || 'There are no labs. `mesh lab up --keep` starts one.\n',
  );
}

interface HostStatus {
  readonly name: string;
  readonly netns: string;
  readonly ipv4: readonly string[];
  readonly ipv6: string;
  readonly processes: readonly { readonly program: string; readonly pid: number | null }[];
  readonly member: boolean;
}

async function status(context: Context, { name }: LabName): Promise<void> {
  if (hasMachines(join(LABS_DIRECTORY, name))) return vmStatus(context, name);
  const lab = Lab.open(name);
  const list = await lab.memberList(lab.host('host0')).catch(() => '');
  const members = new Map(list.split('\n').map((line) => [line.split(' ')[3], line.split(' ')[1]]));
  const hosts = lab.hosts.map(
    (host): HostStatus => ({
      name: host.name,
      netns: host.netns,
      // An emulated machine gets its address by DHCP; the member list has it.
      ipv4: host.emulated === undefined ? host.ports.map((port) => port.ipv4) : [members.get(host.member.ipv6) ?? '-'],
      ipv6: host.member.ipv6,
      processes: programsOf(host).map((program) => ({ program, pid: lab.process(host, program)?.pid ?? null })),
      member: members.has(host.member.ipv6),
    }),
  );
  const well = hosts.every((host) => host.member && runsAll(host));
  context.answer({ name, kept: lab.kept, hosts }, () =>
    table(
      hosts,
      [
        { title: 'HOST', text: (host) => host.name },
        { title: 'NAMESPACE', text: (host) => host.netns },
        { title: 'UNDERLAY', text: (host) => host.ipv4.join(' ') },
        { title: 'MESH', text: (host) => host.ipv6 },
        {
          title: 'MEMBER',
          text: (host) => (host.member ? 'yes' : 'no'),
          tone: (host) => (host.member ? 'good' : 'bad'),
        },
        { title: 'PROCESSES', text: processText, tone: (host) => (runsAll(host) ? undefined : 'bad') },
      ],
      context.page,
    ),
  );
  context.exitCode = well ? 0 : 1;
}

function runsAll({ processes }: HostStatus): boolean {
  return processes.every(({ pid }) => pid !== null);
}

function processText({ processes }: HostStatus): string {
  if (processes.length === 0) return 'emulated';
  return processes.map(({ program, pid }) => `${program} ${pid ?? 'ended'}`).join(', ');
}

/** Agent first, host0's daemon last, and started the other way round: as `mesh system stop` and `start` do. */
async function restart(context: Context, name: string, { name: labName }: LabName): Promise<void> {
  const lab = Lab.open(labName);
  const host = lab.host(name);
  const programs = programsOf(host);
  if (programs.length === 0) {
    throw new MeshError('MESH_USAGE', `${name} is an emulated machine`, {
      operation: 'lab restart',
      object: name,
      remedy: `Reboot it: \`mesh lab exec host0 -- mesh node reboot ${name} --follow\`.`,
    });
  }
  for (const program of programs.toReversed()) {
    if (lab.process(host, program) !== undefined) await lab.stop(host, program, 'SIGTERM');
  }
  const started = programs.map((program) => ({ process: program, pid: lab.start(host, program).pid }));
  context.answer({ name: labName, host: name, started }, () =>
    started.map(({ process, pid }) => `Started ${TITLES[process]} (pid ${pid}).\n`).join(''),
  );
}

async function exec(context: Context, host: string, command: readonly string[], { name }: LabName): Promise<void> {
  if (isVmName(host)) {
    context.exitCode = await vmExec(name, vmWord(host), command);
    return;
  }
  const lab = Lab.open(name);
  // The terminal sends Ctrl-C to both processes; only the command should act on it.
  using _ = new Interrupt();
  context.exitCode = await lab.execAttached(lab.host(host), command);
}
