/** Compares this machine's clock with host0's. */
import type { Check } from '../evidence.ts';

/** The Date header has whole seconds, and the answer of a busy host0 takes time. */
const TOLERANCE_MS = 5_000;

/** Finds a clock that differs from host0's by more than five seconds. */
export const clockSkew: Check = {
  name: 'clock',
  find({ aheadOfHost0Ms }) {
    if (aheadOfHost0Ms === undefined || Math.abs(aheadOfHost0Ms) <= TOLERANCE_MS) return [];
    const seconds = Math.round(Math.abs(aheadOfHost0Ms) / 1000);
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity: 'warning',
        object: 'clock',
        saw: `this machine's clock is ${seconds} s ${aheadOfHost0Ms > 0 ? 'ahead of' : 'behind'} host0's`,
        matters:
          'Events of two machines cannot be put in order, and certificates look expired or not yet valid. The mesh itself is not affected.',
        remedy:
          'A node that booted from host0 sets its clock by host0 once an hour, and at once after `mesh node reboot`. Any other machine should run a time service (chrony, systemd-timesyncd) with host0, or the same server as host0, as its source.',
      },
    ];
  },
};
