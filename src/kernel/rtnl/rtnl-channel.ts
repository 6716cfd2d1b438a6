/**
 * One rtnetlink socket. Each change or question is answered before the next is sent. The kernel works on requests under
 * one lock of the whole machine, which others may hold for seconds. So every call that may wait for the lock runs on
 * libuv's pool, and at most one at a time.
 */
import { MeshError } from '../../model/error.ts';
import { capabilityRemedy } from '../capability.ts';
import { ENODEV, EPERM, errnoError } from '../libc.ts';
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

/** Larger batches are not faster. */
const BATCH_OPERATIONS = 128;
/** Enough for the answers to a batch, each of which may be a refusal with a reason. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/**
 * Links of others may come and go faster than they can be read. An object that stays is missed by all of these attempts
 * only if objects before it vanish during each.
 */
const DUMP_ATTEMPTS = 5;

/** Reads an object from a message; undefined when the message is of another kind. */
export type Read<T> = (message: Message) => T | undefined;

/** The answer to one question. */
interface RtnlAnswer<T> {
  readonly objects: T[];
  /** Why the kernel refused the question. */
  refusal?: Acknowledgement;
  /** The objects changed during each attempt to read them. Then the answer has those of all attempts, the latest last. */
  interrupted?: boolean;
  /** The error of the first object that could not be decoded. */
  unreadable?: MeshError;
}

/** Sends batches of changes and questions over one socket, in the order of the calls. */
export class RtnlChannel {
  readonly #socket: NetlinkSocket;
  /** Resolves when the last call is answered. */
  #lastCall: Promise<unknown> = Promise.resolve();
  /** Why the socket is unusable: closed, or failed. */
  #ended: MeshError | undefined;
  #closed: Promise<void> | undefined;

  /**
   * Opens the socket.
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

  /** The kernel's number for the socket; see NetlinkSocket. */
  get portId(): number {
    return this.#socket.portId;
  }

  /**
   * Applies all `operations` in order; one that fails does not stop the others.
   * @returns for each, undefined or MESH_KERNEL_REFUSED
   * @throws MESH_KERNEL_CLOSED, or the error that made the socket unusable
   */
  apply(operations: readonly KernelOperation[]): Promise<(MeshError | undefined)[]> {
    const batchAt = (start: number) => operations.slice(start, start + BATCH_OPERATIONS);
    return this.#inOrder(async () => {
      const errors: (MeshError | undefined)[] = [];
      let next = encodeOperations(batchAt(0));
      while (errors.length < operations.length) {
        const encoded = next;
        const changed = this.#change(encoded.request);
        // Encode the next batch while the kernel works on this one.
        next = encodeOperations(batchAt(errors.length + BATCH_OPERATIONS));
        errors.push(...errorsOf(batchAt(errors.length), encoded, await changed));
      }
      return errors;
    });
  }

  /**
   * Asks for one object, or for all objects of a kind by a dump. The kernel interrupts a dump when objects come or go
   * during it: it may have missed some. Such a dump is repeated, up to DUMP_ATTEMPTS in all.
   */
  ask<T>(request: Request, read: Read<T>): Promise<RtnlAnswer<T>> {
    return this.#inOrder(async () => {
      const { bytes } = request;
      const absent = new LinkNames(this.#socket, request).fillIn(bytes, bytes.length);
      if (absent !== undefined) return { objects: [], refusal: noLink(0, absent) };
      const seen: T[] = [];
      for (let attempt = 1; ; attempt++) {
        const answer = await this.#askOnce(bytes, read);
        if (answer.interrupted !== true) return answer;
        for (const object of answer.objects) seen.push(object);
        if (attempt === DUMP_ATTEMPTS) return { ...answer, objects: seen };
      }
    });
  }

  /**
   * Sends messages that need no index of a link by one system call. The kernel works on them to the end, also if this process is
   * killed meanwhile. One that fails does not stop the others.
   * @returns the refusals, each with the number of its message
   */
  applyWhole({ bytes }: Pick<Request, 'bytes'>): Promise<readonly Acknowledgement[]> {
    return this.#inOrder(async () => {
      const refusals: Acknowledgement[] = [];
      const last = [...messages(bytes)].at(-1);
      if (last !== undefined) await this.#exchange(bytes, last, refusals);
      return refusals;
    });
  }

  /** Closes the socket when the message under way is answered. Calls that need a further message are rejected. */
  close(): Promise<void> {
    this.#ended ??= new MeshError('MESH_KERNEL_CLOSED', 'the rtnetlink socket was closed');
    this.#closed ??= this.#lastCall.then(() => this.#socket.close());
    return this.#closed;
  }

  /**
   * Runs `work` after all earlier calls. When `work` throws, requests and answers may no longer match: the channel then
   * rejects every further call.
   */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const call = this.#lastCall.then(async () => {
      if (this.#ended !== undefined) throw this.#ended;
      try {
        return await work();
      } catch (error) {
        this.#ended ??= MeshError.from(error);
        throw this.#ended;
      }
    });
    this.#lastCall = call.catch(() => undefined);
    return call;
  }

  /**
   * Sends a batch, in parts where a message needs the index of a link that an earlier one makes or renames.
   * @returns what the kernel refused
   */
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
   * Sends messages that end with `last`, and collects the refusals. The kernel works on the messages in order. It
   * answers each that fails, and the last one in any case, since we ask for that. So when the answer to the last one is
   * here, all messages without an answer have succeeded.
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

/**
 * Decodes one object into the answer. After a failure the rest is still read: unread messages would be taken for the
 * answer to the next question.
 */
function take<T>(answer: RtnlAnswer<T>, message: Message, read: Read<T>): void {
  try {
    const object = read(message);
    if (object !== undefined) answer.objects.push(object);
  } catch (error) {
    answer.unreadable ??= MeshError.from(error);
  }
}

/** The bytes of an answer. The kernel answers while the request is being sent, so an absent answer was lost. */
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
  // In reverse, so that the first failure counts where an operation failed twice.
  for (const failure of failures.toReversed()) failureOf.set(owners[failure.sequence], failure);
  return operations.map((operation, number) => {
    const failure = failureOf.get(number);
    if (failure === undefined) return refused.get(number);
    const remedy = failure.errno === EPERM ? capabilityRemedy('CAP_NET_ADMIN') : undefined;
    return errnoError(failure.errno, operation.do, operationObject(operation), remedy, failure.text);
  });
}
