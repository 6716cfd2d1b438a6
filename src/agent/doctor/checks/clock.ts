/** This machine's clock against host0's. */
import type { Check } from '../evidence.ts';

/** HTTP gives whole seconds, and the answer takes its time. */
const TOLERANCE_MS = 5_000;

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
          'Events of two machines cannot be put in order, and certificates look expired or not yet valid. The mesh itself does not mind.',
        remedy:
          'A node that booted from host0 asks it once an hour, and is set right by `mesh node reboot` at once. Any other should ask host0, or the same server as host0, with a time service (chrony, systemd-timesyncd).',
      },
    ];
  },
};
