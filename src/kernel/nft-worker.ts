/**
 * The thread that runs nftables commands through libnftables. It keeps nothing between two commands, for two reasons:
 * the library caches interface names for the whole process, so a second command in another namespace, or after a device
 * was made anew, would be told wrong indexes; and a context costs 20 µs, a fraction of any command.
 */
import { writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import koffi from 'koffi';
import { MeshError } from '../model/error.ts';
import { failed, libc, MFD_CLOEXEC } from './libc.ts';
import { inNetns } from './netns.ts';
import type { NftReply, NftRequest } from './nft.ts';

/** NFT_CTX_OUTPUT_STATELESS of nftables/libnftables.h: no counters, no element time-outs. */
const OUTPUT_STATELESS = 1 << 2;

const library = koffi.load('libnftables.so.1');
const nft = {
  newContext: library.func('void *nft_ctx_new(uint32_t flags)'),
  freeContext: library.func('void nft_ctx_free(void *context)'),
  setOutputFlags: library.func('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
  bufferOutput: library.func('int nft_ctx_buffer_output(void *context)'),
  bufferError: library.func('int nft_ctx_buffer_error(void *context)'),
  output: library.func('str nft_ctx_get_output_buffer(void *context)'),
  error: library.func('str nft_ctx_get_error_buffer(void *context)'),
  run: library.func('int nft_run_cmd_from_filename(void *context, str path)'),
};

/** From a file in memory, since only in a file does nft tell the line of an error: in a buffer it quotes the first. */
function runCommands(commands: string): { output: string; refusal?: string } {
  const file: number = libc.memfd_create('nft', MFD_CLOEXEC);
  if (file < 0) throw failed('make', 'a file in memory');
  try {
    writeFileSync(file, `${commands}\n`);
    return runFile(`/proc/self/fd/${file}`);
  } finally {
    // Not fs.closeSync: a worker's Node warns of descriptors that it did not open.
    libc.close(file);
  }
}

function runFile(path: string): { output: string; refusal?: string } {
  const context: unknown = nft.newContext(0);
  try {
    nft.bufferOutput(context);
    nft.bufferError(context);
    nft.setOutputFlags(context, OUTPUT_STATELESS);
    const status: number = nft.run(context, path);
    const output: string = nft.output(context);
    if (status === 0) return { output };
    const refusal: string = nft.error(context);
    return { output, refusal: refusal.replaceAll(`${path}:`, 'line ') };
  } finally {
    nft.freeContext(context);
  }
}

function answer({ id, netns, commands }: NftRequest): NftReply {
  try {
    return { id, ...(netns === undefined ? runCommands(commands) : inNetns(netns, () => runCommands(commands))) };
  } catch (thrown) {
    return { id, failure: MeshError.from(thrown).toJSON() };
  }
}

parentPort?.on('message', (request: NftRequest) => parentPort?.postMessage(answer(request)));
parentPort?.postMessage('ready');
