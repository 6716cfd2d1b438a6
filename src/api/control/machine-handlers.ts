/** What host0 answers of machines, boots and keys. */

import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { BootView, ScanView } from '../../protocol/documents/boot-views.ts';
import type { GivenKey } from '../../protocol/documents/given-key.ts';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { BOOT_ROUTES } from '../../protocol/routes/boot-routes.ts';
import type { MACHINE_ROUTES } from '../../protocol/routes/machine-routes.ts';
import { keyFileText, type NamedKey } from '../../protocol/shapes/key-file.ts';

/** The boot service, as far as the handlers need it (boot/boot-service.ts). */
export interface BootControl {
  view(): Promise<BootView>;
  scan(): Promise<ScanView>;
  /** Ends the processes that serve machines that boot. */
  stopServices(): Promise<void>;
}

/** Where the handlers get boots (boot/timeline/boot-log.ts) and machines from. */
export interface Boots {
  readonly log: {
    /** All boots that host0 remembers, the newest first. */
    views(): readonly TimelineView[];
    /**
     * Calls `listener` with each boot that changes.
     * @returns a function that ends the subscription
     */
    subscribe(listener: (view: TimelineView) => void): () => void;
  };
  machines(): Promise<readonly MachineView[]>;
  /** Lets a machine boot from one more network card. @returns all cards of the machine */
  addCard(machine: MachineId, mac: Mac): Promise<readonly Mac[]>;
}

/** What the handlers need of the keys; controller/machines/machine-keys.ts implements it. */
export interface KeyGiver {
  isEnrolled(machine: MachineId): boolean;
  offer(machine: MachineId): Promise<NamedKey | undefined>;
  revoke(machine: MachineId): Promise<void>;
}

/** The handlers of boots. */
export function bootHandlers(boot: BootControl, { log }: Boots): RouteHandlers<typeof BOOT_ROUTES> {
  return {
    'GET /v1/boot': () => boot.view(),
    'POST /v1/scan': () => boot.scan(),
    'POST /v1/boot/stop': () => boot.stopServices(),
    'GET /v1/boots': () => log.views(),
    'GET /v1/boots/events': (_asked, open) => {
      const stream = open();
      const send = (view: TimelineView) => stream.send({ event: 'boot', data: JSON.stringify(view) });
      for (const view of log.views().toReversed()) send(view);
      stream.onClose(log.subscribe(send));
    },
  };
}

/** The handlers of machines and their keys. */
export function machineHandlers({ machines, addCard }: Boots, keys: KeyGiver): RouteHandlers<typeof MACHINE_ROUTES> {
  return {
    'GET /v1/machines': () => machines(),
    'PUT /v1/machines/{machine}/cards/{mac}': ({ path: { machine, mac } }) => addCard(machine, mac),
    'POST /v1/machines/{machine}/key': async ({ path: { machine }, body: { renew } }) => {
      if (!renew && keys.isEnrolled(machine)) throw enrolled(machine);
      return given(machine, await keys.offer(machine));
    },
    'DELETE /v1/machines/{machine}/key': ({ path: { machine } }) => keys.revoke(machine),
  };
}

function given(machine: MachineId, key: NamedKey | undefined): GivenKey {
  if (key !== undefined) return { machine, identity: key.identity, text: keyFileText(key) };
  throw new MeshError('MESH_KEY_DAMAGED', 'host0 has no installation secret, from which the keys of machines follow', {
    operation: 'make a key',
    object: machine,
    remedy: 'See `mesh status` for the cause, and restart host0 afterwards.',
  });
}

function enrolled(machine: MachineId): MeshError {
  return new MeshError('MESH_KEY_GIVEN', `machine ${machine} has a key already, from a boot or an enrolment`, {
    object: machine,
    rule: 'A machine has one key. The next key replaces the one before when the machine uses the next one.',
    remedy: 'If its key file is lost, or others can have read it, run the command with --renew.',
  });
}
