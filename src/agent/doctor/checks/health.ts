/** The findings of `mesh status`, so that the doctor never disagrees with it. */

import { UNDERLAY_CODE } from '../../view/underlay-findings.ts';
import type { Check, Evidence } from '../evidence.ts';
import { doubleMachine, host0Address } from './identity.ts';
import { kernelFeatures, stolenDevices } from './kernel.ts';
import { vxlanPort } from './underlay.ts';

/** Codes whose findings have a check of their own. */
const OTHERS: ReadonlySet<string> = new Set([UNDERLAY_CODE, 'MESH_HOST0_DEAF']);

/** Passes on the findings of the agent and the daemon, except those that another check explains better. */
export const health: Check = {
  name: 'health',
  find(evidence) {
    const told = new Set(doubleMachine.find(evidence).map(({ saw }) => saw));
    return evidence.health
      .filter(({ code, message }) => !OTHERS.has(code) && !told.has(message) && !isExplained(code, evidence))
      .map((finding) => ({
        ...finding,
        saw: `${finding.message} [${finding.code}]`,
        matters:
          finding.severity === 'error' ? 'Something does not work now.' : 'Something does not work, or may not soon.',
      }));
  },
};

function isExplained(code: string, evidence: Evidence): boolean {
  if (code === 'MESH_HOST0_UNREACHABLE') {
    return vxlanPort.find(evidence).length > 0 || host0Address.find(evidence).length > 0;
  }
  if (code === 'MESH_KERNEL_NOT_KEPT') return stolenDevices.find(evidence).length > 0;
  if (code === 'MESH_KERNEL_UNSUPPORTED') return kernelFeatures.find(evidence).length > 0;
  return false;
}
