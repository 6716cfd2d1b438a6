/**
 * Metrics of our own process: those that every Prometheus client has, under the same names, and the stalls of the event
 * loop.
 */

import { type StatsFs, statfsSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../model/clock.ts';
import { VERSION } from '../model/version.ts';
import type { Log } from '../protocol/journal/log.ts';
import type { Reading, Registry } from './registry.ts';

/** The longest stall in each window of this length is one observation. */
const WINDOW_MS = 5_000;
const STALL_BUCKETS_SEC = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The process that the metrics are about. */
interface ProcessMetricsInput {
  readonly process: 'host0' | 'agent';
  readonly clock: Clock;
  /** The directory of the state that must survive a restart. */
  readonly stateDirectory: string;
  readonly log: Log;
}

/** Registers the metrics that host0 and the agent share. */
export function addProcessMetrics(
  registry: Registry,
  { process: name, clock, stateDirectory, log }: ProcessMetricsInput,
): void {
  registry.gauge(
    {
      name: 'meshwork_build_info',
      help: 'Always 1; its labels say which program answers.',
      labels: ['process', 'version', 'node_version'],
    },
    () => [{ labels: { process: name, version: VERSION, node_version: process.version }, value: 1 }],
  );
  const startSec = Date.now() / 1000 - process.uptime();
  registry.gauge(
    { name: 'process_start_time_seconds', help: 'When the process started, in seconds since 1970.' },
    () => [{ value: startSec }],
  );
  registry.counted(
    {
      name: 'process_cpu_seconds_total',
      help: 'Processor time that the process has used, in user and kernel mode.',
    },
    () => {
      const { user, system } = process.cpuUsage();
      return [{ value: (user + system) / 1e6 }];
    },
  );
  registry.gauge({ name: 'process_resident_memory_bytes', help: 'Memory of the process that is in RAM.' }, () => [
    { value: process.memoryUsage.rss() },
  ]);
  addStalls(registry, clock);
  registry.counted(
    {
      name: 'meshwork_log_suppressed_lines_total',
      help: 'Log lines that were not written, since the same event had been logged many times before.',
    },
    () => [{ value: log.suppressed }],
  );
  registry.gauge(
    {
      name: 'meshwork_state_directory_free_bytes',
      help: 'Free space on the disk of the state directory; at 0, no change survives a restart.',
    },
    () => sizes(stateDirectory, ({ bavail, bsize }) => bavail * bsize),
  );
  registry.gauge(
    { name: 'meshwork_state_directory_size_bytes', help: 'Size of the disk that the state directory is on.' },
    () => sizes(stateDirectory, ({ blocks, bsize }) => blocks * bsize),
  );
}

function addStalls(registry: Registry, clock: Clock): void {
  const stalls = registry.histogram(
    {
      name: 'meshwork_event_loop_stall_seconds',
      help: `The longest stall of the event loop in each ${WINDOW_MS / 1000} s.`,
    },
    STALL_BUCKETS_SEC,
  );
  // One sample for each iteration of the event loop, and none while it is idle: a timer would cost an idle agent as
  // much processor time as all the rest. A Node 24 that does not know this option samples every 10 ms.
  const delays = monitorEventLoopDelay({ samplePerIteration: true });
  delays.enable();
  const take = () => {
    if (delays.count > 0) stalls.observe({}, delays.max / 1e9);
    delays.reset();
    clock.after(WINDOW_MS, take);
  };
  // The first sample is the time until the first iteration, which includes idle time: drop it.
  clock.after(WINDOW_MS, () => {
    delays.reset();
    clock.after(WINDOW_MS, take);
  });
}

/** A reading of the disk that holds the directory; none when it cannot be read. */
function sizes(directory: string, of: (disk: StatsFs) => number): Reading[] {
  try {
    return [{ value: of(statfsSync(directory)) }];
  } catch {
    return [];
  }
}
