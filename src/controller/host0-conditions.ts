/** The present state of host0 as journal events: the snapshot that starts an event stream. */

import type { Conditions } from '../protocol/journal/conditions.ts';
import type { EventInit } from '../protocol/journal/event.ts';
import type { Controller } from './controller.ts';
import { networkAdded } from './membership/membership-journal.ts';

/**
 * Networks, members and findings, each as the event that would record it.
 * @param health the findings of host0
 */
export function host0Conditions(controller: Controller, health: Conditions): EventInit[] {
  const findings = health.current;
  return [
    ...controller.memberships.meshes.map(({ network }) => networkAdded(network)),
    ...controller.memberships.meshes
      .filter(({ loaded }) => loaded)
      .flatMap((mesh) =>
        mesh.others().map(({ name, ipv4 }) => ({
          kind: 'member joined',
          message: `${name} is in ${mesh.network.name} at ${ipv4}`,
          network: mesh.network.id,
          object: name,
        })),
      ),
    ...findings,
  ];
}
