/** What host0 gives machines that boot, put together: the boot server, who machines are, and how far each is. */
import { join } from 'node:path';
import type { BootSighting } from '../boot/frames/sighting.ts';
import type { HostLinks } from '../boot/nics/host-links.ts';
import { AttemptRecords } from '../boot/site/attempt-records.ts';
import { bootDoors } from '../boot/site/boot-doors.ts';
import { type BootDoor, BootSite } from '../boot/site/boot-site.ts';
import { modelOf } from '../boot/site/hardware.ts';
import type { BootCatalogue } from '../boot/site/reception.ts';
import { Turnstile } from '../boot/site/turnstile.ts';
import { BootLog } from '../boot/timeline/boot-log.ts';
import type { WireState } from '../boot/timeline/boot-trouble.ts';
import { ModelTimes } from '../boot/timeline/model-times.ts';
import type { Controller } from '../controller/controller.ts';
import { MachineRegistry } from '../controller/machines/machine-registry.ts';
import { DirectoryWatch } from '../disk/directory-watch.ts';
import { makeCommandKey } from '../image/command-key.ts';
import { Generations } from '../image/node/generations.ts';
import { removeHostKey, secretsOf } from '../image/overlay/machine-secrets.ts';
import { machineNames, OverlayShelf, type Refusal } from '../image/overlay/overlay-shelf.ts';
import type { Neighbour } from '../kernel/rtnl/objects.ts';
import type { Rtnl } from '../kernel/rtnl/rtnl.ts';
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import { type Finding, findingOf } from '../protocol/documents/finding.ts';
import type { MachineView } from '../protocol/documents/machine-view.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { NodeView } from '../protocol/documents/views.ts';
import type { Journal } from '../protocol/journal/event.ts';
import type { Store } from '../store/store.ts';
import { machineViews } from './machine-views.ts';

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
const ONLINE_READ_MS = 100;

