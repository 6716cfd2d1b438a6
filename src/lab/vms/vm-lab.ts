/**
 * A lab of virtual machines. Its host0 and agent run in a namespace, as in all labs; the nets are networks of that host0; the machines
 * run in the same namespace. So whoever removes the namespace with its processes has removed all.
 */
import { rmSync } from 'node:fs';

import { netnsPath } from '../../kernel/netns.ts';
import { MeshError } from '../../model/error.ts';
import { awaitEnd, type ProcessMark } from '../../services/process/process-mark.ts';
import { Lab, type OnStage } from '../cluster/lab.ts';
import { GUEST_APPEND, guestImage } from '../guest/guest-image.ts';
import { callNetSetup } from '../netsetup/net-setup.ts';
import { overlaidGuest } from '../overlays/overlay-cache.ts';
import { tapOfVm } from '../topologies/vm-address.ts';
import { linkOf, mtuOfNet, netsOf, planMachine, planMachines, type VmPlan } from '../topologies/vm-plan.ts';
import type { VmTopology } from '../topologies/vm-topology.ts';
import { rememberedAccelerator } from './accelerator-memory.ts';
import { type ClusterRecord, readClusterRecord, type StartMode, writeClusterRecord } from './cluster-record.ts';
import { applyNets } from './lab-nets.ts';
import { makeTaps, plugTaps, removeTaps } from './tap-setup.ts';
import { labWords, switchVmOff, type VmSetting, vmSpec } from './vm-emulator.ts';
import { directoryOfVm, findEmulator, type VmRecord, vmRecords } from './vm-files.ts';
import { awaitVms, type OnVm } from './vm-readiness.ts';
import { startCold, startOnTaps, vmSources } from './vm-start.ts';

/** What to build. */
export interface VmLabOptions {
  readonly name: string;
  /** The name of the topology, for people. */
  readonly title: string;
  readonly topology: VmTopology;
  /** The directory that paths of the topology are relative to. */
  readonly base: string;
  /** The path of a net set-up; absent: taps on bridges. */
  readonly netSetup?: string | undefined;
  readonly start: StartMode;
  readonly onStage?: OnStage;
  readonly signal?: AbortSignal | undefined;
}

/** How to start machines. */
export interface VmBoot {
  /** Resolves when the bridges are there; taps are put on them then. */
  readonly bridges?: Promise<void>;
  readonly onStage?: OnStage | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How to wait for machines. */
export interface VmWait {
  readonly timeoutSec?: number | undefined;
  readonly onVm?: OnVm | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Five times what machines need on two cores without acceleration, which have nothing else to do. */
const WAIT_SEC = { atLeast: 45, perVm: 12 };
const OFF_WITHIN_MS = 20_000;
/** For a kernel and an initramfs of the user. */
const OWN_IMAGE_MIB = 256;

/** A lab that this process built or opened. */
export class VmLab {
  readonly lab: Lab;
  #record: ClusterRecord;

  private constructor(lab: Lab, record: ClusterRecord) {
    this.lab = lab;
    this.#record = record;
  }

