/**
 * nftables transactions, in nft's own language. They go through libnftables on a thread of libuv's pool: a small change
 * takes 0.1 ms, where starting `nft` takes 15 ms, and the main thread does not wait while the kernel removes a hook.
 */
import { closeSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';
import { MeshError } from '../model/error.ts';
import { failed, libc, MFD_CLOEXEC } from './libc.ts';
import { onThread } from './netlink/thread-pool.ts';
import { inNetns } from './netns.ts';

type NftFamily = 'inet' | 'bridge' | 'netdev';

/** nft prints every error of a transaction; the first 2,000 characters are enough to see what is wrong. */
const REFUSAL_CHARACTERS = 2_000;
/** NFT_CTX_OUTPUT_STATELESS of nftables/libnftables.h: no counters, no element time-outs. */
const OUTPUT_STATELESS = 1 << 2;
const OUTPUT_WHOLE = 0;

/**
 * nftables in one network namespace. Rules must name devices by `iifname` and `oifname`: for `iif`, the library would
 * look up the index in the process's own namespace.
 */
export class Nft {
  readonly #library: Library;
  readonly #netns: string | undefined;
  #closed = false;

  private constructor(library: Library, netns: string | undefined) {
    this.#library = library;
    this.#netns = netns;
  }

  /**
   * @param netns path of the namespace; the process's own when absent
   * @throws MESH_KERNEL_UNSUPPORTED when libnftables is not installed
   */
  static async open({ netns }: { readonly netns?: string } = {}): Promise<Nft> {
    return new Nft(loaded(), netns);
  }

  /**
   * Runs one transaction: all of `script` takes effect at once, or none of it.
   * @throws MESH_NFT_REFUSED with nft's own text, MESH_KERNEL_CLOSED
   */
  async run(script: string): Promise<void> {
    const { refusal } = await this.#ask(script);
    if (refusal !== undefined) throw refused('change nftables', script, refusal);
  }

  /** The table in nft's canonical text, without counters; undefined when there is none. */
  async list(family: NftFamily, table: string): Promise<string | undefined> {
    const command = `list table ${family} ${table}`;
    const { output, refusal } = await this.#ask(command);
    if (refusal === undefined) return output;
    if (refusal.includes('No such file or directory')) return undefined;
    throw refused('read nftables', command, refusal);
  }

  /** All tables of the namespace, other programs' too, in nft's canonical text. */
  async ruleset(): Promise<string> {
    const command = 'list ruleset';
    const { output, refusal } = await this.#ask(command);
    if (refusal === undefined) return output;
    throw refused('read nftables', command, refusal);
  }

  /** How many packets a named counter of a table has counted; undefined when there is no such counter. */
  async packets(family: NftFamily, table: string, counter: string): Promise<number | undefined> {
    const { output, refusal } = await this.#ask(`list counter ${family} ${table} ${counter}`, OUTPUT_WHOLE);
    const packets = /\bpackets (\d+)/.exec(output)?.[1];
    return refusal !== undefined || packets === undefined ? undefined : Number(packets);
  }

  /**
   * A set in nft's text, with the counters and time-outs of its elements. Empty when there is no such table or set.
   */
  async listSet(family: NftFamily, table: string, set: string): Promise<string> {
    const command = `list set ${family} ${table} ${set}`;
    const { output, refusal } = await this.#ask(command, OUTPUT_WHOLE);
    if (refusal === undefined) return output;
    if (refusal.includes('No such file or directory')) return '';
    throw refused('read nftables', command, refusal);
  }

  /** Finishes the commands that were asked for before, and refuses further ones. */
  async close(): Promise<void> {
    this.#closed = true;
    await lastCommand;
  }

  #ask(commands: string, output = OUTPUT_STATELESS): Promise<Answer> {
    if (this.#closed) return Promise.reject(new MeshError('MESH_KERNEL_CLOSED', 'nftables was closed'));
    const command = lastCommand.then(() => runCommands(this.#library, this.#netns, commands, output));
    // A failed command is reported to its own caller, and must not fail the next one.
    lastCommand = command.then(
      ({ release }) => release(),
      () => undefined,
    );
    return command;
  }
}

interface Answer {
  readonly output: string;
  readonly refusal?: string;
}

interface Finished extends Answer {
  /** Frees the context. Must be done before the next command runs. */
  readonly release: () => Promise<void>;
}

function refused(operation: string, commands: string, refusal: string): MeshError {
  const text = refusal.trim().slice(0, REFUSAL_CHARACTERS);
  return new MeshError('MESH_NFT_REFUSED', `nft refused the transaction, nothing of it was applied:\n${text}`, {
    operation,
    object: 'nftables',
    cause: { commands, text },
  });
}

/**
 * Ends when the last command is done and its context is free. libnftables has state that all its contexts share without
 * a lock, so the whole process runs one command at a time.
 */
let lastCommand: Promise<unknown> = Promise.resolve();

type Library = ReturnType<typeof load>;
let library: Library | undefined;

function loaded(): Library {
  try {
    library ??= load();
    return library;
  } catch (cause) {
    throw new MeshError('MESH_KERNEL_UNSUPPORTED', 'libnftables.so.1 cannot be loaded', {
      operation: 'load',
      object: 'libnftables.so.1',
      cause,
      remedy: 'Install the package nftables.',
    });
  }
}

function load() {
  const so = koffi.load('libnftables.so.1');
  return {
    newContext: so.func('void *nft_ctx_new(uint32_t flags)'),
    freeContext: so.func('void nft_ctx_free(void *context)'),
    setOutputFlags: so.func('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
    bufferOutput: so.func('int nft_ctx_buffer_output(void *context)'),
    bufferError: so.func('int nft_ctx_buffer_error(void *context)'),
    output: so.func('str nft_ctx_get_output_buffer(void *context)'),
    error: so.func('str nft_ctx_get_error_buffer(void *context)'),
    run: so.func('int nft_run_cmd_from_filename(void *context, str path)'),
  };
}

/**
 * Runs commands from a file in memory, since nft tells the line of an error only for a file: for a buffer it quotes the
 * first line. Each run has its own context (20 µs), because a kept one remembers interface indexes that may have
 * changed; the context's socket belongs to the namespace in which the context is made.
 *
 * Closing that socket waits until the kernel has destroyed what the transaction removed (nft_rcv_nl_event in
 * nf_tables_api.c), which takes 6 ms. So the context is freed after the answer was returned, on a pool thread.
 */
async function runCommands(
  nft: Library,
  netns: string | undefined,
  commands: string,
  flags: number,
): Promise<Finished> {
  const file: number = libc.memfd_create('nft', MFD_CLOEXEC);
  if (file < 0) throw failed('make', 'a file in memory');
  const path = `/proc/self/fd/${file}`;
  const make = (): unknown => nft.newContext(0);
  let context: unknown;
  const release = async (): Promise<void> => {
    if (context !== undefined) await onThread<void>((done) => nft.freeContext.async(context, done));
  };
  try {
    writeFileSync(file, `${commands}\n`);
    context = netns === undefined ? make() : inNetns(netns, make);
    nft.bufferOutput(context);
    nft.bufferError(context);
    nft.setOutputFlags(context, flags);
    const status = await onThread<number>((done) => nft.run.async(context, path, done));
    const output: string = nft.output(context);
    if (status === 0) return { output, release };
    const refusal: string = nft.error(context);
    return { output, refusal: refusal.replaceAll(`${path}:`, 'line '), release };
  } catch (error) {
    await release();
    throw error;
  } finally {
    closeSync(file);
  }
}
