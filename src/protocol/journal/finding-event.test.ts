import { expect, test } from 'vitest';
import { findingEvent } from './finding-event.ts';

test('an event of a finding has its severity as level, and all else as it is', () => {
  const told = { code: 'MESH_DISK_REFUSED', object: '/var', message: 'it is full', remedy: 'Make room.' } as const;
  const event = findingEvent('disk full', { ...told, severity: 'warning' });
  expect(event).toEqual({ ...told, kind: 'disk full', level: 'warning' });
});
