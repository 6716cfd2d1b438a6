/** Composes host0's side of its machines: their registry, what they boot, and how far each boot is. */
import { join } from 'node:path';
import type { Boots } from '../../api/control/machine-handlers.ts';
import { BootService, type BootServiceInput } from '../../boot/boot-service.ts';
import { underlaySegments } from '../../boot/nics/segments.ts';
import { AttemptRecords } from '../../boot/site/attempt-records.ts';
import type { Controller } from '../../controller/controller.ts';
import type { MachineKeys } from '../../controller/machines/machine-keys.ts';
import { MachineRegistry } from '../../controller/machines/machine-registry.ts';
import { machineViews } from '../../controller/machines/machine-views.ts';
import { OnlineNodes } from '../../controller/machines/online-nodes.ts';
import { AlpineBoots } from '../../image/mirror/alpine-boot.ts';
import { Generations } from '../../image/node/generations.ts';
import { StoredBootCatalogue } from '../../image/overlay/boot-catalogue.ts';
import { removeSecrets, secretsOf } from '../../image/overlay/machine-secrets.ts';
import { OverlayStore } from '../../image/overlay/overlay-store.ts';
import { OverlayWatch } from '../../image/overlay/overlay-watch.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import type { Paths } from '../../protocol/documents/paths.ts';

/** What host0 has before its machines: settings, clock, store, kernel and controller. */
export interface MachinesInput extends Pick<BootServiceInput, 'settings' | 'clock' | 'journal' | 'store' | 'mirror'> {
  readonly paths: Paths;
  readonly controller: Controller;
  readonly keys: MachineKeys;
}

/** What the rest of host0 needs of its machines. */
export interface Machines {
  readonly service: BootService;
  /** For the routes of the control API. */
  readonly boots: Boots;
  /** Keeps the inventory that a machine reports. */
  readonly takeInventory: (machine: MachineId, inventory: Inventory) => Promise<void>;
  close(): Promise<void>;
}

/** Opens the registry of machines and the boot service, and adds their findings to the controller's. The segments of host0 follow its links. */
export async function openMachines(input: MachinesInput): Promise<Machines> {
  const { settings, paths, clock, journal, store, mirror, controller, keys } = input;
  const { state } = paths;
  const overlayStore = new OverlayStore(state);
  const overlays = await OverlayWatch.open({ overlayStore, tree: paths.host0, clock });
  overlays.looks.subscribe((names) => controller.host0State.setMachineNames(names));
  controller.host0State.setMachineNames(overlays.names);

  const online = new OnlineNodes(() => controller.nodes(), clock);
  const attempts = await AttemptRecords.load({ store, clock, journal, seal: join(state, 'boot/tokens.sealed') });
  const registry = await MachineRegistry.open({
    store,
    clock,
    journal,
    names: () => controller.host0State.machineNames,
    isOnline: (machine) => online.of(machine) !== undefined,
    bootingAs: (machine) => attempts.underWay(machine)?.mac,
    onForget: async (machine) => {
      attempts.end(machine);
      await keys.forget(machine);
      await removeSecrets(state, machine);
    },
  });
  const images = new Generations(state);
  const service = await BootService.open({
    ...input,
    setNics: (nics) => controller.host0State.setNics(nics),
    attempts,
    catalogue: new StoredBootCatalogue(images, new AlpineBoots(state), overlayStore, () => clock.wallTime()),
    images: images.directory,
    registry,
    secretsOf: (machine) =>
      registry.whileKnown(machine, async () => secretsOf(state, machine, await keys.offer(machine))),
    nameOf: (machine) => controller.host0State.machineNames.get(machine),
    meshesOf: (machine) => online.of(machine)?.meshes.map(({ name }) => name) ?? [],
    refusalOf: (machine) => controller.memberships.refusalOf(machine),
  });
  for (const part of [service, service.segments, overlays, registry]) controller.addHealthOf(part);
  const { segments, log } = service;
  const takeSegments = (): void =>
    controller.host0State.setUnderlay(underlaySegments(mirror, settings, segments.groups));
  mirror.changes.subscribe(takeSegments);
  segments.endpointChanges.subscribe(takeSegments);
  takeSegments();
  return {
    service,
    boots: {
      log,
      machines: async () =>
        machineViews({
          records: registry.machines,
          names: controller.host0State.machineNames,
          boots: log.views(),
          heardAt: service.heardAt(),
          segments: segments.groups,
        }),
      addCard: (machine, mac) => registry.addCard(machine, mac),
    },
    takeInventory: async (machine, inventory) => {
      // Not from `online`, whose list may be older than the member.
      const node = controller.nodes().find((candidate) => candidate.online && candidate.machine === machine);
      await registry.takeInventory(machine, inventory, node && service.cardAt(node.ipv4));
    },
    close: async () => {
      await service.close();
      overlays.close();
    },
  };
}
