/**
 * One rtnetlink socket: changes and questions, each answered before the next is sent. The kernel does what is asked under
 * one lock of the whole machine, which others may hold for seconds: whatever may wait for it runs on libuv's pool, and
 * holds one of the pool's threads at most.
 */
import { MeshError } from '../../model/error.ts';
import { ENODEV, errnoError } from '../libc.ts';
import { type Acknowledgement, acknowledgement } from '../netlink/acknowledgement.ts';
import {
  MESSAGE_HEADER_BYTES,
  type Message,
  messages,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../netlink/netlink.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../netlink/netlink-socket.ts';
import { LinkNames } from './link-names.ts';
import type { KernelOperation } from './operation.ts';
import { type EncodedOperations, encodeOperations, operationObject, type Request } from './request.ts';

/** More in one system call gain nothing further. */
const BATCH_OPERATIONS = 128;
/** Holds the answers to a batch, each of which may be a refusal with its reason. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const DUMP_ATTEMPTS = 10;

/** How an object is read from a message; undefined when it is of another kind. */
export type Read<T> = (message: Message) => T | undefined;

export interface RtnlAnswer<T> {
  readonly objects: T[];
  /** Why there are none. */
  refusal?: Acknowledgement;
  /** The objects changed while they were read, each time. */
  interrupted?: boolean;
  /** What was wrong with the first object that could not be read. */
  unreadable?: MeshError;
}

export class RtnlChannel {
  readonly #socket: NetlinkSocket;
  /** Resolves when all that was asked is answered. */
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** Why nothing can be asked any more. */
  #ended: MeshError | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @param netns path of the namespace to work in; the process's own when absent
   * @throws MESH_KERNEL_REFUSED
   */
  constructor(netns: string | undefined) {
    this.#socket = NetlinkSocket.open({
      protocol: NETLINK_ROUTE,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      ...(netns !== undefined && { netns }),
    });
  }

  get portId(): number {
    return this.#socket.portId;
  }

  /**
   * Does all `operations` in order; one that fails does not stop the others.
   * @returns for each, undefined or MESH_KERNEL_REFUSED
   */
  apply(operations: readonly KernelOperation[]): Promise<(MeshError | undefined)[]> {
    const batchAt = (start: number) => operations.slice(start, start + BATCH_OPERATIONS);
    return this.#inTurn(async () => {
      const errors: (MeshError | undefined)[] = [];
      let next = encodeOperations(batchAt(0));
      while (errors.length < operations.length) {
        const encoded = next;
        const changed = this.#change(encoded.request);
        // While the kernel works.
        next = encodeOperations(batchAt(errors.length + BATCH_OPERATIONS));
        errors.push(...errorsOf(batchAt(errors.length), encoded, await changed));
      }
      return errors;
    });
  }

  /** For one object, or by a dump for all of them. */
  ask<T>(request: Request, read: Read<T>): Promise<RtnlAnswer<T>> {
    return this.#inTurn(async () => {
      const { bytes } = request;
      const absent = new LinkNames(this.#socket, request).fillIn(bytes, bytes.length);
      if (absent !== undefined) return { objects: [], refusal: noLink(0, absent) };
      for (let attempt = 1; ; attempt++) {
        const answer = await this.#askOnce(bytes, read);
        if (answer.interrupted !== true || attempt === DUMP_ATTEMPTS) return answer;
      }
    });
  }

  /** What was asked and not answered is rejected. */
  close(): Promise<void> {
    this.#ended ??= new MeshError('MESH_KERNEL_CLOSED', 'the rtnetlink socket was closed');
    this.#closed ??= this.#lastTurn.then(() => this.#socket.close());
    return this.#closed;
  }

  /** After an error that `work` does not expect, questions and answers no longer match: nothing is asked any more. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(async () => {
      if (this.#ended !== undefined) throw this.#ended;
      try {
        return await work();
      } catch (error) {
        this.#ended ??= MeshError.from(error);
        throw this.#ended;
      }
    });
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  /** @returns what the kernel refused */
  async #change(request: Request): Promise<Acknowledgement[]> {
    const { bytes } = request;
    const failures: Acknowledgement[] = [];
    const names = new LinkNames(this.#socket, request);
    let start = 0;
    let last: Message | undefined;
    const flush = async (): Promise<void> => {
      if (last !== undefined) await this.#exchange(bytes.subarray(start, last.end), last, failures);
      last = undefined;
    };
    for (const message of messages(bytes)) {
      if (names.mustSettle(message.end)) {
        await flush();
        names.settled();
      }
      const absent = names.fillIn(bytes, message.end);
      names.queued(message.end);
      if (absent !== undefined) {
        await flush();
        failures.push(noLink(message.sequence, absent));
        continue;
      }
      if (last === undefined) start = message.start - MESSAGE_HEADER_BYTES;
      last = message;
    }
    await flush();
    return failures;
  }

  /**
   * Sends messages that end with `last`. The kernel works on them in order and answers each that fails, and the last in
   * any case if asked to: when that answer is there, all others are, and whatever was not answered is done.
   */
  async #exchange(bytes: Buffer, last: Message, failures: Acknowledgement[]): Promise<void> {
    last.bytes.writeUInt16LE(last.flags | NLM_F_ACK, last.start - MESSAGE_HEADER_BYTES + 6);
    await this.#send(bytes);
    for (let answered = -1; answered !== last.sequence; ) {
      for (const message of messages(arrived(this.#socket.receive()))) {
        const answer = acknowledgement(message);
        if (answer.errno !== 0) failures.push(answer);
        answered = answer.sequence;
      }
    }
  }

  async #askOnce<T>(bytes: Buffer, read: Read<T>): Promise<RtnlAnswer<T>> {
    const answer: RtnlAnswer<T> = { objects: [] };
    const isDump = (bytes.readUInt16LE(6) & NLM_F_DUMP) === NLM_F_DUMP;
    await this.#send(bytes);
    for (let done = false; !done; ) {
      done = !isDump;
      for (const message of messages(arrived(isDump ? await this.#socket.receivePart() : this.#socket.receive()))) {
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) answer.interrupted = true;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          done = true;
          const end = acknowledgement(message);
          if (end.errno !== 0) answer.refusal = end;
        } else {
          take(answer, message, read);
        }
      }
    }
    return answer;
  }

  async #send(bytes: Buffer): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    await this.#socket.send(bytes);
  }
}

