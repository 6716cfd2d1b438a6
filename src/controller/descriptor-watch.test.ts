/** host0 says that it is deaf, and that its limit is too low for its members. */
import { expect, test } from 'vitest';
import { DescriptorWatch } from './descriptor-watch.ts';

test('without a descriptor host0 is deaf until it has one again', () => {
  let left = true;
  let members = 3;
  let limit: { soft: number; hard: number } | undefined = { soft: 256, hard: 4096 };
  let changes = 0;
  const watch = new DescriptorWatch({ hasDescriptor: () => left, limit: () => limit, pid: 7, members: () => members });
  watch.changes.subscribe(() => changes++);
  const told = () => watch.health().map(({ severity, message }) => `${severity} ${message}`);
  expect([watch.hears(), told(), changes]).toEqual([true, [], 0]);

  left = false;
  limit = undefined;
  expect([watch.hears(), watch.hears(), changes]).toEqual([false, false, 1]);
  expect(told()).toEqual([
    "error host0's daemon has no file descriptor left; its limit was 256: it accepts no connection, and drops no member",
  ]);
  expect(watch.health()[0]?.remedy).toContain('`prlimit --pid 7 --nofile=4096:`');

  left = true;
  members = 100;
  expect(told()).toEqual(["warning host0's daemon may open 256 files, and needs about 328 for 100 members"]);
  limit = { soft: 4096, hard: 4096 };
  expect([told(), changes]).toEqual([[], 2]);
});
