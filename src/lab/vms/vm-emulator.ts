/** The emulator of one machine of a lab. */
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../model/clock.ts';
import { isRunning, type ProcessMark } from '../../services/process/process-mark.ts';
import { qemuArgv } from '../../services/qemu/qemu-argv.ts';
import { type Accelerator, QEMU, QEMU_FILES, type QemuCard, type QemuSpec } from '../../services/qemu/qemu-spec.ts';
import { QmpClient } from '../../services/qemu/qmp-client.ts';
import { startInside } from '../hosts/host-process.ts';
import { tapOfVm, vmMac } from '../topologies/vm-address.ts';
import { mtuOfNet, type VmPlan } from '../topologies/vm-plan.ts';
import type { VmTopology } from '../topologies/vm-topology.ts';
import { consoleLog, directoryOfVm, emulatorLog } from './vm-files.ts';

/** What a machine boots, and on what. */
export interface VmSetting {
  /** The directory of the lab. */
  readonly directory: string;
  readonly netns: string;
  readonly accelerator: Accelerator;
  readonly topology: VmTopology;
  /** Of machines of which the topology says nothing. */
  readonly memoryMib: number;
  readonly boot: { readonly kernel: string; readonly initrd: string; readonly append: string };
}

const MIB = 1024 * 1024;
/** A file of an emulator, such as the log of its console, gets so large. */
const LOG_MAX_BYTES = 4 * MIB;
/** The unit of `ulimit -f`. */
const ULIMIT_BYTES = 512;
const LOOK_MS = 10;
/** The monitor is there 20 ms after the start of an emulator that gets a processor. */
const MONITOR_WITHIN_MS = 20_000;
/** Enough for a small guest: more makes its emulator larger, and not faster. */
const TRANSLATION_MIB = 24;

/** What QEMU shall run. @param options of the cards, where a net set-up has printed them. Absent: taps on bridges */
export function vmSpec(
  { directory, accelerator, boot, memoryMib }: VmSetting,
  plan: VmPlan,
  options?: readonly string[],
): QemuSpec {
  const own = directoryOfVm(directory, plan.number);
  return {
    name: plan.name,
    uuid: uuidOf(own),
    ...machineOf(accelerator, plan.memoryMib ?? memoryMib),
    cards: options === undefined ? plan.nets.map((net) => cardOf(plan.number, net)) : [],
    ...(options !== undefined && { options, spawns: true as const }),
    disks: [],
    firmware: { kind: 'bios' },
    boot,
    screen: false,
    paused: false,
    // A machine that panics ends at once, and is told.
    reboots: false,
    consoleLog: consoleLog(own),
    pidFile: join(own, 'pid'),
  };
}

/** What all machines have in common. */
export function machineOf(accelerator: Accelerator, memoryMib: number) {
  return {
    accelerator,
    // Without acceleration an older processor boots a tenth faster than `max`: the kernel has less to set up.
    cpuModel: accelerator === 'kvm' ? 'host' : 'Nehalem',
    translationMib: TRANSLATION_MIB,
    threads: 1,
    memoryBytes: memoryMib * MIB,
  };
}

/** The card of a machine in a net, at its tap. */
export function cardOf(number: number, net: number): QemuCard & { readonly tap: string } {
  return { id: `net${net}`, mac: vmMac(net, number), model: 'virtio', tap: tapOfVm(net, number) };
}

/** The words of the kernel's command line that are the same for all machines of a lab. */
export function labWords(topology: VmTopology, nets: readonly number[]): string[] {
  const { prefix, roles } = topology;
  const counts = [
    `lab.nodes=${roles.node?.count ?? 0}`,
    `lab.routers=${roles.router?.count ?? 0}`,
    `lab.testers=${roles.tester?.count ?? 0}`,
  ];
  const mtus = nets.flatMap((net) => {
    const mtu = mtuOfNet(topology, net);
    return mtu === undefined ? [] : [`lab.mtu_${net}=${mtu}`];
  });
  return [`lab.prefix=${prefix}`, ...counts, ...mtus];
}

/** Switches a machine on. The emulator outlives this process, and ends with the lab. @throws MESH_LAB_FAILED */
export function switchVmOn(
  { directory, netns }: Pick<VmSetting, 'directory' | 'netns'>,
  number: number,
  spec: QemuSpec,
): ProcessMark {
  return switchOnIn(netns, directoryOfVm(directory, number), spec);
}

/** The same for a machine without a number. @param own its directory */
export function switchOnIn(netns: string, own: string, spec: QemuSpec): ProcessMark {
  rmSync(consoleLog(own), { force: true });
  rmSync(emulatorLog(own), { force: true });
  // Memory of a guest that is a file, and that of the cards of a net set-up, are not bounded as logs are.
  const isShared = spec.options !== undefined || spec.memoryFile?.written === true;
  return startInside(netns, own, {
    name: QEMU,
    title: `the emulator of ${spec.name}`,
    argv: withBoundedFiles(qemuArgv(spec), Math.max(LOG_MAX_BYTES, isShared ? spec.memoryBytes : 0)),
    directory: own,
    outputFile: emulatorLog(own),
  });
}

/**
 * A command whose files do not grow beyond a size: a guest may write to its console without end, and that file is in memory. The command
 * goes on then, without what does not fit.
 */
export function withBoundedFiles(argv: readonly string[], maxBytes: number): [string, ...string[]] {
  const script = `trap '' XFSZ && ulimit -f "$1" && shift && exec "$@"`;
  return ['sh', '-c', script, 'sh', String(Math.ceil(maxBytes / ULIMIT_BYTES)), ...argv];
}

/** A connection to the monitor of a machine, as soon as there is one. @throws MESH_QEMU_SILENT */
export async function vmMonitor(own: string, emulator: ProcessMark): Promise<QmpClient> {
  const path = join(own, QEMU_FILES.monitor);
  const giveUpAt = performance.now() + MONITOR_WITHIN_MS;
  for (;;) {
    const mayCome = isRunning(emulator) && performance.now() < giveUpAt;
    if (existsSync(path) || !mayCome) {
      try {
        return await QmpClient.connect(path, systemClock);
      } catch (error) {
        // The socket has its name a moment before it listens.
        if (!mayCome) throw error;
      }
    }
    await sleep(LOOK_MS);
  }
}

/** Switches a machine off, like pulling its power cable. Resolves when the emulator has ended. */
export async function switchVmOff(own: string, emulator: ProcessMark): Promise<void> {
  const monitor = await vmMonitor(own, emulator).catch(() => undefined);
  // The emulator may end before it answers.
  await monitor?.execute('quit').catch(() => undefined);
  monitor?.close();
}

/** A UUID of a machine, the same in each start of a lab. */
function uuidOf(own: string): string {
  const hex = createHash('sha256').update(own).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
