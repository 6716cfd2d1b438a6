/** How the emulator of a workload is run, from the workload and what the node has made ready for it. Pure. */
import { isAbsolute } from 'node:path';
import type { WorkloadVolume } from '../../model/workload/volume.ts';
import { systemUuidOf, type Workload } from '../../model/workload/workload.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { AcceleratorProbe } from '../../services/qemu/accelerator.ts';
import { cpuModelFor } from '../../services/qemu/qemu-argv.ts';
import { type QemuProcess, qemuProcess } from '../../services/qemu/qemu-process.ts';
import type { QemuCard, QemuDisk, QemuSpec } from '../../services/qemu/qemu-spec.ts';
import type { KeptSpec, RunRecord } from './run-record.ts';
import type { VmUser } from './vm-place.ts';

/** What is ready on the node. */
export interface ReadyParts {
  readonly probe: AcceleratorProbe;
  readonly disks: readonly QemuDisk[];
  readonly cards: readonly QemuCard[];
  /** The taps of the cards, in their order. */
  readonly taps: readonly string[];
  readonly firmware: QemuSpec['firmware'];
  readonly user: VmUser;
  readonly directory: string;
  readonly outputFile: string;
  readonly consoleLog: string;
  readonly pidFile: string;
  /** What the volumes in memory may come to take. */
  readonly volumeMemoryBytes: number;
  /** The files of these volumes. */
  readonly memoryVolumes: readonly string[];
}

/** The name of the process of a workload. */
export function processNameOf(id: string): string {
  return `vm-${id}`;
}

/**
 * The disks that a node makes for a workload, by their paths below its directory of volumes. A disk with another path is the
 * administrator's, and so is one that must be there before.
 */
export function disksMadeFor({ volumes }: Pick<Workload, 'volumes'>): string[] {
  const isMade = ({ type, path, source, sizeBytes }: WorkloadVolume) =>
    type === 'qcow2' && !isAbsolute(path) && (source !== undefined || sizeBytes !== undefined);
  return volumes.filter(isMade).map(({ path }) => path);
}

/** The record of a start. @param start its number: another number is another process */
export function startRecord(
  { id, generation, workload, wanted }: AssignedWorkload,
  parts: ReadyParts,
  { start, restarts, boot }: Pick<RunRecord, 'start' | 'restarts' | 'boot'>,
): RunRecord {
  const { probe, disks, cards, firmware, user, directory, outputFile, consoleLog, pidFile } = parts;
  const { volumeMemoryBytes, memoryVolumes } = parts;
  const { accelerator, why } = probe;
  const { model: cpuMode, instead } = cpuModelFor(accelerator, workload.cpu.mode);
  const uuid = systemUuidOf(workload.uuid);
  const spec = qemuProcess(
    {
      ...{ name: workload.name, uuid, accelerator, cpuModel: cpuMode, threads: workload.cpu.threads },
      ...{ memoryBytes: workload.memoryBytes, cards, disks, firmware, user, screen: workload.console.vnc },
      ...(workload.boot !== undefined && { boot: workload.boot }),
      ...{ paused: wanted === 'paused', consoleLog, pidFile },
    },
    { name: processNameOf(id), directory, outputFile, taps: parts.taps, label: `start ${start}` },
  );
  const acceleratorWhy = [why, instead].filter((text) => text !== undefined).join(' ');
  return {
    ...{ format: 1, id, generation, start, restarts, state: 'started', boot, uuid, uuidWord: workload.uuid },
    ...{
      name: workload.name,
      spec: kept(spec),
      memoryBytes: workload.memoryBytes,
      volumeMemoryBytes,
      memoryVolumes,
      disks: disksMadeFor(workload),
    },
    ...{ accelerator, cpuMode, ...(acceleratorWhy !== '' && { acceleratorWhy }) },
  };
}

function kept({
  name,
  title,
  argv,
  label,
  env,
  directory,
  outputFile,
  stopSec,
  outputMaxBytes,
  taps,
}: QemuProcess): KeptSpec {
  return {
    ...{ name, title, argv, env, directory, outputFile, stopSec, outputMaxBytes, once: true },
    ...(label !== undefined && { label }),
    ...(taps !== undefined && { taps }),
  };
}
