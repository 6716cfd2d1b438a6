/**
 * host0's process: `host0.ts --root DIR [--host0-dir DIR] [--name NAME]`. It decides, and tells; what happens in this
 * machine's kernel is its agent's doing.
 */
import { mkdir } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openControlApi } from '../api/control/control-api.ts';
import { openMeshDoors } from '../api/membership/mesh-doors.ts';
import { KernelWitness } from '../api/membership/witness.ts';
import { Boot } from '../boot/boot.ts';
import { HostLinks } from '../boot/nics/host-links.ts';
import { segmentsOf } from '../boot/nics/segments.ts';
import { Controller } from '../controller/controller.ts';
import { host0Facts } from '../controller/host0-facts.ts';
import { addHost0Metrics } from '../controller/host0-metrics.ts';
import type { MachineRegistry } from '../controller/machines/machine-registry.ts';
import { NetworkDirectory } from '../disk/network-directory.ts';
import { errorText } from '../formats/error-text.ts';
import { readHost0Conf } from '../formats/host0/host0-conf.ts';
import { Tokens } from '../image/overlay/machine-secrets.ts';
import { requireRoot } from '../kernel/root.ts';
import { KernelMonitor } from '../kernel/rtnl/monitor.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import { boundListener } from '../kernel/sockets/listener.ts';
import { underlayPrefixes } from '../kernel/underlay-prefixes.ts';
import { ApiMetrics } from '../metrics/api-metrics.ts';
import { MetricsDoor } from '../metrics/metrics-door.ts';
import { addProcessMetrics } from '../metrics/process-metrics.ts';
import { Registry } from '../metrics/registry.ts';
import { systemClock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { METRICS_PORTS } from '../model/network/network.ts';
import { VERSION } from '../model/version.ts';
import { NODE_NAME } from '../protocol/documents/membership.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { claimControlSocket } from '../protocol/http/control-socket.ts';
import { Journal } from '../protocol/journal/event.ts';
import { Log } from '../protocol/journal/log.ts';
import { healthFacts, Standing } from '../protocol/journal/standing.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { TimedStore } from '../store/timed-store.ts';
import { openMachineBoots } from './machine-boots.ts';

/** So often the journal is told what has become unwell, and what is well again. */
const HEALTH_LOOK_MS = 2_000;
/** A disk that is busy takes seconds; one that takes longer than this will not answer any more. */
const COMMIT_LONGEST_MS = 30_000;

async function main(): Promise<void> {
  // Otherwise written at a clean exit only: whoever is killed would compile everything anew at each start.
  flushCompileCache();
  const { values } = parseArgs({
    options: {
      root: { type: 'string', default: '/' },
      'host0-dir': { type: 'string' },
      name: { type: 'string', default: hostname() },
    },
  });
  const { name } = values;
  mustBeAble(name);
  const paths = pathsBelow(values.root, values['host0-dir']);
  const clock = systemClock;
  const journal = new Journal(clock, 'host0', name);
  const log = new Log(clock, (line) => process.stdout.write(line));
  journal.subscribe((event) => log.take(event));
  const registry = new Registry();
  const metrics = new ApiMetrics(registry);

  const { settings, errors } = await readHost0Conf(paths.host0Conf);
  if (settings === undefined) return fail(errors);
  await claimControlSocket(paths.controlSock);
  await mkdir(paths.state, { recursive: true });
  addProcessMetrics(registry, { process: 'host0', clock, stateDirectory: paths.state, log });
  const watch = addHost0Metrics(registry, () => controller);
  const [tokens, disk, rtnl, doors] = await Promise.all([
    Tokens.open(paths.state),
    SqliteStore.open(join(paths.state, 'store.db')),
    Rtnl.open(),
    openMeshDoors({
      clock,
      journal,
      indexOf: (device) => links.indexOf(device),
      metrics,
      takeInventory: (machine, inventory) => {
        if (machines !== undefined) return machines.takeInventory(machine, inventory);
        throw new MeshError('MESH_HOST0_STARTING', 'host0 has not read its machines yet', { retryable: true });
      },
    }),
  ]);
  const store = new TimedStore(disk, () => clock.nowMs(), watch.committed);
  const witness = new KernelWitness(rtnl, () => monitor.drain());
  const controller: Controller = new Controller({
    name,
    version: VERSION,
    admission: settings.admission,
    tokenFits: (...shown) => tokens.fits(...shown),
    clock,
    store,
    journal,
    witness,
    watch,
  });
  const health = new Standing(journal, clock, () => healthFacts(controller.health()));

  let boot: Boot | undefined;
  let machines: MachineRegistry | undefined;
  const metricsDoor = new MetricsDoor({
    network: settings.metricsNetwork,
    machine: 'host0',
    port: METRICS_PORTS.host0,
    registry,
    clock,
    journal,
    openListener: boundListener,
    indexOf: (device) => links.indexOf(device),
  });
  const linksChanged = (): void => {
    controller.setSegments(segmentsOf(links.links, links.addresses, settings.segmentPorts));
    doors.linksChanged();
    metricsDoor.follow(controller.meshes.map(({ network }) => network));
    boot?.linksChanged();
  };
  const links = new HostLinks({
    reader: rtnl,
    clock,
    onChange: linksChanged,
    onError: (error) => journal.failure('links unreadable', error),
  });
  const monitor = KernelMonitor.open();
  monitor.events.subscribe((event) => {
    witness.take(event);
    links.take(event);
  });
  await links.read();
  linksChanged();
  controller.meshChanges.subscribe((meshes) => {
    doors.serve(meshes);
    metricsDoor.follow(meshes.map(({ network }) => network));
  });
  const machineBoots = await openMachineBoots({
    paths,
    clock,
    journal,
    store,
    rtnl,
    links,
    controller,
    wires: {
      wireOf: (device) => boot?.wireOf(device),
      leasedTo: async (...where) => boot?.leasedTo(...where),
      groups: () => boot?.groups ?? [],
    },
  });
  machines = machineBoots.registry;
  boot = await Boot.open({
    settings,
    directory: join(paths.state, 'boot'),
    clock,
    journal,
    links,
    setPorts: (ports) => controller.setPorts(ports),
    onSighting: (sighting) => machineBoots.take(sighting),
    onDoors: () => machineBoots.serve(boot?.doors ?? []),
  });
  machineBoots.serve(boot.doors);
  controller.addHealthOf(boot);
  controller.addHealthOf(machineBoots);
  const control = await openControlApi({
    path: paths.controlSock,
    controller,
    journal,
    facts: () => host0Facts(controller, health),
    registry,
    metrics,
    boot,
    boots: machineBoots,
    stuck: () =>
      store.waitingMs > COMMIT_LONGEST_MS ? 'the disk has not taken a change for half a minute' : undefined,
  });

  const directory = new NetworkDirectory({
    directory: paths.host0Networks,
    stateFile: join(paths.state, 'networks.accepted.json'),
    clock,
  });
  directory.changes.subscribe((outcome) => void controller.setNetworks(outcome));
  await directory.start(() => underlayPrefixes(links.links, links.routes, directory.current.networks));
  journal.record({
    kind: 'started',
    message: `host0 is ${name}, ${Math.round(process.uptime() * 1000)} ms after its start`,
    durationMs: Math.round(process.uptime() * 1000),
  });
  const look = (): void => {
    health.look();
    clock.after(HEALTH_LOOK_MS, look);
  };
  look();

  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    links.close();
    monitor.close();
    doors.close();
    metricsDoor.close();
    await directory.close();
    await control.close();
    await boot?.close();
    machineBoots.close();
    await controller.close();
    await Promise.all([rtnl.close(), store.close()]);
    log.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
}

function mustBeAble(name: string): void {
  if (!NODE_NAME.test(name)) {
    throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot stand in a member list`, {
      rule: 'A host name has at most 63 letters, digits, dots and hyphens.',
      remedy: 'Give another with --name.',
    });
  }
  requireRoot("run host0's daemon", 'It listens on single network devices, which only root may do.');
}

function fail(errors: readonly MeshError[]): never {
  for (const error of errors) process.stderr.write(`${errorText(error, { color: false })}\n`);
  process.exit(errors[0]?.exitCode ?? 1);
}

main().catch((thrown: unknown) => fail([MeshError.from(thrown)]));
