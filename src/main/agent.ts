/**
 * The agent process of one machine: `agent.ts --root DIR [--name NAME] [--machine ID] (--host0 A[,B] | --on-host0) [--metrics NETWORK] [--disk-cache SIZE]`.
 * This file composes the parts of the agent; it has no behaviour of its own.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Agent } from '../agent/agent.ts';
import { addAgentMetrics } from '../agent/api/agent-metrics.ts';
import { serveAgentSocket } from '../agent/api/agent-socket.ts';
import { assignmentOnDisk, LastAssignment } from '../agent/assignment/last-assignment.ts';
import { NodeAssignments } from '../agent/assignment/node-assignments.ts';
import { Captures } from '../agent/capture/captures.ts';
import { systemDoctor } from '../agent/doctor/system-doctor.ts';
import { BorrowedSettings } from '../agent/kernel/borrowed-settings.ts';
import { BorrowedSettingsFile } from '../agent/kernel/borrowed-settings-file.ts';
import { ChannelMemberships } from '../agent/membership/channel-memberships.ts';
import { httpTransport } from '../agent/membership/http-transport.ts';
import { InventoryNotice } from '../agent/membership/inventory-notice.ts';
import { ForeignPorts } from '../agent/ports/foreign-ports.ts';
import { GuestAnnouncements } from '../agent/ports/guest-announcements.ts';
import { PluggedPortsFile } from '../agent/ports/plugged-ports.ts';
import { openProbe } from '../agent/probe/agent-probe.ts';
import { PathAnswers } from '../agent/trace/path-answers.ts';
import { AgentConditions } from '../agent/view/agent-conditions.ts';
import { textOnDisk } from '../disk/state-file.ts';
import { probeKernel } from '../kernel/probe.ts';
import { permanentMacs } from '../kernel/rtnl/permanent-macs.ts';
import { announceGuest } from '../kernel/sockets/announcement.ts';
import { bootInstance } from '../machine/boot-instance.ts';
import { readInventory } from '../machine/inventory.ts';
import { ApiMetrics } from '../metrics/api-metrics.ts';
import { MeshError } from '../model/error.ts';
import { Conditions } from '../protocol/journal/conditions.ts';
import { makeHost0Way } from './agent-channel.ts';
import { makeEndpoints } from './agent-endpoints.ts';
import { openAgentKernel } from './agent-kernel.ts';
import { openServers } from './agent-services.ts';
import { openAgentSource } from './agent-source.ts';
import { openWorkloads } from './agent-workloads.ts';
import { openDaemon } from './daemon.ts';
import { endOnSignal, fail, hasStarted } from './process.ts';

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      root: { type: 'string', default: '/' },
      name: { type: 'string' },
      machine: { type: 'string' },
      host0: { type: 'string' },
      'on-host0': { type: 'boolean', default: false },
      metrics: { type: 'string' },
      'disk-cache': { type: 'string' },
    },
  });
  const { name, nodeName, paths, clock, journal, log, registry } = await openDaemon({
    daemon: 'agent',
    needsRoot: 'Networks are made in the kernel, which only root may do.',
    options,
  });
  const settingsFile = new BorrowedSettingsFile(join(paths.run, 'settings.json'));
  const settings = new BorrowedSettings(await settingsFile.read(), (list) => settingsFile.write(list));
  const { kernel, echo, sizedEcho } = await openAgentKernel(journal, settings);
  const instance = bootInstance({ runDirectory: paths.run });
  const common = { name, instance, clock, journal, kernel, echo, transport: httpTransport };
  const memberships = new ChannelMemberships(clock);
  const { machine, source, key, seat } = await openAgentSource({ ...common, channel: memberships, paths, options });
  const portsFile = new PluggedPortsFile(join(paths.state, 'ports.json'));
  const plugged = await portsFile.read();
  const { state: stateDirectory, controlSock } = paths;
  const disk = assignmentOnDisk(stateDirectory, textOnDisk);
  const assignments = new NodeAssignments({
    machine,
    clock,
    journal,
    last: new LastAssignment({ clock, journal, disk }),
    fileNetworks: () => source.networks,
  });
  const isHost0 = machine === 'host0';
  const guests = openWorkloads({ paths, clock, journal, assignments, isHost0, limit: options['disk-cache'] });
  const servers = openServers(paths, guests.services, clock, machine);
  const agent = new Agent({
    ...common,
    services: guests.services,
    servers,
    workloads: guests.workloads,
    machine,
    source,
    assignments,
    ports: new ForeignPorts(plugged, clock),
    settings,
    keepPorts: (ports) => portsFile.write(ports.record),
    probe: probeKernel,
  });
  guests.runBeside(agent);
  servers.runBeside(agent, assignments);
  const probe = openProbe(agent, assignments);
  addAgentMetrics(registry, agent);
  new GuestAnnouncements({ ...agent, journal, announce: announceGuest });

  const reading = new AgentConditions(agent);
  const conditions = new Conditions(journal, clock, () => reading.read());
  agent.reconciler.passes.subscribe(() => conditions.lookSoon());
  const inventory = new InventoryNotice({
    ...common,
    ...(seat !== undefined && { transport: seat.transport }),
    read: () => readInventory(permanentMacs(agent.cache.links.values())),
  });
  source.joins.subscribe((network) => inventory.joined(network));
  agent.linkChanges.subscribe(() => inventory.lookSoon());
  const readConditions = () => conditions.current;
  const answers = {
    conditions: readConditions,
    captures: new Captures(agent),
    paths: new PathAnswers(agent),
    assignments,
    instance,
    ...guests.images,
    moves: guests.moves,
  };
  const host0 = makeHost0Way({ ...answers, memberships, agent, key, seat, registry, controlSock });
  const server = await serveAgentSocket({
    path: paths.agentSock,
    agent,
    echo: sizedEcho,
    conditions: readConditions,
    registry,
    metrics: new ApiMetrics(registry),
    captures: answers.captures,
    ...host0.socket,
    doctor: systemDoctor({ agent, kernel, ...guests.images, echo: sizedEcho, stateDirectory, controlSock }),
  });
  const metricsNetwork = options.metrics;
  const endpoints = makeEndpoints({ agent, machine, kernel, paths: answers.paths, registry, metricsNetwork });
  for (const part of [nodeName, portsFile, settingsFile, ...guests.parts]) agent.addHealthOf(part);
  await agent.start();
  endpoints.start();
  host0.start();
  hasStarted(journal, { message: `agent of ${name}, machine ${machine}` });

  endOnSignal(async () => {
    server.close();
    host0.close();
    seat?.close();
    inventory.close();
    endpoints.close();
    probe.close();
    await agent.stop();
    servers.close();
    await guests.release();
    await kernel.close();
    log.close();
  });
}

main().catch((thrown: unknown) => fail([MeshError.from(thrown)]));
