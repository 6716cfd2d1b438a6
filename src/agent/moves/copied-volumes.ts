/** Which volumes of a workload go with it to another node. */
import { isAbsolute } from 'node:path';
import type { WorkloadVolume } from '../../model/workload/volume.ts';
import type { Workload } from '../../model/workload/workload.ts';

/**
 * The volumes that are copied: disks, and CDs that nobody can give again. A file with an absolute path is the administrator's: host0
 * moves no workload that writes to one.
 */
export function copiedVolumes({ volumes }: Pick<Workload, 'volumes'>): readonly WorkloadVolume[] {
  return volumes.filter(({ type, path, source }) => !isAbsolute(path) && (type === 'qcow2' || source === undefined));
}
