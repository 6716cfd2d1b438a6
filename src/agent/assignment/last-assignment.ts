/**
 * The last assignment on disk, so that a node works from it from the first moment after a restart, with host0 away:
 *
 * - `assigned/<network id>.json`  one network with its peers and reasons
 * - `assigned.json`               the index: the version in force, which networks there are, and the ports
 *
 * The files of networks are written before the index, and removed after it. So a power cut between two writes leaves a network
 * too many, with its own version, and never one too few. Networks and ports are written at once. Peers come and go in bursts, and
 * flash wears out: a change of peers alone waits for half a second, and after some of them for 10 s. What a crash then loses, host0 sends again.
 */
import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { StateFile, type StateForm, type StateText } from '../../disk/state-file.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import type { MembershipVersion } from '../../protocol/documents/membership.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { AssignedWorkloadShape } from '../../protocol/shapes/assigned-workload-shape.ts';
import { fitted } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import {
  AssignedPortShape,
  DigestShape,
  NodeAttachmentShape,
  WORKLOADS_MAX,
  WordShape,
} from '../../protocol/shapes/node-assignment-shape.ts';
import { NETWORKS_MAX, NetworkIdShape, VersionShape } from '../../protocol/shapes/parts.ts';
import {
  type AssignedNetwork,
  type AssignedObjects,
  EPOCHS_MAX,
  type GivenPort,
  type GivenWorkload,
  NOTHING_ASSIGNED,
} from './assigned-objects.ts';

/** Where the files are. */
export interface AssignmentDisk {
  /** The text of the file with this name, such as `assigned.json`. */
  readonly text: (name: string) => StateText;
  /** The names of the files of networks. Empty when there is none. */
  readonly networks: () => Promise<readonly string[]>;
  /** Removes a file, if it is there. */
  readonly remove: (name: string) => Promise<void>;
}

/** What the last assignment needs. */
export interface LastAssignmentInput {
  readonly disk: AssignmentDisk;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** More ports than a machine has interfaces. */
const PORTS_MAX = 65_536;
/** Peers wait so long: changes of one moment are one write. */
const SETTLE_MS = 500;
/** Peers are written at most once in so long on the average: flash wears out. */
const PEERS_PERIOD_MS = 10_000;
/** So many of those writes may come at once: a network that is new here gets its peers in some steps. */
const PEERS_BURST = 5;
const RETRY_MS = 60_000;
const INDEX = 'assigned.json';
const DIRECTORY = 'assigned';
const REMEDY = 'host0 sends the assignment again. Look at the disk if this happens again.';

interface IndexDocument {
  readonly inForce?: MembershipVersion;
  readonly term?: string;
  readonly revisions: readonly MembershipVersion[];
  readonly networks: readonly (MembershipVersion & { readonly id: NetworkId })[];
  readonly ports: readonly GivenPort[];
  readonly workloads: readonly GivenWorkload[];
}

const NamedVersion = form.object({ id: NetworkIdShape, epoch: form.string({ max: 32 }), revision: form.int(0) });
const INDEX_FILE: StateForm<IndexDocument> = {
  version: 1,
  shape: form.object({
    inForce: form.exactOptional(VersionShape),
    term: form.exactOptional(WordShape),
    revisions: form.listOf(VersionShape, EPOCHS_MAX),
    networks: form.listOf(NamedVersion, NETWORKS_MAX),
    ports: form.listOf(form.object({ port: AssignedPortShape, version: VersionShape }), PORTS_MAX),
    // Absent in the file of a version that knows no workloads.
    workloads: form.defaulted(
      form.listOf(form.object({ workload: AssignedWorkloadShape, version: VersionShape }), WORKLOADS_MAX),
      [],
    ),
  }),
  holds: 'the last assignment of host0',
  remedy: REMEDY,
  comesBack: true,
};

/** `version` is the key of the format in a state file. */
interface NetworkDocument extends Omit<AssignedNetwork, 'version'> {
  readonly given: MembershipVersion;
}

const NETWORK_FILE: StateForm<NetworkDocument> = {
  version: 1,
  shape: form.object({ attachment: NodeAttachmentShape, digest: DigestShape, given: VersionShape }),
  holds: 'a network that host0 has given this node',
  remedy: REMEDY,
  comesBack: true,
};

/** Reads the files once, and keeps them like the assignment in force. */
export class LastAssignment {
  readonly #input: LastAssignmentInput;
  readonly #index: StateFile<IndexDocument>;
  readonly #files = new Map<NetworkId, StateFile<NetworkDocument>>();
  /** What is on the disk, as far as this process knows. */
  #written: AssignedObjects = NOTHING_ASSIGNED;
  #wanted: AssignedObjects = NOTHING_ASSIGNED;
  #writing: Promise<void> = Promise.resolve();
  #alarm: Alarm | undefined;
  /** When the writes of peers until now will have kept their period. */
  #peersPaidMs = 0;
  #failure: MeshError | undefined;

