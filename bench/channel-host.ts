/**
 * host0's side of the benchmark `channels`, in a process of its own: `channel-host.ts PORT NODES NETWORKS EACH`. Node i has `EACH`
 * of the networks. Prints a line of JSON when it listens; at each line on standard input, one with its
 * memory, and how long its main thread was stalled and at work without a pause since the line before.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { channelServer } from '../src/api/channel/channel-endpoint.ts';
import { Channels } from '../src/api/channel/channels.ts';
import { systemClock } from '../src/model/clock.ts';
import { channelPsk, machineKey, parseKeyIdentity } from '../src/model/machine-key.ts';
import type { NodeAssignment, NodeAttachment } from '../src/protocol/documents/node-assignment.ts';
import { Journal } from '../src/protocol/journal/journal.ts';
import { CHANNEL_SECRET, channelMachine } from './channel-nodes.ts';
import { networksFrom } from './many-networks.ts';

const [port = 0, nodes = 0, networks = 0, each = 0] = process.argv.slice(2).map(Number);
/** In a millisecond. */
const [NANOSECONDS, MICROSECONDS] = [1e6, 1e3];

const attachments = networksFrom(1, networks).map(
  (network): NodeAttachment => ({ network, reasons: ['pinned'], peers: { kind: 'none' }, services: [] }),
);
const assigned = new Map<string, NodeAssignment>();
for (let node = 0; node < nodes; node++) {
  const own = Array.from({ length: each }, (_, index) => attachments[(node * each + index) % networks]);
  assigned.set(channelMachine(node), {
    format: 1,
    epoch: '0123456789abcdef',
    revision: 1,
    attachments: own.filter((attachment) => attachment !== undefined),
    ports: [],
    workloads: [],
    segments: [],
    nics: [],
  });
}

const journal = new Journal(systemClock, 'host0', 'host0');
const keys = {
  pskOf: (identity: string) => {
    const shown = parseKeyIdentity(identity);
    return shown && channelPsk(machineKey(CHANNEL_SECRET, shown));
  },
  used: async () => {},
};
const channels = new Channels({
  clock: systemClock,
  journal,
  keys,
  assignments: { assignmentOf: (machine) => assigned.get(machine), subscribe: () => () => {} },
  onRefusal: (refusal) => process.stderr.write(`refused: ${refusal}\n`),
});
const { server } = channelServer(
  { clock: systemClock, journal, channels, keys, isMember: () => true },
  { release: () => {} },
);
const delay = monitorEventLoopDelay({ resolution: 1 });
let workMs = 0;
let before = process.threadCpuUsage();
setInterval(() => {
  const { user, system } = process.threadCpuUsage(before);
  before = process.threadCpuUsage();
  workMs = Math.max(workMs, (user + system) / MICROSECONDS);
}, 1);
server.listen({ port, host: '127.0.0.1', backlog: 4096 }, tell);
createInterface(process.stdin).on('line', tell);

function tell(): void {
  const stallMs = delay.max / NANOSECONDS;
  global.gc?.();
  const { rss: rssBytes } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ channels: channels.size, rssBytes, stallMs, workMs })}\n`);
  delay.reset();
  delay.enable();
  workMs = 0;
  before = process.threadCpuUsage();
}
