/** Composes what an agent has inside its meshes: endpoints for other members and for metrics, and the watch over members. */
import type { Agent } from '../agent/agent.ts';
import { peerHandler } from '../agent/api/peer-answer.ts';
import { PeerEndpoints } from '../agent/api/peer-endpoint.ts';
import { peerOrigin } from '../agent/api/peer-origin.ts';
import type { SystemKernel } from '../agent/kernel/system-kernel.ts';
import { MemberWatch } from '../agent/ping/member-watch.ts';
import type { PathAnswers } from '../agent/trace/path-answers.ts';
import { boundListener } from '../kernel/sockets/listener.ts';
import { MetricsEndpoint } from '../metrics/metrics-endpoint.ts';
import type { Registry } from '../metrics/registry.ts';
import type { MachineWord } from '../model/machine.ts';
import { METRICS_PORTS } from '../protocol/documents/tcp-ports.ts';

/** What the agent has before its endpoints. */
export interface AgentEndpointsInput {
  readonly agent: Agent;
  readonly machine: MachineWord;
  readonly kernel: SystemKernel;
  readonly paths: PathAnswers;
  readonly registry: Registry;
  /** The name of the network that the metrics are served in; without one, they are not. */
  readonly metricsNetwork: string | undefined;
}

/** The endpoints; `start` opens them after the agent's first pass. Their findings become the agent's. */
export function makeEndpoints({ agent, machine, kernel, paths, registry, metricsNetwork }: AgentEndpointsInput) {
  const { clock, journal } = agent.input;
  const metrics = new MetricsEndpoint({
    network: metricsNetwork,
    machine,
    port: METRICS_PORTS.agent,
    registry,
    clock,
    journal,
    openListener: boundListener,
    indexOf: (device) => agent.cache.linkNamed(device)?.index,
  });
  agent.reconciler.passes.subscribe(() => metrics.follow(agent.source.networks));
  const onFault = (thrown: unknown) => journal.faults.tell('request in a mesh', thrown);
  const peers = new PeerEndpoints(agent, peerHandler(paths, onFault), (network, peer) =>
    peerOrigin(kernel.rtnl, (index) => agent.cache.links.get(index)?.name, network, peer),
  );
  const members = new MemberWatch(agent);
  for (const part of [peers, metrics, members]) agent.addHealthOf(part);
  return {
    start(): void {
      peers.follow();
      members.start();
    },
    close(): void {
      members.stop();
      metrics.close();
      peers.close();
    },
  };
}