  constructor(input: LastAssignmentInput) {
    this.#input = input;
    this.#index = new StateFile(input.disk.text(INDEX), INDEX_FILE);
  }

  /** Reads the assignment of before; nothing assigned if there is none. A file that cannot be used is a finding. Never rejects. */
  async load(): Promise<AssignedObjects> {
    const index = await this.#index.read();
    const listed = new Map(index?.networks.map(({ id, epoch, revision }) => [id, { epoch, revision }]));
    const networks = new Map<NetworkId, AssignedNetwork>();
    for (const name of await this.#input.disk.networks().catch(() => [])) {
      const network = await this.#read(name);
      if (network === undefined) continue;
      const { id } = network.attachment.network;
      const version = listed.get(id) ?? (isBehindIndex(network.version, index?.inForce) ? undefined : network.version);
      if (version !== undefined) networks.set(id, { ...network, version });
    }
    const { inForce, term } = index ?? {};
    this.#written = {
      ...(inForce !== undefined && { version: inForce }),
      ...(term !== undefined && { term }),
      networks,
      ports: new Map(index?.ports.map((given) => [given.port.link, given])),
      workloads: new Map(index?.workloads.map((given) => [given.workload.id, given])),
      unsupported: [],
      revisions: new Map(index?.revisions.map(({ epoch, revision }) => [epoch, revision])),
    };
    this.#wanted = this.#written;
    return this.#written;
  }

  /** Whether the assignment in force would be there after a restart, apart from the latest peers. */
  get kept(): boolean {
    return this.#failure === undefined;
  }

