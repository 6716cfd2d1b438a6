/**
 * host0's own node: host0's daemon gives it its assignment and reads its status, by the routes of a channel on the agent's
 * socket. The agent may start later than the daemon, and may be restarted.
 */
import type { Readable } from 'node:stream';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { callByHttp1 } from '../../protocol/calls/http1-call.ts';
import { type Answered, type Call, RouteClient } from '../../protocol/calls/route-client.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { CHANNEL_ROUTES } from '../../protocol/routes/channel-routes.ts';
import { type AskedNode, AssignmentPush, type AssignmentSource, unplugOn } from './assignment-push.ts';
import { brokenAnswer } from './node-connection.ts';
import { followStatus } from './status-stream.ts';

/** What host0's own node needs. */
export interface OwnNodeInput {
  /** The path of the agent's socket. */
  readonly socketPath: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly assignments: AssignmentSource;
}

const MACHINE = 'host0';
/** The agent is on the same machine, so asking again costs nothing. */
const RETRY_MS = 200;
const ANSWER_MS = 30_000;

/** Follows the agent until it is closed, and connects again after each end. */
export class OwnNode implements AskedNode {
  readonly machine = MACHINE;
  /** Asks the agent. All calls throw MESH_NOT_RUNNING when the agent does not answer. */
  readonly node: RouteClient<typeof CHANNEL_ROUTES>;
  readonly #input: OwnNodeInput;
  readonly #end: () => void;
  #push: AssignmentPush | undefined;
  #stream: Readable | undefined;
  #retry: Alarm | undefined;
  #isClosed = false;

  constructor(input: OwnNodeInput) {
    this.#input = input;
    this.node = new RouteClient(() => CHANNEL_ROUTES, {
      send: (call) => this.#send(call),
      explain: noAnswer,
      broken: (route, why) => brokenAnswer(MACHINE, route, why),
    });
    this.#end = input.assignments.subscribe((machine) => {
      if (machine === MACHINE) void this.#push?.push();
    });
  }

  /** Connects to the agent. */
  start(): void {
    void this.#follow();
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
    this.#retry?.cancel();
    this.#stream?.destroy();
  }

  async #follow(): Promise<void> {
    const { assignments, clock } = this.#input;
    const connection = { node: this.node, close: () => this.#stream?.destroy() };
    await followStatus(connection, (status) => {
      if (status !== undefined) this.#take(status);
    });
    const isOpen = this.#push !== undefined;
    this.#push = undefined;
    if (isOpen) assignments.closed?.(MACHINE);
    if (!this.#isClosed) this.#retry = clock.after(RETRY_MS, () => void this.#follow());
  }

  #take(status: NodeStatus): void {
    const { assignments, journal } = this.#input;
    const push = this.#push;
    const taken = assignments.reported?.(MACHINE, status) ?? Promise.resolve();
    taken
      .catch((thrown: unknown) => journal.failure('status not kept', thrown, { object: MACHINE }))
      .finally(() => push?.begin(status));
  }

  async #send(call: Call): Promise<Answered> {
    const { socketPath } = this.#input;
    const answered = await callByHttp1({ socketPath }, call, ANSWER_MS).catch((error: unknown) => {
      throw noAnswer(error);
    });
    if (call.isStream && call.path === '/status') this.#opened(answered.body);
    return answered;
  }

  #opened(stream: Readable): void {
    const { assignments } = this.#input;
    this.#stream = stream;
    this.#push = new AssignmentPush(this, assignments);
    assignments.opened?.(MACHINE, { unplug: (network) => unplugOn(this, network) });
  }
}

function noAnswer(cause: unknown): MeshError {
  if (cause instanceof MeshError) return cause;
  const message = `host0's own agent does not answer: ${cause instanceof Error ? cause.message : cause}`;
  return new MeshError('MESH_NOT_RUNNING', message, { object: 'agent', cause, retryable: true });
}
