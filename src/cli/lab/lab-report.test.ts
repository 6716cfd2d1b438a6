/** The report of `mesh lab up` for people. */
import { expect, test } from 'vitest';
import { planTopology } from '../../lab/hosts/topology.ts';
import { labReportText } from './lab-report.ts';

test('members are in the order in which people look for them', () => {
  const [, node1] = planTopology({ name: 'x', nodes: 1, segments: 1 }).hosts;
  if (node1 === undefined) throw new Error('a lab of one node has no node');
  const text = 'host0 10.11.0.1 m a\nnode10 10.11.0.11 m a\nnode2 10.11.0.3 m a\nnode1 10.11.0.2 m a\n';
  const report = labReportText({ pairs: [], memberList: { from: node1, text } }, 4000, {
    width: undefined,
    paint: (_, shown) => shown,
  });
  expect(report.match(/^\w+(?= 10\.11)/gm)).toEqual(['host0', 'node1', 'node2', 'node10']);
});
