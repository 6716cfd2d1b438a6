/** What the processes find by themselves and no other check explains better: `mesh status` and the doctor never disagree. */
import type { Check, Facts } from '../facts.ts';
import { doubleMachine } from './identity.ts';
import { kernelFeatures, stolenDevices } from './kernel.ts';
import { vxlanPort } from './underlay.ts';

export const health: Check = {
  name: 'health',
  find(facts) {
    const told = new Set(doubleMachine.find(facts).map(({ saw }) => saw));
    return facts.health
      .filter(({ code, message }) => !told.has(message) && !isExplained(code, facts))
      .map((finding) => ({
        ...finding,
        saw: `${finding.message} [${finding.code}]`,
        matters: finding.severity === 'error' ? 'Something does not work now.' : 'Something may not work soon.',
      }));
  },
};

function isExplained(code: string, facts: Facts): boolean {
  if (code === 'MESH_HOST0_UNREACHABLE') return vxlanPort.find(facts).length > 0;
  if (code === 'MESH_KERNEL_NOT_KEPT') return stolenDevices.find(facts).length > 0;
  if (code === 'MESH_KERNEL_UNSUPPORTED') return kernelFeatures.find(facts).length > 0;
  return false;
}
