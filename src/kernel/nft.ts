/**
 * nftables transactions, in nft's own language. They go through libnftables in a thread of its own: 0.1 ms for a small
 * change where a process takes 15 ms, and the main thread does not wait while the kernel retires a hook.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorDocument, MeshError } from '../model/error.ts';

export type NftFamily = 'inet' | 'bridge' | 'netdev';

export interface NftRequest {
  readonly id: number;
  /** Path of the namespace to run in; the process's own when absent. */
  readonly netns?: string;
  readonly commands: string;
}

/** `refusal` is nft's text when it refused; `failure`, when it could not even be asked. */
export type NftReply =
  | { readonly id: number; readonly output: string; readonly refusal?: string }
  | { readonly id: number; readonly failure: ErrorDocument };

/** nft prints every error of a transaction; the first few say what is wrong. */
const REFUSAL_CHARACTERS = 2_000;

/** nftables in one network namespace. */
export class Nft {
  readonly #thread: NftThread;
  readonly #netns: string | undefined;
  #closed = false;

  private constructor(thread: NftThread, netns: string | undefined) {
    this.#thread = thread;
    this.#netns = netns;
  }

  /**
   * @param netns path of the namespace; the process's own when absent
   * @throws MESH_KERNEL_UNSUPPORTED when libnftables is not installed
   */
  static async open({ netns }: { readonly netns?: string } = {}): Promise<Nft> {
    return new Nft(await acquireThread(), netns);
  }

  /**
   * One transaction: all of `script` takes effect at once, or nothing of it.
   * @throws MESH_NFT_REFUSED with nft's own text
   */
  async run(script: string): Promise<void> {
    const { refusal } = await this.#thread.ask(this.#netns, script);
    if (refusal !== undefined) throw refused('change nftables', script, refusal);
  }

  /** The table in nft's canonical text, without counters; undefined when there is none. */
  async list(family: NftFamily, table: string): Promise<string | undefined> {
    const command = `list table ${family} ${table}`;
    const { output, refusal } = await this.#thread.ask(this.#netns, command);
    if (refusal === undefined) return output;
    if (refusal.includes('No such file or directory')) return undefined;
    throw refused('read nftables', command, refusal);
  }

  /** Every table of the namespace, whoever made it. */
  async ruleset(): Promise<string> {
    const command = 'list ruleset';
    const { output, refusal } = await this.#thread.ask(this.#netns, command);
    if (refusal === undefined) return output;
    throw refused('read nftables', command, refusal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await releaseThread();
  }
}

function refused(operation: string, commands: string, refusal: string): MeshError {
  const text = refusal.trim().slice(0, REFUSAL_CHARACTERS);
  return new MeshError('MESH_NFT_REFUSED', `nft refused the transaction, nothing of it was applied:\n${text}`, {
    operation,
    object: 'nftables',
    cause: { commands, text },
  });
}

/** libnftables keeps state that all its contexts share and nothing guards, so a process has one thread for it. */
let shared: { readonly thread: Promise<NftThread>; users: number } | undefined;

async function acquireThread(): Promise<NftThread> {
  shared ??= { thread: NftThread.start(), users: 0 };
  shared.users++;
  try {
    return await shared.thread;
  } catch (error) {
    shared = undefined;
    throw error;
  }
}

async function releaseThread(): Promise<void> {
  if (shared === undefined || --shared.users > 0) return;
  const { thread } = shared;
  shared = undefined;
  await (await thread).stop();
}

type Outcome = { readonly output: string; readonly refusal?: string };

interface Asker {
  resolve(outcome: Outcome): void;
  reject(error: MeshError): void;
}

class NftThread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asker>();
  #lastId = 0;
  #ended: MeshError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (reply: NftReply) => this.#settle(reply));
    worker.on('error', (cause) => this.#end(cause));
    worker.on('exit', () => this.#end());
  }

  static start(): Promise<NftThread> {
    // The source runs as .ts, a build as .js.
    const worker = new Worker(new URL(`./nft-worker${extname(import.meta.url)}`, import.meta.url));
    return new Promise((resolve, reject) => {
      worker.once('message', () => resolve(new NftThread(worker)));
      worker.once('error', (cause) =>
        reject(
          new MeshError('MESH_KERNEL_UNSUPPORTED', 'libnftables.so.1 cannot be loaded', {
            operation: 'load',
            object: 'libnftables.so.1',
            cause,
            remedy: 'Install the package nftables.',
          }),
        ),
      );
    });
  }

  ask(netns: string | undefined, commands: string): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = ++this.#lastId;
      this.#asked.set(id, { resolve, reject });
      const request: NftRequest = { id, commands, ...(netns !== undefined && { netns }) };
      this.#worker.postMessage(request);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: NftReply): void {
    const asker = this.#asked.get(reply.id);
    this.#asked.delete(reply.id);
    if ('failure' in reply) asker?.reject(MeshError.fromJSON(reply.failure));
    else asker?.resolve(reply);
  }

  #end(cause?: unknown): void {
    this.#ended ??= new MeshError('MESH_NOT_RUNNING', 'the nftables thread has ended', { cause });
    for (const asker of this.#asked.values()) asker.reject(this.#ended);
    this.#asked.clear();
  }
}
