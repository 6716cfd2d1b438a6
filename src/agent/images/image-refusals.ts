/** Why an image is not kept, or not given away. */
import { MeshError } from '../../model/error.ts';
import type { DiskImage } from '../../protocol/documents/workload/disk-image.ts';

/** The error for an image that volumes need. */
export function imageUsed({ sha256, sources, volumes }: DiskImage): MeshError {
  return new MeshError('MESH_DISK_IMAGE_USED', `volumes are over the image: ${volumes.slice(0, 5).join(', ')}`, {
    object: sources[0] ?? sha256,
    rule: 'A volume has what it has changed, and reads all else from its image.',
    remedy: 'Delete the virtual machines with these volumes first: `mesh workload delete`.',
  });
}

/** Compares the hash of an image with the one that is wanted. @throws MESH_DISK_IMAGE_HASH */
export function mustBe(sha256: string, wanted: string | undefined, named: string): void {
  if (wanted === undefined || wanted === sha256) return;
  throw new MeshError('MESH_DISK_IMAGE_HASH', `${named} has the SHA-256 ${sha256}, and ${wanted} is wanted`, {
    object: named,
    rule: 'An image with another hash is another image: it is not used.',
    remedy: 'Compare the hash with the page of the image: the image may be newer, or not the one that you think.',
  });
}

/** The error for an image that finds no room. @param freeBytes what there is for the image */
export function noRoom(named: string, bytes: number, freeBytes: number, isOverLimit: boolean): MeshError {
  const megabytes = (count: number): number => Math.ceil(Math.max(0, count) / 1e6);
  const what = isOverLimit ? 'the cache of disk images' : 'the disk';
  const remedy = isOverLimit
    ? 'Delete images (`mesh workload image delete`), or give the agent of this node a larger --disk-cache.'
    : 'Make room on the disk, or delete images (`mesh workload image delete`).';
  return new MeshError(
    'MESH_DISK_IMAGE_ROOM',
    `${named} needs ${megabytes(bytes)} MB, and ${what} has ${megabytes(freeBytes)} MB for it`,
    { object: named, rule: 'Images with volumes, and those asked for in the last ten minutes, stay.', remedy },
  );
}
