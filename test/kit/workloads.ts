/** Workloads for tests. */
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import type { Workload } from '../../src/model/workload/workload.ts';
import type { AssignedWorkload } from '../../src/protocol/documents/workload/assigned-workload.ts';

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
