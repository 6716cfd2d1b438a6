/** Every metric that there is, by the process that has it; nothing was measured yet. */
import { addAgentMetrics } from '../../src/agent/api/agent-metrics.ts';
import { addHost0Metrics } from '../../src/controller/host0-metrics.ts';
import { ApiMetrics } from '../../src/metrics/api-metrics.ts';
import { addProcessMetrics } from '../../src/metrics/process-metrics.ts';
import { Registry } from '../../src/metrics/registry.ts';
import { Log } from '../../src/protocol/journal/log.ts';
import { ManualClock } from '../kit/manual-clock.ts';

export type Process = 'host0' | 'agent';

export function everyMetric(process: Process): Registry {
  const registry = new Registry();
  const clock = new ManualClock();
  const log = new Log(clock, () => {});
  addProcessMetrics(registry, { process, clock, stateDirectory: '/', log });
  new ApiMetrics(registry);
  if (process === 'agent') addAgentMetrics(registry, () => undefined);
  else addHost0Metrics(registry, () => undefined);
  return registry;
}
