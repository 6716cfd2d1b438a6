/** The memberships of all meshes: one Membership for each mesh that is in force. */
import type { Admission } from '../formats/host0/host0-conf.ts';
import type { Ipv6 } from '../model/address/ipv6.ts';
import type { Clock } from '../model/clock.ts';
import type { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import type { Mesh } from '../model/network/mesh.ts';
import { networkChange } from '../model/network/network-equality.ts';
import type { NetworkId } from '../model/network/number.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { MembershipVersion } from '../protocol/documents/membership.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Store } from '../store/store.ts';
import { admissionInForce, admit } from './admission/admission.ts';
import { Proofs, type ProvenChannels, type TokenSource } from './admission/proofs.ts';
import type { NodePlaces } from './assignments/node-places.ts';
import type { Host0State } from './host0-state.ts';
import { Membership } from './membership/membership.ts';
import { networkAdded } from './membership/membership-journal.ts';
import type { MembershipChange } from './membership/membership-log.ts';
import type { MembershipWatch } from './membership/membership-watch.ts';
import type { SourceVerification } from './membership/source-verification.ts';

/** What the process that runs host0 gives. */
export interface MembershipsSurroundings {
  /** host0's host name. */
  readonly name: string;
  /** Undefined: see `admissionInForce`. */
  readonly admission: Admission | undefined;
  readonly tokens: TokenSource;
  readonly clock: Clock;
  readonly store: Store;
  readonly journal: Journal;
  readonly verification: SourceVerification;
  readonly watch?: MembershipWatch;
  /** Is told where nodes are. */
  readonly places?: Pick<NodePlaces, 'take' | 'host0Moved'>;
}

/** What memberships depend on. */
export interface MembershipsInput extends MembershipsSurroundings {
  readonly host0State: Host0State;
  /** Whether host0 can accept connections now. */
  readonly hears: () => boolean;
}

/** A member that joined, changed or left. */
export interface MeshMemberChange {
  readonly network: NetworkId;
  readonly change: MembershipChange;
}

/** Meshes that ask within this time whether host0 can accept connections get one answer. */
const HEARD_MS = 500;

/** Keeps one Membership for each mesh. */
export class Memberships {
  readonly #input: MembershipsInput;
  readonly #proofs: Proofs;
  readonly #meshes = new Map<NetworkId, Membership>();
  readonly #changes = new Signal<readonly Membership[]>();
  /** Emits all meshes after each change of their definitions. */
  readonly changes: Subscribable<readonly Membership[]> = this.#changes;
  readonly #memberChanges = new Signal<MeshMemberChange>();
  /** Emits each change of a member, in the order in which the changes became durable. */
  readonly memberChanges: Subscribable<MeshMemberChange> = this.#memberChanges;
  readonly #loads = new Signal<void>();
  /** Emits when anything may be different: members were read, or all meshes have been taken up. */
  readonly loads: Subscribable<void> = this.#loads;
  #channels: ProvenChannels | undefined;
  #wanted: readonly Mesh[] | undefined;
  #isKnown = false;
  #heard = { atMs: Number.NEGATIVE_INFINITY, hears: true };
  #lastChange: Promise<void> = Promise.resolve();

