/** Readiness follows from the status document. */
import { expect, test } from 'vitest';
import * as documents from '../../../test/cli/documents.ts';
import { readinessOf } from './readiness.ts';
import type { Host0Status } from './views.ts';

const status: Host0Status = { ...documents.host0Status, health: [] };
const finding = { code: 'MESH_NOT_RUNNING', object: 'agent', message: 'it is away', remedy: '' } as const;

test('host0 is ready without errors; warnings do not count', () => {
  expect(readinessOf(status)).toEqual({ ready: true, parts: [] });
  expect(readinessOf({ ...status, health: [{ ...finding, severity: 'warning' }] }).ready).toBe(true);
  expect(readinessOf({ ...status, health: [{ ...finding, severity: 'error' }] })).toEqual({
    ready: false,
    parts: [{ part: 'agent', state: 'failed', reason: 'it is away', code: 'MESH_NOT_RUNNING' }],
  });
});

test('host0 is pending until it has read the members', () => {
  const starting = { ...finding, code: 'MESH_HOST0_STARTING', severity: 'warning', object: 'manage' } as const;
  expect(readinessOf({ ...status, health: [starting] })).toMatchObject({
    ready: false,
    parts: [{ part: 'manage', state: 'pending' }],
  });
});

test('an agent is ready when its kernel and each network are', () => {
  const agent = { ...documents.agentStatus, health: [] };
  const parts = (items: Partial<typeof agent.items>) =>
    readinessOf({ ...agent, networks: [], items: { owned: 10, pending: 0, failed: 0, ...items } }).parts;
  expect(parts({})).toEqual([{ part: 'kernel', state: 'ready' }]);
  expect(parts({ pending: 2 })).toMatchObject([{ state: 'pending', reason: '2 of 10 items are being made' }]);
  expect(parts({ pending: 2, failed: 1 })).toMatchObject([{ state: 'failed' }]);
  const { parts: all } = readinessOf(agent);
  expect(all.map(({ part }) => part)).toEqual([
    'kernel',
    ...agent.networks.map(({ network }) => `network ${network.name}`),
  ]);
  for (const [index, { state }] of agent.networks.entries()) expect(all[index + 1]?.state).toBe(state.phase);
});
