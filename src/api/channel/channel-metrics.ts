/** The metrics of host0's channels. */
import type { Registry } from '../../metrics/registry.ts';
import { CHANNEL_REFUSALS, type ChannelRefusal } from '../../protocol/channel/channel-errors.ts';
import type { Channels } from './channels.ts';

/** Registers the counter of refusals. @returns the function that counts one */
export function countChannelRefusals(registry: Registry): (refusal: ChannelRefusal) => void {
  const refusals = registry.counter(
    {
      name: 'meshwork_channel_refusals_total',
      help: 'Connections that got no channel, by the reason. `different key` and `second` should not grow.',
      labels: ['reason'],
    },
    CHANNEL_REFUSALS.map((reason) => ({ reason })),
  );
  return (reason) => refusals.add({ reason });
}

/** Registers the number of channels. */
export function addChannelMetrics(registry: Registry, channels: Channels): void {
  registry.gauge(
    { name: 'meshwork_channels', help: 'Nodes whose channel to host0 stands. Compare with meshwork_nodes.' },
    () => [{ value: channels.size }],
  );
}
