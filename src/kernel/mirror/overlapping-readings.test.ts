/** Readings of the kernel that overlap changes and each other: none hides what another has shown, or an event has told. */
import { expect, test } from 'vitest';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { KernelEvent, Route } from '../rtnl/objects.ts';
import { KernelMirror } from './kernel-mirror.ts';

const KEEPS = { route: () => true, learned: () => true };

const ROUTE: Route = {
  family: 4,
  destination: '10.77.0.0/24',
  link: 1,
  table: 254,
  protocol: 2,
  scope: 253,
  metric: 0,
};
/** The route goes with it, and the kernel does not say so. */
const LOST: KernelEvent = {
  type: 'address',
  removed: true,
  echo: false,
  address: {
    family: 4,
    link: 1,
    address: '10.77.0.1' as Ipv4,
    length: 24,
    scope: 'global',
    tentative: false,
    nodad: false,
    protocol: 0,
  },
};

/** A kernel that answers each reading when the test says so, with what it had at the reading's beginning. */
function slowKernel() {
  const kernel = { routes: [ROUTE], answers: [] as (() => void)[] };
  const answered = () => new Promise<void>((resolve) => kernel.answers.push(resolve));
  const mirror = new KernelMirror(
    {
      async dump() {
        const { routes } = kernel;
        await answered();
        return { links: [], addresses: [], routes, neighbours: [], fdb: [] };
      },
      async routes() {
        const { routes } = kernel;
        await answered();
        return routes;
      },
    },
    KEEPS,
  );
  const answer = () => kernel.answers.shift()?.();
  const lose = () => {
    kernel.routes = [];
    mirror.take(LOST);
  };
  const read = async () => {
    const renewed = mirror.renew();
    answer();
    await renewed;
  };
  return { kernel, mirror, answer, lose, read };
}

test('a dump does not bring back routes that went during the dump', async () => {
  const { kernel, mirror, lose, read } = slowKernel();
  await read();
  const dump = mirror.renew();
  lose();
  const routes = mirror.renewRoutes();
  const [answerDump, answerRoutes] = kernel.answers.splice(0);
  answerRoutes?.();
  await routes;
  expect(mirror.tables.routes.size).toBe(0);
  answerDump?.();
  await dump;
  expect(mirror.routesAreStale).toBe(true);
});

test('a route that comes while the routes are read is kept', async () => {
  const { kernel, mirror, answer, lose, read } = slowKernel();
  await read();
  lose();
  const routes = mirror.renewRoutes();
  kernel.routes = [ROUTE];
  mirror.take({ type: 'route', removed: false, route: ROUTE, echo: false });
  answer();
  await routes;
  expect([...mirror.tables.routes.values()]).toEqual([ROUTE]);
});

test('routes stay stale when their reading fails', async () => {
  const unreadable = () => Promise.reject(new Error('unreadable'));
  const mirror = new KernelMirror({ dump: unreadable, routes: unreadable }, KEEPS);
  mirror.take(LOST);
  await expect(mirror.renewRoutes()).rejects.toThrow('unreadable');
  expect(mirror.routesAreStale).toBe(true);
});
