/** What a download means that did not come to its end. */
import type { BootTrouble } from '../../protocol/documents/timeline-view.ts';
import { type HttpSighting, STALL_SEC } from '../frames/sighting.ts';

/** The trouble of a download that was refused, stood still or broke off. */
export function lostDownload(
  path: string,
  outcome: Exclude<HttpSighting['outcome'], { type: 'asked' }>,
): Omit<BootTrouble, 'stage'> {
  if (outcome.type === 'answered') {
    return {
      code: 'MESH_BOOT_PATH_UNKNOWN',
      cause: `the download of ${path} was answered with ${outcome.status}`,
      remedy: path.startsWith('/alpine/')
        ? 'Run `mesh system download --verify`, and boot the machine again.'
        : 'Build the image again with `mesh system image node`, and boot the machine again.',
    };
  }
  const code = 'MESH_BOOT_SILENT';
  if (outcome.stalled) {
    return {
      code,
      cause: `the download of ${path} stood still: the machine took nothing of it for ${STALL_SEC} s, and host0 broke it off`,
      remedy:
        'Check that the machine is on, and check its cable and its console: it needs 2 GB of memory, ' +
        'and iPXE 1.0 is known to stall on some 10 Gbit/s cards.',
    };
  }
  return {
    code,
    cause: `the download of ${path} broke off`,
    remedy: 'If it happens again, look for a loose cable or a full disk on the way.',
  };
}
