/** The files in which servers keep the leases of guests. */
import { readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';
import { parseGuestLeases } from '../../services/dnsmasq/lease-file.ts';

/** The end of the name of such a file, behind the name of the server's process. */
export const LEASES_SUFFIX = '.leases';

/** The leases that are in force; none where the server has not started yet. @throws MESH_DISK_REFUSED */
export function leasesAt(path: string, now: Date): GuestLease[] {
  try {
    return parseGuestLeases(readFileSync(path, 'utf8'), now);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw new MeshError('MESH_DISK_REFUSED', `${path} cannot be read: ${MeshError.from(cause).message}`, {
      operation: 'read',
      object: path,
      cause,
      remedy: 'Look at the disk (`dmesg`); the servers of networks keep the addresses of their guests in this file.',
    });
  }
}

/** The names of the processes with a file in this directory. */
export function leaseFilesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(LEASES_SUFFIX))
      .map((name) => name.slice(0, -LEASES_SUFFIX.length));
  } catch {
    return [];
  }
}
