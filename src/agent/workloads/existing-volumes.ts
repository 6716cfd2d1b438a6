/** Volumes that are files on this node already. */
import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import type { WorkloadVolume } from '../../model/workload/volume.ts';
import type { VmUser } from './vm-place.ts';

/** A volume that an emulator can open. */
export interface UsableVolume {
  readonly path: string;
  readonly format: 'qcow2' | 'raw';
  readonly isReadOnly: boolean;
  /** The memory that the volume can come to take: 0 on a disk. */
  readonly memoryBytes: number;
}

/** Makes volumes ready. */
export interface VolumeMaker {
  /** Where a volume is. */
  readonly pathOf: (volume: Pick<WorkloadVolume, 'path'>) => string;
  /** @throws an error that names the volume and its remedy; nothing half made is there then */
  readonly ensure: (volume: WorkloadVolume, settings: { readonly owner: VmUser }) => Promise<UsableVolume>;
}

/** Takes files as they are. @param directory of volumes whose path is not absolute */
export function existingVolumes(directory: string): VolumeMaker {
  const pathOf = ({ path }: Pick<WorkloadVolume, 'path'>) => (isAbsolute(path) ? path : join(directory, path));
  return {
    pathOf,
    ensure: async (volume) => {
      const path = pathOf(volume);
      const found = await stat(path).catch((cause: unknown) => {
        throw new MeshError('MESH_WORKLOAD_VOLUME', `the volume ${volume.id} is not there: ${path}`, {
          object: path,
          remedy: 'Put the file there, or give the volume a source.',
          cause,
        });
      });
      if (!found.isFile()) {
        throw new MeshError('MESH_WORKLOAD_VOLUME', `the volume ${volume.id} is no plain file: ${path}`, {
          object: path,
          remedy: 'Name another path.',
        });
      }
      const isReadOnly = volume.type === 'iso';
      return { path, format: isReadOnly ? 'raw' : 'qcow2', isReadOnly, memoryBytes: 0 };
    },
  };
}
