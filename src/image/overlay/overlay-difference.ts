/** What changes on a machine between two overlays, path by path. */
import type { OverlayEntry } from './overlay.ts';

/** One path that differs between two overlays. */
export interface PathChange {
  /** Relative to the node's root, as in OverlayEntry. */
  readonly path: string;
  readonly change: 'added' | 'changed' | 'removed';
  /** How a changed path differs: `content`, `mode 0:0:0644 → 0:0:0600`. */
  readonly what?: string;
}

/** All changes, in the order of their paths; empty when both overlays are equal. */
export function overlayDifference(before: readonly OverlayEntry[], after: readonly OverlayEntry[]): PathChange[] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const changes: PathChange[] = [];
  for (const entry of after) {
    const { path } = entry;
    const present = old.get(path);
    old.delete(path);
    const what = present === undefined ? '' : differences(present, entry).join(', ');
    if (present === undefined) changes.push({ path, change: 'added' });
    else if (what !== '') changes.push({ path, change: 'changed', what });
  }
  for (const path of old.keys()) changes.push({ path, change: 'removed' });
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function differences(before: OverlayEntry, after: OverlayEntry): string[] {
  if (before.type === 'link' || after.type === 'link') {
    if (before.type !== after.type) return [`${before.type} → ${after.type}`];
    return before.type === 'link' && after.type === 'link' && before.to !== after.to
      ? [`${before.to} → ${after.to}`]
      : [];
  }
  if (before.type !== after.type) return [`${before.type} → ${after.type}`];
  const [oldMode, newMode] = [before, after].map(({ mode }) => modeText(mode));
  const changes = oldMode === newMode ? [] : [`mode ${oldMode} → ${newMode}`];
  if (before.type === 'file' && after.type === 'file' && Buffer.compare(before.content, after.content) !== 0) {
    changes.push('content');
  }
  return changes;
}

/** Owner, group and permissions as in a manifest, in numbers: `0:0:0644`. */
export function modeText({ uid, gid, permissions }: { uid: number; gid: number; permissions: number }): string {
  return `${uid}:${gid}:${permissions.toString(8).padStart(4, '0')}`;
}
