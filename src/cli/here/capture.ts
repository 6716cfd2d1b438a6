/** `mesh capture NETWORK`: packets inside and outside of the tunnel, from several nodes, for Wireshark. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { type CapturedInterface, CaptureMerge } from '../../formats/capture/capture-merge.ts';
import { parseFrameFilter } from '../../formats/capture/frame-filter.ts';
import { MeshError } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import {
  CAPTURE_MAX_SEC,
  type CaptureSettings,
  captureParameters,
  SNAP_BYTES,
} from '../../protocol/documents/capture.ts';
import type { AgentStatus } from '../../protocol/documents/views.ts';
import { agentClient, type ControlClient } from '../../protocol/http/control-client.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';

interface Options {
  readonly nodes?: string;
  readonly output: string;
  readonly count: number;
  readonly for: number;
  readonly snap: number;
  readonly filter: string;
}

/** What `--json` prints when the packets go to a file. */
interface CaptureSummary {
  readonly network: string;
  readonly output: string;
  readonly interfaces: readonly CapturedInterface[];
}

interface Source {
  readonly node: string;
  readonly response: IncomingMessage;
}

const STDOUT = '-';
/** So often what has come is put in order and written. */
const TURN_MS = 50;

export function captureCommand(context: Context): Command {
  return new Command('capture')
    .argument('<network>', 'the name of a network of this machine')
    .option('--nodes <names>', 'on which members, with commas; on host0 all of them, elsewhere this one, if not given')
    .addOption(new Option('-o, --output <file>', 'where the packets go; - is stdout').default(STDOUT))
    .addOption(
      new Option('-c, --count <n>', 'end after so many packets; no end if not given')
        .default(Infinity, 'no end')
        .argParser(wholeNumber(1, 1e9)),
    )
    .addOption(
      new Option('--for <seconds>', 'end after so long')
        .default(CAPTURE_MAX_SEC)
        .argParser(wholeNumber(1, CAPTURE_MAX_SEC)),
    )
    .addOption(
      new Option('--snap <bytes>', 'keep so much of each packet')
        .default(SNAP_BYTES.usual)
        .argParser(wholeNumber(SNAP_BYTES.least, SNAP_BYTES.most)),
    )
    .addOption(
      new Option(
        '--filter <words>',
        'only packets with all of: ip, ip6, arp, icmp, icmp6, tcp, udp, port N, host A, ether MAC; «not» before a word',
      ).default(''),
    )
    .addHelpText(
      'after',
      '\nThe packets are pcapng, each interface with the name of its node. Ctrl-C ends it, and so does whoever reads.\n\nExamples:\n  $ mesh capture manage --output - | wireshark -k -i -\n  $ mesh capture manage --nodes node1,node3 --for 10 --filter "icmp6" -o ping.pcapng',
    )
    .action((network: string, options: Options) => run(context, network, options));
}

async function run(context: Context, network: string, options: Options): Promise<void> {
  // Better here than in the middle of a stream.
  parseFrameFilter(options.filter);
  if (options.output === STDOUT && process.stdout.isTTY) {
    throw new MeshError('MESH_USAGE', 'packets are nothing for a terminal', {
      remedy: 'Write them to a file (`--output ping.pcapng`), or into Wireshark (`| wireshark -k -i -`).',
    });
  }
  const agent = agentClient(context.paths);
  const settings = { snapBytes: options.snap, durationSec: options.for, filter: options.filter };
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  const nodes = await nodesOf(agent, network, options.nodes);
  const sources = await openAll(agent, network, nodes, settings, options.nodes !== undefined, context);
  const out = openOutput(options.output);
  const merge = new CaptureMerge(
    sources.map(({ node }) => node),
    `meshwork ${VERSION}`,
    options.count,
    performance.now(),
  );
  const stage = `capturing in ${network} on ${sources.map(({ node }) => node).join(', ')}`;
  stages.show(stage);
  await pump(sources, merge, out, interrupt.signal, () => {
    const packets = merge.interfaces.reduce((sum, of) => sum + of.packets, 0);
    if (options.count !== Infinity) stages.show(stage, packets, options.count);
  });
  stages.end();
  const summary: CaptureSummary = { network, output: options.output, interfaces: merge.interfaces };
  if (options.output === STDOUT) context.stderr.write(summaryText(summary));
  else context.answer(summary, () => summaryText(summary));
}

