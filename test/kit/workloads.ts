/** Workloads for tests. */
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import type { Workload } from '../../src/model/workload/workload.ts';
import type {
  AssignedWorkload,
  NodeCapacity,
  WorkloadRun,
} from '../../src/protocol/documents/workload/assigned-workload.ts';

/** A small virtual machine with one disk and one card. */
export const workload: Workload = {
  name: 'web',
  uuid: 'qweflmqwe23',
  memoryBytes: 512 * 1024 * 1024,
  cpu: { threads: 1, mode: 'host' },
  volumes: [{ id: 'root', type: 'qcow2', path: 'web.qcow2', source: 'isos/debian.qcow2' }],
  networks: [
    {
      id: 'lan',
      network: 'blue',
      addresses: [{ address: parseIpv4('10.0.0.5'), length: 24 }],
      model: 'virtio',
    },
  ],
  console: { serial: true, vnc: false },
  firmware: 'bios',
  restart: 'on-failure',
  place: { kind: 'any' },
};

/** The same on its node. */
export const assignedWeb: AssignedWorkload = {
  kind: 'vm',
  id: '1a2b3c4d',
  generation: 1,
  workload,
  ports: { lan: '1f' },
  wanted: 'running',
};

/** Another workload like it, with a uuid of its own. */
export function workloadNamed(name: string, more: Partial<Workload> = {}): Workload {
  return { ...workload, name, uuid: `uuid-${name}`, ...more };
}

/** A node with room for many guests. */
export const capacity: NodeCapacity = {
  memoryBytes: 64 * 1024 ** 3,
  availableBytes: 64 * 1024 ** 3,
  threads: 4,
  accelerator: 'tcg',
  volumes: 'disk',
  volumeBytes: 1024 ** 4,
};

/** A workload that runs. */
export function runOf(id: string, more: Partial<WorkloadRun> = {}): WorkloadRun {
  return { id, generation: 1, state: 'running', ageSec: 0, restarts: 0, ...more };
}
