/** What host0 gives machines that boot, put together: the boot server, who machines are, and how far each is. */
import { join } from 'node:path';
import type { BootSighting } from '../boot/frames/sighting.ts';
import { heardAt } from '../boot/nics/heard-at.ts';
import type { HostLinks } from '../boot/nics/host-links.ts';
import { AttemptRecords } from '../boot/site/attempt-records.ts';
import { bootDoors } from '../boot/site/boot-doors.ts';
import { type BootDoor, BootSite } from '../boot/site/boot-site.ts';
import { modelOf } from '../boot/site/hardware.ts';
import { nearestFirst } from '../boot/site/nearest-first.ts';
import { Turnstile } from '../boot/site/turnstile.ts';
import { BootLog } from '../boot/timeline/boot-log.ts';
import type { WireState } from '../boot/timeline/boot-trouble.ts';
import { ModelTimes } from '../boot/timeline/model-times.ts';
import type { Controller } from '../controller/controller.ts';
import { MachineRegistry } from '../controller/machines/machine-registry.ts';
import { machineViews } from '../controller/machines/machine-views.ts';
import { OnlineNodes } from '../controller/machines/online-nodes.ts';
import { BootCatalogue } from '../image/boot-catalogue.ts';
import { makeCommandKey } from '../image/command-key.ts';
import { Generations } from '../image/node/generations.ts';
import { removeHostKey, secretsOf } from '../image/overlay/machine-secrets.ts';
import { OverlayShelf } from '../image/overlay/overlay-shelf.ts';
import { OverlayWatch } from '../image/overlay/overlay-watch.ts';
import type { Rtnl } from '../kernel/rtnl/rtnl.ts';
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Finding } from '../protocol/documents/finding.ts';
import type { MachineView } from '../protocol/documents/machine-view.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { Journal } from '../protocol/journal/event.ts';
import type { Store } from '../store/store.ts';

export interface MachineBootsInput {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly store: Store;
  readonly rtnl: Rtnl;
  readonly links: HostLinks;
  readonly controller: Controller;
  readonly wires: {
    wireOf(device: string): WireState | undefined;
    leasedTo(device: string, address: Ipv4): Promise<Mac | undefined>;
    /** host0's ports, those on one wire together. */
    groups(): readonly (readonly string[])[];
  };
}

export interface MachineBoots {
  readonly log: BootLog;
  readonly registry: MachineRegistry;
  /** All machines that have booted or have been members. */
  machines(): Promise<readonly MachineView[]>;
  take(sighting: BootSighting): void;
  serve(doors: readonly BootDoor[]): void;
  health(): readonly Finding[];
  close(): void;
}

/** Kernel and initrd have some 60 MB: as many loads at once keep a wire of 10 Gbit/s busy, and one of 1 Gbit/s fair. */
const LOADING_MAX = 24;

export async function openMachineBoots(input: MachineBootsInput): Promise<MachineBoots> {
  const { paths, clock, journal, store, rtnl, links, controller, wires } = input;
  const shelf = new OverlayShelf(paths.state);
  const images = new Generations(paths.state);
  const online = new OnlineNodes(() => controller.nodes(), clock);
  const attempts = await AttemptRecords.load({
    store,
    clock,
    journal,
    seal: join(paths.state, 'boot/tokens.sealed'),
  });
  const registry = await MachineRegistry.open({
    store,
    clock,
    journal,
    names: () => controller.machineNames,
    isOnline: (machine) => online.of(machine) !== undefined,
    bootingAs: (machine) => attempts.underWay(machine)?.mac,
    onForget: (machine) => removeHostKey(paths.state, machine),
  });
  const log = new BootLog({
    clock,
    journal,
    wireOf: (device) => wires.wireOf(device) ?? { mode: 'off', why: 'host0 is starting' },
    nameOf: (machine) => controller.machineNames.get(machine),
    meshesOf: (machine) => online.of(machine)?.meshes.map(({ name }) => name) ?? [],
    modelOf: (mac) => modelOf(registry.byCard(mac)?.facts ?? {}),
    times: await ModelTimes.open(store),
  });
  let doors: readonly BootDoor[] = [];
  const site = new BootSite({
    clock,
    journal,
    attempts,
    turnstile: new Turnstile(LOADING_MAX, clock),
    catalogue: new BootCatalogue(images, shelf),
    registry,
    neighbour: async (device, address) => (await rtnl.neighbour(device, address))?.mac,
    leasedTo: (device, address) => wires.leasedTo(device, address),
    secretsOf: (machine) => registry.whileKnown(machine, () => secretsOf(paths.state, machine)),
    host0Addresses: (device) => nearestFirst(doors, device),
    images: images.directory,
    isos: join(paths.host0, 'isos'),
    bootFiles: join(paths.state, 'boot/tftp'),
    onSighting: (sighting) => log.take(sighting),
  });
  const sockets = bootDoors({ site, clock, journal, indexOf: (device) => links.indexOf(device) });
  await makeCommandKey(paths.state).catch((thrown: unknown) => noteLost(journal, MeshError.from(thrown)));
  const overlays = await OverlayWatch.open({ shelf, tree: paths.host0, clock });
  overlays.looks.subscribe((names) => controller.setMachineNames(names));
  controller.setMachineNames(overlays.names);
  return {
    log,
    registry,
    machines: async () =>
      machineViews({
        records: registry.machines,
        names: controller.machineNames,
        boots: log.views(),
        heardAt: heardAt(await rtnl.neighbours(), links.links),
        wires: wires.groups(),
      }),
    take: (sighting) => log.take(sighting),
    serve: (wanted) => {
      doors = wanted;
      sockets.serve(wanted);
    },
    health: () => [...overlays.health(), ...registry.health()],
    close: () => {
      overlays.close();
      sockets.close();
      log.close();
    },
  };
}

/** Without its key host0 still boots machines; it cannot command them. */
function noteLost(journal: Journal, { message, code, remedy = '' }: MeshError): void {
  journal.record({ level: 'error', kind: 'no command key', message, code, remedy });
}