/** Reads on after an object that cannot be read: what stayed behind would answer the next question. */
function take<T>(answer: RtnlAnswer<T>, message: Message, read: Read<T>): void {
  try {
    const object = read(message);
    if (object !== undefined) answer.objects.push(object);
  } catch (error) {
    answer.unreadable ??= MeshError.from(error);
  }
}

/** An answer is there when it is due, since the kernel gives it while the request is sent. */
function arrived(received: Buffer | 'empty' | 'overflow'): Buffer {
  if (typeof received !== 'string') return received;
  throw new MeshError('MESH_KERNEL_REFUSED', `the kernel's answer was lost (${received})`, {
    operation: 'receive from',
    object: 'netlink socket',
  });
}

function noLink(sequence: number, name: string): Acknowledgement {
  return { sequence, errno: ENODEV, text: `There is no link ${name}` };
}

function errorsOf(
  operations: readonly KernelOperation[],
  { owners, refused }: EncodedOperations,
  failures: readonly Acknowledgement[],
): (MeshError | undefined)[] {
  const failureOf = new Map<number | undefined, Acknowledgement>();
  // Backwards, so that the first counts where an operation failed twice.
  for (const failure of failures.toReversed()) failureOf.set(owners[failure.sequence], failure);
  return operations.map((operation, number) => {
    const failure = failureOf.get(number);
    if (failure === undefined) return refused.get(number);
    return errnoError(failure.errno, operation.do, operationObject(operation), undefined, failure.text);
  });
}
