/**
 * host0's daemon: `host0.ts --root DIR [--host0-dir DIR] [--name NAME]`. It decides what the nodes shall have, and tells them.
 * It changes nothing in its machine's kernel; the agent on host0 does. This file only composes the parts.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { managementMesh } from '../api/channel/management-mesh.ts';
import { openControlApi } from '../api/control/control-api.ts';
import { NodePlaces } from '../controller/assignments/node-places.ts';
import { Controller } from '../controller/controller.ts';
import { host0Conditions } from '../controller/host0-conditions.ts';
import { addControllerMetrics, countHost0 } from '../controller/host0-metrics.ts';
import { Host0State } from '../controller/host0-state.ts';
import { MainSubnets } from '../controller/services/main-subnets.ts';
import { SettingsWatch } from '../controller/settings-watch.ts';
import { readHost0Conf } from '../formats/host0/host0-conf.ts';
import { descriptorLimit, hasDescriptor } from '../kernel/descriptors.ts';
import { ApiMetrics } from '../metrics/api-metrics.ts';
import { MeshError } from '../model/error.ts';
import { VERSION } from '../model/version.ts';
import { claimControlSocket } from '../protocol/http/control-socket.ts';
import { restartCommand } from '../protocol/http/service-manager.ts';
import { Conditions, healthConditions } from '../protocol/journal/conditions.ts';
import { openDaemon } from './daemon.ts';
import { foreignDeviceIn } from './host0/foreign-device.ts';
import { openAddresses } from './host0/host0-addresses.ts';
import { openAssignments } from './host0/host0-assignments.ts';
import { openChannels } from './host0/host0-channels.ts';
import { openEndpoints } from './host0/host0-endpoints.ts';
import { openHost0Kernel } from './host0/host0-kernel.ts';
import { openKeys } from './host0/host0-keys.ts';
import { openLibvirt } from './host0/host0-libvirt.ts';
import { openMachines } from './host0/host0-machines.ts';
import { followNetworks, openCatalogue } from './host0/host0-networks.ts';
import { openHooks, openOrders } from './host0/host0-orders.ts';
import { enrollOwn, openPlace } from './host0/host0-place.ts';
import { openStore } from './host0/host0-store.ts';
import { awaitTurn } from './host0/host0-turn.ts';
import { endOnSignal, fail, hasStarted, startAnew } from './process.ts';

/** How often new findings, and findings that are over, are written to the journal. */
const HEALTH_CHECK_MS = 2_000;

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      root: { type: 'string', default: '/' },
      'host0-dir': { type: 'string' },
      name: { type: 'string' },
    },
  });
  const { name, nodeName, paths, clock, journal, log, registry } = await openDaemon({
    daemon: 'host0',
    needsRoot: 'It listens on single network devices, which only root may do.',
    options,
  });
  const { settings, errors } = await readHost0Conf(paths.host0Conf);
  if (settings === undefined) return fail(errors);
  await claimControlSocket(paths.controlSock);
  await awaitTurn({ paths, name, settings, clock, journal });
  const watch = countHost0(registry);
  const [storage, { mirror, close: closeKernel }] = await Promise.all([
    openStore({
      paths,
      name,
      settings,
      clock,
      journal,
      committed: watch.committed,
      onLost: (error) => (settings.host0s.length === 0 ? fail : startAnew)([error]),
    }),
    openHost0Kernel(clock, journal),
  ]);
  const { store } = storage;
  const place = openPlace(settings, paths, mirror);
  const { verification } = place;
  const hooks = await openHooks(paths, journal);
  const addresses = await openAddresses({ store, clock, journal, registry, paths });
  const { catalogue, written } = await openCatalogue({
    store,
    clock,
    journal,
    blocks: addresses.blocks,
    numbers: settings.networkNumbers,
    hasDevice: (device) => mirror.indexOf(device) !== undefined,
    deviceIn: foreignDeviceIn(mirror),
  });
  const { keys, tokens, parts: keyParts } = await openKeys({ store, journal, state: paths.state });
  await enrollOwn(place, keys, paths, journal);
  const host0State = new Host0State(journal);
  const places = new NodePlaces(() => ({ name: place.title(name), underlay: host0State.addressFor(undefined) }));
  const controller = new Controller({
    host0State,
    places,
    name: place.title(name),
    own: place.own?.machine,
    version: VERSION,
    admission: settings.admission,
    tokens,
    clock,
    store,
    journal,
    verification,
    watch,
    descriptors: { hasDescriptor, limit: descriptorLimit, pid: process.pid },
  });
  addControllerMetrics(registry, controller);
  const machines = await openMachines({ settings, paths, clock, journal, store, mirror, controller, keys });
  const indexOf = (device: string) => mirror.indexOf(device);
  const metrics = new ApiMetrics(registry);
  const common = { ...place, clock, journal, registry, metrics, mirror, controller, indexOf };
  const endpoints = await openEndpoints({
    ...common,
    takeInventory: machines.takeInventory,
    metricsNetwork: settings.metricsNetwork,
  });
  const given = await openAssignments({
    ...common,
    ...{ store, places, catalogue, book: addresses.book },
    host0State,
    agentSock: paths.agentSock,
    management: () => managementMesh(controller.memberships.meshes, settings.management)?.network,
  });
  const addressOrders = addresses.ordersFor(catalogue, given);
  const mainSubnets = new MainSubnets({ ...common, ...given, catalogue, addresses: addressOrders });
  const nodeChannels = openChannels({
    ...common,
    keys,
    management: settings.management,
    ...given,
    isos: join(paths.host0, 'isos'),
  });
  const settingsWatch = new SettingsWatch({
    inForce: settings,
    read: () => readHost0Conf(paths.host0Conf),
    restart: restartCommand('host0', paths.root, process.pid),
    clock,
  });
  settingsWatch.start();
  const ordering = await openOrders({ ...common, ...given, hooks, store, catalogue, addresses: addressOrders });
  for (const part of [
    nodeName,
    ...storage.parts,
    ...keyParts,
    ...given.parts,
    catalogue,
    addressOrders,
    mainSubnets,
    settingsWatch,
  ])
    controller.addHealthOf(part);
  const health = new Conditions(journal, clock, () => healthConditions(controller.health()));
  const control = await openControlApi({
    ...common,
    path: paths.controlSock,
    catalogue,
    written,
    conditions: () => host0Conditions(controller, health),
    boot: machines.service.segments,
    boots: machines.boots,
    channels: nodeChannels.channels,
    keys,
    ...given,
    addresses: addressOrders,
    ...ordering,
    copyStore: storage.copy,
    stuck: storage.stuck,
    leadership: storage.leadership,
    beforeStatus: () => settingsWatch.look(),
  });
  const directory = await followNetworks({ ...common, paths, catalogue, written, node: name });
  const libvirt = await openLibvirt({
    ...common,
    ...given,
    ...{ settings, paths, catalogue, channels: nodeChannels.channels },
    node: place.title(name),
  });
  ordering.start();
  const startMs = Math.round(process.uptime() * 1000);
  hasStarted(journal, { message: `host0 is ${name}, ${startMs} ms after its start`, durationMs: startMs });
  health.lookEvery(HEALTH_CHECK_MS);

  endOnSignal(async () => {
    libvirt.close();
    endpoints.close();
    nodeChannels.close();
    mainSubnets.close();
    given.close();
    await directory.close();
    await ordering.close();
    await control.close();
    await machines.close();
    await controller.close();
    await catalogue.close();
    await addresses.close();
    await Promise.all([closeKernel(), storage.close()]);
    log.close();
  });
}

main().catch((thrown: unknown) => fail([MeshError.from(thrown)]));
