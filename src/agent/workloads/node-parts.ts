/** What a node makes ready for an emulator: ports, memory, volumes, firmware, and its directory. */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import type { AssignedPort } from '../../protocol/documents/node-assignment.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { ImageProgress } from '../../protocol/documents/workload/disk-image.ts';
import { findProgram } from '../../services/process/program-path.ts';
import type { AcceleratorProbe } from '../../services/qemu/accelerator.ts';
import { QEMU, type QemuCard, type QemuDisk, type QemuSpec } from '../../services/qemu/qemu-spec.ts';
import type { PortState } from '../assignment/assigned-agent.ts';
import type { JudgedGiven } from '../assignment/node-document.ts';
import { roomAt } from '../images/image-limit.ts';
import type { Volumes } from '../images/volumes.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { tapKey } from '../items/link.ts';
import { portKey } from '../items/port.ts';
import type { Arrivals } from '../moves/arrivals.ts';
import { firmwareVariables } from '../moves/firmware-variables.ts';
import type { ReadyParts } from './emulator.ts';
import { memoryNow, memoryOfFiles, memoryRefusal, type PromisedMemory } from './memory-room.ts';
import { seedDisk } from './seed.ts';
import { prepareVm, type VmDirectories, type VmUser, vmConsoleLog, vmOutput, vmPidFile } from './vm-place.ts';

/** What the parts of emulators come from. */
export interface NodePartsInput {
  readonly directories: VmDirectories;
  /** For what each workload keeps of its firmware. */
  readonly state: string;
  readonly user: VmUser;
  readonly volumes: Pick<Volumes, 'ensure' | 'pathOf'>;
  readonly arrivals: Pick<Arrivals, 'settle'>;
  readonly probe: () => Promise<AcceleratorProbe>;
  /** The ports that host0 has given this node, and what the node refuses of them. */
  readonly given: () => Pick<JudgedGiven, 'ports' | 'refusedPorts' | 'refusedNetworks'>;
  readonly portState: (port: AssignedPort) => PortState;
  /** The MTU of a link. */
  readonly mtuOf: (link: string) => number | undefined;
  /** The memory that was promised to the other workloads. */
  readonly promised: (except: string) => readonly PromisedMemory[];
}

/** A run of making ready. */
export interface Making {
  /** Is told what is being waited for. */
  readonly tell: (why: string) => void;
  /** The workload is wanted otherwise, or no more. */
  readonly signal: AbortSignal;
}

const FIRMWARES = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', variables: '/usr/share/OVMF/OVMF_VARS.fd' },
];
/** No volume has such an id: it has a dot. */
const SEED_ID = 'cloud.seed';
/** Less than this is no room for a guest that writes. */
const ROOM_BYTES = 64 * 1024 * 1024;

/** Makes the parts of emulators ready. */
export class NodeParts {
  readonly #input: NodePartsInput;

  constructor(input: NodePartsInput) {
    this.#input = input;
  }

