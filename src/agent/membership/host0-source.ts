/**
 * The source of host0's own agent: the controller's assignment, over its control socket. While the daemon is away, the
 * last assignment stays in force.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { internNetworks, mustRejoin } from '../../model/network/network-equality.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import {
  ASSIGNMENT_PATH,
  type AssignedMember,
  type AssignedUnderlay,
  type Assignment,
  type Segment,
  type UnderlayNic,
} from '../../protocol/documents/assignment.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { STREAM_SILENCE_MS } from '../../protocol/documents/membership.ts';
import type { SseMessage } from '../../protocol/documents/sse.ts';
import type { SelfStatus } from '../../protocol/documents/views.ts';
import {
  ASSIGNMENT_MAX_LENGTH,
  readAssignedMember,
  readAssignedUnderlay,
  readAssignment,
} from '../../protocol/shapes/assignment-shape.ts';
import type { Attachment, Host0Stance } from '../desired/assignment.ts';
import { MemberList } from './member-list.ts';
import type { Source, SourceAgent } from './source.ts';
import type { EventSubscription, Transport } from './transport.ts';

/** What host0's source needs: the path of the daemon's control socket, and how to reach it. */
export interface Host0SourceInput {
  readonly controlSock: string;
  /** What to do while the daemon does not run, as a sentence. */
  readonly startRemedy: string;
  readonly clock: Clock;
  readonly transport: Transport;
}

/** The daemon is on the same machine, so asking again costs nothing. */
const RETRY_MS = 200;
const ANSWER_TIMEOUT_MS = 2_000;

/**
 * Follows the daemon's assignment, reports the states of the networks to the daemon, and connects again after each end.
 */
export class Host0Source implements Source {
  readonly joins: Subscribable<Mesh> = new Signal();
  readonly #input: Host0SourceInput;
  readonly #lists = new Map<NetworkId, MemberList>();
  #networks: readonly Mesh[] = [];
  #segments: readonly Segment[] = [];
  #nics: readonly UnderlayNic[] = [];
  #findings: readonly Finding[] = [];
  #known = false;
  #stream: EventSubscription | undefined;
  #streamSinceMs: number | undefined;
  #retry: Alarm | undefined;
  #error: MeshError | undefined;
  #stopped = false;
  /** The most important message since the agent last took the assignment up. */
  #news: 'snapshot' | 'member' | undefined;

  constructor(input: Host0SourceInput) {
    this.#input = input;
  }

  get known(): boolean {
    return this.#known;
  }

  get networks(): readonly Mesh[] {
    return this.#networks;
  }

  get host0(): readonly Ipv4[] {
    return this.#segments.map((segment) => segment.ipv4);
  }

