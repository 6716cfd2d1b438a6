/**
 * Composes how a restored host0 begins: it serves nobody while the host0 that it was restored from lives on the same wire, and begins
 * when that one is gone, or when the administrator says so.
 */
import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStandbyApi } from '../../api/control/standby-api.ts';
import { type RestoredMark, readRestoredMark, removeRestoredMark } from '../../backup/restored-mark.ts';
import { findOriginal } from '../../boot/twin/original-search.ts';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { tellServiceManager } from '../../kernel/unix/service-notice.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import { findingOf } from '../../protocol/documents/finding.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { LeadershipView } from '../../protocol/documents/views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

/** What a host0 has before its turn. */
export interface TurnInput {
  readonly paths: Paths;
  readonly name: string;
  readonly settings: Pick<Host0Settings, 'segmentNics' | 'portSettleSec'>;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** Looks that hear nothing, one after the other, before a restored host0 begins. A frame or two may get lost. */
const SILENT_LOOKS = 3;
/** Between two looks, each of which takes a second. */
const PAUSE_MS = 500;

/** Resolves when this host0 may serve: at once, unless it was restored and has not begun since. */
export async function awaitTurn({ paths, name, settings, clock, journal }: TurnInput): Promise<void> {
  const mark = await readRestoredMark(paths.state);
  if (mark === undefined) return;
  const search = { installation: mark.installation, networks: paths.host0Networks, segmentNics: settings.segmentNics };
  const startedMs = clock.nowMs();
  let view = waiting(mark, undefined);
  const api = await openStandbyApi({
    path: paths.controlSock,
    clock,
    journal,
    leadership: () => view,
    status: () => ({
      ...{ role: 'host0', version: VERSION, node: name, epoch: '', revision: 0, leadership: view },
      ...{ segments: [], nodesOnline: 0, networks: 0 },
      upSec: Math.floor((clock.nowMs() - startedMs) / 1000),
      health: [findingOf(new MeshError('MESH_HOST0_STANDBY', `this host0 waits: ${view.why}`), { object: name })],
    }),
  });
  tellServiceManager();
  let silent = 0;
  // Switches may pass no frame of a machine that has just been switched on.
  while (silent < SILENT_LOOKS || uptime() < settings.portSettleSec) {
    const heard = await findOriginal(search).catch((thrown: unknown) => {
      journal.failure('host0 not looked for', thrown);
      return undefined;
    });
    if ((await readRestoredMark(paths.state)) === undefined) break;
    const before = view;
    view = waiting(mark, heard);
    silent = heard === undefined ? silent + 1 : 0;
    if (heard !== undefined && before.leader === undefined)
      journal.record({ kind: 'waits', message: `${name} waits: ${view.why}` });
    await sleep(PAUSE_MS);
  }
  await removeRestoredMark(paths.state);
  await api.close();
  journal.record({ kind: 'leads', message: `${name} leads from now on, restored from a backup of ${mark.takenAt}` });
}

function waiting(
  { host, takenAt }: RestoredMark,
  heard: string | undefined,
): LeadershipView & { readonly why: string } {
  const origin = `the host0 that this one was restored from (${host}, ${takenAt})`;
  if (heard === undefined) return { state: 'waits', why: `this host0 looks whether ${origin} is on the same wire` };
  return {
    state: 'waits',
    leader: host,
    why: `${origin} lives: ${heard}. It begins when that one is gone, or with \`mesh host0 take-over\``,
  };
}
