/** The findings of `mesh status`, so that the doctor never disagrees with it. */
import type { Check, Evidence } from '../evidence.ts';
import { doubleMachine } from './identity.ts';
import { kernelFeatures, stolenDevices } from './kernel.ts';
import { vxlanPort } from './underlay.ts';

/** Passes on the findings of the agent and the daemon, except those that another check explains better. */
export const health: Check = {
  name: 'health',
  find(evidence) {
    const told = new Set(doubleMachine.find(evidence).map(({ saw }) => saw));
    return evidence.health
      .filter(({ code, message }) => !told.has(message) && !isExplained(code, evidence))
      .map((finding) => ({
        ...finding,
        saw: `${finding.message} [${finding.code}]`,
        matters:
          finding.severity === 'error'
            ? 'Something does not work now.'
            : 'It is not as it should be, and may be why something else does not work.',
      }));
  },
};

function isExplained(code: string, evidence: Evidence): boolean {
  if (code === 'MESH_HOST0_UNREACHABLE') return vxlanPort.find(evidence).length > 0;
  if (code === 'MESH_KERNEL_NOT_KEPT') return stolenDevices.find(evidence).length > 0;
  if (code === 'MESH_KERNEL_UNSUPPORTED') return kernelFeatures.find(evidence).length > 0;
  return false;
}