  /** An error while the daemon is away; else what the daemon cannot tell itself. It has the findings of the network files. */
  get findings(): readonly Finding[] {
    if (this.#error === undefined) return this.#findings;
    return [
      {
        code: 'MESH_NOT_RUNNING',
        severity: 'error',
        object: 'host0',
        message: `host0's daemon does not answer: networks carry what they carried before, and no node can join (${this.#error.message})`,
        remedy: this.#input.startRemedy,
      },
    ];
  }

  async start(agent: SourceAgent): Promise<void> {
    agent.stateChanges.subscribe(() => this.#tellStates(agent));
    this.#connect(agent);
  }

  attachments(): readonly Attachment[] {
    return this.#networks.map((network) => ({
      network,
      members: this.#lists.get(network.id)?.members ?? [],
      host0Answers: true,
    }));
  }

  host0Stance(): Host0Stance {
    return { role: 'host0', segments: this.#segments, nics: this.#nics };
  }

  settled(network: NetworkId): boolean {
    return this.#lists.get(network)?.settled ?? false;
  }

  errorOf(): MeshError | undefined {
    return this.#error;
  }

  /** The same for each network: one stream from the daemon carries all of them. */
  streamSinceMs(): number | undefined {
    return this.#streamSinceMs;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#stream?.close();
  }

  #tellStates(agent: SourceAgent): void {
    const { controlSock, transport } = this.#input;
    if (this.#stream === undefined || !this.#known) return;
    const networks = Object.fromEntries(this.#networks.map((network) => [network.id, agent.stateOf(network)]));
    const body: SelfStatus = { networks };
    transport
      .exchange(
        { socketPath: controlSock },
        {
          method: 'PUT',
          path: '/v1/self',
          body: JSON.stringify(body),
          connectTimeoutMs: ANSWER_TIMEOUT_MS,
          timeoutMs: ANSWER_TIMEOUT_MS,
        },
      )
      .catch(() => undefined); // A daemon that is away gets the state when it is back.
  }

  #connect(agent: SourceAgent): void {
    if (this.#stopped) return;
    const { controlSock, clock, transport } = this.#input;
    this.#stream = transport.openStream(
      { socketPath: controlSock },
      { path: ASSIGNMENT_PATH, silenceMs: STREAM_SILENCE_MS, messageMaxLength: ASSIGNMENT_MAX_LENGTH },
      {
        onMessage: (message) => this.#onMessage(message),
        onHeard: () => {
          this.#confirm();
          this.#tellNews(agent);
        },
        onEnd: (reason) => {
          this.#tellNews(agent);
          this.#stream = undefined;
          this.#streamSinceMs = undefined;
          this.#error = reason;
          this.#findings = [];
          if (!this.#stopped) this.#retry = clock.after(RETRY_MS, () => this.#connect(agent));
        },
      },
    );
  }

  #onMessage({ event, data }: SseMessage): void {
    if (event === 'snapshot') this.#snapshot(readAssignment(data));
    else if (event === 'member') this.#member(readAssignedMember(data));
    else if (event === 'underlay') this.#underlay(readAssignedUnderlay(data));
    else return;
    this.#error = undefined;
    this.#streamSinceMs ??= this.#input.clock.nowMs();
    this.#news = event === 'snapshot' || this.#news === 'snapshot' ? 'snapshot' : 'member';
  }

  /** Called after each chunk of bytes, so that messages which came together cause one pass. */
  #tellNews(agent: SourceAgent): void {
    const news = this.#news;
    if (news === undefined) return;
    this.#news = undefined;
    void agent.takeUp();
    if (news === 'snapshot') this.#tellStates(agent);
  }

  #snapshot({ version, networks, members, segments, nics, findings = [] }: Assignment): void {
    const nowMs = this.#input.clock.nowMs();
    this.#known = true;
    const before = new Map(this.#networks.map((network) => [network.id, network]));
    const now = new Map(networks.map((network) => [network.id, network]));
    for (const id of this.#lists.keys()) {
      const [was, is] = [before.get(id), now.get(id)];
      if (is === undefined || (was !== undefined && mustRejoin(was, is))) this.#lists.delete(id);
    }
    this.#networks = internNetworks(this.#networks, networks);
    this.#underlay({ segments, nics });
    this.#findings = findings;
    for (const id of now.keys())
      this.#list(id).apply({ type: 'snapshot', version, members: members[id] ?? [], segments: [] }, nowMs);
  }

  #underlay({ segments, nics }: AssignedUnderlay): void {
    this.#segments = segments;
    this.#nics = nics;
  }

  #member({ version, network, change, member }: AssignedMember): void {
    if (this.#networks.every(({ id }) => id !== network)) return;
    this.#list(network).apply({ type: change, version, member }, this.#input.clock.nowMs());
  }

  #list(network: NetworkId): MemberList {
    let list = this.#lists.get(network);
    if (list === undefined) {
      list = new MemberList();
      this.#lists.set(network, list);
    }
    return list;
  }

  /**
   * Called when bytes have come, and never by a timer: a timer would also run on a dead stream that nothing has
   * detected yet.
   */
  #confirm(): void {
    const nowMs = this.#input.clock.nowMs();
    for (const list of this.#lists.values()) {
      const atMs = list.confirmAtMs;
      if (atMs === undefined || nowMs < atMs) continue;
      list.confirm(nowMs);
      this.#news ??= 'member';
    }
  }
}