  constructor(input: MembershipsInput) {
    this.#input = input;
    this.#proofs = new Proofs({ ...input, channels: () => this.#channels });
    input.host0State.changes.subscribe((change) => {
      if (change !== 'segments') return;
      for (const mesh of this.#meshes.values()) mesh.segmentsChanged();
      input.places?.host0Moved();
    });
  }

  get meshes(): readonly Membership[] {
    return [...this.#meshes.values()];
  }

  /** The membership of a mesh; undefined when host0 has no such mesh. */
  of(network: NetworkId): Membership | undefined {
    return this.#meshes.get(network);
  }

  /** Whether the meshes are known, and the members of each have been read. */
  get loaded(): boolean {
    return this.#isKnown && this.meshes.every(({ loaded }) => loaded);
  }

  /** The newest version of any member list. */
  get version(): MembershipVersion {
    const loaded = this.meshes.filter((mesh) => mesh.loaded);
    return { epoch: this.#input.store.epoch, revision: Math.max(0, ...loaded.map(({ version }) => version.revision)) };
  }

  /** Which machines may become members. */
  get admission(): Admission {
    return admissionInForce(this.#input.admission, this.#input.host0State.machineNames.size);
  }

  /** Number of members in all meshes that have been read. */
  get memberCount(): number {
    return this.meshes.reduce((sum, mesh) => sum + (mesh.loaded ? mesh.others().length : 0), 0);
  }

  /** Adds, changes and removes meshes, in the order of the calls. Resolves when new meshes have read their members. */
  setMeshes(meshes: readonly Mesh[]): Promise<void> {
    if (meshes !== this.#wanted) this.#lastChange = this.#lastChange.then(() => this.#takeUp(meshes));
    this.#wanted = meshes;
    return this.#lastChange;
  }

  /** Takes reports of machines whose channel stands as proven from now on. */
  proveBy(channels: ProvenChannels): void {
    this.#channels = channels;
  }

  /** Why a mesh refused a report of the machine in the last nine seconds; undefined if none did. */
  refusalOf(machine: MachineId): MeshError | undefined {
    return this.meshes.map((mesh) => mesh.refusalOf(machine)).find((error) => error !== undefined);
  }

  async close(): Promise<void> {
    await this.#lastChange;
    for (const mesh of this.#meshes.values()) mesh.close();
  }

  /** Never rejects: a mesh whose members cannot be read keeps trying, and serves no list until then. */
  async #takeUp(networks: readonly Mesh[]): Promise<void> {
    const wanted = new Map(networks.map((network) => [network.id, network]));
    for (const mesh of this.meshes) {
      const network = wanted.get(mesh.network.id);
      const change = network && networkChange(mesh.network, network);
      if (network === undefined || change === 'join') await this.#remove(mesh);
      else if (change !== 'none') this.#redefine(mesh, network);
    }
    const added = networks.filter(({ id }) => !this.#meshes.has(id)).map((network) => this.#add(network));
    this.#changes.emit(this.meshes);
    await Promise.all(added.map((mesh) => mesh.start()));
    this.#isKnown = true;
    this.#loads.emit();
  }

  #add(network: Mesh): Membership {
    const { host0State } = this.#input;
    const mesh: Membership = new Membership({
      ...this.#input,
      network,
      admit: (applicant) =>
        admit(applicant, { admission: this.admission, isNamed: (id) => host0State.machineNames.has(id) }),
      proofs: this.#proofs,
      mustProve: this.#input.admission === 'token',
      machines: () => host0State.machineNames.keys(),
      machineNamed: (name) => host0State.machineNamed(name),
      hears: (now) => this.#hears(now),
      elsewhere: () => this.meshes.filter((other) => other !== mesh).flatMap((other) => [...other.records]),
      host0AddressFor: (viewer) => host0State.addressFor(viewer),
      subnets: () => host0State.subnets,
      onChange: (change) => {
        this.#memberChanges.emit({ network: network.id, change });
        if (change.type !== 'leave') this.#noteRecords(mesh, change.member.ipv6);
      },
      onLoad: () => {
        this.#loads.emit();
        this.#noteRecords(mesh);
      },
    });
    this.#meshes.set(network.id, mesh);
    this.#input.journal.record(networkAdded(network));
    return mesh;
  }

  /** All meshes ask once a second: they share an answer. */
  #hears(now: boolean): boolean {
    const nowMs = this.#input.clock.nowMs();
    if (now || nowMs - this.#heard.atMs >= HEARD_MS) this.#heard = { atMs: nowMs, hears: this.#input.hears() };
    return this.#heard.hears;
  }

  /** Tells where members are: the one with this address, or all. */
  #noteRecords(mesh: Membership, only?: Ipv6): void {
    const { places } = this.#input;
    if (places === undefined) return;
    for (const record of mesh.records) if (only === undefined || record.ipv6 === only) places.take(record);
  }

  #redefine(mesh: Membership, network: Mesh): void {
    mesh.redefine(network);
    this.#input.journal.record({ kind: 'network changed', message: network.name, network: network.id });
  }

  async #remove(mesh: Membership): Promise<void> {
    const { journal } = this.#input;
    const { id, name } = mesh.network;
    this.#meshes.delete(id);
    journal.record({ kind: 'network removed', message: name, network: id });
    await mesh.forget().catch((thrown: unknown) => journal.failure('members not forgotten', thrown, { network: id }));
  }
}
