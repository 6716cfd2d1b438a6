/** Which node a workload goes to: the one that is named, or the one with the most free memory that fits. Pure. */
import { MeshError } from '../../model/error.ts';
import type { Workload } from '../../model/workload/workload.ts';
import type { NodeCapacity } from '../../protocol/documents/workload/assigned-workload.ts';
import type { WorkloadNode } from './workload-record.ts';

/** A node that a workload may go to. */
export interface PlaceCandidate extends WorkloadNode {
  /** Whether the node's channel stands. */
  readonly isReached: boolean;
  /** Undefined while the node has not told. */
  readonly capacity?: NodeCapacity | undefined;
  /** The workloads that run there or should run there, with the memory that each takes now. */
  readonly promised: readonly WorkloadPromise[];
}

/** A workload that has memory of a node. */
export interface WorkloadPromise {
  readonly workload: Workload;
  /** What the emulator and the volumes take now. */
  readonly usedBytes: number;
  /** What the volumes in memory may come to take, as far as the node has told: the workload may not say the size of an image. */
  readonly volumeBytes?: number | undefined;
}

const MEBIBYTE = 1024 * 1024;
/** What an emulator takes beside the memory of its guest: measured with one disk and one card. */
const OVERHEAD_BYTES = { tcg: 100 * MEBIBYTE, kvm: 40 * MEBIBYTE, none: 100 * MEBIBYTE } as const;

/**
 * The memory that a workload may come to take on a node. On a node without a disk, its disks are in memory, too.
 * @param toldBytes what the node says of its volumes there; undefined before it has made them
 */
export function demandBytes(workload: Workload, { accelerator, volumes }: NodeCapacity, toldBytes?: number): number {
  const disks = volumes === 'memory' ? workload.volumes.map(({ sizeBytes = 0 }) => sizeBytes) : [];
  const volumeBytes = toldBytes ?? disks.reduce((sum, bytes) => sum + bytes, 0);
  return workload.memoryBytes + OVERHEAD_BYTES[accelerator] + volumeBytes;
}

/** The memory that nobody has been promised: what is free now, less what the workloads there may still take. */
export function freeBytes({ capacity, promised }: Pick<PlaceCandidate, 'capacity' | 'promised'>): number {
  if (capacity === undefined) return 0;
  const open = promised.map(({ workload, usedBytes, volumeBytes }) =>
    Math.max(0, demandBytes(workload, capacity, volumeBytes) - usedBytes),
  );
  return capacity.availableBytes - open.reduce((sum, bytes) => sum + bytes, 0);
}

/** Why a workload cannot go to a node, as the end of a sentence about the node; undefined if the workload can. */
export function unfitness(workload: Workload, candidate: PlaceCandidate): string | undefined {
  const { capacity } = candidate;
  const { threads, mode } = workload.cpu;
  if (!candidate.isReached) return 'has no channel to host0';
  if (capacity === undefined) return 'has not told that it runs virtual machines';
  if (capacity.accelerator === 'none') return `runs no virtual machines: ${capacity.why ?? 'it has no emulator'}`;
  if (threads > capacity.threads) return `has ${capacity.threads} CPU threads, and the workload asks for ${threads}`;
  if (mode !== 'host' && capacity.cpuModes?.includes(mode) === false) return `knows no CPU model ${mode}`;
  const [demand, free] = [demandBytes(workload, capacity), freeBytes(candidate)];
  if (demand <= free) return undefined;
  return `has ${mebibytes(free)} of memory that is not promised, and the workload needs ${mebibytes(demand)}`;
}

/**
 * The node with the most free memory of those that fit. host0 comes last: it serves all others.
 * @throws MESH_WORKLOAD_NO_ROOM, with the reason of each node
 */
export function placeAnywhere(workload: Workload, candidates: readonly PlaceCandidate[]): PlaceCandidate {
  const judged = candidates.map((candidate) => ({ candidate, why: unfitness(workload, candidate) }));
  const fit = judged.filter(({ why }) => why === undefined).map(({ candidate }) => candidate);
  const [best] = fit.toSorted(
    (a, b) => Number(a.machine === 'host0') - Number(b.machine === 'host0') || freeBytes(b) - freeBytes(a),
  );
  if (best !== undefined) return best;
  const reasons = judged.map(({ candidate: { node }, why }) => `${node} ${why}`);
  throw new MeshError(
    'MESH_WORKLOAD_NO_ROOM',
    `no node has room for ${workload.name}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`,
    {
      operation: 'place workload',
      object: workload.name,
      rule: 'A workload gets its memory and threads from one node. Memory that another workload was promised is not free.',
      remedy: 'Stop a workload, give this one less memory, or boot another node: `mesh node list`.',
      retryable: true,
    },
  );
}

/** @throws MESH_WORKLOAD_NO_ROOM, MESH_NODE_OFFLINE */
export function mustFit(workload: Workload, candidate: PlaceCandidate): void {
  const { node, isReached } = candidate;
  const why = unfitness(workload, candidate);
  if (why === undefined) return;
  throw new MeshError(isReached ? 'MESH_WORKLOAD_NO_ROOM' : 'MESH_NODE_OFFLINE', `${node} ${why}`, {
    operation: `place workload ${workload.name}`,
    object: node,
    remedy: isReached
      ? 'Name another node with -n, stop a workload there, or change what the workload asks for.'
      : 'Start the node, or name another one with -n: `mesh node list`.',
    retryable: true,
  });
}

function mebibytes(bytes: number): string {
  return `${Math.max(0, Math.floor(bytes / MEBIBYTE))} MiB`;
}
