/** rtnetlink from the main thread: changes, dumps and questions, in the order in which they are asked. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MeshError } from '../model/error.ts';
import type { Mac } from '../model/mac.ts';
import type { Acknowledgement } from './acknowledgement.ts';
import { RTM_NEWADDR, readAddress, writeAddressDump } from './address.ts';
import { readFdbRow, writeFdbDump, writeFdbGet } from './fdb.ts';
import type { Ip } from './ip.ts';
import { AF_INET, AF_INET6, ENODEV, ENOENT, errnoError, libc } from './libc.ts';
import { RTM_NEWLINK, readLink, writeLinkGet } from './link.ts';
import type { MessageWriter } from './message-writer.ts';
import { RTM_NEWNEIGH, readNeighbour, writeNeighbourDump, writeNeighbourGet } from './neighbour.ts';
import { type Message, messages, NLM_F_DUMP } from './netlink.ts';
import type { Address, FdbRow, Link, Neighbour, Route } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import { encodeOne, encodeOperations, objectOf, type Request } from './request.ts';
import { RTM_NEWROUTE, readRoute, writeRouteDump, writeRouteTo } from './route.ts';
import type { RtnlJob, RtnlReply, RtnlWorkerData } from './rtnl-worker.ts';

/** The one place that names the worker's file: TypeScript in a checkout, a bundle beside this one when built. */
const WORKER = new URL(`./rtnl-worker${extname(import.meta.url)}`, import.meta.url);

type Answer = Extract<RtnlReply, { id: number }>;
type Opened = Extract<RtnlReply, { opened: unknown }>['opened'];

interface Pending {
  resolve(answer: Answer): void;
  reject(error: MeshError): void;
}

/** How a kind of object is read from a message; undefined for one that is not of the kind. */
type Read<T> = (message: Message) => T | undefined;

export class Rtnl {
  /** Port id of the socket: events that our own requests cause carry it. */
  readonly portId: number;
  readonly #worker: Worker;
  readonly #fd: number;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #closed = false;
  /** Why nothing can be asked any more. */
  #ended: MeshError | undefined;

