/**
 * Labs of virtual machines: from the command until all machines answer, cold and from a template; memory; and how much of a start is ours.
 * The yardstick is as many bare emulators of the same guest, started at once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath } from '../src/kernel/netns.ts';
import { EchoSocket } from '../src/kernel/sockets/echo.ts';
import { residentsOf } from '../src/lab/cluster/residents.ts';
import { guestCache } from '../src/lab/guest/guest-cache.ts';
import { GUEST_APPEND, guestImage } from '../src/lab/guest/guest-image.ts';
import { overlaidGuest } from '../src/lab/overlays/overlay-cache.ts';
import { findTopology } from '../src/lab/topologies/shipped-topologies.ts';
import { vmIpv4, vmMac } from '../src/lab/topologies/vm-address.ts';
import { machineOf } from '../src/lab/vms/vm-emulator.ts';
import { VmLab } from '../src/lab/vms/vm-lab.ts';
import { READY_SIGN } from '../src/lab/vms/vm-trouble.ts';
import { qemuArgv } from '../src/services/qemu/qemu-argv.ts';
import { Installation } from './installation.ts';
import { compared, type Measurement, measured } from './measurement.ts';
import { cpuSec, memoryMb } from './process-cost.ts';
import { interleaved, type Run } from './run.ts';

const NAME = 'bench';
const PAIRS = 3;
/** Clock ticks of /proc/PID/stat in a second (sysconf(_SC_CLK_TCK)), the same on each x86-64 kernel. */
const TICKS = 100;
const LOOK_MS = 20;
/** How many machines, with how many nodes and routers, and the budgets in seconds. */
const SIZES = [
  { machines: 4, nodes: 2, routers: 2, coldSec: 10, templateSec: 3 },
  { machines: 8, nodes: 6, routers: 2, coldSec: 18 },
  { machines: 16, nodes: 14, routers: 2, coldSec: 35, templateSec: 15 },
] as const;
type Size = (typeof SIZES)[number];

/** What a start took. */
interface Start {
  readonly wallMs: number;
  /** Of the emulators. */
  readonly emulatorSec: number;
  /** Of the command, host0 and the agent. */
  readonly oursSec: number;
  readonly shareMb: number;
  readonly ownMb: number;
}

/** The benchmark `clusters`. */
export async function clusters(run: Run): Promise<Measurement[]> {
  run.stage('building the bundle');
  using installed = await Installation.make();
  const guest = await bareGuest();
  const results: Measurement[] = [];
  const colds: Start[] = [];
  for (const size of SIZES) {
    const what = `${size.machines} machines`;
    const pairs = await interleaved(
      run,
      PAIRS,
      `${what}, cold`,
      () => up(installed, size, '--cold'),
      () => bare(guest, size.machines, run.signal),
    );
    const walls = pairs.map(([ours, theirs]): [number, number] => [ours.wallMs, theirs.wallMs]);
    results.push(
      compared(
        { name: `${what} answer, cold`, unit: 'ms', budget: { of: 'value', atMost: 1_000 * size.coldSec } },
        walls,
      ),
    );
    const beyond = walls.map(([ours, theirs]) => 100 * (1 - theirs / ours));
    results.push(
      measured(
        { name: `${what}, cold: time beyond bare emulators`, unit: '%', budget: { of: 'value', atMost: 10 } },
        beyond,
      ),
    );
    results.push(
      measured(
        { name: `${what}, cold: our processor time`, unit: '%', budget: { of: 'value', atMost: 10 } },
        pairs.map(([ours]) => shareOf(ours)),
      ),
    );
    colds.push(...pairs.map(([ours]) => ours));
  }
  results.push(
    memory(
      'a machine that has booted cold',
      150,
      colds.map(({ shareMb }) => shareMb),
    ),
  );
  await up(installed, SIZES[0], '--template');
  const copies: Start[] = [];
  for (const size of SIZES) {
    if (!('templateSec' in size)) continue;
    const what = `${size.machines} machines`;
    const pairs = await interleaved(
      run,
      PAIRS,
      `${what}, from a template`,
      () => up(installed, size, '--template'),
      () => bare(guest, size.machines, run.signal),
    );
    const walls = pairs.map(([ours, theirs]): [number, number] => [ours.wallMs, theirs.wallMs]);
    results.push(
      compared(
        {
          name: `${what} answer, from a template`,
          unit: 'ms',
          budget: { of: 'value', atMost: 1_000 * size.templateSec },
        },
        walls,
      ),
    );
    copies.push(...pairs.map(([ours]) => ours));
  }
  results.push(
    memory(
      'a machine from a template',
      70,
      copies.map(({ ownMb }) => ownMb),
    ),
  );
  results.push(
    memory(
      'a machine from a template, with its share of what all have',
      70,
      copies.map(({ shareMb }) => shareMb),
    ),
  );
  const before = built();
  await up(installed, SIZES[0], '--cold');
  const fresh = [...built()].filter((file) => !before.has(file));
  results.push(
    measured({ name: 'files that a second start builds', unit: 'steps', budget: { of: 'value', atMost: 0 } }, [
      fresh.length,
    ]),
  );
  return results;
}

function memory(name: string, atMost: number, values: readonly number[]): Measurement {
  return measured({ name: `memory of ${name}`, unit: 'MB', budget: { of: 'value', atMost } }, values);
}

