/** Which faults excuse a loss of packets, and for how long. */
import { describe, expect, test } from 'vitest';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { planTopology } from '../../../src/lab/hosts/topology.ts';
import { LONG } from '../../kit/long.ts';
import { excuses, type PastFault, touches, unexcused } from './excuse.ts';
import { FAULTS } from './faults.ts';
import { forecast } from './storm.ts';

const [host0, node1, node2, node3] = planTopology({ name: 'storm', nodes: 3, segments: 2 }).hosts.map(
  (plan): LabHost => ({ ...plan, root: '/' }),
);
if (!host0 || !node1 || !node2 || !node3) throw new RangeError('a plan of four');

function pastFault(kind: string, host: string, startMs: number, endMs: number): PastFault {
  const fault = FAULTS[kind];
  if (fault === undefined) throw new RangeError(kind);
  return { kind, host, startMs, endMs, cost: fault.cost, ...(fault.withholds && { withholds: fault.withholds }) };
}

/** The end of the first excuse. */
function untilMs(...faults: readonly PastFault[]): number | undefined {
  return excuses(faults)[0]?.toMs;
}

describe('a fault', () => {
  test('that may cost nothing excuses nothing', () => {
    expect(
      excuses([pastFault('agent killed', 'node1', 1_000, 2_000), pastFault('rules flushed', 'host0', 0, 0)]),
    ).toEqual([]);
  });

  test('excuses losses for a time, and for longer while its own agent is dead', () => {
    const deleted = pastFault('VXLAN deleted', 'node1', 1_000, 1_000);
    expect(untilMs(deleted)).toBe(4_000);
    // A ping that was lost earlier than a tenth of a second before the fault was not under way.
    expect(unexcused({ firstMs: 899, lastMs: 1_500 }, excuses([deleted]))).toEqual({ firstMs: 899, lastMs: 1_500 });
    expect(unexcused({ firstMs: 900, lastMs: 1_500 }, excuses([deleted]))).toBeUndefined();
    expect(untilMs(deleted, pastFault('agent killed', 'node1', 3_000, 6_000))).toBe(9_000);
    expect(untilMs(deleted, pastFault('agent killed', 'node1', 4_001, 6_000))).toBe(4_000);
    expect(untilMs(deleted, pastFault('agent killed', 'node2', 3_000, 6_000))).toBe(4_000);
  });

  test('that host0 must announce excuses until host0 is back', () => {
    const moved = pastFault('IPv4 changed, and back', 'node1', 1_000, 2_000);
    expect(untilMs(moved)).toBe(8_000);
    expect(untilMs(moved, pastFault("host0's daemon killed", 'host0', 7_000, 9_000))).toBe(15_000);
    expect(untilMs(moved, pastFault('bridge down', 'host0', 7_000, 7_000))).toBe(16_000);
  });

  test('that removed entries while the agent was dead needs host0, too', () => {
    const deleted = pastFault('bridge deleted', 'node1', 1_000, 1_000);
    const daemon = pastFault("host0's daemon killed", 'host0', 3_500, 8_000);
    expect(untilMs(deleted, daemon)).toBe(4_000);
    expect(untilMs(deleted, daemon, pastFault('agent killed', 'node1', 500, 3_000))).toBe(11_000);
  });

  test('excuses the pairs of its host, and those that the host forwards for if it cuts them', () => {
    const [down] = excuses([pastFault('bridge down', 'host0', 0, 0)]);
    const [cut] = excuses([pastFault("host0's underlay cut", 'host0', 0, 0)]);
    if (!down || !cut) throw new RangeError('two excuses');
    expect(touches(down, { from: node1, to: host0 })).toBe(true);
    expect(touches(down, { from: node1, to: node2 })).toBe(false);
    expect(touches(cut, { from: node1, to: node2 })).toBe(true);
    expect(touches(cut, { from: node1, to: node3 })).toBe(false);
  });
});

test('the part of a loss after all excuses is not excused', () => {
  const spans = [
    { fromMs: 0, toMs: 50 },
    { fromMs: 40, toMs: 80 },
  ];
  expect(unexcused({ firstMs: 10, lastMs: 79 }, spans)).toBeUndefined();
  expect(unexcused({ firstMs: 10, lastMs: 90 }, spans)).toEqual({ firstMs: 80, lastMs: 90 });
  expect(unexcused({ firstMs: 90, lastMs: 90 }, spans)).toEqual({ firstMs: 90, lastMs: 90 });
});

test('the same seed gives the same storm, with every fault as often as the table says', () => {
  const hosts = ['host0', 'node1', 'node2'];
  const plan = forecast(7, hosts, 40_000);
  expect(forecast(7, hosts, 40_000)).toEqual(plan);
  expect(forecast(8, hosts, 40_000)).not.toEqual(plan);
  for (const [kind, { times }] of Object.entries(FAULTS))
    expect(plan.filter((each) => each.kind === kind)).toHaveLength(LONG ? times : Math.ceil(times / 2));
  expect(plan.every(({ atMs, lastsMs }) => atMs + lastsMs <= 40_000)).toBe(true);
});
