/**
 * A client of QEMU's monitor (QEMU Machine Protocol, docs/interop/qmp-spec.rst of QEMU): one JSON document a line, answers by the
 * id of their command, and events in between.
 */
import type { Socket } from 'node:net';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import * as form from '../../model/form.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { fitted, readDocument } from '../../protocol/shapes/document.ts';
import { connectEmulator } from './emulator-socket.ts';

/** An event of the emulator, with what it says. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A queued client gets no greeting, until the client before it has gone. */
const GREETING_MS = 1_000;
/** An emulator that was stopped, or that waits for a processor, answers late: only then does it hang. */
const ANSWER_MS = 5_000;
/** The longest answer that is asked for has some hundred kB. */
const LINE_MAX = 4 * 1024 * 1024;

const GreetingShape = form.object({ QMP: form.unknown() });
const AnswerShape = form.object({
  id: form.exactOptional(form.int(0)),
  return: form.exactOptional(form.unknown()),
  error: form.exactOptional(form.object({ class: form.string(), desc: form.string() })),
  event: form.exactOptional(form.string()),
  data: form.exactOptional(form.looseObject({})),
});

interface Waiting {
  readonly command: string;
  readonly alarm: Alarm;
  readonly settle: (answer: { readonly value: unknown } | { readonly error: MeshError }) => void;
}

/** One connection to a monitor, which takes commands. */
export class QmpClient {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #events = new Signal<QmpEvent>();
  readonly #ends = new Signal<void>();
  /** Events, from the connection on: the monitor keeps none for a later client. */
  readonly events: Subscribable<QmpEvent> = this.#events;
  /** Emits once, when the connection has ended. */
  readonly ends: Subscribable<void> = this.#ends;
  readonly #waiting = new Map<number, Waiting>();
  #greet: ((error?: MeshError) => void) | undefined;
  #rest = '';
  #lastId = 0;
  #isClosed = false;

  private constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#socket = connectEmulator(path);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => this.#read(text));
    this.#socket.on('error', (cause) => this.#close(this.#silent(`cannot be reached: ${cause.message}`, cause)));
    this.#socket.on('close', () => this.#close(this.#silent('has closed the connection')));
  }

  /** @throws MESH_QEMU_SILENT when nothing answers there, or another client has the monitor */
  static async connect(path: string, clock: Clock): Promise<QmpClient> {
    const client = new QmpClient(path, clock);
    await client.#greeted();
    await client.execute('qmp_capabilities');
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Carries out a command whose answer says nothing.
   * @throws MESH_QEMU_REFUSED with QEMU's own words, MESH_QEMU_SILENT
   */
  async execute(command: string, words: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#isClosed) throw this.#silent('has closed the connection');
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<{ value: unknown } | { error: MeshError }>();
    const tooLate = () => {
      this.#waiting.delete(id);
      resolve({ error: this.#silent(`has not answered ${command} for ${ANSWER_MS / 1000} s`) });
    };
    this.#waiting.set(id, { command, alarm: this.#clock.after(ANSWER_MS, tooLate), settle: resolve });
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: words, id })}\n`);
    const answer = await promise;
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  /**
   * Asks for something.
   * @param shape the form of the answer
   * @throws MESH_QEMU_REFUSED also for an answer of another form, MESH_QEMU_SILENT
   */
  async query<T>(command: string, shape: form.Shape<T>): Promise<T> {
    const { document, fault } = fitted(shape, await this.execute(command));
    if (document !== undefined) return document;
    throw new MeshError('MESH_QEMU_REFUSED', `QEMU's answer to ${command} ${fault}`, { object: this.#path });
  }

  close(): void {
    this.#socket.destroy();
    this.#close(this.#silent('was left'));
  }

  #greeted(): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: MeshError) => {
        alarm.cancel();
        this.#greet = undefined;
        if (error === undefined) return resolve();
        this.#socket.destroy();
        reject(error);
      };
      const alarm = this.#clock.after(GREETING_MS, () => finish(this.#inUse()));
      this.#greet = finish;
    });
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LINE_MAX) this.close();
    for (const line of lines) if (line.trim() !== '') this.#take(line);
  }

  #take(line: string): void {
    if (this.#greet !== undefined) {
      const { fault } = readDocument(GreetingShape, line, LINE_MAX);
      this.#greet(fault === undefined ? undefined : this.#silent(`is no monitor of QEMU: what it says ${fault}`));
      return;
    }
    const { document } = readDocument(AnswerShape, line, LINE_MAX);
    if (document === undefined) return;
    const { id, error, event, data = {} } = document;
    if (event !== undefined) this.#events.emit({ event, data });
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.alarm.cancel();
    waiting.settle(error === undefined ? { value: document.return } : { error: refused(waiting.command, error) });
  }

  #close(error: MeshError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#greet?.(error);
    for (const { alarm, settle } of this.#waiting.values()) {
      alarm.cancel();
      settle({ error });
    }
    this.#waiting.clear();
    this.#ends.emit();
  }

  #silent(how: string, cause?: unknown): MeshError {
    return new MeshError('MESH_QEMU_SILENT', `the monitor of QEMU at ${this.#path} ${how}`, {
      object: this.#path,
      remedy: 'See whether the emulator runs, and its state: `mesh workload info`.',
      retryable: true,
      cause,
    });
  }

  #inUse(): MeshError {
    return new MeshError('MESH_QEMU_SILENT', `the monitor of QEMU at ${this.#path} is in use`, {
      object: this.#path,
      rule: 'A monitor serves one client at a time. This one is for Meshwork alone.',
      remedy: `End the other client (\`ss -xp | grep ${this.#path}\`), and use the monitor for people.`,
      retryable: true,
    });
  }
}

function refused(command: string, { desc }: { readonly class: string; readonly desc: string }): MeshError {
  return new MeshError('MESH_QEMU_REFUSED', `QEMU refuses ${command}: ${desc}`, { operation: command });
}
