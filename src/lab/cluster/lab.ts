/** A whole cluster on one machine: hosts in network namespaces, each running the real daemon and agent. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedNodeImage } from '../../image/node/image-cache.ts';
import { requireRoot } from '../../kernel/root.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { DaemonName } from '../../protocol/http/control-client.ts';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import { awaitPairs, measurePairs, type Pair } from '../checks/pairs.ts';
import { silenceError } from '../checks/silence.ts';
import { EXAMPLE_CONF } from '../hosts/example-mesh.ts';
import { startForeignServer } from '../hosts/foreign-server.ts';
import type { HostEcho } from '../hosts/host-echo.ts';
import { findProcess, killAll, programsOf, startProcess, stopProcess } from '../hosts/host-process.ts';
import { type CommandOutcome, execOn, exitCode, openEcho, spawnOn } from '../hosts/host-shell.ts';
import type { LabHost } from '../hosts/lab-host.ts';
import { isListening } from '../hosts/listening.ts';
import { mustHaveEmulator, switchOn } from '../hosts/machine.ts';
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
import { claimLab, keepLab, LABS_DIRECTORY, readRecord, refuseKept, refuseLiving } from './record.ts';
import { residentsOf } from './residents.ts';

export interface LabOptions extends LabSize {
  /** Where labs live; each has a directory of its name there. */
  readonly directory?: string;
  readonly onStage?: OnStage;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadyOptions {
  /** Between whom; all hosts of the lab, unless told otherwise. host0 must be the first. */
  readonly hosts?: readonly LabHost[];
  /** Five times what a start of so many hosts took, unless told otherwise. */
  readonly deadlineMs?: number;
  readonly onStage?: OnStage | undefined;
  /** Told of each machine that boots and gets on. */
  readonly onBoot?: ((view: TimelineView) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Told as each stage begins, with what can be counted of it. */
export type OnStage = (stage: string, done?: number, of?: number) => void;

/** How long `down` waits for the kernel to take the links of a lab down: it took 0.1 s for 50 hosts. */
const REMOVAL_DEADLINE_MS = 10_000;

/** Five times what host0 needs from its start until it serves the member list. */
const SERVING_DEADLINE_MS = 5_000;
/** The kernel walks its whole table of connections at each look. */
const SERVING_POLL_MS = 30;

const ROOT_ONLY = ['build and use labs', 'Network namespaces and their devices are made by root only.'] as const;

export class Lab implements AsyncDisposable {
  readonly directory: string;
  #topology: Topology;

  private constructor(directory: string, topology: Topology) {
    this.directory = directory;
    this.#topology = topology;
  }

  /**
   * Builds a lab, starts its hosts, and returns once every pair reaches each other. What failed is taken down.
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

  /** Namespaces, segments and files only; no process runs yet. Clears away first what a crashed run of this name left. */
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
      if (topology.machines === undefined) for (const host of lab.hosts) writeFiles(host);
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
   * A lab that another process built.
   * @throws MESH_OBJECT_UNKNOWN, MESH_NOT_ROOT
   */
  static open(name: string, directory = LABS_DIRECTORY): Lab {
    requireRoot(...ROOT_ONLY);
    checkLabName(name);
    const place = join(directory, name);
    const record = readRecord(place);
    if (record === undefined) {
      throw new MeshError('MESH_OBJECT_UNKNOWN', `there is no lab ${name}`, {
        object: name,
        remedy: 'Start it with `mesh lab up --keep`.',
      });
    }
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

  /** @throws MESH_OBJECT_UNKNOWN */
  host(name: string): LabHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host !== undefined) return host;
    throw new MeshError('MESH_OBJECT_UNKNOWN', `the lab ${this.name} has no host ${name}`, {
      object: name,
      remedy: `Name one of ${this.hosts.map((candidate) => candidate.name).join(', ')}.`,
    });
  }

  /** host0 first, as in life: nodes that start before it serves wait for it, and share the processor with its start. */
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
  }

  /** And waits until it serves, machines that boot too if the lab has any; and what else the lab has besides nodes. */
  async startHost0({ onStage, signal }: Pick<ReadyOptions, 'onStage' | 'signal'> = {}): Promise<void> {
    if (this.#topology.foreign !== undefined) startForeignServer(this.#topology.foreign, this.directory);
    onStage?.('starting host0');
    const host0 = this.host('host0');
    for (const program of programsOf(host0)) this.start(host0, program);
    await this.#serving(host0, signal);
    if (this.#topology.machines === undefined) return;
    onStage?.('waiting until host0 serves the segment');
    await untilSegmentServed(host0, signal);
  }

  /**
   * Has `machines` boot by what `begin` does to them, and waits until they are members.
   * @returns how each of them booted
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

  /** Files, images and overlays, before there is a segment. */
  async #prepareBoots(onStage: OnStage, signal: AbortSignal | undefined): Promise<void> {
    const [host0, ...machines] = this.hosts;
    if (host0 === undefined) throw new RangeError('a lab has host0 at least');
    const { images } = await cachedNodeImage({ onStage, signal });
    mkdirSync(pathsBelow(host0.root).logs, { recursive: true });
    for (const { root } of machines) mkdirSync(root, { recursive: true });
    onStage('compiling what the machines get');
    await writeBootTree(host0, machines, images);
  }

  /** Returns too when host0 does not come to serve in time: the pairs will tell, and show what it wrote. */
  async #serving(host0: LabHost, signal?: AbortSignal): Promise<void> {
    const giveUpAt = performance.now() + SERVING_DEADLINE_MS;
    while (performance.now() < giveUpAt && !isListening(host0.netns, MEMBERSHIP_PORT)) {
      signal?.throwIfAborted();
      await sleep(SERVING_POLL_MS);
    }
  }

  /** A `host` that was given another `machine` poses as that one. */
  start(host: LabHost, program: DaemonName): ProcessMark {
    return startProcess(program, host, host.root);
  }

  /** Returns when the process is gone, if `signal` is one that ends it. */
  async stop(host: LabHost, program: DaemonName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await stopProcess(program, host.root, signal);
  }

  process(host: LabHost, program: DaemonName): ProcessMark | undefined {
    return findProcess(program, host.root);
  }

  /** True once `keep` was called, by whichever process. */
  get kept(): boolean {
    return readRecord(this.directory)?.kept ?? false;
  }

  /** What each pair answers once all do, or once the deadline has passed. */
  async awaitPairs({ hosts = this.hosts, deadlineMs, onStage, signal }: ReadyOptions = {}): Promise<Pair[]> {
    const onCount = (reached: number, of: number) => onStage?.('waiting until every pair answers', reached, of);
    onCount(0, hosts.length * (hosts.length - 1));
    return await awaitPairs(hosts, (host) => this.#openEcho(host), deadlineMs ?? readyDeadlineMs(hosts), {
      onCount,
      ...(signal && { signal }),
    });
  }

  /** @throws MESH_LAB_FAILED, with the pairs that do not answer and what their hosts wrote last */
  async ready(options: ReadyOptions = {}): Promise<void> {
    const silent = (await this.awaitPairs(options)).filter(({ rttMs }) => rttMs === undefined);
    if (silent.length > 0) throw silenceError(this.hosts, silent);
  }

  /** One quiet round of echoes over all pairs of `hosts`. */
  async allPairs(hosts: readonly LabHost[] = this.hosts): Promise<Pair[]> {
    return await measurePairs(hosts, (host) => this.#openEcho(host));
  }

  /** Runs a command in the host's network, with MESH_ROOT set so that `mesh` there speaks to that host. */
  async exec(host: LabHost, argv: readonly string[]): Promise<CommandOutcome> {
    return await execOn(host, this.host('host0'), argv);
  }

  /** The same for a person: with this process's own terminal. */
  async execAttached(host: LabHost, argv: readonly string[]): Promise<number> {
    return await exitCode(this.spawn(host, argv, { stdio: 'inherit', terminal: process.stdin.isTTY }));
  }

  spawn(host: LabHost, argv: readonly string[], options: Parameters<typeof spawnOn>[3]): ChildProcess {
    return spawnOn(host, this.host('host0'), argv, options);
  }

  /** The member list as host0 serves it inside the mesh, asked from `host`. */
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

  /** Pulls the host's cables: its ports lose their carrier. */
  async cutCables(host: LabHost): Promise<void> {
    await setCarrier(this.#topology, host, false);
  }

  async healCables(host: LabHost): Promise<void> {
    await setCarrier(this.#topology, host, true);
  }

  /** Gives a node another underlay address on its segment. Nobody is told but its neighbours' ARP. */
  async setIpv4(host: LabHost, ipv4: Ipv4): Promise<void> {
    const before = this.host(host.name);
    this.#topology = withIpv4(this.#topology, host.name, ipv4);
    await readdress(this.#topology, this.#plan(host), before.member.ipv4);
  }

  /** Power off and on: no process, no network device and no run directory survives; the state directory does. */
  async rebootHost(host: LabHost): Promise<void> {
    await killAll(residentsOf([host.netns]));
    await replugHost(this.#topology, this.#plan(host));
    rmSync(pathsBelow(host.root).run, { recursive: true, force: true });
    for (const program of programsOf(host)) this.start(host, program);
  }

  /** Hands the lab to the user: it outlives this process. */
  async keep(): Promise<void> {
    await keepLab(this.directory);
  }

  /**
   * Ends every process of the lab, then removes its namespaces and its directory. What is gone already is no error.
   * @throws MESH_ALREADY_RUNNING while another process is at work on it
   */
  async down(): Promise<void> {
    const record = readRecord(this.directory);
    if (record !== undefined) refuseLiving(record);
    const namespaces = namespacesOf(this.#topology);
    forgetPeers(namespaces);
    const started = this.hosts.flatMap((host) =>
      programsOf(host).flatMap((program) => findProcess(program, host.root) ?? []),
    );
    await killAll([...started, ...residentsOf(namespaces)]);
    await removeUnderlay(namespaces, this.#topology.underlay, REMOVAL_DEADLINE_MS);
    // The record goes last: while anything is left, it says so.
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

/** Five times what was measured: a second, and a seventh of a second for each host; of machines two seconds for each pair. */
function readyDeadlineMs(hosts: readonly LabHost[]): number {
  const emulated = hosts.some((host) => host.emulated !== undefined);
  return 5 * (emulated ? 2_000 * hosts.length ** 2 : 1_000 + 140 * hosts.length);
}

function writeFiles(host: LabHost): void {
  const paths = pathsBelow(host.root);
  const networks = host.role === 'host0' ? paths.host0Networks : paths.nodeNetworks;
  for (const directory of [networks, paths.logs, dirname(paths.machineFile)]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(networks, 'manage.conf'), EXAMPLE_CONF);
  writeFileSync(paths.machineFile, `${host.machine}\n`);
}
