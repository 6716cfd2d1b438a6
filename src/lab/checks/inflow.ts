/** The throughput from an emulated machine to host0, counted at host0, because a node's image has no iperf3. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { shellWords } from '../../image/shell-words.ts';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import { MeshError } from '../../model/error.ts';
import type { CommandOutcome } from '../hosts/host-shell.ts';
import type { Ends } from '../hosts/topology.ts';

/** Added to the time of the measurement: for the command to reach the machine, and the connection to open. */
const EXTRA_SEC = 10;

/**
 * The gigabits per second that one TCP stream delivers.
 * @param run runs a command on the machine `from`
 * @throws MESH_LAB_FAILED
 */
export async function measureInflow(
  { from, to }: Ends,
  seconds: number,
  run: (argv: readonly string[]) => Promise<CommandOutcome>,
): Promise<number> {
  let bytes = 0;
  let firstMs = 0;
  let lastMs = 0;
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (part) => {
      lastMs = performance.now();
      firstMs ||= lastMs;
      bytes += part.length;
    });
  });
  // Listens on all addresses: Node would resolve a given one in another thread, which is not in the namespace.
  inNetns(netnsPath(to.netns), () => server.listen(0));
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const send = `${shellWords(['timeout', String(seconds), 'nc', to.member.ipv6, String(port)])} </dev/zero`;
    const { stderr } = await run(['timeout', String(seconds + EXTRA_SEC), 'sh', '-c', send]);
    if (lastMs > firstMs) return Math.round((bytes * 8) / ((lastMs - firstMs) * 1e4)) / 100;
    throw new MeshError('MESH_LAB_FAILED', `nothing came in from ${from.name}: ${stderr.trim()}`, {
      operation: 'measure the throughput',
      object: from.name,
    });
  } finally {
    server.close();
  }
}
