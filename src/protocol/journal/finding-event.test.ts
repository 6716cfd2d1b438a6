/** A finding in the journal. */
import { expect, test } from 'vitest';
import { findingEvent } from './finding-event.ts';

test('the severity of a finding becomes the level of its event', () => {
  const told = { code: 'MESH_DISK_REFUSED', object: '/var', message: 'it is full', remedy: 'Make room.' } as const;
  const event = findingEvent('disk full', { ...told, severity: 'warning' });
  expect(event).toEqual({ ...told, kind: 'disk full', level: 'warning' });
});
