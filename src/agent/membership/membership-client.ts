/**
 * A node's part in the membership of one mesh. The client reports to host0, hears of joins and leaves, and pings host0. While
 * host0 keeps the membership by the node's channel, the client reports seldom, and pings only in one of the node's meshes.
 */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import {
  keptReportIntervalMs,
  type MembershipEvent,
  type NetworkState,
  REPORT_INTERVAL_MS,
  reportIntervalMs,
  type SelfReport,
  type SelfReportAnswer,
} from '../../protocol/documents/membership.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { readReportAnswer } from '../../protocol/shapes/membership-shape.ts';
import type { Echo } from '../kernel/kernel-port.ts';
import { Host0Pings } from './host0-pings.ts';
import type { KnownMesh } from './last-known.ts';
import { MemberList } from './member-list.ts';
import { MemberStream, type MemberStreamInput, type StreamEnd } from './member-stream.ts';
import type { Target, Transport } from './transport.ts';

/** What a membership client of one mesh needs from the node and its source. */
export interface MembershipClientInput extends Pick<MemberStreamInput, 'channel'> {
  readonly network: Mesh;
  readonly machine: MachineId;
  readonly name: string;
  /** New at each boot of the machine. */
  readonly instance: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly echo: Echo;
  readonly transport: Transport;
  /** The underlay address that this node sends from; undefined while it has no route to host0. */
  readonly local: () => Ipv4 | undefined;
  readonly state: () => NetworkState;
  /** In how many meshes the node is. */
  readonly meshes: () => number;
  /**
   * Deletes this node's neighbour entry for host0, whatever its state, so that the next packet sends a neighbour
   * solicitation.
   */
  readonly forgetHost0: () => Promise<void>;
  /** What an earlier run of this agent knew about the mesh. */
  readonly known?: Pick<KnownMesh, 'members' | 'segments'>;
  /** Called when the members, the segments, or whether host0 answers have changed. */
  readonly onChange: () => void;
  /** Called when host0 has made this node a member, for the first time or again. */
  readonly onJoined?: () => void;
  /** Called each time that host0 does not answer. */
  readonly onLost?: () => void;
  /**
   * Called when the channel keeps the membership, and when it does not any more although it stands. `lost`: host0 does not answer in
   * the mesh in which the node watches its path.
   */
  readonly onKeptChange?: (change: 'kept' | 'ended' | 'lost') => void;
}

/**
 * A connection takes a millisecond. The kernel repeats a lost SYN only after a whole second, so a new try is faster.
 */
const CONNECT_TIMEOUT_MS = 300;
/** host0 may have to answer hundreds of nodes that start at once. */
const ANSWER_TIMEOUT_MS = 3_000;
/** Between two tries to reach host0. The first is soon, since host0 may be starting. */
const RETRY_MS = { first: 100, longest: 1_000 } as const;
/** After a refusal that lasts until an administrator acts: asking more often does not help. */
const REFUSED_RETRY_MS = 5_000;
/** After this time without a channel the node reports. A channel is opened again within three seconds when host0 is there. */
const CHANNEL_PATIENCE_MS = 4_000;

/**
 * Keeps this node a member of one mesh. `error` says why the node is not a member, and `onChange` announces each
 * change.
 */
export class MembershipClient {
  readonly #input: MembershipClientInput;
  readonly list = new MemberList();
  #segments: readonly Ipv4Cidr[];
  #answers = false;
  #error: MeshError | undefined;
  readonly #stream: MemberStream;
  readonly #pings: Host0Pings;
  /** Whether this is the mesh in which the node watches its path to host0. */
  #watchesPath = false;
  #alarm: Alarm | undefined;
  #retryMs: number = RETRY_MS.first;
  #underWay: Promise<void> | undefined;
  #stopped = false;
  /** The list has changed, and `onChange` has not been called since. */
  #news = false;
  readonly #host0: Ipv6;