function shareOf({ oursSec, emulatorSec }: Start): number {
  return (100 * oursSec) / (oursSec + emulatorSec);
}

/** The files of the cache, each with what tells it from one that was made again. */
function built(): Set<string> {
  const cache = guestCache();
  return new Set(
    readdirSync(cache, { recursive: true, encoding: 'utf8' }).map(
      (name) => `${name} ${statSync(join(cache, name)).ino}`,
    ),
  );
}

/** Starts a lab by its command, looks at it, and takes it down. */
async function up(installed: Installation, { nodes, routers }: Size, how: '--cold' | '--template'): Promise<Start> {
  const words = ['lab', 'up', 'default', '--name', NAME, '--nodes', String(nodes), '--routers', String(routers), how];
  try {
    const startMs = performance.now();
    const commandSec = await timedCommand(installed, words);
    const wallMs = performance.now() - startMs;
    const lab = VmLab.open(NAME);
    const emulators = lab.machines.flatMap(({ number }) => lab.emulatorOf(number)?.pid ?? []);
    const others = residentsOf([lab.netns], lab.lab.directory)
      .map(({ pid }) => pid)
      .filter((pid) => !emulators.includes(pid));
    const start = {
      wallMs,
      emulatorSec: sum(emulators.map(cpuSec)),
      oursSec: commandSec + sum(others.map(cpuSec)),
      shareMb: sum(emulators.map((pid) => memoryMb(pid, 'Pss'))) / emulators.length,
      ownMb: sum(emulators.map((pid) => memoryMb(pid, 'Private_Dirty'))) / emulators.length,
    };
    await mustAnswer(installed, lab);
    return start;
  } finally {
    if (existsSync(`/run/meshwork-lab/${NAME}`)) await timedCommand(installed, ['lab', 'down', '--name', NAME]);
  }
}

/** All machines answer on nets 0 and 2 at once; net 1 is seen from a machine. */
async function mustAnswer(installed: Installation, lab: VmLab): Promise<void> {
  const echo = EchoSocket.open({ netns: netnsPath(lab.netns) });
  try {
    for (const { number, nets } of lab.machines) {
      for (const net of nets.filter((each) => each !== 1)) {
        const rttMs = await echo.echo(vmIpv4(net, number), { timeoutMs: 5_000 });
        if (rttMs === undefined) throw new Error(`${vmIpv4(net, number)} does not answer`);
      }
    }
  } finally {
    echo.close();
  }
  for (const { number } of lab.machines.slice(1)) {
    const ping = ['ping', '-c1', '-W5', vmIpv4(1, number)];
    await timedCommand(installed, ['lab', 'exec', '--name', NAME, 'vm-001', '--', ...ping]);
  }
}

/** Runs a command. @returns its processor time, with that of the programs that it has waited for. @throws Error with its words */
async function timedCommand({ command, environment }: Installation, words: readonly string[]): Promise<number> {
  // The shell's own record has what it has waited for.
  const child = spawn('sh', ['-c', '"$@" >&2 || exit; cat /proc/$$/stat', 'sh', command, ...words], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, complaint] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-2_000);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`mesh ${words.join(' ')} has ended with ${code}: ${complaint}`);
  const fields = said.slice(said.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}

interface BareGuest {
  readonly kernel: string;
  readonly initrd: string;
  readonly memoryMib: number;
}

async function bareGuest(): Promise<BareGuest> {
  return await overlaidGuest(await guestImage(), findTopology('default').topology.overlays, '/');
}

/** As many emulators of the guest, with nothing of Meshwork around them, until each says that it is ready. */
async function bare(
  { kernel, initrd, memoryMib }: BareGuest,
  count: number,
  signal: AbortSignal,
): Promise<{ readonly wallMs: number }> {
  const place = mkdtempSync(join(tmpdir(), 'mw-bare-'));
  const children: ChildProcess[] = [];
  try {
    const startMs = performance.now();
    const logs = Array.from({ length: count }, (_, index) => {
      const log = join(place, `${index + 1}.log`);
      const [program, ...words] = qemuArgv({
        ...machineOf('tcg', memoryMib),
        name: `bare-${index + 1}`,
        uuid: '00000000-0000-4000-8000-000000000000',
        cards: [],
        options: [0, 1].flatMap((net) => [
          ...['-netdev', `user,id=n${net},restrict=on`],
          ...['-device', `virtio-net-pci,netdev=n${net},romfile=,mac=${vmMac(net, index + 1)}`],
        ]),
        disks: [],
        firmware: { kind: 'bios' },
        boot: { kernel, initrd, append: `${GUEST_APPEND} lab.prefix=fd00::` },
        screen: false,
        paused: false,
        reboots: false,
        consoleLog: log,
        pidFile: join(place, `${index + 1}.pid`),
      });
      const own = mkdtempSync(join(place, 'd-'));
      children.push(spawn(program, words, { cwd: own, stdio: 'ignore' }));
      return log;
    });
    const isUp = (log: string) => existsSync(log) && readFileSync(log, 'latin1').includes(READY_SIGN);
    while (!logs.every(isUp)) {
      signal.throwIfAborted();
      await sleep(LOOK_MS);
    }
    return { wallMs: performance.now() - startMs };
  } finally {
    for (const child of children) {
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(place, { recursive: true });
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
