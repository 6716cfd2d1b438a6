/**
 * The thread that talks to rtnetlink. The kernel does what is asked under one lock of the whole machine, which others
 * may hold for seconds; only this thread waits for it. Jobs are done in the order in which they come.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorDocument, MeshError } from '../model/error.ts';
import { type Acknowledgement, acknowledgement } from './acknowledgement.ts';
import { ENODEV, libc } from './libc.ts';
import { changesNames } from './link.ts';
import {
  MESSAGE_HEADER_BYTES,
  type Message,
  messages,
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';
import { enterNetns } from './netns.ts';
import type { Request } from './request.ts';

export interface RtnlWorkerData {
  /** Path of the namespace to work in. */
  readonly netns?: string;
}

export interface RtnlJob {
  readonly id: number;
  /** `get` expects one object, `dump` many, `apply` only acknowledgements. */
  readonly do: 'apply' | 'dump' | 'get';
  readonly request: Request;
}

export type RtnlReply =
  | { readonly opened: { readonly portId: number; readonly fd: number } }
  | { readonly broken: ErrorDocument }
  | {
      readonly id: number;
      /** Messages that carry the objects asked for. */
      readonly objects: Uint8Array<ArrayBuffer>;
      /** What the kernel refused. */
      readonly failures: readonly Acknowledgement[];
      /** The objects changed while they were read, each time. */
      readonly interrupted: boolean;
    };

type Outcome = Omit<Extract<RtnlReply, { id: number }>, 'id'>;

/** More messages in one system call gain nothing further. */
const BATCH_MESSAGES = 64;
const BATCH_BYTES = 64 * 1024;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const DUMP_ATTEMPTS = 10;

const SIOCGIFINDEX = 0x8933;
const IFREQ_BYTES = 40;
const IFNAME_BYTES = 16;

const NO_OBJECTS = new Uint8Array(0);

function open(netns: string | undefined): NetlinkSocket {
  if (netns !== undefined) enterNetns(netns);
  return NetlinkSocket.open({ protocol: NETLINK_ROUTE, receiveBufferBytes: RECEIVE_BUFFER_BYTES });
}

function apply(socket: NetlinkSocket, request: Request): Outcome {
  const bytes = Buffer.from(request.bytes.buffer);
  const failures: Acknowledgement[] = [];
  const links = new LinkIndexes(socket, request);
  let start = 0;
  let queued: Message[] = [];
  const flush = () => {
    const last = queued.at(-1);
    if (last !== undefined) exchange(socket, bytes.subarray(start, last.end), last, failures);
    queued = [];
  };
  for (const message of messages(bytes)) {
    if (links.stale && links.wantedBefore(message.end)) {
      flush();
      links.forget();
    }
    const absent = links.fillIn(bytes, message.end);
    if (absent !== undefined) {
      flush();
      failures.push({ sequence: message.sequence, errno: ENODEV, text: `There is no link ${absent}` });
      continue;
    }
    if (changesNames(message.type)) links.stale = true;
    if (queued.length === 0) start = message.start - MESSAGE_HEADER_BYTES;
    queued.push(message);
    if (queued.length === BATCH_MESSAGES || message.end - start >= BATCH_BYTES) flush();
  }
  flush();
  return { objects: NO_OBJECTS, failures, interrupted: false };
}

/**
 * Sends messages that end with `last`. The kernel works on them in order and answers each that fails, and the last in
 * any case if asked to: when that answer is there, all others are, and whatever was not answered is done.
 */
function exchange(socket: NetlinkSocket, bytes: Buffer, last: Message, failures: Acknowledgement[]): void {
  last.bytes.writeUInt16LE(last.flags | NLM_F_ACK, last.start - MESSAGE_HEADER_BYTES + 6);
  socket.send(bytes);
  for (let answered = -1; answered !== last.sequence; ) {
    for (const message of messages(receive(socket))) {
      const answer = acknowledgement(message);
      if (answer.errno !== 0) failures.push(answer);
      answered = answer.sequence;
    }
  }
}

function dump(socket: NetlinkSocket, request: Request): Outcome {
  for (let attempt = 1; ; attempt++) {
    const outcome = dumpOnce(socket, request);
    if (!outcome.interrupted || attempt === DUMP_ATTEMPTS) return outcome;
  }
}

