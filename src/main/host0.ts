/**
 * host0's daemon: `host0.ts --root DIR [--host0-dir DIR] [--name NAME]`. It decides what the nodes shall have, and tells them.
 * It changes nothing in its machine's kernel; the agent on host0 does. This file only composes the parts.
 */
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openControlApi } from '../api/control/control-api.ts';
import { openMeshEndpoints } from '../api/membership/mesh-endpoints.ts';
import { KernelSourceVerification } from '../api/membership/source-verification.ts';
import { underlaySegments } from '../boot/nics/segments.ts';
import { NodePlaces } from '../controller/assignments/node-places.ts';
import { NetworkCatalogue } from '../controller/catalogue/network-catalogue.ts';
import { Controller } from '../controller/controller.ts';
import { host0Conditions } from '../controller/host0-conditions.ts';
import { addControllerMetrics, countHost0 } from '../controller/host0-metrics.ts';
import { SettingsWatch } from '../controller/settings-watch.ts';
import { NetworkDirectory } from '../disk/network-directory.ts';
import { claimPrivateDirectories } from '../disk/private-directories.ts';
import { readHost0Conf } from '../formats/host0/host0-conf.ts';
import { descriptorLimit, hasDescriptor } from '../kernel/descriptors.ts';
import { requireRoot } from '../kernel/root.ts';
import { boundListener } from '../kernel/sockets/listener.ts';
import { underlayPrefixes } from '../kernel/underlay-prefixes.ts';
import { NodeName } from '../machine/node-name.ts';
import { ApiMetrics } from '../metrics/api-metrics.ts';
import { MetricsEndpoint } from '../metrics/metrics-endpoint.ts';
import { addProcessMetrics } from '../metrics/process-metrics.ts';
import { Registry } from '../metrics/registry.ts';
import { systemClock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { VERSION } from '../model/version.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { METRICS_PORTS } from '../protocol/documents/tcp-ports.ts';
import { claimControlSocket } from '../protocol/http/control-socket.ts';
import { restartCommand } from '../protocol/http/service-manager.ts';
import { Conditions, healthConditions } from '../protocol/journal/conditions.ts';
import { openAssignments } from './host0-assignments.ts';
import { openChannels } from './host0-channels.ts';
import { openHost0Kernel } from './host0-kernel.ts';
import { openKeys } from './host0-keys.ts';
import { openMachines } from './host0-machines.ts';
import { openStore } from './host0-store.ts';
import { claimProcess, endOnSignal, fail, openJournal, surviveFaults } from './process.ts';

/** How often new findings, and findings that are over, are written to the journal. */
const HEALTH_CHECK_MS = 2_000;

async function main(): Promise<void> {
  // Node writes its compile cache only at a clean exit: a process that is killed would compile everything again at each start.
  flushCompileCache();
  const { values } = parseArgs({
    options: {
      root: { type: 'string', default: '/' },
      'host0-dir': { type: 'string' },
      name: { type: 'string' },
    },
  });
  const nodeName = new NodeName({ option: values.name, hostName: hostname, process: "host0's daemon" });
  const { name } = nodeName;
  requireRoot("run host0's daemon", 'It listens on single network devices, which only root may do.');
  const paths = pathsBelow(values.root, values['host0-dir']);
  await claimPrivateDirectories(paths);
  await claimProcess('host0', paths);
  const clock = systemClock;
  const { journal, log } = openJournal(clock, 'host0', name);
  const registry = new Registry();
  const metrics = new ApiMetrics(registry);

  const { settings, errors } = await readHost0Conf(paths.host0Conf);
  if (settings === undefined) return fail(errors);
  await claimControlSocket(paths.controlSock);
  addProcessMetrics(registry, { process: 'host0', clock, stateDirectory: paths.state, log });
  const watch = countHost0(registry);
  const [storage, { mirror, close: closeKernel }] = await Promise.all([
    openStore(paths.state, clock, watch.committed),
    openHost0Kernel(clock, journal),
  ]);
  const { store } = storage;
  const verification = new KernelSourceVerification(mirror);
  const catalogue = await NetworkCatalogue.open({ store, clock, journal });
  const { keys, tokens, parts: keyParts } = await openKeys({ store, journal, state: paths.state });
  const places = new NodePlaces(() => ({ name, underlay: controller.host0State.addressFor(undefined) }));
  const controller: Controller = new Controller({
    places,
    name,
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
  const takeSegments = (): void =>
    controller.host0State.setUnderlay(underlaySegments(mirror, settings, machines.service.segments.groups));
  mirror.changes.subscribe(takeSegments);
  machines.service.segments.endpointChanges.subscribe(takeSegments);
  takeSegments();
  const common = { clock, journal, registry, metrics, indexOf: (device: string) => mirror.indexOf(device) };
  const endpoints = await openMeshEndpoints({ ...common, verification, takeInventory: machines.takeInventory });
  const { management } = settings;
  const given = await openAssignments({
    ...common,
    store,
    places,
    catalogue,
    host0AddressFor: (viewer) => controller.host0State.addressFor(viewer),
    agentSock: paths.agentSock,
  });
  const { assignments } = given;
  const nodeChannels = openChannels({ ...common, keys, controller, verification, management, assignments });
  const metricsEndpoint = new MetricsEndpoint({
    ...common,
    network: settings.metricsNetwork,
    machine: 'host0',
    port: METRICS_PORTS.host0,
    openListener: boundListener,
  });
  const settingsWatch = new SettingsWatch({
    inForce: settings,
    read: () => readHost0Conf(paths.host0Conf),
    restart: restartCommand('host0', paths.root, process.pid),
    clock,
  });
  settingsWatch.start();
  for (const part of [nodeName, ...storage.parts, ...keyParts, catalogue, endpoints, metricsEndpoint, settingsWatch])
    controller.addHealthOf(part);
  const followMeshes = (): void => metricsEndpoint.follow(controller.memberships.meshes.map(({ network }) => network));
  mirror.changes.subscribe(() => endpoints.linksChanged());
  mirror.changes.subscribe(() => nodeChannels.linksChanged());
  mirror.changes.subscribe(followMeshes);
  controller.memberships.changes.subscribe((meshes) => endpoints.serve(meshes));
  controller.memberships.changes.subscribe(followMeshes);

  const health = new Conditions(journal, clock, () => healthConditions(controller.health()));
  const control = await openControlApi({
    ...common,
    path: paths.controlSock,
    controller,
    catalogue,
    conditions: () => host0Conditions(controller, health),
    boot: machines.service.segments,
    boots: machines.boots,
    channels: nodeChannels.channels,
    keys,
    orphans: given.orphans,
    stuck: storage.stuck,
    beforeStatus: () => settingsWatch.look(),
  });
  const directory = new NetworkDirectory({
    directory: paths.host0Networks,
    stateFile: join(paths.state, 'networks.accepted.json'),
    clock,
  });
  directory.changes.subscribe((outcome) => {
    controller.filesRead(outcome);
    catalogue.setFiles(outcome.networks);
  });
  catalogue.changes.subscribe(() => {
    const taken = controller.memberships.setMeshes(catalogue.meshes);
    taken.catch((thrown: unknown) => journal.faults.tell('change of networks', thrown));
  });
  await directory.start(() => underlayPrefixes(mirror, directory.current.networks));
  await catalogue.makeMain();
  surviveFaults(journal);
  const startMs = Math.round(process.uptime() * 1000);
  journal.record({ kind: 'started', message: `host0 is ${name}, ${startMs} ms after its start`, durationMs: startMs });
  health.lookEvery(HEALTH_CHECK_MS);

  endOnSignal(async () => {
    endpoints.close();
    nodeChannels.close();
    given.close();
    metricsEndpoint.close();
    await directory.close();
    await control.close();
    await machines.close();
    await controller.close();
    await catalogue.close();
    await Promise.all([closeKernel(), storage.close()]);
    log.close();
  });
}

main().catch((thrown: unknown) => fail([MeshError.from(thrown)]));
