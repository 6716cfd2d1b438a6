/** The agent's metrics. Gauges are read from the agent's state at each scrape; only the loop counts as it runs. */

import { addHealthMetrics, addNetworkMetrics } from '../../metrics/condition-metrics.ts';
import type { Registry } from '../../metrics/registry.ts';
import type { Agent } from '../agent.ts';
import { LoopMetrics } from '../loop/loop-metrics.ts';
import { healthOf, networkViews } from '../view/agent-view.ts';

/** Registers the agent's metrics; called once when the agent's process starts. */
export function addAgentMetrics(registry: Registry, agent: Agent): void {
  const { source, input } = agent;
  new LoopMetrics(registry, agent.reconciler);
  registry.gauge(
    {
      name: 'meshwork_items',
      help: 'Items that the agent owns in the kernel, by kind and by whether they are as they should be.',
      labels: ['kind', 'state'],
    },
    () => itemStates(agent),
  );
  addNetworkMetrics(registry, () => (source.known ? networkViews(agent) : []));
  addHealthMetrics(registry, () => healthOf(agent));
  registry.counted(
    {
      name: 'meshwork_port_refused_frames_total',
      help: 'Frames that the rules for guests refused, by port and kind; docs/ports.md explains the kinds. Should not grow.',
      labels: ['port', 'kind'],
    },
    () => Array.from(agent.refusals.totals, ({ port, kind, frames }) => ({ labels: { port, kind }, value: frames })),
  );
  registry.gauge(
    {
      name: 'meshwork_host0_answers',
      help: 'Whether host0 answers in the network now (1) or not (0); on host0, whether its daemon does.',
      labels: ['network'],
    },
    () =>
      source.attachments().map(({ network, host0Answers }) => ({
        labels: { network: network.name },
        value: Number(host0Answers && source.streamSinceMs(network.id) !== undefined),
      })),
  );
  registry.gauge(
    {
      name: 'meshwork_stream_age_seconds',
      help: 'How long the stream of joins and leaves has been open; missing while it is not.',
      labels: ['network'],
    },
    () =>
      source.networks.flatMap(({ id, name }) => {
        const sinceMs = source.streamSinceMs(id);
        const ageMs = sinceMs === undefined ? undefined : input.clock.nowMs() - sinceMs;
        return ageMs === undefined ? [] : [{ labels: { network: name }, value: ageMs / 1000 }];
      }),
  );
}

function itemStates(agent: Agent) {
  const counts = new Map<string, { labels: { kind: string; state: string }; value: number }>();
  for (const [key, { kind }] of agent.reconciler.desired) {
    const state = agent.stateOfItem(key);
    const count = counts.get(`${kind} ${state}`) ?? { labels: { kind, state }, value: 0 };
    count.value++;
    counts.set(`${kind} ${state}`, count);
  }
  return counts.values();
}