  private constructor(worker: Worker, { portId, fd }: Opened) {
    this.#worker = worker;
    this.#fd = fd;
    this.portId = portId;
    worker.on('message', (reply: RtnlReply) => this.#take(reply));
    worker.on('error', (error) => this.#end(MeshError.from(error)));
    worker.on('exit', (code) =>
      this.#end(new MeshError('MESH_INTERNAL', `the rtnetlink thread ended with code ${code}`)),
    );
  }

  /**
   * @param options.netns path of the namespace to work in; without it, the process's own
   * @throws MESH_KERNEL_REFUSED
   */
  static async open(options: { readonly netns?: string } = {}): Promise<Rtnl> {
    const worker = new Worker(WORKER, { workerData: options satisfies RtnlWorkerData });
    try {
      return new Rtnl(worker, await openedBy(worker));
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /**
   * Does all `operations` in order; one that fails does not stop the others.
   * @returns for each, undefined or MESH_KERNEL_REFUSED with the errno's name in `cause`
   */
  async apply(operations: readonly KernelOperation[]): Promise<(MeshError | undefined)[]> {
    const { request, owners, refused } = encodeOperations(operations);
    const { failures } = await this.#ask('apply', request);
    const failureOf = new Map<number | undefined, Acknowledgement>();
    // Backwards, so that the first counts where an operation failed twice.
    for (const failure of failures.toReversed()) failureOf.set(owners[failure.sequence], failure);
    return operations.map((operation, number) => {
      const failure = failureOf.get(number);
      if (failure === undefined) return refused.get(number);
      return errnoError(failure.errno, operation.do, objectOf(operation), undefined, failure.text);
    });
  }

  links(): Promise<Link[]> {
    return this.#dump('links', (writer) => writeLinkGet(writer, NLM_F_DUMP), RTM_NEWLINK, readLink);
  }

  addresses(): Promise<Address[]> {
    return this.#dump('addresses', writeAddressDump, RTM_NEWADDR, readAddress);
  }

  /** The main table, both families. */
  async routes(): Promise<Route[]> {
    const families = [AF_INET, AF_INET6] as const;
    const routes = await Promise.all(
      families.map((family) =>
        this.#dump(
          'routes',
          (writer) => writeRouteDump(writer, family),
          RTM_NEWROUTE,
          (message) => readRoute(message),
        ),
      ),
    );
    return routes.flat();
  }

  neighbours(): Promise<Neighbour[]> {
    return this.#dump('neighbours', writeNeighbourDump, RTM_NEWNEIGH, readNeighbour);
  }

  /** Rows of VXLANs' own tables and of bridges', those of a VLAN left out. */
  fdb(): Promise<FdbRow[]> {
    return this.#dump('forwarding tables', writeFdbDump, RTM_NEWNEIGH, readFdbRow);
  }

  link(name: string): Promise<Link | undefined> {
    return this.#get('link', name, (writer) => writeLinkGet(writer, 0, name), readLink);
  }

  /**
   * How a packet to `destination` leaves: gateway, link and source address.
   * @throws MESH_KERNEL_REFUSED ENETUNREACH when there is no way
   */
  async routeTo(destination: Ip): Promise<Route> {
    const answer = await this.#ask(
      'get',
      encodeOne((writer) => writeRouteTo(writer, destination)),
    );
    const failure = answer.failures[0];
    if (failure !== undefined) throw errnoError(failure.errno, 'find route to', destination, undefined, failure.text);
    const route = read(answer, RTM_NEWROUTE, (message) => readRoute(message, true))[0];
    if (route === undefined) throw new MeshError('MESH_KERNEL_MALFORMED', `no route in the answer for ${destination}`);
    return route;
  }

  neighbour(link: string, address: Ip): Promise<Neighbour | undefined> {
    const write = (writer: MessageWriter) => writeNeighbourGet(writer, link, address);
    return this.#get('neighbour', `${address} on ${link}`, write, readNeighbour);
  }

  /** The row of `mac` in the own table of the VXLAN `link`, or in the table of the bridge that `link` is a port of. */
  fdbRow(link: string, mac: Mac, table: FdbRow['table'] = 'self'): Promise<FdbRow | undefined> {
    return this.#get(
      'row',
      `${mac} on ${link} ${table}`,
      (writer) => writeFdbGet(writer, table, link, mac),
      readFdbRow,
    );
  }

  /** Ends the thread; what was asked before and not answered is rejected. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#end(new MeshError('MESH_NOT_RUNNING', 'the rtnetlink socket was closed'));
    await this.#worker.terminate();
    // A thread that is ended leaves its sockets open, and an open socket keeps its namespace.
    libc.close(this.#fd);
  }

  async #dump<T>(what: string, write: (writer: MessageWriter) => void, type: number, reader: Read<T>): Promise<T[]> {
    const answer = await this.#ask('dump', encodeOne(write));
    const failure = answer.failures[0];
    // A routing table that was never written to does not exist yet.
    if (failure !== undefined && failure.errno !== ENOENT) {
      throw errnoError(failure.errno, 'read', what, undefined, failure.text);
    }
    if (answer.interrupted) {
      throw new MeshError('MESH_KERNEL_REFUSED', `read ${what}: they changed during every attempt`, {
        operation: 'read',
        object: what,
        cause: { name: 'EINTR' },
        retryable: true,
      });
    }
    return read(answer, type, reader);
  }

  async #get<T>(
    what: string,
    object: string,
    write: (w: MessageWriter) => void,
    reader: Read<T>,
  ): Promise<T | undefined> {
    const answer = await this.#ask('get', encodeOne(write));
    const failure = answer.failures[0];
    if (failure === undefined) return read(answer, undefined, reader)[0];
    if (failure.errno === ENOENT || failure.errno === ENODEV) return undefined;
    throw errnoError(failure.errno, `read ${what}`, object, undefined, failure.text);
  }

  #ask(what: RtnlJob['do'], request: Request): Promise<Answer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, do: what, request } satisfies RtnlJob, [
        request.bytes.buffer,
        request.places.buffer,
      ]);
    });
  }

  #take(reply: RtnlReply): void {
    if ('broken' in reply) this.#end(MeshError.fromJSON(reply.broken));
    if (!('id' in reply)) return;
    this.#pending.get(reply.id)?.resolve(reply);
    this.#pending.delete(reply.id);
  }

  /** The first reason is the one that counts. */
  #end(reason: MeshError): void {
    this.#ended ??= reason;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}

/** The worker's first word. */
function openedBy(worker: Worker): Promise<Opened> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (reply: RtnlReply) => {
      if ('opened' in reply) resolve(reply.opened);
      else reject('broken' in reply ? MeshError.fromJSON(reply.broken) : new MeshError('MESH_INTERNAL', 'no socket'));
    });
  });
}

function read<T>(answer: Answer, type: number | undefined, reader: Read<T>): T[] {
  const objects: T[] = [];
  for (const message of messages(
    Buffer.from(answer.objects.buffer, answer.objects.byteOffset, answer.objects.length),
  )) {
    if (type !== undefined && message.type !== type) continue;
    const object = reader(message);
    if (object !== undefined) objects.push(object);
  }
  return objects;
}
