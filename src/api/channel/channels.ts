/** All channels of host0: at most one a machine, what was refused, and what the nodes say of themselves. */
import type { TLSSocket } from 'node:tls';
import { Refusals } from '../../controller/membership/refusals.ts';
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { parseKeyIdentity } from '../../model/machine-key.ts';
import type { Subscribable } from '../../model/signal.ts';
import { type ChannelRefusal, refusalError } from '../../protocol/channel/channel-errors.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import type { ChannelView } from '../../protocol/documents/views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { AssignmentPush, type AssignmentSource, unplugOn } from './assignment-push.ts';
import { keepMemberships, type MembershipSource } from './kept-memberships.ts';
import { MemberDoubts } from './member-doubts.ts';
import { NodeConnection } from './node-connection.ts';
import { sendIsos } from './published-isos.ts';
import { followStatus } from './status-stream.ts';

/** host0's keys, as far as channels need them. */
export interface ChannelKeys {
  /** The pre-shared key of an identity; undefined when host0 takes none with it. */
  pskOf(identity: string): Buffer | undefined;
  /** Why host0 takes no key of this identity, where it knows why. */
  refusalOf?(identity: string): MeshError | undefined;
  /** Must be called when a channel with this identity stands: earlier keys of the machine are not taken any more. */
  used(identity: string): Promise<void>;
}

/** What the channels need of host0. */
export interface ChannelsInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly keys: ChannelKeys;
  readonly assignments: AssignmentSource;
  /** Absent: channels keep no memberships. */
  readonly memberships?: MembershipSource;
  /** host0's folder of disk images, which nodes may fetch; absent: they fetch none. */
  readonly isos?: string;
  /** The events of host0's kernel, which tell that packets of a member come from elsewhere. */
  readonly kernelEvents?: Subscribable<KernelEvent>;
  /** Called with each refusal, to count it. */
  readonly onRefusal: (refusal: ChannelRefusal) => void;
}

/** A refused node asks again within half a minute, and is a finding as long as it does. */
const REFUSAL_MEMORY_MS = 60_000;
/** Machines whose last channel is remembered. A node that is forgotten counts as one that never had a channel. */
const DOWN_MAX = 4_096;

/** One standing channel. */
interface Standing {
  readonly connection: NodeConnection;
  readonly push: AssignmentPush;
  status: NodeStatus | undefined;
  fault: MeshError | undefined;
}

/** Keeps the channels. */
export class Channels {
  readonly #input: ChannelsInput;
  readonly #standing = new Map<MachineId, Standing>();
  /** Machines with a second channel, about which host0 has not decided yet. */
  readonly #contested = new Set<MachineId>();
  readonly #refusals = new Refusals(REFUSAL_MEMORY_MS);
  /** When the last channel of a machine ended. */
  readonly #down = new Map<MachineId, number>();
  readonly #doubts = new MemberDoubts();
  readonly #end: () => void;