export async function openMachineBoots(input: MachineBootsInput): Promise<MachineBoots> {
  const { paths, clock, journal, store, rtnl, links, controller, wires } = input;
  const shelf = new OverlayShelf(paths.state);
  const images = new Generations(paths.state);
  const online = onlineNodes(controller, clock);
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
    isOnline: (machine) => online(machine) !== undefined,
    bootingAs: (machine) => attempts.underWay(machine)?.mac,
    onForget: (machine) => removeHostKey(paths.state, machine),
  });
  const log = new BootLog({
    clock,
    journal,
    wireOf: (device) => wires.wireOf(device) ?? { mode: 'off', why: 'host0 is starting' },
    nameOf: (machine) => controller.machineNames.get(machine),
    meshesOf: (machine) => online(machine)?.meshes.map(({ name }) => name) ?? [],
    modelOf: (mac) => modelOf(registry.byCard(mac)?.facts ?? {}),
    times: await ModelTimes.open(store),
  });
  let doors: readonly BootDoor[] = [];
  const site = new BootSite({
    clock,
    journal,
    attempts,
    turnstile: new Turnstile(LOADING_MAX, clock),
    catalogue: catalogueOf(images, shelf),
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
  const standing = await followShelf(input, shelf);
  return {
    log,
    registry,
    machines: async () =>
      machineViews({
        records: registry.machines,
        names: controller.machineNames,
        boots: log.views(),
        heardAt: heardAt(await rtnl.neighbours(), links),
        wires: wires.groups(),
      }),
    take: (sighting) => log.take(sighting),
    serve: (wanted) => {
      doors = wanted;
      sockets.serve(wanted);
    },
    health: () => [...standing.health(), ...registry.health()],
    close: () => {
      standing.close();
      sockets.close();
      log.close();
    },
  };
}

/** Who is a member of what now. Hundreds of boots ask many times a second, and those who answer are as many. */
function onlineNodes(controller: Controller, clock: Clock): (machine: MachineId) => NodeView | undefined {
  let readMs = Number.NEGATIVE_INFINITY;
  let nodes: ReadonlyMap<string | undefined, NodeView> = new Map();
  return (machine) => {
    if (clock.nowMs() - readMs > ONLINE_READ_MS) {
      nodes = new Map(controller.nodes().flatMap((node) => (node.online ? [[node.machine, node]] : [])));
      readMs = clock.nowMs();
    }
    return nodes.get(machine);
  };
}

function catalogueOf(images: Generations, shelf: OverlayShelf): BootCatalogue {
  return {
    image: async (machine) => {
      const image = await images.current();
      if (image !== undefined) {
        const { generation, kernelArguments } = image;
        return { generation, ...(kernelArguments.length > 0 && { commandLine: kernelArguments.join(' ') }) };
      }
      throw new MeshError('MESH_BOOT_NO_IMAGE', 'host0 has no image for nodes', {
        operation: 'boot machine',
        object: machine,
        remedy: 'Build one with `mesh system image node`.',
      });
    },
    overlay: async (machine) => {
      const shelved = await shelf.overlayOf(machine);
      if (shelved?.overlay !== undefined)
        return { sha256: shelved.overlay.sha256, path: shelf.pathOf(shelved.overlay) };
      throw noOverlay(machine, shelved !== undefined, await shelf.refusal());
    },
  };
}

/** @param refusal why the newest `/host0` is not in force */
function noOverlay(machine: MachineId, skips: boolean, refusal: Refusal | undefined): MeshError {
  const refuse = (why: string, remedy: string) =>
    new MeshError('MESH_BOOT_NO_OVERLAY', `there is no overlay for machine ${machine}: ${why}`, {
      operation: 'boot machine',
      object: machine,
      remedy,
    });
  if (skips) return refuse('its folder says SKIP', 'Remove the file SKIP, and run `mesh system configure`.');
  if (refusal !== undefined) {
    const { message, place } = refusal.first;
    const where = place === undefined ? '' : ` (${place.file}, line ${place.line})`;
    const why = `/host0 does not compile, and what is in force has none for it: ${message}${where}`;
    return refuse(
      why,
      'Run `mesh system configure`: it shows every fault, and puts the tree in force once there is none.',
    );
  }
  return refuse(
    'none was compiled for it, and there is no default one',
    `Name it with \`mesh node adopt ${machine} NAME\`, or make a folder whose UUID says default; then run \`mesh system configure\`.`,
  );
}

/** Without its key host0 still boots machines; it cannot command them. */
function noteLost(journal: Journal, { message, code, remedy = '' }: MeshError): void {
  journal.record({ level: 'error', kind: 'no command key', message, code, remedy });
}

/** What `mesh system configure` has done: the names of machines come with what is in force, and what was refused is told. */
async function followShelf({ paths, clock, controller }: MachineBootsInput, shelf: OverlayShelf) {
  let refusal: Refusal | undefined;
  const look = async () => {
    controller.setMachineNames(machineNames(await shelf.index()));
    refusal = await shelf.refusal();
  };
  const directory = new DirectoryWatch(join(paths.state, 'overlays'), clock, () => void look().catch(() => undefined));
  directory.start();
  await look();
  return {
    health: () => (refusal === undefined ? [] : [refusalFinding(paths.host0, refusal)]),
    close: () => directory.close(),
  };
}

function refusalFinding(host0: string, { faults, first }: Refusal): Finding {
  const { place } = first;
  const finding = findingOf(first, { object: host0 });
  const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column}: `;
  const others = faults === 1 ? '' : `, with ${faults - 1} more ${faults === 2 ? 'fault' : 'faults'}`;
  return {
    ...finding,
    message: `${where}${finding.message}; the tree was refused${others}, and machines boot with what they had`,
    remedy: `${finding.remedy.replace(/\.$/, '')}; then run \`mesh system configure\`, which shows every fault.`,
  };
}

/** Which card is heard at which port, as the kernel's neighbour table has it. */
function heardAt(neighbours: readonly Neighbour[], { links }: HostLinks): ReadonlyMap<Mac, string> {
  const names = new Map([...links].map(({ index, name }) => [index, name]));
  const heard = new Map<Mac, string>();
  for (const { mac, link, state } of neighbours) {
    const name = names.get(link);
    if (mac !== undefined && name !== undefined && state !== 'failed') heard.set(mac, name);
  }
  return heard;
}

function nearestFirst(doors: readonly BootDoor[], device: string): readonly Ipv4[] {
  const own = doors.filter((door) => door.device === device);
  const others = doors.filter((door) => door.device !== device);
  return [...own, ...others].map(({ host0 }) => host0);
}
