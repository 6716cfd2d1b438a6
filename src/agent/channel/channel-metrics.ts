/** The metrics of a node's channel. */
import type { Registry } from '../../metrics/registry.ts';
import type { NodeChannel } from './node-channel.ts';

/** Registers what tells whether the channel stands, and how often it was made. */
export function addNodeChannelMetrics(registry: Registry, channel: NodeChannel): void {
  registry.gauge(
    {
      name: 'meshwork_channel_stands',
      help: 'Whether the channel of this node to host0 stands (1) or not (0).',
    },
    () => [{ value: Number(channel.stands) }],
  );
  registry.counted(
    {
      name: 'meshwork_channel_openings_total',
      help: 'Channels to host0 that have stood. Grows with each restart of host0’s daemon, and should not grow else.',
    },
    () => [{ value: channel.opened }],
  );
}
