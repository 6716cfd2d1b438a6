/** What the mesh carries between two nodes, measured by iperf3 over their mesh addresses. */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { MeshError } from '../model/error.ts';
import { spawnInside } from './host-process.ts';
import type { Ends, Topology } from './topology.ts';

const LISTENING_DEADLINE_MS = 5_000;

/** Two nodes on different segments, so that the way leads through host0; else whichever two there are. */
export function throughputEnds({ hosts }: Topology): Ends {
  const [host0, ...nodes] = hosts;
  const from = nodes[0];
  if (host0 === undefined || from === undefined) throw new RangeError('a lab has host0 and a node at least');
  const elsewhere = nodes.find((node) => node.ports[0]?.segment !== from.ports[0]?.segment);
  return { from, to: elsewhere ?? nodes[1] ?? host0 };
}

/**
 * Gigabits a second of one TCP stream, as received.
 * @throws MESH_LAB_FAILED
 */
export async function measureThroughput({ from, to }: Ends, seconds: number, signal?: AbortSignal): Promise<number> {
  const options = { stdio: ['ignore', 'pipe', 'inherit'], ...(signal && { signal }) } satisfies SpawnOptions;
  const server = spawnInside(to.netns, ['iperf3', '-6', '--server', '--one-off', '--forceflush'], options);
  try {
    await listening(server);
    const argv = ['iperf3', '-6', '--client', to.member.ipv6, '--time', String(seconds), '--json'];
    const client = spawnInside(from.netns, argv, options);
    if (client.stdout === null) throw new TypeError('iperf3 has no stdout');
    const [report] = await Promise.all([text(client.stdout), once(client, 'close')]);
    return gigabits(report);
  } finally {
    server.kill('SIGKILL');
  }
}

async function listening(server: ChildProcess): Promise<void> {
  // A program that is not there has no output either.
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

function gigabits(report: string): number {
  const { error, end } = JSON.parse(report) as {
    error?: string;
    end?: { sum_received?: { bits_per_second?: number } };
  };
  const bits = end?.sum_received?.bits_per_second;
  if (error === undefined && typeof bits === 'number') return Math.round(bits / 1e7) / 100;
  throw new MeshError('MESH_LAB_FAILED', `iperf3: ${error ?? 'no result'}`, { operation: 'measure the throughput' });
}
