/** What keeps a workload from running, apart from its end, as errors. */
import { MeshError } from '../../model/error.ts';

/** Why the system did not start the emulator. */
export function startError(name: string, { message, remedy }: MeshError): MeshError {
  if (/\bEBUSY\b|there is no tap/.test(message)) {
    return new MeshError('MESH_WORKLOAD_PORT', `${name} cannot have its port: ${message}`, {
      object: name,
      remedy: 'See `mesh port list`, and who has the tap open: `lsof /dev/net/tun`. It is tried again automatically.',
      retryable: true,
    });
  }
  const isMissing = /ENOENT|no such program/.test(message);
  return new MeshError(isMissing ? 'MESH_QEMU_MISSING' : 'MESH_WORKLOAD_FAILED', message, {
    object: name,
    remedy: isMissing
      ? 'Install QEMU on the node: `apt-get install qemu-system-x86`.'
      : (remedy ?? 'See `mesh events`.'),
    retryable: true,
  });
}

/** A guest that QEMU has paused, since there is no room for what it writes. */
export function diskFull(name: string): MeshError {
  return new MeshError('MESH_WORKLOAD_DISK_FULL', `${name} is paused: the disk of its volumes is full`, {
    object: name,
    remedy: 'Make room on the disk of the node. The guest goes on by itself then.',
    retryable: true,
  });
}