  constructor(input: MembershipClientInput) {
    this.#input = input;
    this.#host0 = memberAddresses(input.network, 'host0').ipv6;
    this.list.remember(input.known?.members ?? []);
    this.#segments = input.known?.segments ?? [];
    this.#pings = new Host0Pings({ ...input, host0: this.#host0, onLost: (count) => this.#pingsLost(count) });
    this.#stream = new MemberStream({
      ...input,
      target: this.#target,
      claimed: () => ({ ipv4: input.local(), state: input.state() }),
      // A list that is not yet confirmed needs a new snapshot: a stream that is resumed at a version may bring no list at all.
      version: () => (this.list.confirmAtMs === undefined ? this.list.version : undefined),
      onEvent: (event) => this.#take(event),
      onHeard: () => this.#heard(),
      onKept: (segments) => this.#kept(segments),
      onEnd: (end) => this.#streamEnded(end),
    });
  }

  get #target(): Target {
    return { host: this.#host0, port: MEMBERSHIP_PORT };
  }

  /** Whether host0 answers in this mesh now. */
  get host0Answers(): boolean {
    return this.#answers;
  }

  /** The underlay subnets that host0 forwards between. */
  get segments(): readonly Ipv4Cidr[] {
    return this.#segments;
  }

  /** Whether host0 keeps the membership by the node's channel. */
  get isKept(): boolean {
    return this.#stream.isKept;
  }

  /** Whether this is the mesh in which the node pings host0, while its channel keeps its memberships. */
  set watchesPath(watches: boolean) {
    if (watches === this.#watchesPath) return;
    this.#watchesPath = watches;
    this.#watch();
  }

  /** Why this node is not a member now; undefined when it is. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  /**
   * When the stream of joins and leaves began to bring bytes, on the clock; undefined while there is no such stream.
   */
  get streamSinceMs(): number | undefined {
    return this.#stream.sinceMs;
  }

  start(): void {
    void this.#report();
  }

  /** Reports at once, because something in the report has changed. */
  reportNow(): void {
    this.#alarm?.cancel();
    void this.#report();
  }

  /** Tells host0 by the channel that the state of the mesh has changed. Without a channel, the next report tells. */
  stateChanged(): void {
    this.#stream.tell();
  }

  /** Must be called when host0 begins to keep memberships by the channel. */
  channelBegins(): void {
    if (!this.#stopped && this.#answers && this.#error === undefined) this.#stream.follow();
  }

  /** Reports, because host0 does not answer in another mesh, or on the channel. */
  doubt(): void {
    if (this.#stream.isKept) this.reportNow();
  }

  /**
   * Ends the reports, the stream and the pings.
   * @param leave also tell host0 that this node leaves, so that the others need not wait nine seconds
   */
  async stop(leave: boolean): Promise<void> {
    this.#stopped = true;
    this.#alarm?.cancel();
    this.#pings.stop();
    this.#stream.close();
    if (!leave || !this.#answers) return;
    // A report that arrives after the goodbye would make this node a member again.
    await this.#underWay;
    try {
      await this.#put({ leaving: true });
    } catch {
      // host0 notices the silence after nine seconds.
    }
  }

  /** Sends one report at a time. A call during a report gets the promise of that report. */
  #report(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#underWay ??= this.#reportOnce().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #reportOnce(): Promise<void> {
    try {
      const answer = await this.#put({});
      if (this.#stopped) return;
      if (answer === undefined) this.#lost(noRoute());
      else if (answer.accepted) this.#accepted(answer.segments);
      else this.#refused(MeshError.fromJSON(answer.error));
    } catch (error) {
      if (!this.#stopped) this.#lost(MeshError.from(error));
    }
  }

  /** @returns undefined when there is no underlay address to report from */
  async #put(extra: Pick<SelfReport, 'leaving'>): Promise<SelfReportAnswer | undefined> {
    const { machine, name, instance, local, state } = this.#input;
    const ipv4 = local();
    if (ipv4 === undefined) return undefined;
    const report: SelfReport = { machine, name, instance, ipv4, ...extra, state: state() };
    const answer = await this.#input.transport.exchange(this.#target, {
      method: 'PUT',
      path: '/self',
      body: JSON.stringify(report),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      timeoutMs: ANSWER_TIMEOUT_MS,
    });
    return readReportAnswer(answer.body);
  }

  #accepted(segments: readonly Ipv4Cidr[]): void {
    const joined = this.#error !== undefined || !this.#answers;
    const news = joined || segments.join() !== this.#segments.join();
    if (joined) this.#journal('info', 'joined', `member of ${this.#input.network.name}`);
    this.#answers = true;
    this.#error = undefined;
    this.#segments = segments;
    this.#retryMs = RETRY_MS.first;
    this.#stream.open();
    this.#stream.tell();
    this.#scheduleReport();
    this.#watch();
    if (joined) this.#input.onJoined?.();
    if (news) this.#input.onChange();
  }

  /**
   * host0 answered with a refusal. A retryable one means that host0's kernel has not yet seen packets of this node, or that this
   * node's channel does not stand yet.
   */
  #refused(error: MeshError): void {
    const news = this.#error?.code !== error.code || !this.#answers;
    this.#answers = true;
    this.#error = error;
    this.#closeStream('ended');
    if (news && !error.retryable) this.#journal('error', 'refused', error.message, error);
    this.#schedule(this.#pauseAfter(error));
    if (news) this.#input.onChange();
  }

  /** A channel may be away for long, for example while host0 is restarted: then hundreds of nodes must not ask ten times a second. */
  #pauseAfter({ code, retryable }: MeshError): number {
    if (!retryable) return REFUSED_RETRY_MS;
    if (code !== 'MESH_MEMBER_UNPROVEN') return RETRY_MS.first;
    const pauseMs = this.#retryMs;
    this.#retryMs = Math.min(pauseMs * 2, RETRY_MS.longest);
    return pauseMs;
  }

  /** host0 does not answer. Its neighbour entry is deleted, so that the next try sends a neighbour solicitation. */
  #lost(error: MeshError, pauseMs?: number): void {
    const news = this.#answers || this.#error === undefined;
    const [level, kind] = this.#answers ? (['warning', 'host0 lost'] as const) : (['debug', 'host0 sought'] as const);
    this.#journal(level, kind, error.message, error);
    this.#answers = false;
    this.#error = error;
    this.#closeStream(this.#watchesPath ? 'lost' : 'ended');
    this.#pings.stop();
    const delayMs = pauseMs ?? this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.longest);
    this.#input.onLost?.();
    // A kernel that cannot be asked now keeps the entry, and host0 may answer all the same.
    void this.#input
      .forgetHost0()
      .catch(() => undefined)
      .then(() => this.#schedule(delayMs));
    if (news) this.#input.onChange();
  }

  #streamEnded(end: StreamEnd): void {
    if (this.#stopped) return;
    if (end.kind === 'malformed') this.#malformed(end.error);
    else this.#schedule(end.kind === 'away' && !this.#watchesPath ? CHANNEL_PATIENCE_MS : RETRY_MS.first);
    if (end.kind === 'ended') this.#input.onKeptChange?.('ended');
    this.#tellNews();
  }

  #closeStream(change: 'ended' | 'lost'): void {
    const wasKept = this.#stream.isKept;
    this.#stream.close();
    if (wasKept) this.#input.onKeptChange?.(change);
  }

  /** The channel stands for the reports from now on. */
  #kept(segments: readonly Ipv4Cidr[]): void {
    if (segments.join() !== this.#segments.join()) {
      this.#segments = segments;
      this.#news = true;
    }
    this.#scheduleReport();
    this.#watch();
    this.#input.onKeptChange?.('kept');
  }

  /** Whoever sends such events also accepts reports: without this pause the node would join several times a second. */
  #malformed(error: MeshError): void {
    if (!this.#stopped && this.#error === undefined) this.#lost(error, REPORT_INTERVAL_MS);
  }

  #take(event: MembershipEvent): void {
    if (event.type === 'snapshot') this.#segments = event.segments;
    this.list.apply(event, this.#input.clock.nowMs());
    this.#news = true;
  }

  /**
   * Called after each chunk of bytes, so that events which came together cause one `onChange`. Only received bytes
   * confirm the list, and never a timer: a timer would also run on a dead stream that nothing has detected yet.
   */
  #heard(): void {
    const nowMs = this.#input.clock.nowMs();
    const atMs = this.list.confirmAtMs;
    if (atMs !== undefined && nowMs >= atMs) {
      this.list.confirm(nowMs);
      this.#news = true;
    }
    this.#tellNews();
  }

  #tellNews(): void {
    if (!this.#news) return;
    this.#news = false;
    this.#input.onChange();
  }

  /** Pings host0, unless the node does so in another mesh: the meshes share the path to host0. */
  #watch(): void {
    const isWatched = this.#stream.isKept && !this.#watchesPath;
    if (this.#stopped || this.#error !== undefined || !this.#answers || isWatched) this.#pings.stop();
    else this.#pings.start();
  }

  #pingsLost(count: number): void {
    if (this.#stopped || this.#error !== undefined) return;
    const { name } = this.#input.network;
    const message = `host0 did not answer ${count} pings in ${name}`;
    this.#lost(new MeshError('MESH_HOST0_UNREACHABLE', message, { retryable: true }));
  }

  #scheduleReport(): void {
    const { machine, network, meshes } = this.#input;
    const { isKept } = this.#stream;
    this.#schedule(isKept ? keptReportIntervalMs(machine, network.number, meshes()) : reportIntervalMs(machine));
  }

  #schedule(delayMs: number): void {
    this.#alarm?.cancel();
    if (this.#stopped) return;
    this.#alarm = this.#input.clock.after(delayMs, () => void this.#report());
  }

  #journal(level: 'debug' | 'info' | 'warning' | 'error', kind: string, message: string, error?: MeshError): void {
    this.#input.journal.record({
      level,
      kind,
      message,
      network: this.#input.network.id,
      ...(error !== undefined && { code: error.code }),
      ...(error?.remedy !== undefined && { remedy: error.remedy }),
    });
  }
}

function noRoute(): MeshError {
  return new MeshError('MESH_HOST0_UNREACHABLE', 'this machine has no route to host0', {
    retryable: true,
    remedy: 'Give its underlay interface an address, or name another host0 address with --host0.',
  });
}
