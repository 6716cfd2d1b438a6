/**
 * The mark of a host0 that was restored from a backup, `restored.json`: the host0 that it is a copy of may still be on the wire. Such a
 * host0 looks for that one before it serves anybody, and waits while that one lives.
 */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../disk/durable-file.ts';
import { StateFile, type StateForm } from '../disk/state-file.ts';
import * as form from '../protocol/shapes/form.ts';
import { TimeShape } from '../protocol/shapes/parts.ts';
import { sealed } from '../protocol/shapes/sealed-document.ts';

/** The document. */
export interface RestoredMark {
  /** When the backup was taken, and when it was restored, ISO 8601. */
  readonly takenAt: string;
  readonly restoredAt: string;
  /** The host name of the machine that was backed up. */
  readonly host: string;
  /** The id of that host0 in its probes; absent if it had none. */
  readonly installation?: string;
}

const MARK_FILE: StateForm<RestoredMark> = {
  version: 1,
  shape: form.object({
    takenAt: TimeShape,
    restoredAt: TimeShape,
    host: form.string({ max: 255 }),
    installation: form.exactOptional(form.string({ pattern: /^[0-9a-f]{8}$/ })),
  }),
  holds: 'the mark of a restored host0',
  remedy: 'host0 does not look for the host0 that it was restored from: see that only one of them runs.',
  comesBack: false,
};

/** Where the mark is. @param state host0's state directory */
export function restoredMarkAt(state: string): string {
  return join(state, 'restored.json');
}

/** The text of a mark. */
export function restoredMarkText(mark: RestoredMark): string {
  return sealed(MARK_FILE, mark);
}

/** The mark; undefined for a host0 that was not restored, or that has taken over. Never rejects. */
export async function readRestoredMark(state: string): Promise<RestoredMark | undefined> {
  return await new StateFile(restoredMarkAt(state), MARK_FILE).read();
}

/** Lets the host0 serve from now on, whoever else lives. @returns whether there was a mark @throws MESH_DISK_REFUSED */
export async function removeRestoredMark(state: string): Promise<boolean> {
  const wasThere = (await readRestoredMark(state)) !== undefined;
  const path = restoredMarkAt(state);
  await rm(path, { force: true });
  if (wasThere) await syncDirectory(dirname(path));
  return wasThere;
}
