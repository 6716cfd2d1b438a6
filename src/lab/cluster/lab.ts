/** A cluster on one machine: hosts in network namespaces that run the product's own host0 and agent, or emulated machines. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedNodeImage } from '../../image/node/image-cache.ts';
import { requireRoot } from '../../kernel/root.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { DaemonName } from '../../protocol/http/service-manager.ts';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import { awaitPairs, measurePairs, type Pair } from '../checks/pairs.ts';
import { silenceError } from '../checks/silence.ts';
import { startForeignServer } from '../hosts/foreign-server.ts';
import type { HostEcho } from '../hosts/host-echo.ts';
import { findProcess, killAll, programsOf, startProcess, stopProcess } from '../hosts/host-process.ts';
import { type CommandOutcome, execOn, exitCode, openEcho, spawnOn } from '../hosts/host-shell.ts';
import type { LabHost } from '../hosts/lab-host.ts';
import { isListening } from '../hosts/listening.ts';
import { mustHaveEmulator, switchOn } from '../hosts/machine.ts';
import { StoreMembers } from '../hosts/store-members.ts';
import { checkLabName, type HostPlan, type LabSize, planTopology, type Topology, withIpv4 } from '../hosts/topology.ts';
import {
  buildUnderlay,
  forgetPeers,
  namespacesOf,
  readdress,
  removeUnderlay,
  replugHost,
  setCarrier,
} from '../hosts/underlay.ts';
import { writeBootTree } from './boot-tree.ts';
import { untilMembers, untilSegmentServed } from './boots.ts';
import { writeHostFiles } from './host-files.ts';
import { unmountBelow } from './mounts.ts';
import {
  claimLab,
  keepLab,
  LABS_DIRECTORY,
  labRecords,
  noLab,
  readRecord,
  refuseKept,
  refuseLiving,
} from './record.ts';
import { residentsOf } from './residents.ts';
import { giveRouterRoles } from './router-roles.ts';

/** What to build. */
export interface LabOptions extends LabSize {
  /** The directory of all labs, in which each has a directory of its name; by default LABS_DIRECTORY. */
  readonly directory?: string;
  readonly onStage?: OnStage;
  readonly signal?: AbortSignal | undefined;
}

