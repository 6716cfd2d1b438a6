/** The throughput between two nodes, measured by iperf3 over their mesh addresses. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { Ends, Topology } from '../hosts/topology.ts';

/** Five times what iperf3 takes to start on a busy machine. */
const LISTENING_DEADLINE_MS = 20_000;

/** The pair to measure: two nodes on different segments, so that the path leads through host0; else any two. With emulated machines, from a machine to host0. */
export function throughputEnds({ hosts }: Topology): Ends {
  const [host0, ...nodes] = hosts;
  const from = nodes[0];
  if (host0 === undefined || from === undefined) throw new RangeError('a lab has host0 and a node at least');
  if (from.emulated !== undefined) return { from, to: host0 };
  const elsewhere = nodes.find((node) => node.ports[0]?.segment !== from.ports[0]?.segment);
  return { from, to: elsewhere ?? nodes[1] ?? host0 };
}

/**
 * The gigabits per second that one TCP stream between two hosts delivers.
 * @throws MESH_LAB_FAILED
 */
export function measureThroughput({ from, to }: Ends, seconds: number, signal?: AbortSignal): Promise<number> {
  return measureStream(netnsPath(from.netns), netnsPath(to.netns), to.member.ipv6, seconds, signal);
}

/**
 * The gigabits per second that one TCP stream between two network namespaces delivers.
 * @param from path of the sender's namespace
 * @param to path of the receiver's namespace
 * @param address of the receiver
 * @throws MESH_LAB_FAILED
 */
export async function measureStream(
  from: string,
  to: string,
  address: Ipv6,
  seconds: number,
  signal?: AbortSignal,
): Promise<number> {
  const options = { stdio: ['ignore', 'pipe', 'inherit'], ...(signal && { signal }) } satisfies SpawnOptions;
  const iperf = (netns: string, ...words: string[]) => inNetns(netns, () => spawn('iperf3', ['-6', ...words], options));
  const server = iperf(to, '--server', '--one-off', '--forceflush');
  try {
    await listening(server);
    const client = iperf(from, '--client', address, '--time', String(seconds), '--json');
    if (client.stdout === null) throw new TypeError('iperf3 has no stdout');
    const [report] = await Promise.all([text(client.stdout), once(client, 'close')]);
    return gigabits(report);
  } finally {
    server.kill('SIGKILL');
  }
}

async function listening(server: ChildProcess): Promise<void> {
  // If the program is missing, its output ends at once: the error below covers that case, too.
  server.on('error', () => {});
  if (server.stdout !== null) {
    const signal = AbortSignal.timeout(LISTENING_DEADLINE_MS);
    for await (const line of createInterface({ input: server.stdout, signal })) {
      if (line.includes('listening')) return;
    }
  }
  throw new MeshError('MESH_LAB_FAILED', 'the iperf3 server does not listen', {
    remedy: 'Run scripts/setup, or install the package iperf3.',
  });
}

/** What is read of the JSON of iperf3. */
const Report = form.object({
  error: form.exactOptional(form.string()),
  end: form.exactOptional(
    form.object({
      sum_received: form.exactOptional(form.object({ bits_per_second: form.exactOptional(form.number()) })),
    }),
  ),
});

function gigabits(report: string): number {
  const { document, fault } = readDocument(Report, report);
  const bits = document?.end?.sum_received?.bits_per_second;
  if (document?.error === undefined && bits !== undefined) return Math.round(bits / 1e7) / 100;
  const why = document?.error ?? fault ?? 'no result';
  throw new MeshError('MESH_LAB_FAILED', `iperf3: ${why}`, { operation: 'measure the throughput' });
}
