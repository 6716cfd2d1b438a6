/** What is so on host0, for whoever follows its journal, in the words in which the journal tells of its changes. */

import type { Conditions } from '../protocol/journal/conditions.ts';
import type { EventInit } from '../protocol/journal/event.ts';
import type { Controller } from './controller.ts';
import { networkAdded } from './membership/membership-journal.ts';

/** @param health what is not well, kept as conditions */
export function host0Conditions(controller: Controller, health: Conditions): EventInit[] {
  const findings = health.current;
  return [
    ...controller.meshes.map(({ network }) => networkAdded(network)),
    ...controller.meshes
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
