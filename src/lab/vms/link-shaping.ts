/** Loss, rate and delay of links, on the taps of machines: as far as this kernel can. */

import { netnsPath } from '../../kernel/netns.ts';
import { outcomeOf } from '../../kernel/posix-spawn.ts';
import { MeshError } from '../../model/error.ts';
import { tapOfVm } from '../topologies/vm-address.ts';
import { linkOf, type VmPlan } from '../topologies/vm-plan.ts';
import type { VmTopology } from '../topologies/vm-topology.ts';

/** Loss is in ten-thousandths. */
const PARTS = 10_000;

/** Shapes the links of machines: loss in each direction, rate and delay towards the machine. @throws MESH_LAB_FAILED for what this kernel lacks */
export async function shapeLinks(netns: string, topology: VmTopology, plans: readonly VmPlan[]): Promise<void> {
  for (const { number, name, nets } of plans) {
    for (const net of nets) {
      const { lossPercent = 0, rateMbit, delayMs = 0 } = linkOf(topology, net, name);
      const tap = tapOfVm(net, number);
      if (delayMs > 0)
        await run(netns, tap, [
          'tc',
          'qdisc',
          'replace',
          'dev',
          tap,
          'root',
          'handle',
          '1:',
          'netem',
          'delay',
          `${delayMs}ms`,
        ]);
      if (rateMbit !== undefined) await run(netns, tap, rateWords(tap, rateMbit, delayMs > 0));
      if (lossPercent > 0) await run(netns, tap, ['nft', lossRules(tap, lossPercent)]);
    }
  }
}

function rateWords(tap: string, rateMbit: number, isDelayed: boolean): string[] {
  const where = isDelayed ? ['parent', '1:1', 'handle', '10:'] : ['root'];
  return [
    'tc',
    'qdisc',
    'replace',
    'dev',
    tap,
    ...where,
    'tbf',
    'rate',
    `${rateMbit}mbit`,
    'burst',
    '32kb',
    'latency',
    '50ms',
  ];
}

/** Rules of a table of its own for one tap. `numgen` chooses packets at random. */
function lossRules(tap: string, lossPercent: number): string {
  const lost = Math.round((lossPercent / 100) * PARTS);
  // nft refuses a comparison that is true for all numbers.
  const which = lost >= PARTS ? '' : `numgen random mod ${PARTS} < ${lost} `;
  const chain = (hook: string) =>
    `chain ${hook} { type filter hook ${hook} device "${tap}" priority 0; ${which}drop; }`;
  // nft wants each chain on a line of its own.
  return `table netdev loss_${tap} {\n${chain('ingress')}\n${chain('egress')}\n}`;
}

async function run(netns: string, tap: string, argv: readonly string[]): Promise<void> {
  const { code, stderr } = await outcomeOf(argv, { netns: netnsPath(netns) });
  if (code === 0) return;
  const [program] = argv;
  const lacks = argv.includes('netem') ? 'This kernel may have no netem.' : '';
  throw new MeshError(
    'MESH_LAB_FAILED',
    `the link at ${tap} cannot be shaped: ${program}: ${stderr.trim().split('\n')[0]}`,
    {
      object: tap,
      rule: `Loss is made by nft, rates by tc with tbf, delays by tc with netem. ${lacks}`.trim(),
      remedy: 'Use the switch that comes with labs, which delays without the kernel: --net-setup switch.',
    },
  );
}
