/** Ports of guests: from host0's answer to a command to the tap on the node, and to the entry on another node. */
import { Lab } from '../src/lab/cluster/lab.ts';
import type { LabHost } from '../src/lab/hosts/lab-host.ts';
import { parseMac } from '../src/model/address/mac.ts';
import { host0Client } from '../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../src/protocol/documents/paths.ts';
import { until } from '../test/system/until.ts';
import { watchEntry } from './entry-watch.ts';
import { type Measurement, measured, percentile } from './measurement.ts';
import { LAB_DEADLINE_MS, type Run, unlessStopped } from './run.ts';

const PORTS = 200;
/** How often the network itself is made for a port. */
const FIRST_PORTS = 10;
/** host0 serves commands within some seconds of its start. */
const DEADLINE_MS = 30_000;
const NETWORK = 'bench';

/** The benchmark `ports`. */
export async function guestPorts({ signal, stage }: Run): Promise<Measurement[]> {
  await using lab = await Lab.up({
    name: `bench-${process.pid}`,
    nodes: 2,
    segments: 1,
    signal,
    onStage: stage,
    deadlineMs: LAB_DEADLINE_MS,
  });
  const [host0, node, other] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  const create = ['mesh', 'network', 'create', NETWORK];
  await until('the network is made', DEADLINE_MS, async () => (await lab.exec(host0, create)).code === 0);
  const ports = new Ports(host0);
  await unlessStopped(signal, ports.make(0, other, []));
  const firsts: number[] = [];
  for (let round = 0; round < FIRST_PORTS; round++) {
    stage(`the first port on a node: ${round + 1} of ${FIRST_PORTS}`);
    const { id, tapMs } = await unlessStopped(signal, ports.make(1, node, []));
    firsts.push(tapMs);
    await unlessStopped(signal, ports.remove(id, node));
    const isGone = async () =>
      (await lab.exec(node, ['ip', '-br', 'link', 'show', 'type', 'bridge'])).stdout.split('\n').length < 3;
    await until('the network is gone', DEADLINE_MS, isGone);
  }
  const taps: number[] = [];
  const entries: number[] = [];
  await unlessStopped(signal, ports.make(1, node, []));
  for (let number = 2; number <= PORTS; number++) {
    stage(`port ${number} of ${PORTS}`);
    const { tapMs, entriesMs } = await unlessStopped(signal, ports.make(number, node, [other]));
    taps.push(tapMs);
    entries.push(...entriesMs);
  }
  const row = (name: string, atMost: number, values: readonly number[]) =>
    measured({ name, unit: 'ms', budget: { of: 'value', atMost } }, values, percentile(values, 0.99));
  return [
    row(`${PORTS} ports of guests on a node, command → tap, p99`, 10, taps),
    row('the same with the network to make', 50, firsts),
    row("a port of a guest, command → another node's entry, p99", 100, entries),
  ];
}

/** Makes ports, and takes the time. */
class Ports {
  readonly #client: ReturnType<typeof host0Client>;

  constructor(host0: LabHost) {
    this.#client = host0Client(pathsBelow(host0.root));
  }

  /** Makes a port. The times are since the command. @param others nodes that hold the network, too */
  async make(number: number, node: LabHost, others: readonly LabHost[]) {
    const member = { mac: macOf(number) };
    const tap = watchEntry([node], { member }, false, 'master');
    const entries = watchEntry(others, { member }, false);
    const startMs = performance.now();
    const body = { network: NETWORK, node: node.name, mac: member.mac };
    const { id } = await this.#client.ask('POST /v1/ports', { body });
    const [tapMs = Number.NaN] = await tap;
    return { id, tapMs: tapMs - startMs, entriesMs: (await entries).map((ms) => ms - startMs) };
  }

  async remove(id: string, node: LabHost): Promise<void> {
    const { mac } = await this.#client.ask('GET /v1/ports/{id}', { path: { id } });
    const gone = watchEntry([node], { member: { mac } }, true, 'master');
    await this.#client.ask('DELETE /v1/ports/{id}', { path: { id } });
    await gone;
  }
}

function macOf(number: number) {
  return parseMac(`02:be:00:00:00:${number.toString(16).padStart(2, '0')}`);
}
