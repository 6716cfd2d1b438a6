/** The status of a process as numbers, in the words of `mesh status`: its findings and its networks. */
import type { Finding } from '../protocol/documents/finding.ts';
import type { NetworkView } from '../protocol/documents/views.ts';
import type { Reading, Registry } from './registry.ts';

const PHASES = ['ready', 'pending', 'failed'] as const;

/** Registers a gauge that counts findings by code and severity. */
export function addHealthMetrics(registry: Registry, findings: () => readonly Finding[]): void {
  registry.gauge(
    {
      name: 'meshwork_health_findings',
      help: 'Findings by code and severity; their messages and remedies are in `mesh status`.',
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

/**
 * Registers gauges for networks by phase, and for the members of each network.
 * @param views empty while the networks are not known
 */
export function addNetworkMetrics(registry: Registry, views: () => readonly NetworkView[]): void {
  registry.gauge(
    { name: 'meshwork_networks', help: 'Networks by their phase on this machine.', labels: ['phase'] },
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