  constructor(input: ChannelsInput) {
    this.#input = input;
    input.kernelEvents?.subscribe((event) => this.#doubts.take(event));
    this.#end = input.assignments.subscribe((machine) => {
      if (machine !== 'host0') void this.#standing.get(machine)?.push.push();
    });
  }

  /** How many channels stand. */
  get size(): number {
    return this.#standing.size;
  }

  /** The machines whose channels stand. */
  get machines(): readonly MachineId[] {
    return [...this.#standing.keys()];
  }

  /** The channel of a machine, as `mesh node list` shows it. */
  viewOf(machine: MachineId): ChannelView {
    const nowMs = this.#input.clock.nowMs();
    const standing = this.#standing.get(machine);
    if (standing !== undefined) {
      return { state: 'standing', ageSec: Math.floor((nowMs - standing.connection.sinceMs) / 1000) };
    }
    const refused = this.#refusals.ofMachine(machine, nowMs);
    const downSinceMs = this.#down.get(machine);
    if (downSinceMs === undefined && refused === undefined) {
      return { state: 'none', why: 'it has asked for no channel since host0’s daemon started' };
    }
    const ageSec = Math.floor((nowMs - (downSinceMs ?? nowMs)) / 1000);
    return { state: 'down', ageSec, why: refused?.message ?? 'its channel has ended' };
  }

  /** What a node last said of itself; undefined while its channel does not stand. */
  statusOf(machine: MachineId): NodeStatus | undefined {
    return this.#standing.get(machine)?.status;
  }

  /**
   * The channel of a machine.
   * @throws MESH_CHANNEL_DOWN
   */
  connectionOf(machine: MachineId): NodeConnection {
    const standing = this.#standing.get(machine);
    if (standing !== undefined) return standing.connection;
    throw new MeshError('MESH_CHANNEL_DOWN', `machine ${machine} has no channel to host0`, {
      object: machine,
      remedy:
        'See `mesh status` on that node. A machine that did not boot from host0 needs a key first: `mesh node enroll`.',
      retryable: true,
    });
  }

  /** Findings: refusals of the last minute, and assignments that nodes have not taken. */
  health(): readonly Finding[] {
    const refused = this.#refusals.current(this.#input.clock.nowMs()).map((error) =>
      findingOf(error, {
        object: error.object ?? 'channel',
        severity: error.code === 'MESH_CHANNEL_FOREIGN' ? 'warning' : 'error',
      }),
    );
    const pending = [...this.#standing].flatMap(([machine, { push, fault }]) => {
      const error = push.error ?? fault;
      return error === undefined ? [] : [findingOf(error, { object: machine })];
    });
    return [...refused, ...pending];
  }

  /**
   * Notes that a connection was refused.
   * @param shown the identity that it showed, if any: a text of a stranger
   */
  refused(refusal: ChannelRefusal, address: string, shown: string | undefined): MeshError {
    const { clock, journal, onRefusal } = this.#input;
    onRefusal(refusal);
    const machine = shown === undefined ? undefined : parseKeyIdentity(shown)?.machine;
    const who = machine === undefined ? address : `machine ${machine} at ${address}`;
    const why = machine && shown && this.#input.keys.refusalOf?.(shown)?.message;
    const error = refusalError(refusal, who, machine ?? address, why);
    // A connection that ends early is what every scan and every restart of a node makes: it is only counted.
    if (refusal === 'slow') return error;
    if (this.#refusals.note(address, error, clock.nowMs(), machine)) {
      const { code, message, object } = error;
      journal.record({ level: 'warning', kind: 'channel refused', message, code, ...(object && { object }) });
    }
    return error;
  }

  /** Takes a connection whose handshake has proven its identity. */
  async take(socket: TLSSocket, identity: string): Promise<void> {
    const machine = parseKeyIdentity(identity)?.machine;
    if (machine === undefined) {
      socket.destroy();
      return;
    }
    const connection = new NodeConnection({ ...this.#input, socket, machine, identity });
    connection.keepAlive();
    if (!(await this.#isOnlyOne(connection))) {
      await connection.refuse(this.refused('second', connection.address, identity));
      return;
    }
    // Revoked since the handshake, or replaced by a later key while the earlier channel was asked.
    if (this.#input.keys.pskOf(identity) === undefined) {
      await connection.refuse(this.refused('unknown key', connection.address, identity));
      return;
    }
    if (!connection.isOver) await this.#stand(connection);
  }

  /** Ends the channel of a machine whose keys were revoked. */
  drop(machine: MachineId): void {
    this.#standing.get(machine)?.connection.close();
  }

  close(): void {
    this.#end();
    for (const { connection } of this.#standing.values()) connection.close();
  }

  /** The earlier channel of the machine ends if it does not answer within nine seconds. */
  async #isOnlyOne({ machine }: NodeConnection): Promise<boolean> {
    const earlier = this.#standing.get(machine)?.connection;
    if (earlier === undefined) return !this.#contested.has(machine);
    if (this.#contested.has(machine)) return false;
    this.#contested.add(machine);
    const answers = await earlier.answers();
    this.#contested.delete(machine);
    if (answers) return false;
    earlier.close();
    await earlier.ended;
    return !this.#standing.has(machine) || this.#standing.get(machine)?.connection === earlier;
  }

  async #stand(connection: NodeConnection): Promise<void> {
    const { machine, identity, address } = connection;
    const { keys, assignments, journal, clock, isos } = this.#input;
    const push = new AssignmentPush(connection, assignments);
    const standing: Standing = { connection, push, status: undefined, fault: undefined };
    this.#standing.set(machine, standing);
    this.#down.delete(machine);
    assignments.opened?.(machine, { unplug: (network) => unplugOn(connection, network) });
    void connection.ended.then(() => {
      if (this.#standing.get(machine) === standing) {
        this.#standing.delete(machine);
        assignments.closed?.(machine, connection.silentMs);
      }
      this.#noteDown(machine, clock.nowMs());
      journal.record({ kind: 'channel closed', message: `of machine ${machine} at ${address}`, object: machine });
    });
    await keys.used(identity);
    journal.record({ kind: 'channel opened', message: `of machine ${machine} at ${address}`, object: machine });
    await followStatus(connection, (status, fault) => {
      standing.fault = fault;
      if (status === undefined) return;
      const isFirst = standing.status === undefined;
      standing.status = status;
      if (isFirst) this.#keepMemberships(connection, status);
      if (isFirst && isos !== undefined) void sendIsos(connection, isos, clock);
      const taken = assignments.reported?.(machine, status) ?? Promise.resolve();
      taken
        .catch((thrown: unknown) => journal.failure('status not kept', thrown, { object: machine }))
        .finally(() => push.begin(status));
    });
  }

  /** A node that tells no instance is of an earlier version, and reports in each mesh. */
  #keepMemberships(connection: NodeConnection, { instance }: NodeStatus): void {
    const { memberships, journal } = this.#input;
    if (memberships === undefined || instance === undefined) return;
    const { machine } = connection;
    void keepMemberships(connection, journal, { machine, instance, memberships, doubts: this.#doubts });
  }

  #noteDown(machine: MachineId, nowMs: number): void {
    this.#down.set(machine, nowMs);
    const oldest = this.#down.keys().next().value;
    if (this.#down.size > DOWN_MAX && oldest !== undefined) this.#down.delete(oldest);
  }
}
