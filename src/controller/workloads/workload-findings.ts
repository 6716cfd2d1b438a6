/** What is not well with workloads, as far as host0 sees it. */
import type { Finding } from '../../protocol/documents/finding.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import { freeBytes, type PlaceCandidate } from './placement.ts';

/** Findings of workloads that are lost, failed, or run twice. */
export function workloadFindings(views: readonly WorkloadView[]): Finding[] {
  return views.flatMap(({ name, node = '', state, wanted, alsoOn = [], error }): Finding[] => {
    const found = alsoOn.map(
      (other): Finding => ({
        code: 'MESH_WORKLOAD_DOUBLE',
        severity: 'error',
        object: name,
        message: `${other} still runs ${name}, which is on ${node} now: two guests have its addresses`,
        remedy: `${other} ends it as soon as it has its new assignment. See \`mesh node info ${other}\`.`,
      }),
    );
    if (state === 'lost' && wanted !== 'stopped') {
      found.push({
        code: 'MESH_NODE_OFFLINE',
        severity: 'warning',
        object: name,
        message: `nothing is known of ${name}: ${node} has no channel to host0`,
        remedy: `Start ${node}. If it is off for good: \`mesh workload move -w ${name} -n NODE --force\`.`,
      });
    }
    if (state === 'failed' && error !== undefined) {
      const { code, message, remedy = `See \`mesh workload info -w ${name}\`.` } = error;
      found.push({ code, severity: 'error', object: name, message: `${name} on ${node}: ${message}`, remedy });
    }
    return found;
  });
}

/** A finding for each node that has promised more memory than it has. */
export function overbooked(candidates: readonly PlaceCandidate[]): Finding[] {
  return candidates.flatMap((candidate): Finding[] => {
    const { node, capacity, promised } = candidate;
    const free = freeBytes(candidate);
    if (capacity === undefined || promised.length === 0 || free >= 0) return [];
    return [
      {
        code: 'MESH_WORKLOAD_NO_ROOM',
        severity: 'warning',
        object: node,
        message: `the workloads on ${node} may come to need ${Math.ceil(-free / 1024 ** 2)} MiB more memory than it has`,
        remedy: `Stop or move one of them, or end other programs on ${node}: \`mesh workload list -n ${node}\`.`,
      },
    ];
  });
}
