/** A workload: a virtual machine that the cluster runs on one of its nodes. All formats parse into this model. */
import * as form from '../form.ts';
import { genid } from '../genid.ts';
import { NETWORK_NAME, NETWORK_NAME_RULE } from '../network/words.ts';
import { type WorkloadCloud, WorkloadCloudShape } from './cloud.ts';
import { type WorkloadNetwork, WorkloadNetworkShape } from './network.ts';
import { type WorkloadVolume, WorkloadVolumeShape } from './volume.ts';

/** The firmware of a virtual machine. */
export const FIRMWARES = ['bios', 'uefi'] as const;
/** When a virtual machine is started again that has ended by itself. A guest that powers itself off has not failed. */
export const RESTARTS = ['never', 'on-failure', 'always'] as const;
/** What an administrator wants of a workload. */
export const WANTED_RUNS = ['running', 'stopped', 'paused'] as const;

/** One of `WANTED_RUNS`. */
export type WantedRun = (typeof WANTED_RUNS)[number];

/** Where a workload may run: on the node of this name, or on any node with room. */
export type WorkloadPlace = { readonly kind: 'any' } | { readonly kind: 'node'; readonly node: string };

/** A kernel that is started without a boot loader. Paths are those of the node. */
export interface DirectBoot {
  readonly kernel: string;
  readonly initrd?: string;
  /** The kernel's command line. */
  readonly append?: string;
}

/** A virtual machine, as an administrator describes it. */
export interface Workload {
  /** One word, unique in the cluster. */
  readonly name: string;
  /** One word, unique in the cluster; not always a UUID of RFC 9562 (`systemUuidOf`). Names the directory of the monitor files. */
  readonly uuid: string;
  readonly memoryBytes: number;
  readonly cpu: {
    readonly threads: number;
    /** A model of QEMU, or `host`: the CPU of the node itself. */
    readonly mode: string;
  };
  readonly volumes: readonly WorkloadVolume[];
  readonly networks: readonly WorkloadNetwork[];
  readonly console: { readonly serial: boolean; readonly vnc: boolean };
  readonly firmware: (typeof FIRMWARES)[number];
  readonly restart: (typeof RESTARTS)[number];
  readonly place: WorkloadPlace;
  /** What the guest is told of itself at its first start. Absent: the guest gets no seed. */
  readonly cloud?: WorkloadCloud;
  /** Absent: the guest boots from its volumes. */
  readonly boot?: DirectBoot;
}

/** The most volumes, and the most networks, of one workload: a PC of QEMU has 32 slots. */
export const WORKLOAD_PARTS_MAX = 12;
/** The largest number of CPUs of one virtual machine: QEMU's machine `pc` takes no more. */
export const THREADS_MAX = 255;
/** The least memory of a virtual machine: firmware alone needs about this much. */
export const MEMORY_MIN_BYTES = 16 * 1024 * 1024;
/** 64 TiB, more than any machine has. */
const MEMORY_MAX_BYTES = 64 * 1024 ** 4;

/** A word in a path: a name or the uuid of a workload. */
export const WorkloadNameShape: form.Shape<string> = form.worded(
  form.string({ pattern: NETWORK_NAME }),
  NETWORK_NAME_RULE,
);
/** A model of QEMU, or `host`. */
export const CpuModeShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/ }),
  'A model of `qemu-system-x86_64 -cpu help`, as Penryn-v1, or host.',
);
/** A path on a node. */
export const BootPathShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^\/[\x21-\x7e]{1,500}$/ }),
  'An absolute path on the node, without blanks.',
);
/** The command line of a kernel. */
export const KernelLineShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^[\x20-\x7e]{0,1000}$/ }),
  'The command line of a kernel has at most 1000 printable characters.',
);
/** A size of memory in bytes. */
export const WorkloadMemoryShape = form.int(MEMORY_MIN_BYTES, MEMORY_MAX_BYTES);

/** The form of a place in documents. */
export const WorkloadPlaceShape: form.Shape<WorkloadPlace> = form.variants('kind', [
  form.object({ kind: form.literal('any') }),
  form.object({ kind: form.literal('node'), node: WorkloadNameShape }),
]);

/** The form of a workload in documents. */
export const WorkloadShape: form.Shape<Workload> = form.refined(
  form.object({
    name: WorkloadNameShape,
    uuid: WorkloadNameShape,
    memoryBytes: WorkloadMemoryShape,
    cpu: form.object({ threads: form.int(1, THREADS_MAX), mode: CpuModeShape }),
    volumes: form.listOf(WorkloadVolumeShape, WORKLOAD_PARTS_MAX),
    networks: form.listOf(WorkloadNetworkShape, WORKLOAD_PARTS_MAX),
    console: form.object({ serial: form.boolean(), vnc: form.boolean() }),
    firmware: form.oneOf(FIRMWARES),
    restart: form.oneOf(RESTARTS),
    place: WorkloadPlaceShape,
    cloud: form.exactOptional(WorkloadCloudShape),
    boot: form.exactOptional(
      form.object({
        kernel: BootPathShape,
        initrd: form.exactOptional(BootPathShape),
        append: form.exactOptional(KernelLineShape),
      }),
    ),
  }),
  ({ volumes, networks }) => areDistinct(volumes) && areDistinct(networks),
);

/** The id of a workload in the cluster: 8 hex digits. It names what a node has of the workload, and stays the same for its uuid. */
export function workloadIdOf(uuid: string): string {
  return genid(['workload', uuid], 8);
}

/** The UUID that firmware shows to the guest: the workload's own, or one that is derived from its word. */
export function systemUuidOf(uuid: string): string {
  const own = uuid.toLowerCase();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(own)) return own;
  const digits = genid(['uuid', uuid], 32);
  // Version 8 of RFC 9562 §5.8: a UUID made in a way of one's own. The variant is the bits 10.
  const variant = ((Number.parseInt(digits.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20),
  ].join('-');
}

function areDistinct(parts: readonly { readonly id: string }[]): boolean {
  return new Set(parts.map(({ id }) => id)).size === parts.length;
}
