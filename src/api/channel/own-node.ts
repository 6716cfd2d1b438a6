/**
 * host0's own node: host0's daemon gives it its assignment and reads its status, by the routes of a channel on the agent's
 * socket. The agent may start later than the daemon, and may be restarted.
 */
import type { IncomingMessage } from 'node:http';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { bodyText } from '../../protocol/channel/node-request.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import { request } from '../../protocol/http/http.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type AskedNode, AssignmentPush, type AssignmentSource, unplugOn } from './assignment-push.ts';
import type { NodeAnswer } from './node-connection.ts';
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
const ANSWER_MAX_BYTES = 4 * 1024 * 1024;

/** Follows the agent until it is closed, and connects again after each end. */
export class OwnNode implements AskedNode {
  readonly machine = MACHINE;
  readonly #input: OwnNodeInput;
  readonly #end: () => void;
  #push: AssignmentPush | undefined;
  #stream: IncomingMessage | undefined;
  #retry: Alarm | undefined;
  #isClosed = false;

  constructor(input: OwnNodeInput) {
    this.#input = input;
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

  /** @throws MESH_NOT_RUNNING when the agent does not answer */
  async exchange(method: 'GET' | 'PUT', path: string, body?: string): Promise<NodeAnswer> {
    const response = await this.#ask(method, path, body);
    return { status: response.statusCode ?? 0, text: await bodyText(response, ANSWER_MAX_BYTES) };
  }

  async #follow(): Promise<void> {
    const { assignments, clock } = this.#input;
    let isOpen = false;
    const connection = {
      open: async (path: string) => {
        this.#stream = await this.#ask('GET', path);
        this.#push = new AssignmentPush(this, assignments);
        assignments.opened?.(MACHINE, { unplug: (network) => unplugOn(this, network) });
        isOpen = true;
        return this.#stream;
      },
      close: () => this.#stream?.destroy(),
    };
    await followStatus(connection, (status) => {
      if (status !== undefined) this.#take(status);
    });
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

  #ask(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { socketPath } = this.#input;
    const asked = request({ socketPath, path, method, headers: { host: 'agent' } }, resolve);
    const alarm = this.#input.clock.after(ANSWER_MS, () => asked.destroy(new Error('no answer')));
    asked.once('error', (cause) => {
      const message = `host0's own agent does not answer: ${cause.message}`;
      reject(new MeshError('MESH_NOT_RUNNING', message, { object: 'agent', cause, retryable: true }));
    });
    asked.end(body);
    return promise.finally(() => alarm.cancel());
  }
}
