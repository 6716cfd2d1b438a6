/** Composes the processes and files of the agent, and what it runs for networks. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { NetworkServers } from '../agent/services/network-servers.ts';
import { NodeServices } from '../agent/services/node-services.ts';
import { serverUser } from '../agent/services/server-user.ts';
import { ServiceSpaces } from '../agent/services/service-spaces.ts';
import { OwnedFiles } from '../disk/owned-files.ts';
import { startChild } from '../kernel/child.ts';
import { inNetns } from '../kernel/netns.ts';
import { FrameSocket } from '../kernel/sockets/frame-socket.ts';
import { openTap } from '../kernel/tap/tap.ts';
import type { Clock } from '../model/clock.ts';
import type { MachineWord } from '../model/machine.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import { Launcher } from '../services/process/launcher.ts';

/** The directory of all that services keep, below that of the state. Some read their files there as users of their own. */
const SERVICES = 'services';
const SERVICES_MODE = 0o711;
/** The directory of the files that services read. */
const SERVICE_FILES = 'services/files';
/** The directory of the leases of guests. */
const LEASES = 'services/leases';
/** The directory of the user of servers, which must reach it: below that of the state. */
const SERVER_DIRECTORY = 'services/own';

/** Adopts the processes that an earlier agent has started. @param netns the directory of the named namespaces */
export function openServices(
  { state, run, netns }: Pick<Paths, 'state' | 'run' | 'netns'>,
  clock: Clock,
  journal: Journal,
): NodeServices {
  const directory = join(state, SERVICES);
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, SERVICES_MODE);
  const launcher = new Launcher({
    directory: join(state, 'services/processes'),
    clock,
    journal,
    inNetns,
    startChild,
    openTap: (name, netns) => openTap(name, netns === undefined ? {} : { netns }),
  });
  const user = serverUser(join(state, SERVER_DIRECTORY), journal);
  const spaces = new ServiceSpaces({
    ...{ directory: netns, run, leases: join(state, LEASES), clock },
    ...(user && { owner: user }),
  });
  return new NodeServices(launcher, new OwnedFiles(join(state, SERVICE_FILES)), spaces, user);
}

/** The servers of the networks that this node serves. */
export function openServers(
  { state, run, netns }: Pick<Paths, 'state' | 'run' | 'netns'>,
  services: NodeServices,
  clock: Clock,
  machine: MachineWord,
): NetworkServers {
  const directories = { files: join(state, SERVICE_FILES), run, netns, leases: join(state, LEASES) };
  return new NetworkServers({
    ...{ machine, clock, launcher: services.launcher, directories },
    openEar: (ear) => FrameSocket.open(ear),
    outerFaultOf: (space) => services.outerFaultOf(space),
    isInPlace: (space) => services.isInPlace(space),
    ...(services.serverUser && { user: services.serverUser }),
  });
}
