/** Volumes that are files already, without images. */
import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { VolumeMaker } from '../../src/agent/workloads/volume-maker.ts';
import { MeshError } from '../../src/model/error.ts';
import type { WorkloadVolume } from '../../src/model/workload/volume.ts';

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
