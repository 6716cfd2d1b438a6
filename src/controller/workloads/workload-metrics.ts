/** Metrics of workloads, as their nodes told last. */
import type { Registry } from '../../metrics/registry.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';

/** Registers gauges that read the workloads when the metrics are asked for. */
export function addWorkloadMetrics(registry: Registry, views: () => readonly WorkloadView[]): void {
  const labelsOf = ({ name, node = '' }: WorkloadView) => ({ workload: name, node });
  const told = (of: (run: NonNullable<WorkloadView['run']>) => number | undefined) =>
    views().flatMap((view) => {
      const value = view.run && of(view.run);
      return value === undefined ? [] : [{ labels: labelsOf(view), value }];
    });
  registry.gauge(
    {
      name: 'meshwork_workload_state',
      help: 'Always 1; the label says how the workload is. lost: its node has no channel to host0.',
      labels: ['workload', 'node', 'state'],
    },
    () => views().map((view) => ({ labels: { ...labelsOf(view), state: view.state }, value: 1 })),
  );
  registry.gauge(
    {
      name: 'meshwork_workload_memory_bytes',
      help: 'Memory that the emulator of a workload uses, when its node told last.',
      labels: ['workload', 'node'],
    },
    () => told(({ memoryBytes }) => memoryBytes),
  );
  registry.counted(
    {
      name: 'meshwork_workload_cpu_seconds_total',
      help: 'Processor time of the emulator of a workload, when its node told last.',
      labels: ['workload', 'node'],
    },
    () => told(({ cpuSec }) => cpuSec),
  );
  registry.gauge(
    {
      name: 'meshwork_workload_restarts',
      help: 'How often the emulator of a workload was started again by its policy since the last start that was wanted.',
      labels: ['workload', 'node'],
    },
    () => told(({ restarts }) => restarts),
  );
}
