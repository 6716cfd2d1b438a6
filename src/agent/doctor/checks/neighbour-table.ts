/** The kernel's neighbour table. The whole machine has one table for all network namespaces. */
import type { Severity } from '../../../protocol/documents/finding.ts';
import type { Check } from '../evidence.ts';

const HARD = 'net/ipv4/neigh/default/gc_thresh3';
const SOFT = 'net/ipv4/neigh/default/gc_thresh2';
/**
 * Entries for each member: other machines on the same segments need some too. The kernel's default gc_thresh3 is 1024.
 */
const ROOM = 2;

/**
 * Finds a table that is too small for the underlay addresses of all members. Neighbour entries of the meshes are set
 * with extern_learn, and those do not count (net/core/neighbour.c, neigh_alloc).
 */
export const neighbourTable: Check = {
  name: 'gc-thresh',
  find({ networks, setting }) {
    const members = new Set(networks.flatMap(({ members }) => members.map(({ ipv4 }) => ipv4))).size;
    const hard = Number(setting(HARD) ?? Infinity);
    if (members * ROOM <= hard) return [];
    const wanted = 2 ** Math.ceil(Math.log2(members * ROOM));
    const severity: Severity = members >= hard ? 'error' : 'warning';
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity,
        object: 'neighbour table',
        saw: `the neighbour table holds ${hard} entries (gc_thresh3), and the meshes have ${members} members`,
        matters:
          'When it is full, packets to changing members are dropped, and the kernel logs «neighbour table overflow».',
        remedy: `\`sysctl ${SOFT}=${wanted / 2} ${HARD}=${wanted}\`, and in /etc/sysctl.d to keep it.`,
        fix: [
          { name: HARD, value: String(wanted) },
          { name: SOFT, value: String(wanted / 2) },
        ],
      },
    ];
  },
};