  /** @throws MESH_PORT_UNKNOWN while a port is on its way; others for a fault */
  async makeReady(assigned: AssignedWorkload, { tell, signal }: Making): Promise<ReadyParts> {
    const { id, workload } = assigned;
    const { user, directories, volumes, probe: ask, promised } = this.#input;
    if (findProgram(QEMU) === undefined) throw noEmulator(workload.name);
    const { cards, taps } = this.#cards(assigned);
    tell('its accelerator is being found');
    const probe = await ask();
    const wanted = { memoryBytes: workload.memoryBytes, accelerator: probe.accelerator };
    const refusal = memoryRefusal(workload.name, wanted, memoryNow(), promised(id));
    if (refusal !== undefined) throw refusal;
    await this.#input.arrivals.settle(assigned);
    const disks: QemuDisk[] = [];
    let volumeMemoryBytes = 0;
    const memoryVolumes: string[] = [];
    for (const volume of workload.volumes) {
      tell(`its volume ${volume.id} is being made`);
      const ready = await volumes.ensure(volume, {
        signal,
        onProgress: (progress) => tell(`its volume ${volume.id} is on its way${percentOf(progress)}`),
      });
      disks.push({
        ...{ id: volume.id, path: ready.path, format: ready.format, kind: ready.isReadOnly ? 'cd' : 'disk' },
      });
      volumeMemoryBytes += ready.memoryBytes;
      if (ready.memoryBytes > 0) memoryVolumes.push(ready.path);
    }
    // On a node without a disk, volumes are in its memory.
    const whole = {
      ...wanted,
      memoryBytes: wanted.memoryBytes + volumeMemoryBytes,
      takenBytes: memoryOfFiles(memoryVolumes),
    };
    const tooMuch = memoryRefusal(workload.name, whole, memoryNow(), promised(id));
    if (volumeMemoryBytes > 0 && tooMuch !== undefined) throw tooMuch;
    const seed = seedDisk(assigned, cards);
    if (seed !== undefined)
      disks.push({ id: SEED_ID, path: await this.#writeSeed(id, seed), format: 'raw', kind: 'disk' });
    const firmware = await this.#firmware(assigned);
    const directory = await prepareVm(directories, id, workload.uuid, user);
    const files = {
      ...{ outputFile: vmOutput(directories, id), consoleLog: vmConsoleLog(directories, id) },
      pidFile: vmPidFile(directories, id),
    };
    return { probe, disks, cards, taps, firmware, user, directory, ...files, volumeMemoryBytes, memoryVolumes };
  }

  /** The items of a workload's ports, as far as host0 has given them. */
  portItemsOf({ workload, ports }: AssignedWorkload): ItemKey[] {
    const known = this.#input.given().ports;
    return workload.networks.flatMap(({ id }) => {
      const port = known.find((candidate) => candidate.id === ports[id]);
      if (port === undefined) return [];
      return [port.tap === true && port.id !== undefined ? tapKey(port.id) : portKey(port.link)];
    });
  }

  /** Removes what the firmware of a workload has kept. */
  async forget(id: string): Promise<void> {
    for (const path of [this.#variablesOf(id), this.#seedOf(id)]) await rm(path, { force: true });
  }

  #seedOf(id: string): string {
    return join(this.#input.state, `${id}.seed`);
  }

  async #writeSeed(id: string, seed: Uint8Array): Promise<string> {
    const path = this.#seedOf(id);
    await mkdir(dirname(path), { recursive: true });
    // User data may hold passwords.
    await writeFile(path, seed, { mode: 0o600 });
    return path;
  }

  #variablesOf(id: string): string {
    return firmwareVariables(this.#input.state, id);
  }

  /** Whether there is room again where the volumes of a workload are. Never rejects. */
  async hasRoom({ workload }: AssignedWorkload): Promise<boolean> {
    const paths = new Set(workload.volumes.map((volume) => dirname(this.#input.volumes.pathOf(volume))));
    const rooms = await Promise.all([...paths].map((path) => roomAt(path).catch(() => ({ freeBytes: 0 }))));
    return rooms.every(({ freeBytes }) => freeBytes >= ROOM_BYTES);
  }

  #cards({ workload, ports }: AssignedWorkload): { cards: QemuCard[]; taps: string[] } {
    const { given, portState, mtuOf } = this.#input;
    const { ports: known, refusedPorts, refusedNetworks } = given();
    const taps: string[] = [];
    const cards = workload.networks.map(({ id, model, mac: wanted }): QemuCard => {
      const port = known.find((candidate) => candidate.id === ports[id]);
      if (port === undefined) {
        const refused = [...refusedPorts.values()].find((candidate) => candidate.port.id === ports[id]);
        throw refused?.error ?? waits(`host0 has not given the port of its card ${id} yet`);
      }
      const refusal = refusedNetworks.get(port.network);
      if (refusal !== undefined) throw refusal;
      const state = portState(port);
      if (state.state === 'wanted') throw waits(`its port ${port.link} waits: ${state.why}`);
      const mac = port.mac ?? wanted;
      if (mac === undefined) throw waits(`host0 has not said the Ethernet address of its card ${id}`);
      taps.push(port.link);
      const mtuBytes = mtuOf(port.link);
      return { id, mac, model, ...(mtuBytes !== undefined && { mtuBytes }) };
    });
    return { cards, taps };
  }

  async #firmware({ id, workload }: AssignedWorkload): Promise<QemuSpec['firmware']> {
    if (workload.firmware === 'bios') return { kind: 'bios' };
    const found = FIRMWARES.find(({ code }) => existsSync(code));
    if (found === undefined) {
      throw new MeshError('MESH_QEMU_MISSING', 'this node has no UEFI firmware for virtual machines', {
        object: workload.name,
        remedy: 'Install it: `apt-get install ovmf`. Or give the workload the firmware bios.',
      });
    }
    const variables = this.#variablesOf(id);
    await mkdir(dirname(variables), { recursive: true });
    // What the guest has written there stays.
    await copyFile(found.variables, variables, constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    return { kind: 'uefi', code: found.code, variables };
  }
}

function percentOf({ doneBytes, totalBytes }: ImageProgress): string {
  return totalBytes === undefined || totalBytes === 0 ? '' : `: ${Math.floor((doneBytes / totalBytes) * 100)} %`;
}

/** A port is on its way: no fault. */
function waits(why: string): MeshError {
  return new MeshError('MESH_PORT_UNKNOWN', why, { retryable: true });
}

function noEmulator(name: string): MeshError {
  return new MeshError('MESH_QEMU_MISSING', `there is no ${QEMU} on this node`, {
    object: name,
    rule: 'Virtual machines run in QEMU.',
    remedy: 'Install it: `apt-get install qemu-system-x86`. A node that host0 boots needs it in its image.',
    retryable: true,
  });
}
