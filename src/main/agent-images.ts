/** Composes the disk images, the volumes, the consoles and the screens of a node. */
import { join } from 'node:path';
import type { NodeAssignments } from '../agent/assignment/node-assignments.ts';
import { Consoles } from '../agent/console/consoles.ts';
import { Screens } from '../agent/console/screens.ts';
import { fileOrigin } from '../agent/images/file-origin.ts';
import { Host0Isos } from '../agent/images/host0-isos.ts';
import { ImageCache } from '../agent/images/image-cache.ts';
import { sizeIn } from '../agent/images/image-limit.ts';
import { sourceText } from '../agent/images/image-source.ts';
import { Volumes } from '../agent/images/volumes.ts';
import { webOrigin } from '../agent/images/web-origin.ts';
import { vmConsoleLog, vmConsoleSocket, vmScreenSocket } from '../agent/workloads/vm-place.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { Journal } from '../protocol/journal/journal.ts';

/** What the agent has before its images. */
export interface AgentImagesInput {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly assignments: Pick<NodeAssignments, 'workloads' | 'changes'>;
  readonly isHost0: boolean;
  /** The size of the cache, as people write it. */
  readonly limit: string | undefined;
}

/** Makes the cache, which reads the disk with the first question, and follows the consoles of the workloads. @throws MESH_USAGE */
export function openImages({ paths, clock, journal, assignments, isHost0, limit }: AgentImagesInput) {
  const limitBytes = limit === undefined ? undefined : sizeIn(limit);
  if (limit !== undefined && limitBytes === undefined) {
    throw new MeshError('MESH_USAGE', `--disk-cache ${JSON.stringify(limit)} is no size`, {
      rule: 'A size is a whole number with K, M, G or T.',
      remedy: 'Write --disk-cache 20G, for example.',
    });
  }
  const isos = new Host0Isos(clock);
  const images = new ImageCache({
    directory: paths.images,
    clock,
    journal,
    limitBytes,
    origin: (source) => {
      const text = sourceText(source);
      if (source.kind === 'web') return webOrigin(source.url);
      if (source.kind === 'file') return fileOrigin(source.path);
      return isHost0 ? fileOrigin(join(paths.host0, 'isos', source.path), text) : isos.origin(source.path, text);
    },
  });
  const consoles = new Consoles(
    (id) => ({ socketPath: vmConsoleSocket(paths, id), logPath: vmConsoleLog(paths, id) }),
    clock,
  );
  const screens = new Screens((id) => vmScreenSocket(paths, id), clock);
  const ownersOf = (kind: 'serial' | 'vnc') =>
    assignments.workloads
      .filter(({ workload }) => workload.console[kind])
      .map(({ id, workload }) => ({ id, workload: workload.name }));
  const follow = (): void => {
    consoles.follow(ownersOf('serial'));
    screens.follow(ownersOf('vnc'));
  };
  const end = assignments.changes.subscribe(follow);
  return {
    images,
    volumes: new Volumes(images, paths.volumes, paths.root),
    consoles,
    screens,
    ...(!isHost0 && { isos }),
    close: () => {
      end();
      consoles.close();
      screens.close();
    },
  };
}
