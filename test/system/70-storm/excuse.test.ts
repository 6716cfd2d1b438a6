/** What excuses a loss, and what does not. */
import { describe, expect, test } from 'vitest';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { planTopology } from '../../../src/lab/hosts/topology.ts';
import { type Befallen, excuses, touches, unexcused } from './excuse.ts';
import { FAULTS } from './faults.ts';
import { forecast } from './storm.ts';

const [host0, node1, node2, node3] = planTopology({ name: 'storm', nodes: 3, segments: 2 }).hosts.map(
  (plan): LabHost => ({ ...plan, root: '/' }),
);
if (!host0 || !node1 || !node2 || !node3) throw new RangeError('a plan of four');

function befallen(kind: string, host: string, startMs: number, endMs: number): Befallen {
  const fault = FAULTS[kind];
  if (fault === undefined) throw new RangeError(kind);
  return { kind, host, startMs, endMs, cost: fault.cost, ...(fault.withholds && { withholds: fault.withholds }) };
}

/** Until when the first of them that may cost anything excuses losses. */
function untilMs(...faults: readonly Befallen[]): number | undefined {
  return excuses(faults)[0]?.toMs;
}

describe('a fault', () => {
  test('that is to cost nothing excuses nothing', () => {
    expect(
      excuses([befallen('agent killed', 'node1', 1_000, 2_000), befallen('rules flushed', 'host0', 0, 0)]),
    ).toEqual([]);
  });

  test('excuses losses for a while, and longer while its own agent is dead', () => {
    const deleted = befallen('VXLAN deleted', 'node1', 1_000, 1_000);
    expect(untilMs(deleted)).toBe(4_000);
    expect(untilMs(deleted, befallen('agent killed', 'node1', 3_000, 6_000))).toBe(9_000);
    expect(untilMs(deleted, befallen('agent killed', 'node1', 4_001, 6_000))).toBe(4_000);
    expect(untilMs(deleted, befallen('agent killed', 'node2', 3_000, 6_000))).toBe(4_000);
  });

  test('of which others must be told waits for host0, whatever keeps that away', () => {
    const moved = befallen('IPv4 changed, and back', 'node1', 1_000, 2_000);
    expect(untilMs(moved)).toBe(8_000);
    expect(untilMs(moved, befallen("host0's daemon killed", 'host0', 7_000, 9_000))).toBe(15_000);
    expect(untilMs(moved, befallen('bridge down', 'host0', 7_000, 7_000))).toBe(16_000);
  });

  test('that took entries away while the agent was dead needs host0 too', () => {
    const deleted = befallen('bridge deleted', 'node1', 1_000, 1_000);
    const daemon = befallen("host0's daemon killed", 'host0', 3_500, 8_000);
    expect(untilMs(deleted, daemon)).toBe(4_000);
    expect(untilMs(deleted, daemon, befallen('agent killed', 'node1', 500, 3_000))).toBe(11_000);
  });

  test('is one for the pairs of its host, and for those that it forwards for when it cuts them', () => {
    const [down] = excuses([befallen('bridge down', 'host0', 0, 0)]);
    const [cut] = excuses([befallen("host0's underlay cut", 'host0', 0, 0)]);
    if (!down || !cut) throw new RangeError('two excuses');
    expect(touches(down, { from: node1, to: host0 })).toBe(true);
    expect(touches(down, { from: node1, to: node2 })).toBe(false);
    expect(touches(cut, { from: node1, to: node2 })).toBe(true);
    expect(touches(cut, { from: node1, to: node3 })).toBe(false);
  });
});

test('of a loss, what comes after the excuses is left', () => {
  const spans = [
    { fromMs: 0, toMs: 50 },
    { fromMs: 40, toMs: 80 },
  ];
  expect(unexcused({ firstMs: 10, lastMs: 79 }, spans)).toBeUndefined();
  expect(unexcused({ firstMs: 10, lastMs: 90 }, spans)).toEqual({ firstMs: 80, lastMs: 90 });
  expect(unexcused({ firstMs: 90, lastMs: 90 }, spans)).toEqual({ firstMs: 90, lastMs: 90 });
});

test('the same seed brings the same storm, with every fault as often as the table says', () => {
  const hosts = ['host0', 'node1', 'node2'];
  const plan = forecast(7, hosts, 40_000);
  expect(forecast(7, hosts, 40_000)).toEqual(plan);
  expect(forecast(8, hosts, 40_000)).not.toEqual(plan);
  for (const [kind, { times }] of Object.entries(FAULTS))
    expect(plan.filter((each) => each.kind === kind)).toHaveLength(times);
  expect(plan.every(({ atMs, lastsMs }) => atMs + lastsMs <= 40_000)).toBe(true);
});
