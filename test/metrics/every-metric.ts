/** The registry of each process with all its metrics, before anything was measured. */

import { Agent } from '../../src/agent/agent.ts';
import { addAgentMetrics } from '../../src/agent/api/agent-metrics.ts';
import { Host0Source } from '../../src/agent/membership/host0-source.ts';
import { httpTransport } from '../../src/agent/membership/http-transport.ts';
import { ForeignPorts } from '../../src/agent/ports/foreign-ports.ts';
import { Controller } from '../../src/controller/controller.ts';
import { addControllerMetrics, countHost0 } from '../../src/controller/host0-metrics.ts';
import { addWorkloadMetrics } from '../../src/controller/workloads/workload-metrics.ts';
import { ApiMetrics } from '../../src/metrics/api-metrics.ts';
import { addProcessMetrics } from '../../src/metrics/process-metrics.ts';
import { Registry } from '../../src/metrics/registry.ts';
import type { Clock } from '../../src/model/clock.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { Log } from '../../src/protocol/journal/log.ts';
import { ManualClock } from '../kit/manual-clock.ts';
import { MemoryStore } from '../kit/memory-store.ts';
import { NO_TOKENS } from '../kit/no-tokens.ts';
import { ProcessKernel } from '../sim/process-kernel.ts';
import { ProcessClock, SimClock } from '../sim/sim-clock.ts';
import { SimKernel } from '../sim/sim-kernel.ts';

/** A process that has metrics. */
export type Process = 'host0' | 'agent';

/** Registers all metrics of a process, as its main does. */
export function everyMetric(process: Process): Registry {
  const registry = new Registry();
  const clock = new ManualClock();
  const log = new Log(clock, () => {});
  addProcessMetrics(registry, { process, clock, stateDirectory: '/', log });
  new ApiMetrics(registry);
  if (process === 'agent') addAgentMetrics(registry, agentAtRest(clock));
  else {
    countHost0(registry);
    addControllerMetrics(registry, controllerAtRest(clock));
    addWorkloadMetrics(registry, () => []);
  }
  return registry;
}

/** A controller without networks. */
function controllerAtRest(clock: Clock): Controller {
  return new Controller({
    name: 'host0',
    version: 'test',
    admission: 'open',
    tokens: NO_TOKENS,
    clock,
    store: new MemoryStore(),
    journal: new Journal(clock, 'host0', 'host0'),
    verification: { verify: async () => ({}) },
  });
}

/** An agent that has not been started. */
function agentAtRest(clock: Clock): Agent {
  return new Agent({
    name: 'host0',
    machine: 'host0',
    clock,
    journal: new Journal(clock, 'agent', 'host0'),
    kernel: new ProcessKernel(new SimKernel(), new ProcessClock(new SimClock()), () => 0),
    echo: async () => undefined,
    ports: new ForeignPorts({ plugged: [], unplugging: [] }, clock),
    keepPorts: async () => undefined,
    source: new Host0Source({ controlSock: '', startRemedy: '', clock, transport: httpTransport }),
  });
}
