/** How a process fares, as its own status says it: the same words as `mesh status`, as numbers. */
import type { Finding } from '../protocol/documents/finding.ts';
import type { NetworkView } from '../protocol/documents/views.ts';
import type { Reading, Registry } from './registry.ts';

const PHASES = ['ready', 'pending', 'failed'] as const;

export function addHealthMetrics(registry: Registry, findings: () => readonly Finding[]): void {
  registry.gauge(
    {
      name: 'meshwork_health_findings',
      help: 'What is not well, by code and severity; the message and the remedy are in `mesh status`.',
      labels: ['code', 'severity'],
    },
    () => {
      const counts = new Map<string, Reading<'code' | 'severity'>>();
      for (const { code, severity } of findings()) {
        const key = `${code} ${severity}`;
        counts.set(key, { labels: { code, severity }, value: (counts.get(key)?.value ?? 0) + 1 });
      }
      return counts.values();
    },
  );
}

/** @param views empty while they are not known */
export function addNetworkMetrics(registry: Registry, views: () => readonly NetworkView[]): void {
  registry.gauge(
    { name: 'meshwork_networks', help: 'Networks by how they fare on this machine.', labels: ['phase'] },
    () => {
      const all = views();
      return PHASES.map((phase) => ({
        labels: { phase },
        value: all.filter(({ state }) => state.phase === phase).length,
      }));
    },
  );
  registry.gauge(
    {
      name: 'meshwork_members',
      help: 'Members of each network as this process knows them, host0 and this machine among them.',
      labels: ['network'],
    },
    () => views().map(({ network, members }) => ({ labels: { network: network.name }, value: members.length })),
  );
}
