/** `mesh capture NETWORK`: packets inside and outside of the tunnel, from several nodes, for Wireshark. */

import { once } from 'node:events';
import { createWriteStream, fchmod, fstatSync, lstatSync, rmSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { type CapturedInterface, CaptureMerge } from '../../formats/capture/capture-merge.ts';
import { parseFrameFilter } from '../../formats/capture/frame-filter.ts';
import { MeshError } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import { agentClient, type ControlClient } from '../../protocol/calls/control-client.ts';
import { CAPTURE_MAX_SEC, type CaptureSettings, captureQuery, SNAP_BYTES } from '../../protocol/documents/capture.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { unwritable } from '../print/unwritable.ts';
import { askHere } from './held-elsewhere.ts';

interface Options {
  readonly nodes?: string;
  readonly output: string;
  readonly count: number;
  readonly for: number;
  readonly snap: number;
  readonly filter: string;
}

/** The document that `--json` prints when the packets go to a file. */
interface CaptureSummary {
  readonly network: string;
  readonly output: string;
  readonly interfaces: readonly CapturedInterface[];
}

interface Source {
  readonly node: string;
  readonly response: Readable;
}

const STDOUT = '-';
/** How often the packets that have come are put in order and written. */
const WRITE_MS = 50;
/** How much later than asked for a node may end its stream. */
const LATE_MS = 3_000;

export function captureCommand(context: Context): Command {
  return new Command('capture')
    .argument('<network>', 'the name of a network of this machine')
    .option(
      '--nodes <names>',
      'members to capture on, separated by commas; if not given, all members on host0, and only this node elsewhere',
    )
    .addOption(new Option('-o, --output <file>', 'the file for the packets; - is stdout').default(STDOUT))
    .addOption(
      new Option('-c, --count <n>', 'end after this many packets')
        .default(Infinity, 'no end')
        .argParser(wholeNumber(1, 1e9)),
    )
    .addOption(
      new Option('--for <seconds>', 'end after this time')
        .default(CAPTURE_MAX_SEC)
        .argParser(wholeNumber(1, CAPTURE_MAX_SEC)),
    )
    .addOption(
      new Option('--snap <bytes>', 'keep this much of each packet')
        .default(SNAP_BYTES.usual)
        .argParser(wholeNumber(SNAP_BYTES.least, SNAP_BYTES.most)),
    )
    .addOption(
      new Option(
        '--filter <words>',
        'only packets that match every word: ip, ip6, arp, icmp, icmp6, tcp, udp, port N, host A or ether MAC; «not» inverts a word',
      ).default(''),
    )
    .addHelpText(
      'after',
      '\nThe packets are written as pcapng; each interface has the name of its node. Ctrl-C ends the capture, and so does a ' +
        'reader that closes the pipe.\n\nExamples:\n  $ mesh capture manage --output - | wireshark -k -i -\n  $ mesh capture manage --nodes node1,node3 --for 10 --filter "icmp6" -o ping.pcapng',
    )
    .action((network: string, options: Options) => run(context, network, options));
}

async function run(context: Context, network: string, options: Options): Promise<void> {
  // A wrong filter is reported before any stream is opened.
  parseFrameFilter(options.filter);
  if (options.output === STDOUT && process.stdout.isTTY) {
    throw new MeshError('MESH_USAGE', 'packets cannot be shown on a terminal', {
      remedy: 'Write them to a file (`--output ping.pcapng`), or into Wireshark (`| wireshark -k -i -`).',
    });
  }
  const agent = agentClient(context.paths);
  const settings = { snapBytes: options.snap, durationSec: options.for, filter: options.filter };
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  const sources = await askHere(context, network, `mesh capture ${network}`, async () => {
    const nodes = await nodesOf(agent, network, options.nodes);
    return openAll(agent, network, nodes, settings, options.nodes !== undefined, context);
  });
  const out = openOutput(options.output);
  const merge = new CaptureMerge(
    sources.map(({ node }) => node),
    `meshwork ${VERSION}`,
    options.count,
    performance.now(),
  );
  const stage = `capturing in ${network} on ${sources.map(({ node }) => node).join(', ')}`;
  stages.show(stage);
  const named = new Set<string>();
  // A stream that its node does not end is ended here.
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(options.for * 1000 + LATE_MS)]);
  await pump(sources, merge, { out, file: options.output }, signal, () => {
    const packets = merge.interfaces.reduce((sum, of) => sum + of.packets, 0);
    if (options.count !== Infinity) stages.show(stage, packets, options.count);
    for (const node of merge.lagging) {
      if (named.has(node)) continue;
      named.add(node);
      context.stderr.write(`${printable(node)} lags or has a wrong clock; its packets may be in a wrong order.\n`);
    }
  });
  stages.end();
  const summary: CaptureSummary = { network, output: options.output, interfaces: merge.interfaces };
  if (options.output === STDOUT) context.stderr.write(summaryText(summary));
  else context.answer(summary, () => summaryText(summary));
}

