/**
 * The agent process of one machine: `agent.ts --root DIR [--name NAME] [--machine ID] (--host0 A[,B] | --on-host0) [--metrics NETWORK]`.
 * It puts the parts together and nothing else.
 */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Agent } from '../agent/agent.ts';
import { addAgentMetrics } from '../agent/api/agent-metrics.ts';
import { serveAgentSocket } from '../agent/api/agent-socket.ts';
import { peerHandler } from '../agent/api/peer-answer.ts';
import { PeerDoors } from '../agent/api/peer-door.ts';
import { Captures } from '../agent/capture/captures.ts';
import { collectFacts } from '../agent/doctor/collection.ts';
import { Doctor } from '../agent/doctor/doctor.ts';
import { SystemKernel } from '../agent/kernel/system-kernel.ts';
import type { LoopWatch } from '../agent/loop/loop-watch.ts';
import { Host0Source } from '../agent/membership/host0-source.ts';
import { httpTransport } from '../agent/membership/http-transport.ts';
import { InventoryNotice } from '../agent/membership/inventory-notice.ts';
import { NodeSource } from '../agent/membership/node-source.ts';
import type { SizedEcho } from '../agent/ping/path-mtu.ts';
import { ForeignPorts } from '../agent/ports/foreign-ports.ts';
import { readPlugged, writePlugged } from '../agent/ports/plugged-ports.ts';
import { AgentFacts } from '../agent/view/agent-facts.ts';
import { textAt, writeDurable } from '../disk/durable-file.ts';
import { NetworkDirectory } from '../disk/network-directory.ts';
import { errorText } from '../formats/error-text.ts';
import { probeKernel } from '../kernel/probe.ts';
import { requireRoot } from '../kernel/root.ts';
import type { Link } from '../kernel/rtnl/objects.ts';
import { EchoSocket } from '../kernel/sockets/echo.ts';
import { askWire } from '../kernel/sockets/inquiry.ts';
import { boundListener } from '../kernel/sockets/listener.ts';
import { writeSysctl } from '../kernel/sysctl.ts';
import { underlayPrefixes } from '../kernel/underlay-prefixes.ts';
import { bootInstance } from '../machine/boot-instance.ts';
import { readFact } from '../machine/fact.ts';
import { readInventory } from '../machine/inventory.ts';
import { machineId, type PermanentMac } from '../machine/machine-id.ts';
import { ApiMetrics } from '../metrics/api-metrics.ts';
import { MetricsDoor } from '../metrics/metrics-door.ts';
import { addProcessMetrics } from '../metrics/process-metrics.ts';
import { Registry } from '../metrics/registry.ts';
import { type Ipv4, parseIpv4 } from '../model/address/ipv4.ts';
import { systemClock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import { METRICS_PORTS, type Network } from '../model/network/network.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { Journal } from '../protocol/journal/event.ts';
import { Log } from '../protocol/journal/log.ts';
import { Standing } from '../protocol/journal/standing.ts';

/** An answer takes less than one; whoever is busier than this is asked again the next time. */
const WIRE_TIMEOUT_MS = 400;

async function main(): Promise<void> {
  // Otherwise written at a clean exit only: whoever is killed would compile everything anew at each start.
  flushCompileCache();
  const { values } = parseArgs({
    options: {
      root: { type: 'string', default: '/' },
      name: { type: 'string', default: hostname() },
      machine: { type: 'string' },
      host0: { type: 'string' },
      'on-host0': { type: 'boolean', default: false },
      metrics: { type: 'string' },
    },
  });
  requireRoot('run the agent', 'Networks are made in the kernel, which only root may do.');
  const paths = pathsBelow(values.root);
  mkdirSync(paths.run, { recursive: true, mode: 0o750 });
  mkdirSync(paths.state, { recursive: true });
  const clock = systemClock;
  const journal = new Journal(clock, 'agent', values.name);
  const log = new Log(clock, (line) => process.stdout.write(line));
  journal.subscribe((event) => log.take(event));

  let agent: Agent | undefined;
  let metricsDoor: MetricsDoor | undefined;
  const registry = new Registry();
  addProcessMetrics(registry, { process: 'agent', clock, stateDirectory: paths.state, log });
  const loop = addAgentMetrics(registry, () => agent);
  let facts: AgentFacts | undefined;
  const standing = new Standing(journal, clock, () => facts?.read() ?? []);
  let doors: PeerDoors | undefined;
  let inventory: InventoryNotice | undefined;
  const kernel = await SystemKernel.open((error) => journal.failure('link not deleted', error, { level: 'error' }));
  kernel.events.subscribe((event) => {
    if (event.type !== 'link' && event.type !== 'overflow') return;
    doors?.follow();
    inventory?.lookSoon();
  });
  let followed: readonly Network[] | undefined;
  /** Brings the kernel up to what the node takes part in now. */
  const takeUp = async (changed: Agent): Promise<void> => {
    await changed.reconciler.wake();
    const { networks } = changed.source;
    // Members come and go far more often, and change nothing about where it listens.
    if (networks !== followed) doors?.follow();
    followed = networks;
  };
  const echoes = await EchoSocket.open({});
  const portsFile = join(paths.state, 'ports.json');
  const common = {
    name: values.name,
    clock,
    journal,
    kernel,
    ports: new ForeignPorts(await readPlugged(portsFile), clock),
    keepPorts: (ports: ForeignPorts) => writePlugged(portsFile, ports.record),
    probe: probeKernel,
    watch: {
      turn: (report) => {
        loop.turn(report);
        standing.lookSoon();
        metricsDoor?.follow(agent?.source.networks ?? []);
      },
      audit: (difference) => loop.audit(difference),
      overflow: () => loop.overflow(),
    } satisfies LoopWatch,
    echo: (to: Parameters<EchoSocket['echo']>[0], timeoutMs: number) => echoes.echo(to, { timeoutMs }),
  };

  if (values['on-host0']) {
    agent = new Agent({
      ...common,
      machine: 'host0',
      source: (self) =>
        new Host0Source({
          controlSock: paths.controlSock,
          transport: httpTransport,
          clock,
          stateOf: (network) => self.stateOf(network),
          onChange: () => void takeUp(self),
        }),
    });
  } else {
    const machine = await ownMachineId(kernel, values.root, values.machine);
    const token = readFact(paths.tokenFile);
    const knownFile = join(paths.state, 'members.json');
    const host0 = host0Addresses(values.host0, await readFile('/proc/cmdline', 'utf8'));
    agent = new Agent({
      ...common,
      machine,
      source: (self) => {
        const source: NodeSource = new NodeSource({
          ...common,
          machine,
          ...(token !== undefined && { token }),
          host0,
          transport: httpTransport,
          instance: bootInstance({ runDirectory: paths.run }),
          cache: () => self.reconciler.cache,
          stateOf: (network) => self.stateOf(network),
          onJoined: (network) => inventory?.joined(network),
          onChange: () => takeUp(self),
          lastKnown: { read: () => textAt(knownFile), write: (text) => writeDurable(knownFile, text) },
          directory: new NetworkDirectory({
            directory: paths.nodeNetworks,
            stateFile: join(paths.state, 'networks.accepted.json'),
            underlay: () => {
              const { links, routes } = self.reconciler.cache;
              return underlayPrefixes(links.values(), routes.values(), source.networks);
            },
            clock,
            onChange: () => void source.networksChanged(),
          }),
        });
        return source;
      },
    });
  }

  const running = agent;
  inventory = new InventoryNotice({
    ...common,
    transport: httpTransport,
    read: () => readInventory(permanentMacs([...running.reconciler.cache.links.values()])),
  });
  facts = new AgentFacts(running);
  metricsDoor = new MetricsDoor({
    network: values.metrics,
    machine: running.input.machine,
    port: METRICS_PORTS.agent,
    registry,
    clock,
    journal,
    openListener: boundListener,
    indexOf: (device) => running.reconciler.cache.linkNamed(device)?.index,
  });
  const echo: SizedEcho = (to, timeoutMs, payloadBytes) =>
    echoes.echo(to, { timeoutMs, payloadBytes, dontFragment: true });
  const captures = new Captures(running);
  const server = await serveAgentSocket({
    path: paths.agentSock,
    agent: running,
    echo,
    facts: () => standing.facts,
    registry,
    metrics: new ApiMetrics(registry),
    captures,
    doctor: new Doctor({
      collect: () =>
        collectFacts({
          agent: running,
          echo,
          ruleset: () => kernel.ruleset(),
          probe: probeKernel,
          askWire: (wire, question) => askWire(wire, question, { timeoutMs: WIRE_TIMEOUT_MS }),
          stateDirectory: paths.state,
          controlSock: paths.controlSock,
        }),
      set: ({ name, value }) => writeSysctl(name.split('/'), value),
    }),
  });
  doors = new PeerDoors(running, peerHandler(running, captures));
  await running.start();
  doors.follow();
  journal.record({ kind: 'started', message: `agent of ${values.name}, machine ${running.input.machine}` });

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    server.close();
    metricsDoor?.close();
    inventory?.close();
    server.closeAllConnections();
    doors?.close();
    await running.stop();
    await kernel.close();
    log.close();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
}

async function ownMachineId(kernel: SystemKernel, root: string, override: string | undefined): Promise<MachineId> {
  const { id } = await machineId({
    root,
    env: process.env,
    permanentMacs: permanentMacs(await kernel.rtnl.links()),
    ...(override !== undefined && { override }),
  });
  return id;
}

function permanentMacs(links: readonly Link[]): PermanentMac[] {
  return links.flatMap(({ index, name, permanentMac: mac }) => (mac === undefined ? [] : [{ index, name, mac }]));
}

/** host0's underlay addresses: the option, or `host0=A[,B]` on the kernel command line that host0's boot script wrote. */
function host0Addresses(option: string | undefined, commandLine: string): Ipv4[] {
  const text = option ?? /(?:^|\s)host0=(\S+)/.exec(commandLine)?.[1];
  if (text !== undefined) return text.split(',').map(parseIpv4);
  throw new MeshError('MESH_HOST0_UNKNOWN', 'this node does not know where host0 is', {
    remedy:
      'Name its underlay address: --host0 10.11.0.1 (several with commas), or host0=10.11.0.1 on the kernel command line.',
  });
}

main().catch((thrown: unknown) => {
  const error = MeshError.from(thrown);
  process.stderr.write(`${errorText(error, { color: false })}\n`);
  process.exit(error.exitCode);
});