  /**
   * Builds the lab without machines, and starts neither host0 nor agent. A lab that fails is taken down.
   * @throws MESH_LAB_*, MESH_ALREADY_RUNNING, MESH_NOT_ROOT, MESH_USAGE
   */
  static async build({ name, title, topology, base, netSetup, start, onStage, signal }: VmLabOptions): Promise<VmLab> {
    planMachines(topology);
    const probe = await rememberedAccelerator();
    const lab = await Lab.build({ name, nodes: 0, segments: 1, ...(onStage && { onStage }), signal });
    try {
      const record: ClusterRecord = {
        title,
        topology,
        base,
        ...(netSetup !== undefined && { netSetup }),
        moreNets: [],
        accelerator: probe,
        start,
      };
      await writeClusterRecord(lab.directory, record);
      return new VmLab(lab, record);
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** @throws MESH_OBJECT_UNKNOWN, MESH_NOT_ROOT, MESH_USAGE for a lab of another kind */
  static open(name: string, directory?: string): VmLab {
    const lab = Lab.open(name, directory);
    return new VmLab(lab, readClusterRecord(name, lab.directory));
  }

  get record(): ClusterRecord {
    return this.#record;
  }

  get netns(): string {
    return this.lab.host('host0').netns;
  }

  /** The nets of the lab, in their order. */
  get nets(): number[] {
    return netsOf(this.#record.topology, this.#record.moreNets);
  }

  /** The machines that were started, also those that have ended since. */
  get machines(): VmRecord[] {
    return vmRecords(this.lab.directory);
  }

  directoryOf(number: number): string {
    return directoryOfVm(this.lab.directory, number);
  }

  emulatorOf(number: number): ProcessMark | undefined {
    return findEmulator(this.directoryOf(number));
  }

  /** The plan of a machine. @param nets in place of those that the topology gives it */
  plan(number: number, nets?: readonly number[]): VmPlan {
    const plan = planMachine(this.#record.topology, number);
    return nets === undefined ? plan : { ...plan, nets };
  }

  /** Starts host0 and the agent, and waits for the bridges of all nets. @throws MESH_LAB_FAILED */
  async startNets(signal?: AbortSignal): Promise<void> {
    const host0 = this.lab.host('host0');
    this.lab.start(host0, 'host0');
    this.lab.start(host0, 'agent');
    await this.#applyNets(this.nets, signal);
  }

  /** Adds a net. */
  async addNet(net: number, signal?: AbortSignal): Promise<void> {
    const record = { ...this.#record, moreNets: [...new Set([...this.#record.moreNets, net])] };
    await this.#applyNets([net], signal);
    await writeClusterRecord(this.lab.directory, record);
    this.#record = record;
  }

  async #applyNets(nets: readonly number[], signal?: AbortSignal): Promise<void> {
    await applyNets(this.lab.host('host0'), this.#record.topology, nets, signal);
  }

  /**
   * Starts machines, and does not wait for them.
   * @throws MESH_LAB_OVERLAY, MESH_LAB_NET_SETUP, MESH_LAB_FAILED
   */
  async boot(plans: readonly VmPlan[], { bridges = Promise.resolve(), onStage, signal }: VmBoot = {}): Promise<void> {
    for (const { number, name } of plans) {
      if (this.emulatorOf(number) === undefined) continue;
      throw new MeshError('MESH_ALREADY_RUNNING', `${name} runs already`, {
        object: name,
        remedy: `Switch it off: \`mesh lab off ${number}\`.`,
      });
    }
    const settings = await this.#settingsOf(plans, onStage);
    const place = { directory: this.lab.directory, netns: this.netns, signal };
    const sourceOf = await vmSources(plans, this.#record, settings, place, onStage);
    const settingOf = (plan: VmPlan) => settings.get(plan.overlays.join('\0'));
    if (this.#record.netSetup === undefined) {
      await makeTaps(this.netns, this.#record.topology, plans);
      onStage?.('starting the machines', 0, plans.length);
      const starts = plans.map(async (plan) => {
        const setting = settingOf(plan);
        if (setting !== undefined) await startOnTaps(setting, plan, this.nets, sourceOf(plan));
      });
      await Promise.all(starts);
      await bridges;
      await plugTaps(this.netns, this.#record.topology, plans);
      return;
    }
    await bridges;
    for (const plan of plans) {
      const setting = settingOf(plan);
      const source = sourceOf(plan);
      if (setting === undefined) continue;
      const options = await this.#printedOptions(plan, this.#record.netSetup);
      startCold(setting, plan, vmSpec(setting, plan, options), 'cold' in source ? source.cold : '');
    }
  }

  async #printedOptions({ number, name, nets }: VmPlan, script: string): Promise<string[]> {
    const { topology, accelerator } = this.#record;
    const options: string[] = [];
    for (const net of nets) {
      const link = linkOf(topology, net, name);
      const place = {
        name: this.lab.name,
        netns: netnsPath(this.netns),
        directory: this.lab.directory,
        accelerator: accelerator.accelerator,
      };
      const call = { number, net, mtuBytes: link.mtuBytes ?? mtuOfNet(topology, net) };
      options.push(...(await callNetSetup(script, call, place)));
    }
    return options;
  }

  /** What machines boot, by their overlays. */
  async #settingsOf(plans: readonly VmPlan[], onStage: OnStage = () => {}): Promise<Map<string, VmSetting>> {
    const { topology, base, accelerator } = this.#record;
    const { directory } = this.lab;
    const append = [GUEST_APPEND, ...labWords(topology, this.nets)].join(' ');
    const common = { directory, netns: this.netns, accelerator: accelerator.accelerator, topology };
    const settings = new Map<string, VmSetting>();
    const guest = topology.images === undefined ? await guestImage(onStage) : undefined;
    for (const { overlays } of plans) {
      const key = overlays.join('\0');
      if (settings.has(key)) continue;
      const own = topology.images && { ...topology.images, memoryMib: OWN_IMAGE_MIB };
      const boot = guest === undefined ? own : await overlaidGuest(guest, overlays, base, onStage);
      if (boot === undefined) continue;
      const { kernel, initrd, memoryMib } = boot;
      settings.set(key, { ...common, memoryMib, boot: { kernel, initrd, append } });
    }
    return settings;
  }

  /** Waits until machines are up. @throws MESH_LAB_MACHINE for the first that is not; further ones are its cause */
  async wait(numbers: readonly number[], { timeoutSec, onVm, signal }: VmWait = {}): Promise<void> {
    const [trouble, ...others] = await awaitVms({
      directory: this.lab.directory,
      netns: this.netns,
      numbers,
      deadlineMs: 1_000 * (timeoutSec ?? WAIT_SEC.atLeast + WAIT_SEC.perVm * numbers.length),
      byEcho: this.#record.netSetup === undefined,
      onVm,
      signal,
    });
    if (trouble === undefined) return;
    if (others.length === 0) throw trouble;
    const names = others.map(({ object }) => object).join(', ');
    throw new MeshError('MESH_LAB_MACHINE', `${trouble.message}; nor do ${names}`, {
      operation: 'boot',
      ...(trouble.object !== undefined && { object: trouble.object }),
      ...(trouble.remedy !== undefined && { remedy: trouble.remedy }),
      cause: trouble.cause,
    });
  }

  /** Switches machines off, and removes their taps and files. */
  async off(numbers: readonly number[]): Promise<void> {
    const records = this.machines.filter(({ number }) => numbers.includes(number));
    await Promise.all(
      records.map(async ({ number }) => {
        const emulator = this.emulatorOf(number);
        if (emulator === undefined) return;
        await switchVmOff(this.directoryOf(number), emulator);
        await awaitEnd([emulator], OFF_WITHIN_MS);
      }),
    );
    await removeTaps(
      this.netns,
      records.flatMap(({ number, nets }) => nets.map((net) => tapOfVm(net, number))),
    );
    for (const { number } of records) rmSync(this.directoryOf(number), { recursive: true, force: true });
  }

  /** Remembers other numbers of machines. */
  async retitle(topology: VmTopology): Promise<void> {
    this.#record = { ...this.#record, topology };
    await writeClusterRecord(this.lab.directory, this.#record);
  }

  async down(): Promise<void> {
    await this.lab.down();
  }
}