/** The nodes that were named; else every member on host0, and this node elsewhere. @throws MESH_NET_UNKNOWN */
async function nodesOf(agent: ControlClient<'agent'>, network: string, named: string | undefined): Promise<string[]> {
  if (named !== undefined) return named.split(',').map((name) => name.trim());
  const status = await agent.ask('GET /v1/status');
  const known = [...status.networks, ...(status.given ?? [])];
  const view = known.find((candidate) => candidate.network.name === network || candidate.network.id === network);
  if (view === undefined) {
    throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(network)} on this node`, {
      object: network,
      remedy: `It has: ${known.map((candidate) => candidate.network.name).join(', ') || 'none'}.`,
    });
  }
  if (status.machine !== 'host0') return [status.node];
  const members = 'members' in view ? view.members : [{ name: status.node }, ...(view.peers ?? [])];
  return members.map(({ name }) => name);
}

/** @param strict every node must answer, since the user named them; else one that answers is enough */
async function openAll(
  agent: ControlClient<'agent'>,
  network: string,
  nodes: readonly string[],
  settings: CaptureSettings,
  strict: boolean,
  { stderr }: Context,
): Promise<Source[]> {
  const opened = await Promise.allSettled(
    nodes.map(async (node): Promise<Source> => {
      const query = { network, node, ...captureQuery(settings) };
      return { node, response: await agent.bytes('GET /v1/capture', { query }) };
    }),
  );
  const sources = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const errors = opened.flatMap((result) => (result.status === 'rejected' ? [MeshError.from(result.reason)] : []));
  const [first] = errors;
  if (first !== undefined && (strict || sources.length === 0)) {
    for (const { response } of sources) response.destroy();
    throw first;
  }
  for (const { message } of errors) stderr.write(`${printable(message)}; capturing on the other nodes.\n`);
  return sources;
}

/**
 * Packets of guests are private: only the user who runs this command may read the file. A file that is there is replaced,
 * since others may have it open, or own it. A pipe, a device or what a link leads to is written to as it is.
 */
function openOutput(output: string): Writable {
  if (output === STDOUT) return process.stdout;
  const flags = removed(output) ? 'wx' : 'w';
  const out = createWriteStream(output, { mode: 0o600, flags });
  out.on('open', (descriptor) => {
    if (fstatSync(descriptor).isFile()) fchmod(descriptor, 0o600, () => {});
  });
  return out;
}

/** Whether there is no file of this name now. */
function removed(output: string): boolean {
  try {
    const there = lstatSync(output, { throwIfNoEntry: false });
    if (there?.isFile()) rmSync(output);
    return there === undefined || there.isFile();
  } catch {
    // Nothing may be removed from this directory, but the file can perhaps be written.
    return false;
  }
}

/**
 * Reads all streams, and writes their packets in order. Returns when all streams have ended, when enough packets are written,
 * after `signal`, or when `out` cannot be written.
 */
async function pump(
  sources: readonly Source[],
  merge: CaptureMerge,
  { out, file }: { readonly out: Writable; readonly file: string },
  signal: AbortSignal,
  onWrite: () => void,
): Promise<void> {
  const outcome = Promise.withResolvers<void>();
  let error: Error | undefined;
  out.on('error', (cause: NodeJS.ErrnoException) => {
    // Wireshark was closed: people end a capture that way.
    if (cause.code !== 'EPIPE') error ??= unwritable(file, '--output', cause);
    outcome.resolve();
  });
  out.setMaxListeners(0);
  if (signal.aborted) outcome.resolve();
  signal.addEventListener('abort', () => outcome.resolve());
  const write = (): void => {
    if (out.writableNeedDrain) return;
    out.write(merge.take(performance.now()));
    if (merge.isFull) outcome.resolve();
    onWrite();
  };
  const writes = setInterval(write, WRITE_MS);
  const readers = sources.map(async ({ response }, number) => {
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        merge.push(number, chunk, performance.now());
        if (merge.isOverfull) write();
        // While `out` is full, nothing is read: then the kernels of the nodes count the packets that are lost.
        if (out.writableNeedDrain && !out.destroyed) await Promise.race([once(out, 'drain'), outcome.promise]);
      }
    } catch (cause) {
      // A broken connection ends only the part of its node.
      if (cause instanceof MeshError) error ??= cause;
    } finally {
      merge.end(number);
    }
  });
  await Promise.race([Promise.all(readers), outcome.promise]);
  clearInterval(writes);
  for (const { response } of sources) response.destroy();
  const rest = merge.finish(BigInt(Date.now()) * 1_000_000n);
  if (!out.destroyed) await writeLast(out, rest);
  if (error !== undefined) throw error;
}

/** Writes the last blocks. stdout is not ended: its reader sees the end when this process exits. */
function writeLast(out: Writable, blocks: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (out === process.stdout) out.write(blocks, () => resolve());
    else out.end(blocks, () => resolve());
  });
}

function summaryText({ output, interfaces }: CaptureSummary): string {
  const lines = interfaces.map(({ name, packets, dropped }) => {
    const lost = dropped === 0 ? '' : `, ${dropped} more lost by its kernel`;
    return `${printable(name)}: ${packets} packets${lost}\n`;
  });
  return lines.join('') + (output === STDOUT ? '' : `Written to ${printable(output)}.\n`);
}