/** @throws MESH_NET_UNKNOWN */
async function nodesOf(agent: ControlClient, network: string, named: string | undefined): Promise<string[]> {
  if (named !== undefined) return named.split(',').map((name) => name.trim());
  const status = await agent.get<AgentStatus>('/v1/status');
  const view = status.networks.find(
    (candidate) => candidate.network.name === network || candidate.network.id === network,
  );
  if (view === undefined) {
    throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(network)} on this node`, {
      object: network,
      remedy: `It has: ${status.networks.map((candidate) => candidate.network.name).join(', ') || 'none'}.`,
    });
  }
  if (status.machine === 'host0') return view.members.map(({ name }) => name);
  return [status.node];
}

/** @param strict whoever was named must answer; else it is enough that anybody does */
async function openAll(
  agent: ControlClient,
  network: string,
  nodes: readonly string[],
  settings: CaptureSettings,
  strict: boolean,
  { stderr }: Context,
): Promise<Source[]> {
  const opened = await Promise.allSettled(
    nodes.map(async (node): Promise<Source> => {
      const parameters = new URLSearchParams({ network, node, ...captureParameters(settings) });
      return { node, response: await agent.bytes(`/v1/capture?${parameters}`) };
    }),
  );
  const sources = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const errors = opened.flatMap((result) => (result.status === 'rejected' ? [MeshError.from(result.reason)] : []));
  const [first] = errors;
  if (first !== undefined && (strict || sources.length === 0)) {
    for (const { response } of sources) response.destroy();
    throw first;
  }
  for (const { message } of errors) stderr.write(`${printable(message)}; the others are captured on.\n`);
  return sources;
}

function openOutput(output: string): Writable {
  // What guests say to each other is for whoever asked.
  return output === STDOUT ? process.stdout : createWriteStream(output, { mode: 0o600 });
}

/** Reads from all, writes in order, and returns when nothing more comes, or is wanted, or can be written. */
async function pump(
  sources: readonly Source[],
  merge: CaptureMerge,
  out: Writable,
  signal: AbortSignal,
  onTurn: () => void,
): Promise<void> {
  const outcome = Promise.withResolvers<void>();
  let error: Error | undefined;
  out.on('error', (cause: NodeJS.ErrnoException) => {
    // Wireshark was closed: that is how people end it.
    if (cause.code !== 'EPIPE') error ??= cannotWrite(cause);
    outcome.resolve();
  });
  out.setMaxListeners(0);
  if (signal.aborted) outcome.resolve();
  signal.addEventListener('abort', () => outcome.resolve());
  const turns = setInterval(() => {
    if (out.writableNeedDrain) return;
    out.write(merge.take(performance.now()));
    if (merge.isFull) outcome.resolve();
    onTurn();
  }, TURN_MS);
  const readers = sources.map(async ({ response }, number) => {
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        merge.push(number, chunk, performance.now());
        // While nothing can be written, nothing is read: then the kernels of the nodes count what is lost.
        if (out.writableNeedDrain && !out.destroyed) await Promise.race([once(out, 'drain'), outcome.promise]);
      }
    } catch (cause) {
      // A node that goes away ends its part.
      if (cause instanceof MeshError) error ??= cause;
    } finally {
      merge.end(number);
    }
  });
  await Promise.race([Promise.all(readers), outcome.promise]);
  clearInterval(turns);
  for (const { response } of sources) response.destroy();
  const rest = merge.finish(BigInt(Date.now()) * 1_000_000n);
  if (!out.destroyed) await writeLast(out, rest);
  if (error !== undefined) throw error;
}

/** Who reads from stdout sees its end when this process ends. */
function writeLast(out: Writable, blocks: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (out === process.stdout) out.write(blocks, () => resolve());
    else out.end(blocks, () => resolve());
  });
}

function cannotWrite(cause: NodeJS.ErrnoException): MeshError {
  return new MeshError('MESH_USAGE', `the packets cannot be written: ${cause.message}`, {
    cause,
    remedy: 'Give --output a file that can be written.',
  });
}

function summaryText({ output, interfaces }: CaptureSummary): string {
  const lines = interfaces.map(({ name, packets, dropped }) => {
    const lost = dropped === 0 ? '' : `, ${dropped} more lost by its kernel`;
    return `${printable(name)}: ${packets} packets${lost}\n`;
  });
  return lines.join('') + (output === STDOUT ? '' : `Written to ${printable(output)}.\n`);
}
