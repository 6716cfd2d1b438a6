/** A hash of an overlay's entries: it tells whether two overlays are equal, without packing them. */
import { createHash } from 'node:crypto';
import type { OverlayEntry } from './overlay.ts';

/**
 * SHA-256, in hex, over paths, types, owners, modes, link targets and file contents.
 * @param entries sorted by path, as Overlay gives them
 */
export function contentHash(entries: readonly OverlayEntry[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) {
    const { path, type } = entry;
    const mode = type === 'link' ? entry.to : `${entry.mode.uid}:${entry.mode.gid}:${entry.mode.permissions}`;
    const length = type === 'file' ? entry.content.length : 0;
    hash.update(JSON.stringify([type, path, mode, length]));
    if (type === 'file') hash.update(entry.content);
  }
  return hash.digest('hex');
}
