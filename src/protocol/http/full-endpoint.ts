/** The finding that a few machines take all connections of an endpoint. */
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf } from '../documents/finding.ts';
import type { FullPlaces } from './places.ts';

/**
 * What `mesh status` says of an endpoint without a free place.
 * @param title the endpoint in words: `membership endpoint of manage`
 */
export function fullEndpointFinding(title: string, { who, places, most }: FullPlaces): Finding {
  const message = `${who} take all ${places} connections that the ${title} has for them; most are of ${most}`;
  const remedy =
    'Look at that machine, or take it from the network (`mesh port unplug`). Newcomers are served meanwhile.';
  return findingOf(new MeshError('MESH_ENDPOINT_FULL', message, { remedy }), { object: title, severity: 'warning' });
}
