/** What a long-running process of Meshwork has before all else: its name, its paths, its journal and its counters. */
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { finishRestore } from '../backup/finish-restore.ts';
import { claimPrivateDirectories } from '../disk/private-directories.ts';
import { requireRoot } from '../kernel/root.ts';
import { NodeName } from '../machine/node-name.ts';
import { addProcessMetrics } from '../metrics/process-metrics.ts';
import { Registry } from '../metrics/registry.ts';
import { systemClock } from '../model/clock.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { type DaemonName, TITLES } from '../protocol/http/service-manager.ts';
import { claimProcess, openJournal } from './process.ts';

/** How the process was started. */
interface DaemonStart {
  readonly daemon: DaemonName;
  /** Why only root may run it. */
  readonly needsRoot: string;
  readonly options: { readonly root: string; readonly 'host0-dir'?: string; readonly name?: string };
}

/**
 * Claims the directories and the one start of the process, and opens its journal.
 * @throws MESH_NOT_ROOT, MESH_ALREADY_RUNNING, MESH_DISK_REFUSED
 */
export async function openDaemon({ daemon, needsRoot, options }: DaemonStart) {
  // Node writes its compile cache only at a clean exit: a process that is killed would compile everything again at each start.
  flushCompileCache();
  const nodeName = new NodeName({ option: options.name, hostName: hostname, process: TITLES[daemon] });
  const { name } = nodeName;
  requireRoot(`run ${TITLES[daemon]}`, needsRoot);
  const paths = pathsBelow(options.root, options['host0-dir']);
  // A restore that the power cut short is carried to its end before anything of the state is read.
  await finishRestore(paths);
  await claimPrivateDirectories(paths);
  await claimProcess(daemon, paths);
  const clock = systemClock;
  const { journal, log } = openJournal(clock, daemon, name);
  const registry = new Registry();
  addProcessMetrics(registry, { process: daemon, clock, stateDirectory: paths.state, log });
  return { name, nodeName, paths, clock, journal, log, registry };
}
