/** A network of the catalogue as text. */
import { networkDifferences } from '../../formats/network/network-differences.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { CatalogueView, MulticastView, NetworkActivity } from '../../protocol/documents/catalogue.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { GivenNetworkView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import type { Tone } from '../print/color.ts';
import { stateText } from '../print/network-state.ts';
import { properties } from '../print/properties.ts';

/** What carries a network and how its nodes find each other: `vxlan, assigned`, `bridge`; `mesh` for a mesh. */
export function typeText({ type, peers }: Network): string {
  if (peers?.kind === 'membership') return 'mesh';
  return peers === undefined ? type.kind : `${type.kind}, ${peers.kind}`;
}

/** `active`, `stopped`, `deleting: node1 still has it` or `refused: CODE`. */
export function activityText(activity: NetworkActivity): string {
  switch (activity.phase) {
    case 'deleting':
      return activity.nodes.length === 0 ? 'deleting' : `deleting: still on ${activity.nodes.join(', ')}`;
    case 'refused':
      return `refused: ${activity.error.code}`;
    default:
      return activity.phase;
  }
}

/** The colour for the text of `activityText`. */
export function activityTone({ phase }: NetworkActivity): Tone {
  return ({ active: 'good', stopped: 'warning', deleting: 'warning', refused: 'bad' } as const)[phase];
}

/** What a boot of host0's machine does to the network; empty for one that is then as it was before. */
export function keptText({ autostart, persistent }: Pick<CatalogueView, 'autostart' | 'persistent'>): string {
  if (persistent === false) return 'goes';
  return autostart === undefined ? '' : autostart ? 'starts' : 'stays stopped';
}

/** The state with its whole reason. */
function stateDetail(state: NetworkState): string {
  if (state.phase !== 'failed') return stateText(state);
  const { message, remedy } = state.error;
  return `${stateText(state)}: ${message}${remedy === undefined ? '' : ` → ${remedy}`}`;
}

function holderText({ node, ports }: NonNullable<CatalogueView['holders']>[number]): string {
  return `${node}: ${ports.join(', ')}`;
}

/** Pairs that a line names. */
const PAIRS_NAMED = 6;
const WHY_SILENT = { silence: '', router: ' (a router is between)', segments: ' (another segment)' } as const;

/** `passes between node1, node2`, or the pairs between which multicast does not pass. */
function multicastText({ hears, silent, pending }: MulticastView): string {
  const waiting = pending.length === 0 ? '' : `; not heard from yet: ${pending.join(', ')}`;
  if (silent.length > 0) {
    const named = silent.slice(0, PAIRS_NAMED).map(({ from, to, why }) => `${from} → ${to}${WHY_SILENT[why]}`);
    const more = silent.length > PAIRS_NAMED ? ` and ${silent.length - PAIRS_NAMED} more` : '';
    return `does not pass ${named.join(', ')}${more}${waiting}`;
  }
  return hears.length < 2 ? `one node alone, or none${waiting}` : `passes between ${hears.join(', ')}${waiting}`;
}

/** What is different after a stop and a start. */
function definedText(network: Network, definition: Network): string {
  return `otherwise, from the next start on: ${networkDifferences(network, definition).join(', ')}`;
}

/** All parts of a network that are worth a line. */
export function networkText(
  {
    network,
    activity,
    state,
    self,
    ports,
    holders,
    multicast,
    ...kept
  }: Pick<CatalogueView, 'network'> & Partial<CatalogueView & GivenNetworkView>,
  { paint }: Context,
) {
  const { type, bridge, peers, subnets, mtuBytes } = network;
  const devices = [type.kind === 'vxlan' ? type.device : undefined, bridge?.name].filter((name) => name !== undefined);
  return properties(
    [
      ['network', network.name],
      ['description', network.description],
      ['state', activity && activityText(activity)],
      [activity === undefined ? 'state' : 'on this node', state && stateDetail(state)],
      ['at boot', keptText(kept) || undefined],
      ['defined', kept.definition && definedText(network, kept.definition)],
      ['number', `${network.number} (0x${hexNumber(network.number)})`],
      ['type', typeText(network)],
      ['group', peers?.kind === 'multicast' ? peers.group : undefined],
      [
        'underlay',
        type.kind === 'vxlan' ? [type.underlay, type.dev].filter((part) => part !== undefined).join(' on ') : undefined,
      ],
      ['prefix', network.hostAddress.kind === 'derived' ? network.hostAddress.prefix : undefined],
      ['subnets', subnets.length === 0 ? undefined : subnets.map(({ cidr }) => cidr).join(', ')],
      ['mtu', `${mtuBytes} bytes`],
      ['devices', devices.join(' in ')],
      ['here', self && [self.mac, ...(self.addresses ?? []), self.ipv6].join('  ')],
      ['ports', ports && (ports.join(', ') || 'none here')],
      ['nodes', holders && (holders.map(holderText).join('; ') || 'none has a port')],
      ['multicast', multicast && multicastText(multicast)],
      ['span', network.span.kind],
      ['source', network.source],
    ],
    paint,
  );
}
