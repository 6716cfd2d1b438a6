/** A network of host0's catalogue, or one that host0 has given to this machine, as text. */
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import type { GivenNetworkView, PeerView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import type { Tone } from '../print/color.ts';
import { byNodeName } from '../print/member-order.ts';
import { stateText, stateTone } from '../print/network-state.ts';
import { type Column, table } from '../print/table.ts';
import { activityText, activityTone, networkText } from './network-text.ts';

/** What the catalogue of host0 and the agent of this machine tell of one network. At least one of them tells something. */
export type GivenRow = Pick<CatalogueView, 'network'> & Partial<CatalogueView & GivenNetworkView>;

/** The networks of the catalogue, each with what the agent of this machine tells of it. */
export function withStates(
  catalogue: readonly CatalogueView[],
  given: readonly GivenNetworkView[],
): readonly GivenRow[] {
  const byId = new Map(given.map((view) => [view.network.id, view]));
  return catalogue.map((view) => ({ ...byId.get(view.network.id), ...view }));
}

/** The state on this machine. A network that is not in use, or not here, has its state in the catalogue. */
export function hereText({ state, activity }: GivenRow): string {
  if (activity !== undefined && (activity.phase !== 'active' || state === undefined)) return activityText(activity);
  return state === undefined ? '–' : stateText(state);
}

/** The colour for the text of `hereText`. */
export function hereTone({ state, activity }: GivenRow): Tone | undefined {
  if (activity !== undefined && (activity.phase !== 'active' || state === undefined)) return activityTone(activity);
  return state && stateTone(state);
}

const PEER_COLUMNS: readonly Column<PeerView>[] = [
  { title: 'NODE', text: (peer) => peer.name, flexible: true },
  { title: 'UNDERLAY', text: (peer) => peer.underlay },
  { title: 'MAC', text: (peer) => peer.mac },
  { title: 'IPV6', text: (peer) => peer.ipv6 },
];

/** All parts of the network, and on a node that holds it the other nodes that do. */
export function givenText(row: GivenRow, context: Context): string {
  const { peers = [] } = row;
  const about = networkText(row, context);
  if (peers.length === 0) return about;
  return `${about}\n${table(byNodeName(peers), PEER_COLUMNS, context.page)}`;
}
