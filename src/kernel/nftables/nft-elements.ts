/**
 * Changes set elements by netlink. libnftables needs 0.4 ms of processor time for a change of both tables: it parses text, reads all tables of
 * the namespace and makes a context with a socket. A join changes elements on each node.
 */
import { MeshError } from '../../model/error.ts';
import { errnoError } from '../libc.ts';
import { type Acknowledgement, acknowledgement } from '../netlink/acknowledgement.ts';
import { messages } from '../netlink/netlink.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import { elementBatch, type TableElements } from './element-batch.ts';

/** Enough for the refusals of a transaction. */
const RECEIVE_BUFFER_BYTES = 256 * 1024;

/** Changes the set elements of one network namespace, one transaction after the other. */
export class NftElements {
  readonly #socket: NetlinkSocket;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /**
   * @param netns path of the namespace; the process's own when absent
   * @throws MESH_KERNEL_REFUSED
   */
  constructor(netns: string | undefined) {
    this.#socket = NetlinkSocket.open({
      protocol: NETLINK_NETFILTER,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      ...(netns !== undefined && { netns }),
    });
  }

  /**
   * Carries out all changes in one transaction, or none of them.
   * @returns false for a set of a type that only nft can write
   * @throws MESH_KERNEL_REFUSED: the table is not as expected (ENOENT, EEXIST, EINVAL); MESH_KERNEL_CLOSED
   */
  async change(tables: readonly TableElements[]): Promise<boolean> {
    if (this.#closed) throw new MeshError('MESH_KERNEL_CLOSED', 'nftables was closed');
    const batch = elementBatch(tables);
    if (batch === undefined) return false;
    const call = this.#last.then(() => this.#exchange(batch));
    this.#last = call.catch(() => undefined);
    await call;
    return true;
  }

  /** Finishes the transactions that were asked for before, and refuses further ones. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    this.#socket.close();
  }

  /** The kernel works on a transaction while it is being sent: all its answers are there then. */
  async #exchange(batch: Uint8Array): Promise<void> {
    await this.#socket.send(batch);
    const answers: Acknowledgement[] = [];
    for (;;) {
      const received = this.#socket.receive();
      if (received === 'empty') break;
      if (received === 'overflow') throw lost('too many answers');
      for (const message of messages(received)) answers.push(acknowledgement(message));
    }
    const refusal = answers.find(({ errno }) => errno !== 0);
    if (refusal !== undefined)
      throw errnoError(refusal.errno, 'change the elements of', 'nftables', undefined, refusal.text);
    if (answers.length === 0) throw lost('no answer');
  }
}

function lost(why: string): MeshError {
  return new MeshError('MESH_KERNEL_REFUSED', `the kernel's answer was lost (${why})`, {
    operation: 'change the elements of',
    object: 'nftables',
  });
}