  /** A finding while a file cannot be used, or while the disk takes none: then a restart brings back an older assignment. */
  get findings(): readonly Finding[] {
    const files = [this.#index, ...this.#files.values()].flatMap((file) => file.health());
    if (this.#failure === undefined) return files;
    const error = new MeshError(
      this.#failure.code,
      `the assignment in force is not on the disk and would not survive a restart: ${this.#failure.message}`,
      { remedy: this.#failure.remedy ?? 'Make room on the disk. The agent tries again every minute.' },
    );
    return [...files, findingOf(error, { object: this.#index.path, severity: 'warning' })];
  }

  /**
   * Keeps the objects. Resolves when networks and ports are on the disk, or the disk has refused them; a change of peers alone is
   * written later. Never rejects.
   */
  async keep(objects: AssignedObjects): Promise<void> {
    const before = this.#wanted;
    this.#wanted = objects;
    if (!differOnlyInPeers(before, objects)) return await this.#write();
    if (this.#alarm === undefined) this.#later(this.#peersDelayMs());
  }

  /** How long the next write of peers waits: a burst does not, and all others keep their period. */
  #peersDelayMs(): number {
    const nowMs = this.#input.clock.nowMs();
    this.#peersPaidMs = Math.max(this.#peersPaidMs, nowMs) + PEERS_PERIOD_MS;
    return Math.max(SETTLE_MS, this.#peersPaidMs - PEERS_BURST * PEERS_PERIOD_MS - nowMs);
  }

  /** Writes a change that still waits. */
  async close(): Promise<void> {
    const waits = this.#alarm !== undefined;
    this.#alarm?.cancel();
    if (waits) await this.#write();
    await this.#writing;
  }

  /** The file of a network that cannot be used stays known, so that its finding is told and nothing is written over it. */
  async #read(name: string): Promise<AssignedNetwork | undefined> {
    const { document: id } = fitted(NetworkIdShape, basename(name, '.json'));
    if (id === undefined) return undefined;
    const file = new StateFile(this.#input.disk.text(join(DIRECTORY, name)), NETWORK_FILE);
    this.#files.set(id, file);
    const network = await file.read();
    // A file under another name is one that was copied by hand.
    if (network?.attachment.network.id !== id) return undefined;
    const { attachment, digest, given: version } = network;
    return { attachment, digest, version };
  }

  #later(delayMs: number): void {
    this.#alarm ??= this.#input.clock.after(delayMs, () => void this.#write());
  }

  #write(): Promise<void> {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#writing = this.#writing.then(() => this.#writeNow());
    return this.#writing;
  }

  /** Never rejects. */
  async #writeNow(): Promise<void> {
    const objects = this.#wanted;
    const { disk, journal } = this.#input;
    if (objects === this.#written && this.#failure === undefined) return;
    try {
      for (const [id, network] of objects.networks) await this.#writeNetwork(id, network);
      await this.#index.write(indexOf(objects));
      for (const [id, { trouble }] of this.#files) {
        if (objects.networks.has(id) || trouble !== undefined) continue;
        await disk.remove(join(DIRECTORY, fileOf(id)));
        this.#files.delete(id);
      }
      this.#written = objects;
      this.#failure = undefined;
    } catch (thrown) {
      if (this.#failure === undefined) journal.failure('assignment not kept', thrown);
      this.#failure = MeshError.from(thrown);
      this.#later(RETRY_MS);
    }
  }

  async #writeNetwork(id: NetworkId, network: AssignedNetwork): Promise<void> {
    const known = this.#files.get(id);
    const before = this.#written.networks.get(id);
    // The index has the version of each network: a file is written only when its network is another one.
    if (known !== undefined && this.#failure === undefined && before?.attachment === network.attachment) return;
    const file = known ?? new StateFile(this.#input.disk.text(join(DIRECTORY, fileOf(id))), NETWORK_FILE);
    this.#files.set(id, file);
    const { attachment, digest, version: given } = network;
    await file.write({ attachment, digest, given });
  }
}

/** The files on this machine's disk. */
export function assignmentOnDisk(stateDirectory: string, text: (path: string) => StateText): AssignmentDisk {
  const networks = join(stateDirectory, DIRECTORY);
  return {
    text: (name) => text(join(stateDirectory, name)),
    networks: async () => (await readdir(networks)).filter((name) => name.endsWith('.json')),
    remove: (name) => rm(join(stateDirectory, name), { force: true }),
  };
}

/** Identifiers of networks are safe in file names (`NetworkIdShape`). */
function fileOf(id: NetworkId): string {
  return `${id}.json`;
}

/** Whether a network that the index does not list was removed before the index was written. */
function isBehindIndex(version: MembershipVersion, inForce: MembershipVersion | undefined): boolean {
  return inForce !== undefined && version.epoch === inForce.epoch && version.revision <= inForce.revision;
}

function indexOf({ version, term, networks, ports, workloads, revisions }: AssignedObjects): IndexDocument {
  return {
    ...(version !== undefined && { inForce: version }),
    ...(term !== undefined && { term }),
    revisions: Array.from(revisions, ([epoch, revision]) => ({ epoch, revision })),
    networks: Array.from(networks, ([id, network]) => ({ id, ...network.version })),
    ports: [...ports.values()],
    workloads: [...workloads.values()],
  };
}

/** Whether the same networks and ports are there, under the same epoch, with other peers or a later revision at most. */
function differOnlyInPeers(before: AssignedObjects, now: AssignedObjects): boolean {
  if (before.version?.epoch !== now.version?.epoch) return false;
  if (before.networks.size !== now.networks.size || before.ports.size !== now.ports.size) return false;
  if (before.workloads.size !== now.workloads.size) return false;
  for (const [id, { attachment, version }] of now.networks) {
    const known = before.networks.get(id);
    if (known === undefined || known.version.epoch !== version.epoch) return false;
    if (known.attachment !== attachment && !haveSameDefinition(known.attachment, attachment)) return false;
  }
  for (const [id, { workload, version }] of now.workloads) {
    const known = before.workloads.get(id);
    if (known === undefined || known.version.epoch !== version.epoch) return false;
    if (!isDeepStrictEqual(known.workload, workload)) return false;
  }
  return [...now.ports].every(([link, { port, version }]) => {
    const known = before.ports.get(link);
    return known !== undefined && known.version.epoch === version.epoch && isDeepStrictEqual(known.port, port);
  });
}

function haveSameDefinition(
  { peers: _before, ...before }: NodeAttachment,
  { peers: _now, ...now }: NodeAttachment,
): boolean {
  return isDeepStrictEqual(before, now);
}
