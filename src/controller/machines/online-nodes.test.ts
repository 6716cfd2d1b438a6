/** The copy of the list of nodes. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import type { NodeView } from '../../protocol/documents/views.ts';
import { OnlineNodes } from './online-nodes.ts';

const ONE = parseMachineId('00000001');
const TWO = parseMachineId('00000002');

function node(machine: MachineId | undefined, online: boolean): NodeView {
  const common = { name: `node-${machine}`, role: 'node', ipv4: parseIpv4('10.11.0.2'), lastSeenMsAgo: 0 } as const;
  return { ...common, ...(machine !== undefined && { machine }), online, meshes: [] };
}

test('nodes are found by machine, while they are online', () => {
  const clock = new ManualClock();
  const online = new OnlineNodes(() => [node(undefined, true), node(ONE, true), node(TWO, false)], clock);
  expect(online.of(ONE)).toMatchObject({ name: 'node-00000001' });
  expect(online.of(TWO)).toBeUndefined();
  expect(online.of(parseMachineId('00000003'))).toBeUndefined();
});

test('nodes are read once in 100 ms, however often they are asked for', async () => {
  const clock = new ManualClock();
  let nodes: readonly NodeView[] = [];
  let reads = 0;
  const read = () => {
    reads++;
    return nodes;
  };
  const online = new OnlineNodes(read, clock);
  for (let asked = 0; asked < 50; asked++) online.of(ONE);
  expect(reads).toBe(1);
  nodes = [node(ONE, true)];
  await clock.pass(100);
  expect(online.of(ONE)).toBeUndefined();
  await clock.pass(1);
  expect(online.of(ONE)).toBeDefined();
  expect(reads).toBe(2);
});
