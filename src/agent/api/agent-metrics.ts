/** The agent's metrics. What the agent knows anyway is read when somebody asks; only the loop is counted as it goes. */
import type { Registry } from '../../metrics/registry.ts';
import { addHealthMetrics, addNetworkMetrics } from '../../metrics/standing-metrics.ts';
import type { Agent } from '../agent.ts';
import { LoopMetrics } from '../loop/loop-metrics.ts';
import type { LoopWatch } from '../loop/loop-watch.ts';
import { healthOf, networkViews } from '../view/agent-view.ts';

/**
 * @param agent undefined until it is there, since it wants the watch at its making
 * @returns for the agent to report to
 */
export function addAgentMetrics(registry: Registry, agent: () => Agent | undefined): LoopWatch {
  const loop = new LoopMetrics(registry, (key) => agent()?.reconciler.desired.has(key) ?? false);
  registry.gauge(
    {
      name: 'meshwork_items',
      help: 'Items that the agent owns in the kernel, by kind and by whether they are as they should be.',
      labels: ['kind', 'state'],
    },
    () => itemStates(agent()),
  );
  addNetworkMetrics(registry, () => views(agent()));
  addHealthMetrics(registry, () => whenThere(agent(), healthOf));
  registry.gauge(
    {
      name: 'meshwork_host0_answers',
      help: 'Whether host0 answers in the network now (1) or not (0); on host0, whether its daemon does.',
      labels: ['network'],
    },
    () =>
      whenThere(agent(), ({ source }) =>
        source.attachments().map(({ network, host0Answers }) => ({
          labels: { network: network.name },
          value: Number(host0Answers && source.streamSinceMs(network.id) !== undefined),
        })),
      ),
  );
  registry.gauge(
    {
      name: 'meshwork_stream_age_seconds',
      help: 'How long the stream of joins and leaves has been open; missing while it is not.',
      labels: ['network'],
    },
    () =>
      whenThere(agent(), ({ source, input }) =>
        source.networks.flatMap(({ id, name }) => {
          const sinceMs = source.streamSinceMs(id);
          const ageMs = sinceMs === undefined ? undefined : input.clock.nowMs() - sinceMs;
          return ageMs === undefined ? [] : [{ labels: { network: name }, value: ageMs / 1000 }];
        }),
      ),
  );
  return loop;
}

function whenThere<T>(agent: Agent | undefined, body: (agent: Agent) => readonly T[]): readonly T[] {
  return agent === undefined ? [] : body(agent);
}

function views(agent: Agent | undefined) {
  return agent?.source.known === true ? networkViews(agent) : [];
}

function itemStates(agent: Agent | undefined) {
  const counts = new Map<string, { labels: { kind: string; state: string }; value: number }>();
  for (const [key, { kind }] of agent?.reconciler.desired ?? []) {
    const state = agent?.stateOfItem(key) ?? 'pending';
    const count = counts.get(`${kind} ${state}`) ?? { labels: { kind, state }, value: 0 };
    count.value++;
    counts.set(`${kind} ${state}`, count);
  }
  return counts.values();
}
