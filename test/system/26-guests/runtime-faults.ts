/** What may go wrong with a workload when it is started, with the error that its administrator then sees. */
import { closeSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { openTap, type TapPlace } from '../../../src/kernel/tap/tap.ts';
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import { MeshError } from '../../../src/model/error.ts';
import type { Workload } from '../../../src/model/workload/workload.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { WorkloadView } from '../../../src/protocol/documents/workload/workload-view.ts';
import { SmallDisk } from '../small-disk.ts';
import { until } from '../until.ts';

/** The workload that each fault is about. */
export const BROKEN = 'broken';

/** What faults are made with: all of them are on one node. */
export interface FaultBench {
  readonly lab: Lab;
  /** The node. */
  readonly node: string;
  /** Orders a start of the broken workload there. */
  readonly start: (more?: Partial<Workload>, isDry?: boolean) => Promise<unknown>;
  /** Ends it at once: its guest hears no power button. */
  readonly stop: () => Promise<unknown>;
  readonly hasState: (state: WorkloadView['state']) => Promise<WorkloadView>;
}

/** One fault. */
export interface RuntimeFault {
  readonly what: string;
  /** The code of the error, and what its message names. */
  readonly code: string;
  readonly names: string | RegExp;
  /** `host0` refuses the order; the node fails after it has taken the order; `doctor` tells of what is slower than it could be. */
  readonly from: 'host0' | 'node' | 'doctor';
  /** What is different from a workload that starts. */
  readonly workload?: Partial<Workload>;
  /** Prepares the fault. @returns how it is put right */
  readonly arrange?: (bench: FaultBench) => Promise<() => unknown>;
}

/** The kernel closes the descriptors of a process that has ended a moment later. */
const LET_GO_MS = 20_000;
const GIB = 1024 ** 3;
const SMALL = '/small';
const volume = { id: 'root', type: 'qcow2', path: 'broken.qcow2' } as const;
const card = { id: 'lan', network: 'main', addresses: [], model: 'virtio' } as const;

/** The ten faults. A workload `box` is there, on another node. */
export const RUNTIME_FAULTS: readonly RuntimeFault[] = [
  {
    what: 'an image that is not there',
    code: 'MESH_DISK_IMAGE_FETCH',
    names: 'none.qcow2',
    from: 'node',
    workload: { volumes: [{ ...volume, source: 'isos/none.qcow2' }] },
  },
  {
    what: 'an image that is not the one of its hash',
    code: 'MESH_DISK_IMAGE_HASH',
    names: 'small.img',
    from: 'node',
    workload: { volumes: [{ ...volume, source: 'isos/small.img', sha256: 'ab'.repeat(32) }] },
    arrange: async ({ lab }) => {
      const directory = join(pathsBelow(lab.host('host0').root).host0, 'isos');
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'small.img'), Buffer.alloc(1024 ** 2, 'an image\0'));
      return () => undefined;
    },
  },
  {
    what: 'more memory than there is',
    code: 'MESH_WORKLOAD_NO_ROOM',
    names: 'memory',
    from: 'host0',
    workload: { memoryBytes: 4_096 * GIB },
  },
  {
    what: 'a node without KVM, where the guest is emulated',
    code: 'MESH_MACHINE_UNFIT',
    names: 'guests are emulated here',
    from: 'doctor',
  },
  {
    what: 'a tap that another process has open',
    code: 'MESH_WORKLOAD_PORT',
    names: 'EBUSY',
    from: 'node',
    workload: { networks: [card] },
    arrange: async ({ lab, node, start, stop, hasState }) => {
      // The port stays with a workload that is stopped.
      await start({ networks: [card] });
      await hasState('running');
      await stop();
      const { ports } = await hasState('stopped');
      const place = { netns: netnsPath(lab.host(node).netns) };
      const fd = await until('the emulator has let its tap go', LET_GO_MS, () =>
        openedTap(`v${ports[0]?.port}`, place),
      );
      return () => closeSync(fd);
    },
  },
  {
    what: 'a name that another workload has',
    code: 'MESH_WORKLOAD_TWICE',
    names: 'box',
    from: 'host0',
    workload: { name: 'box' },
  },
  {
    what: 'a network that does not exist',
    code: 'MESH_NET_UNKNOWN',
    names: 'green',
    from: 'host0',
    workload: { networks: [{ ...card, network: 'green' }] },
  },
  {
    what: 'a disk without room for a volume',
    code: 'MESH_DISK_REFUSED',
    names: /No space left|ENOSPC/,
    from: 'node',
    workload: { volumes: [{ ...volume, path: `${SMALL}/broken.qcow2`, sizeBytes: GIB }] },
    arrange: async ({ lab, node }) => {
      const disk = new SmallDisk(join(lab.host(node).root, SMALL), 1024 ** 2);
      disk.mount();
      disk.fill();
      return () => disk.unmount();
    },
  },
  {
    what: 'a kernel that is not there, so that the emulator ends at once',
    code: 'MESH_QEMU_REFUSED',
    names: 'kernel',
    from: 'node',
    workload: { boot: { kernel: '/no/kernel' } },
  },
  {
    what: 'a node that is away',
    code: 'MESH_NODE_OFFLINE',
    names: /node2|channel/,
    from: 'host0',
    arrange: async ({ lab, node }) => {
      await lab.stop(lab.host(node), 'agent', 'SIGKILL');
      return () => lab.start(lab.host(node), 'agent');
    },
  },
];

/** @returns the descriptor; undefined while a process has the tap open */
function openedTap(name: string, place: TapPlace): number | undefined {
  try {
    return openTap(name, place);
  } catch (thrown) {
    if (thrown instanceof MeshError && thrown.message.includes('EBUSY')) return undefined;
    throw thrown;
  }
}
