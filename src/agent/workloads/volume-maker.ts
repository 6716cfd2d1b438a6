/** What the run of a workload needs of volumes (agent/images/volumes.ts). */
import type { WorkloadVolume } from '../../model/workload/volume.ts';

/** A volume that an emulator can open. */
export interface UsableVolume {
  readonly path: string;
  readonly format: 'qcow2' | 'raw';
  readonly isReadOnly: boolean;
  /** The memory that the volume can come to take: 0 on a disk. */
  readonly memoryBytes: number;
}

/** Who waits for a volume. */
export interface VolumeWatch {
  /** Is told how far it is, in words that follow `its volume root`. */
  readonly tell: (howFar: string) => void;
}

/** Makes volumes ready. */
export interface VolumeMaker {
  /** Where a volume is. */
  readonly pathOf: (volume: Pick<WorkloadVolume, 'path'>) => string;
  /** @throws an error that names the volume and its remedy; nothing half made is there then */
  readonly ensure: (volume: WorkloadVolume, settings: VolumeWatch) => Promise<UsableVolume>;
}
