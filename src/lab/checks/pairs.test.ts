/** Which pairs are asked, and when, in a mesh that a function simulates. */
import { expect, test } from 'vitest';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { OpenHostEcho } from '../hosts/host-echo.ts';
import { planTopology } from '../hosts/topology.ts';
import { awaitPairs, measurePairs } from './pairs.ts';

const { hosts } = planTopology({ name: 'pairs', nodes: 2, segments: 1 });
const [, node1, node2] = hosts;

const unreachable = new MeshError('MESH_KERNEL_REFUSED', 'ping: ENETUNREACH');

/** A mesh in which `reaches` decides whether an echo is answered; records all echoes and open sockets. */
function meshWhere(reaches: (from: string, to: Ipv6, asked: number) => boolean) {
  const asked: string[] = [];
  const open = new Set<string>();
  const openEcho: OpenHostEcho = ({ netns }) => {
    open.add(netns);
    return {
      echo: async (to) => {
        const ask = `${netns} ${to}`;
        asked.push(ask);
        if (!reaches(netns, to, asked.filter((other) => other === ask).length)) throw unreachable;
        return 0.1;
      },
      close: () => open.delete(netns),
    };
  };
  return { openEcho, asked, open };
}

test('asks until every pair answers, counts the answers, and closes its sockets', async () => {
  const mesh = meshWhere((_from, _to, asked) => asked === 2);
  const counts: number[] = [];
  const pairs = await awaitPairs(hosts, mesh.openEcho, 10_000, { onCount: (reached) => counts.push(reached) });
  expect(pairs.map(({ from, to, rttMs }) => `${from.name} ${to.name} ${rttMs}`)).toEqual([
    'host0 node1 0.1',
    'host0 node2 0.1',
    'node1 host0 0.1',
    'node1 node2 0.1',
    'node2 host0 0.1',
    'node2 node1 0.1',
  ]);
  expect(counts.at(-1)).toBe(6);
  expect(mesh.open.size).toBe(0);
});

test('asks no host that has not reached host0', async () => {
  const mesh = meshWhere((from) => from === node1?.netns);
  const pairs = await awaitPairs(hosts, mesh.openEcho, 100);
  expect(pairs.filter(({ rttMs }) => rttMs !== undefined).map(({ from, to }) => `${from.name} ${to.name}`)).toEqual([
    'node1 host0',
  ]);
  expect(mesh.asked).not.toContain(`${node1?.netns} ${node2?.member.ipv6}`);
});

test('stops when its signal aborts', async () => {
  const mesh = meshWhere(() => false);
  await expect(awaitPairs(hosts, mesh.openEcho, 10_000, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  expect(mesh.open.size).toBe(0);
});

test('measures every ordered pair once', async () => {
  const mesh = meshWhere((_from, to) => to !== node2?.member.ipv6);
  const pairs = await measurePairs(hosts, mesh.openEcho);
  expect(mesh.asked).toHaveLength(6);
  expect(pairs.filter(({ rttMs }) => rttMs === undefined).map(({ from }) => from.name)).toEqual(['host0', 'node1']);
});
