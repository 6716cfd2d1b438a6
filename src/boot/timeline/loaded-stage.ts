/** The stage that a machine is in, by the path of what it fetches from host0's boot server. */
import type { BootStage } from '../../protocol/documents/timeline-view.ts';

const STAGES: readonly (readonly [RegExp, BootStage])[] = [
  [/^\/overlay\//, 'overlay'],
  // Files of Alpine's netboot, and what its initramfs fetches of the mirror to install.
  [/^\/alpine\/\d+\/boot\/vmlinuz-[\w-]+$/, 'kernel'],
  [/^\/alpine\/\d+\/boot\/initramfs-[\w-]+$/, 'initrd'],
  [/^\/alpine\/\d+\/.+\.(?:apk|tar\.gz)$/, 'packages'],
  [/\/vmlinuz$/, 'kernel'],
  [/\/initrd\.img$/, 'initrd'],
];

/** @returns undefined for a file that belongs to no stage */
export function stageOfPath(path: string): BootStage | undefined {
  return STAGES.find(([pattern]) => pattern.test(path))?.[1];
}