/** How to wait until a lab is ready. */
export interface ReadyOptions {
  /** The hosts that must reach each other, host0 first; by default all hosts of the lab. */
  readonly hosts?: readonly LabHost[];
  /** By default five times what starting so many hosts was measured to take, and at least half a minute. */
  readonly deadlineMs?: number;
  readonly onStage?: OnStage | undefined;
  /** Called at each progress of a booting machine. */
  readonly onBoot?: ((view: TimelineView) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Called when a stage begins and when its count changes. @param stage a verb phrase in -ing */
export type OnStage = (stage: string, done?: number, of?: number) => void;

/** How long `down` waits for the kernel to remove the links of a lab: this took 0.1 s for 50 hosts. */
const REMOVAL_DEADLINE_MS = 10_000;

/** Three times what host0 needs from its start until it serves the member list, on two cores with fifteen busy processes. Alone: 1 s. */
const SERVING_DEADLINE_MS = 30_000;
/** Three times what the nodes of a small lab need for their start on such a machine. */
const READY_LEAST_MS = 30_000;
/** Not more often: at each look the kernel walks its whole table of connections. */
const SERVING_POLL_MS = 30;

const ROOT_ONLY = ['build and use labs', 'Network namespaces and their devices are made by root only.'] as const;

/** A lab that this process built or opened. Disposing of it takes it down. */
export class Lab implements AsyncDisposable {
  readonly directory: string;
  #topology: Topology;

  private constructor(directory: string, topology: Topology) {
    this.directory = directory;
    this.#topology = topology;
  }

  /**
   * Builds a lab, starts its hosts, and waits until every pair answers. A lab that fails is taken down.
   * @throws MESH_LAB_FAILED, MESH_ALREADY_RUNNING, MESH_NOT_ROOT, MESH_USAGE
   */
  static async up(options: LabOptions & ReadyOptions): Promise<Lab> {
    const lab = await Lab.build(options);
    try {
      await lab.startAll(options);
      await lab.ready(options);
      return lab;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** Builds namespaces, segments and files, and starts no process. First removes the rest of a crashed run of this name. */
  static async build({ onStage = () => {}, signal, directory = LABS_DIRECTORY, ...size }: LabOptions): Promise<Lab> {
    requireRoot(...ROOT_ONLY);
    const topology = planTopology(size);
    if (topology.machines !== undefined) mustHaveEmulator();
    const place = join(directory, size.name);
    const old = readRecord(place);
    if (old !== undefined) {
      refuseKept(old);
      onStage('clearing away what an earlier run left');
      await new Lab(place, planTopology(old)).down();
    }
    await claimLab(place, size);
    const lab = new Lab(place, topology);
    try {
      if (topology.machines === undefined) await writeHostFiles(lab.hosts, topology);
      else await lab.#prepareBoots(onStage, signal);
      onStage('building namespaces and segments');
      await buildUnderlay(topology);
      return lab;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /**
   * Opens a lab that another process built.
   * @throws MESH_OBJECT_UNKNOWN, MESH_NOT_ROOT
   */
  static open(name: string, directory = LABS_DIRECTORY): Lab {
    requireRoot(...ROOT_ONLY);
    checkLabName(name);
    const place = join(directory, name);
    const record = readRecord(place);
    if (record === undefined) throw noLab(name, labRecords(directory));
    return new Lab(place, planTopology(record));
  }

  get name(): string {
    return this.#topology.name;
  }

  get topology(): Topology {
    return this.#topology;
  }

  /** host0 first. */
  get hosts(): LabHost[] {
    return this.#topology.hosts.map((host) => ({ ...host, root: join(this.directory, host.name) }));
  }

  /** The etcd in which host0 keeps what it knows; undefined where that is a file of its own. */
  get store(): StoreMembers | undefined {
    return this.#topology.store === 'etcd' ? new StoreMembers(this.host('host0'), this.directory) : undefined;
  }

  /** @throws MESH_OBJECT_UNKNOWN */
  host(name: string): LabHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host !== undefined) return host;
    throw new MeshError('MESH_OBJECT_UNKNOWN', `the lab ${this.name} has no host ${name}`, {
      object: name,
      remedy: `Name one of ${this.hosts.map((candidate) => candidate.name).join(', ')}.`,
    });
  }

  /** Starts host0 first: nodes that start before host0 serves would wait for it, and take processor time from its start. */
  async startAll({ onStage, onBoot, signal }: Pick<ReadyOptions, 'onStage' | 'onBoot' | 'signal'> = {}): Promise<void> {
    await this.startHost0({ onStage, signal });
    const [, ...nodes] = this.hosts;
    if (this.#topology.machines !== undefined) {
      onStage?.('booting the machines');
      await this.boot(nodes, () => nodes.forEach(switchOn), { onBoot, signal });
      return;
    }
    onStage?.('starting the agents of the nodes');
    for (const host of nodes) for (const program of programsOf(host)) this.start(host, program);
    await giveRouterRoles(this.host('host0'), nodes.slice(0, this.#topology.routers ?? 0), signal);
  }

  /** Starts the foreign DHCP server and the etcd, if there are, and host0; waits until host0 serves members, and machines that boot. */
  async startHost0({ onStage, signal }: Pick<ReadyOptions, 'onStage' | 'signal'> = {}): Promise<void> {
    if (this.#topology.foreign !== undefined) startForeignServer(this.#topology.foreign, this.directory);
    if (this.store !== undefined) onStage?.('starting the etcd');
    await this.store?.startAll(signal);
    onStage?.('starting host0');
    const host0 = this.host('host0');
    for (const program of programsOf(host0)) this.start(host0, program);
    await this.#serving(host0, signal);
    if (this.#topology.machines === undefined) return;
    onStage?.('waiting until host0 serves the segment');
    await untilSegmentServed(host0, signal);
  }

  /**
   * Waits until `machines` have booted and are members.
   * @param begin makes them boot
   * @returns the boot of each machine, in their order
   * @throws MESH_LAB_FAILED
   */
  async boot(
    machines: readonly LabHost[],
    begin: () => void | Promise<void>,
    { onBoot, signal }: Pick<ReadyOptions, 'onBoot' | 'signal'> = {},
  ): Promise<TimelineView[]> {
    const since = new Date().toISOString();
    await begin();
    const boots = await untilMembers(this.host('host0'), machines, since, { ...(onBoot && { onBoot }), signal });
    for (const [index, { name }] of machines.entries()) {
      const ipv4 = boots[index]?.ipv4;
      if (ipv4 !== undefined) this.#topology = withIpv4(this.#topology, name, ipv4);
    }
    return boots;
  }

  /** Prepares the image, the overlays and the directories, before the segment exists. */
  async #prepareBoots(onStage: OnStage, signal: AbortSignal | undefined): Promise<void> {
    const [host0, ...machines] = this.hosts;
    if (host0 === undefined) throw new RangeError('a lab has host0 at least');
    const { images } = await cachedNodeImage({ onStage, signal });
    mkdirSync(pathsBelow(host0.root).logs, { recursive: true });
    for (const { root } of machines) mkdirSync(root, { recursive: true });
    onStage('compiling what the machines get');
    await writeBootTree(host0, machines, images);
  }

  /** Returns also if host0 ends, or does not serve in time: the check of the pairs then fails, and shows host0's log. */
  async #serving(host0: LabHost, signal?: AbortSignal): Promise<void> {
    const giveUpAt = performance.now() + SERVING_DEADLINE_MS;
    while (performance.now() < giveUpAt && !isListening(host0.netns, MEMBERSHIP_PORT)) {
      signal?.throwIfAborted();
      if (programsOf(host0).some((program) => this.process(host0, program) === undefined)) return;
      await sleep(SERVING_POLL_MS);
    }
  }

  /** Starts a program of a host. To pose as another machine, pass a copy of `host` with that machine id. */
  start(host: LabHost, program: DaemonName): ProcessMark {
    return startProcess(program, host, host.root);
  }

  /** Sends `signal` to a program, and waits for its end if the signal is one that ends it. */
  async stop(host: LabHost, program: DaemonName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await stopProcess(program, host.root, signal);
  }

  /** The running process of a program; undefined if it does not run. */
  process(host: LabHost, program: DaemonName): ProcessMark | undefined {
    return findProcess(program, host.root);
  }

  /** Whether this or another process has called `keep`. */
  get kept(): boolean {
    return readRecord(this.directory)?.kept ?? false;
  }

  /** Sends echoes until all pairs answer or the deadline passes; returns the last result of each pair. */
  async awaitPairs({ hosts = this.hosts, deadlineMs, onStage, signal }: ReadyOptions = {}): Promise<Pair[]> {
    const onCount = (reached: number, of: number) => onStage?.('waiting until every pair answers', reached, of);
    onCount(0, hosts.length * (hosts.length - 1));
    return await awaitPairs(hosts, (host) => this.#openEcho(host), deadlineMs ?? readyDeadlineMs(hosts), {
      onCount,
      ...(signal && { signal }),
    });
  }

  /** Waits until all pairs answer. @throws MESH_LAB_FAILED with the silent pairs and the last lines of their hosts' logs */
  async ready(options: ReadyOptions = {}): Promise<void> {
    const silent = (await this.awaitPairs(options)).filter(({ rttMs }) => rttMs === undefined);
    if (silent.length > 0) throw silenceError(this.hosts, silent);
  }

  /** Measures the round trip of every pair of `hosts` once, a few at a time. */
  async allPairs(hosts: readonly LabHost[] = this.hosts): Promise<Pair[]> {
    return await measurePairs(hosts, (host) => this.#openEcho(host));
  }

  /** Runs a command on a host. In a namespace, MESH_ROOT is set, so that `mesh` there talks to that host's processes. */
  async exec(host: LabHost, argv: readonly string[]): Promise<CommandOutcome> {
    return await execOn(host, this.host('host0'), argv);
  }

  /** Runs a command on a host with this process's own terminal. @returns its exit code */
  async execAttached(host: LabHost, argv: readonly string[]): Promise<number> {
    return await exitCode(this.spawn(host, argv, { stdio: 'inherit', terminal: process.stdin.isTTY }));
  }

  /** Starts a command on a host, as in `exec`, with the given standard streams. */
  spawn(host: LabHost, argv: readonly string[], options: Parameters<typeof spawnOn>[3]): ChildProcess {
    return spawnOn(host, this.host('host0'), argv, options);
  }

  /** The text of the member list, fetched from host0 inside the mesh by a command on `host`. @throws MESH_LAB_FAILED */
  async memberList(host: LabHost): Promise<string> {
    const [host0] = this.hosts;
    const url = `http://[${host0?.member.ipv6}]:${MEMBERSHIP_PORT}/`;
    const fetch =
      host.emulated === undefined
        ? ['curl', '-sSfg', '--max-time', '5', url]
        : ['timeout', '5', 'wget', '-q', '-O', '-', url];
    const { code, stdout, stderr } = await this.exec(host, fetch);
    if (code === 0) return stdout;
    throw new MeshError('MESH_LAB_FAILED', `${url} asked from ${host.name}: ${stderr.trim()}`, { object: host.name });
  }

  /** Pulls the host's cables: its NICs lose their carrier. */
  async cutCables(host: LabHost): Promise<void> {
    await setCarrier(this.#topology, host, false);
  }

  /** Plugs the host's cables in again. */
  async healCables(host: LabHost): Promise<void> {
    await setCarrier(this.#topology, host, true);
  }

  /** Gives a node another underlay address on its segment. Only its neighbours' ARP tables are updated; no process is told. */
  async setIpv4(host: LabHost, ipv4: Ipv4): Promise<void> {
    const before = this.host(host.name);
    this.#topology = withIpv4(this.#topology, host.name, ipv4);
    await readdress(this.#topology, this.#plan(host), before.member.ipv4);
  }

  /** Switches a host off and on: its processes, network devices and run directory are gone; its state directory survives. */
  async rebootHost(host: LabHost): Promise<void> {
    await killAll(residentsOf([host.netns], host.root));
    await replugHost(this.#topology, this.#plan(host));
    const { run } = pathsBelow(host.root);
    unmountBelow(run);
    rmSync(run, { recursive: true, force: true });
    if (host.role === 'host0') await this.store?.startAll();
    for (const program of programsOf(host)) this.start(host, program);
  }

  /** Hands the lab to the user: it stays after this process ends, until `mesh lab down`. */
  async keep(): Promise<void> {
    await keepLab(this.directory);
  }

  /**
   * Ends every process of the lab, then removes its namespaces and its directory. Parts that are already gone are skipped.
   * @throws MESH_ALREADY_RUNNING while another process builds or uses the lab
   */
  async down(): Promise<void> {
    const record = readRecord(this.directory);
    if (record !== undefined) refuseLiving(record);
    const namespaces = namespacesOf(this.#topology);
    forgetPeers(namespaces);
    const started = this.hosts.flatMap((host) =>
      programsOf(host).flatMap((program) => findProcess(program, host.root) ?? []),
    );
    let residents = residentsOf(namespaces, this.directory);
    await killAll([...started, ...(this.store?.processes ?? []), ...residents]);
    // An agent starts servers until it is killed: those of its last moment are seen now.
    for (let round = 0; round < 3 && residents.length > 0; round++) {
      residents = residentsOf(namespaces, this.directory);
      await killAll(residents);
    }
    await removeUnderlay(namespaces, this.#topology.underlay, REMOVAL_DEADLINE_MS);
    unmountBelow(this.directory);
    // The record is removed last: while it exists, a later run knows that something of the lab may be left.
    for (const host of this.hosts) rmSync(host.root, { recursive: true, force: true });
    rmSync(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #openEcho(host: HostPlan): HostEcho {
    return openEcho(this.host(host.name), this.host('host0'));
  }

  #plan(host: LabHost): HostPlan {
    const plan = this.#topology.hosts.find(({ name }) => name === host.name);
    if (plan === undefined) throw new RangeError(`${host.name} is not in the lab ${this.name}`);
    return plan;
  }
}

/** Five times what was measured on an idle machine: 1 s and 140 ms per host; with emulated machines 2 s for each pair. */
function readyDeadlineMs(hosts: readonly LabHost[]): number {
  const emulated = hosts.some((host) => host.emulated !== undefined);
  const measuredMs = emulated ? 2_000 * hosts.length ** 2 : 1_000 + 140 * hosts.length;
  return Math.max(READY_LEAST_MS, 5 * measuredMs);
}
