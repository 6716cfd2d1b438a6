/** The kernel's table of neighbours on the underlay. One table serves the whole machine, all its namespaces together. */
import type { Severity } from '../../../protocol/documents/finding.ts';
import type { Check } from '../evidence.ts';

const HARD = 'net/ipv4/neigh/default/gc_thresh3';
const SOFT = 'net/ipv4/neigh/default/gc_thresh2';
/** Other machines on the same segments need entries too; the kernel's own default is a quarter, a half, and all of 1024. */
const ROOM = 2;

/**
 * Mesh neighbours are pushed with extern_learn, and those never count (net/core/neighbour.c, neigh_alloc). The underlay
 * address of each member does.
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
          'When it is full, packets to members fail with «neighbour table overflow», now to this one and now to that one.',
        remedy: `\`sysctl ${SOFT}=${wanted / 2} ${HARD}=${wanted}\`, and in /etc/sysctl.d to keep it.`,
        fix: [
          { name: HARD, value: String(wanted) },
          { name: SOFT, value: String(wanted / 2) },
        ],
      },
    ];
  },
};
