/** What a card is refused for: its routes, its trial, its guests. */
import { MeshError } from '../model/error.ts';
import { isOfThisBoot, type NicRecord } from './nic-record.ts';
import { ROUTES_MAX } from './nic-switch.ts';

/** A card whose routes cannot move. */
export function unfitRoutes(card: string, count: number): MeshError {
  const many = count > ROUTES_MAX;
  return new MeshError(
    'MESH_NIC_UNFIT',
    many ? `${count} routes lead by ${card}` : `routes by ${card} have nexthop objects`,
    {
      operation: 'put under a bridge',
      object: card,
      rule: many ? `At most ${ROUTES_MAX} routes are moved at once.` : 'A nexthop object is bound to its device.',
      remedy: many
        ? 'Stop the routing daemon, and start it again on the bridge.'
        : 'Write the routes without `nhid`, and remove the objects (`ip nexthop`).',
    },
  );
}

/** A card whose trial is over, or never was. */
export function nothingToConfirm(card: string, record: NicRecord | undefined): MeshError {
  const what =
    record === undefined
      ? `${card} is on no trial`
      : record.phase === 'returned'
        ? `${card} went back: ${record.why ?? 'nobody knows why'}`
        : !isOfThisBoot(record)
          ? `${card} went back when the machine was restarted`
          : `${card} goes back now: it was not confirmed in time`;
  return new MeshError('MESH_OBJECT_UNKNOWN', what, {
    operation: 'keep a bridge',
    object: card,
    remedy: `Put it under the bridge again: \`mesh node bridge-nic ${card}\`, perhaps with more time (--within).`,
  });
}

/** A card that is under no bridge. */
export function nothingToUndo(card: string, record: NicRecord | undefined): MeshError {
  return new MeshError(
    'MESH_OBJECT_UNKNOWN',
    record === undefined
      ? `${card} is under no bridge of this command`
      : `${card} is back already: ${record.why ?? 'the machine was restarted'}`,
    {
      operation: 'take a card out from under its bridge',
      object: card,
      remedy: 'See `ip link show master BRIDGE` for the ports of a bridge.',
    },
  );
}

/** A bridge whose guests would lose the network. */
export function portsInTheWay(name: string, ports: readonly string[]): MeshError {
  return new MeshError('MESH_NIC_UNFIT', `${name} has other ports: ${ports.join(', ')}`, {
    operation: 'take a card out from under its bridge',
    object: name,
    rule: 'The guests at these ports would lose the network.',
    remedy: 'Unplug the guests first.',
  });
}