function dumpOnce(socket: NetlinkSocket, request: Request): Outcome {
  const chunks: Uint8Array[] = [];
  const failures: Acknowledgement[] = [];
  let interrupted = false;
  socket.send(request.bytes);
  for (let done = false; !done; ) {
    const bytes = receive(socket);
    let end = 0;
    for (const message of messages(bytes)) {
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
      if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
        done = true;
        const answer = acknowledgement(message);
        if (answer.errno !== 0) failures.push(answer);
        break;
      }
      end = message.end;
    }
    chunks.push(Uint8Array.prototype.slice.call(bytes, 0, end));
  }
  return { objects: joined(chunks), failures, interrupted };
}

function get(socket: NetlinkSocket, request: Request): Outcome {
  const bytes = Buffer.from(request.bytes.buffer);
  const absent = new LinkIndexes(socket, request).fillIn(bytes, bytes.length);
  if (absent !== undefined) {
    const failure = { sequence: 0, errno: ENODEV, text: `There is no link ${absent}` };
    return { objects: NO_OBJECTS, failures: [failure], interrupted: false };
  }
  socket.send(bytes);
  const received = receive(socket);
  const failures: Acknowledgement[] = [];
  for (const message of messages(received)) if (message.type === NLMSG_ERROR) failures.push(acknowledgement(message));
  return { objects: failures.length > 0 ? NO_OBJECTS : new Uint8Array(received), failures, interrupted: false };
}

/** The answer to what was sent; without one, questions and answers no longer match, and the thread ends. */
function receive(socket: NetlinkSocket): Buffer {
  const received = socket.receive();
  if (typeof received !== 'string') return received;
  throw new MeshError('MESH_KERNEL_REFUSED', `the kernel's answer was lost (${received})`, {
    operation: 'receive from',
    object: 'netlink socket',
  });
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Fills the indexes of named links into a request, from front to back, each asked for once until `forget`. */
class LinkIndexes {
  /** Set when a message was queued that may change which link has a name. */
  stale = false;
  readonly #socket: NetlinkSocket;
  readonly #request: Request;
  readonly #known = new Map<number, number>();
  #next = 0;

  constructor(socket: NetlinkSocket, request: Request) {
    this.#socket = socket;
    this.#request = request;
  }

  wantedBefore(end: number): boolean {
    return (this.#request.places[this.#next] ?? end) < end;
  }

  forget(): void {
    this.#known.clear();
    this.stale = false;
  }

  /** @returns the name of the first link that does not exist, if any */
  fillIn(bytes: Buffer, end: number): string | undefined {
    const { places, names } = this.#request;
    let absent: string | undefined;
    for (; this.wantedBefore(end); this.#next += 2) {
      const name = places[this.#next + 1] ?? 0;
      const index = this.#known.get(name) ?? linkIndex(this.#socket, names[name] ?? '');
      this.#known.set(name, index);
      if (index === 0) absent ??= names[name];
      bytes.writeUInt32LE(index, places[this.#next] ?? 0);
    }
    return absent;
  }
}

/** Asks with an ioctl, which unlike RTM_GETLINK needs no lock. 0 when there is no such link. */
function linkIndex(socket: NetlinkSocket, name: string): number {
  const request = Buffer.alloc(IFREQ_BYTES);
  if (Buffer.byteLength(name) >= IFNAME_BYTES) return 0;
  request.write(name);
  return libc.ioctl(socket.fd, SIOCGIFINDEX, request) < 0 ? 0 : request.readUInt32LE(IFNAME_BYTES);
}

const DO = { apply, dump, get };

function main(port: NonNullable<typeof parentPort>, { netns }: RtnlWorkerData): void {
  const post = (reply: RtnlReply, transfer: ArrayBuffer[] = []) => port.postMessage(reply, transfer);
  try {
    const socket = open(netns);
    post({ opened: { portId: socket.portId, fd: socket.fd } });
    port.on('message', (job: RtnlJob) => {
      try {
        const outcome = DO[job.do](socket, job.request);
        post({ id: job.id, ...outcome }, outcome.objects.length > 0 ? [outcome.objects.buffer] : []);
      } catch (error) {
        post({ broken: MeshError.from(error).toJSON() });
        port.close();
      }
    });
  } catch (error) {
    post({ broken: MeshError.from(error).toJSON() });
  }
}

if (parentPort !== null) main(parentPort, workerData as RtnlWorkerData);
