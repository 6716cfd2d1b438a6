/** The state directory of a host, on a disk of its own. */
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { SmallDisk } from '../small-disk.ts';

/** Twice what host0's store, the largest, needs. */
const DISK_BYTES = 2 * 1024 * 1024;

export function stateDiskOf({ root }: LabHost): SmallDisk {
  return new SmallDisk(pathsBelow(root).state, DISK_BYTES);
}
