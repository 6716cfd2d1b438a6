/** Metrics of address pools. */
import type { Registry } from '../../metrics/registry.ts';
import type { AddressPoolView } from '../../protocol/documents/ipam/ipam-view.ts';

/** Registers gauges that read the pools when the metrics are asked for. */
export function addIpamMetrics(registry: Registry, pools: () => readonly AddressPoolView[]): void {
  registry.gauge(
    {
      name: 'meshwork_address_pool_blocks',
      help: 'Blocks of an address pool by their state. Free ones are given next; resting ones when they have rested.',
      labels: ['pool', 'state'],
    },
    () =>
      pools().flatMap(({ pool: { name }, blocks, reserved, allocated, resting }) => {
        const free = Math.max(0, blocks - reserved - allocated - resting);
        const counts = Object.entries({ free, allocated, resting, reserved });
        return counts.map(([state, value]) => ({ labels: { pool: name, state }, value }));
      }),
  );
  registry.gauge(
    {
      name: 'meshwork_address_pool_used_ratio',
      help: 'The part of an address pool that is allocated or rests, from 0 to 1.',
      labels: ['pool'],
    },
    () => pools().map(({ pool: { name }, usedPercent }) => ({ labels: { pool: name }, value: usedPercent / 100 })),
  );
}
