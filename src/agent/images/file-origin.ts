/** Disk images that are files of this machine. */
import { constants, createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import type { OpenOrigin } from './image-origin.ts';

const PIECE_BYTES = 1024 * 1024;

/** The origin of a file. @param object how people name the image */
export function fileOrigin(path: string, object: string = path): OpenOrigin {
  return async ({ firstByte, version, signal }) => {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
      throw refused(object, errnoOf(cause) === 'ENOENT' ? 'is not there' : `cannot be read: ${String(cause)}`, cause);
    });
    try {
      const stat = await file.stat({ bigint: true });
      if (!stat.isFile()) throw refused(object, 'is no plain file');
      const own = `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs}`;
      const first = version === own ? firstByte : 0;
      const body = createReadStream('', { fd: file, start: first, highWaterMark: PIECE_BYTES, signal });
      return { firstByte: first, totalBytes: Number(stat.size), version: own, body };
    } catch (error) {
      await file.close();
      throw error;
    }
  };
}

function refused(object: string, why: string, cause?: unknown): MeshError {
  return new MeshError('MESH_DISK_IMAGE_FETCH', `${object} ${why}`, {
    operation: 'read disk image',
    object,
    remedy: 'Give the path of an image on the node that runs the virtual machine.',
    ...(cause !== undefined && { cause }),
  });
}
