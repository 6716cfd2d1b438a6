/** Orders: done once or undone in reverse, whatever hooks do, and wherever host0 is killed. */
import { describe, expect, test } from 'vitest';
import { addressPool } from '../../../test/kit/address-book.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { type Fate, failedHook, type OrderHost0, orderHost0 } from '../../../test/kit/order-host0.ts';
import { workloadNamed } from '../../../test/kit/workloads.ts';
import type { HookReport } from '../../protocol/documents/order/hook.ts';
import type { OrderRequest } from '../../protocol/documents/order/order.ts';

async function host0(...given: Parameters<typeof orderHost0>): Promise<OrderHost0> {
  const opened = await orderHost0(...given);
  if (opened === undefined) throw new Error('host0 did not start');
  return opened;
}

const network = (name: string, owner?: string): OrderRequest => ({
  ...(owner !== undefined && { owner }),
  wish: { kind: 'network', name },
});

describe('an order', () => {
  test('makes a network of its owner, with hooks before and after', async () => {
    const { owners, orders, catalogue, hooks, settle, journal } = await host0(new MemoryStore());
    await owners.create({ name: 'acme' });
    const { order, steps } = await orders.create(network('blue', 'acme'));
    expect([order?.state, steps]).toEqual(['running', ['make network blue']]);
    await settle();
    const done = orders.show(1);
    expect(done.state).toBe('done');
    expect(done.steps).toEqual([
      { kind: 'network', state: 'done', made: { network: 'blue', networkid: 'net-1000', number: '1000' } },
    ]);
    expect(catalogue.find('blue').network).toMatchObject({ owner: 'acme', uuid: done.mark, labels: { order: '1' } });
    expect(hooks.words).toEqual(['owner-created after acme', 'order-network before blue', 'order-network after blue']);
    expect(hooks.calls[2]?.env).toMatchObject({ MESH_ORDER: '1', MESH_OWNER: 'acme', MESH_NUMBER: '1000' });
    expect(journal.recent().map(({ kind }) => kind)).toContain('order done');
  });

  test('that a hook refuses is undone, with the words of the hook', async () => {
    const { orders, catalogue, hooks, settle } = await host0(new MemoryStore());
    hooks.answer = ({ phase }) =>
      phase === 'before' ? [failedHook('order-network', 'MESH_HOOK_REFUSED', 'order-network refused: no more')] : [];
    await orders.create(network('blue'));
    await settle();
    const { state, error, steps } = orders.show(1);
    expect([state, error?.code, error?.message]).toEqual([
      'undone',
      'MESH_HOOK_REFUSED',
      'order-network refused: no more',
    ]);
    expect(steps[0]?.state).toBe('undone');
    expect(hooks.words).toEqual(['order-network before blue', 'order-network undo blue']);
    expect(catalogue.views()).toEqual([]);
  });

  test('goes on when a hook after a step fails, and shows it', async () => {
    const { orders, hooks, settle } = await host0(new MemoryStore());
    const answered: HookReport = { hook: 'order-network.d/10-ticket', output: '', tookMs: 1, answer: { ticket: 7 } };
    hooks.answer = ({ phase }) =>
      phase === 'after' ? [answered, failedHook('order-network.d/20-mail', 'MESH_HOOK_FAILED', 'no mail')] : [];
    await orders.create(network('blue'));
    await settle();
    const { state, faults, hooks: answers } = orders.show(1);
    expect([state, faults.map(({ hook }) => hook)]).toEqual(['done', ['order-network.d/20-mail']]);
    expect(answers).toEqual({ 'order-network.d/10-ticket': { ticket: 7 } });
  });

  test('keeps 256 KiB of answers, and can be read again by the next process', async () => {
    const memory = new MemoryStore();
    const { orders, owners, hooks, settle } = await host0(memory);
    const answer = { text: 'x'.repeat(60_000) };
    hooks.answer = ({ event }) =>
      Array.from({ length: 6 }, (_, index) => ({ hook: `${event}.d/${index}`, output: '', tookMs: 1, answer }));
    await owners.create({ name: 'acme' });
    await settle();
    await orders.create(network('blue', 'acme'));
    await settle();
    for (const { hooks: kept, faults } of [owners.show('acme'), orders.show(1)]) {
      expect(Object.keys(kept)).toHaveLength(4);
      expect(faults.map(({ hook, error }) => [hook.at(-1), error.code])).toEqual([
        ['4', 'MESH_HOOK_OUTPUT'],
        ['5', 'MESH_HOOK_OUTPUT'],
      ]);
    }
    const next = await host0(memory);
    expect([next.orders.show(1).state, next.owners.show('acme').state]).toEqual(['done', 'ready']);
    expect(next.orders.health()).toEqual([]);
  });

  const deep = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) as Readonly<Record<string, unknown>>;
  test.each([
    ['larger than the store takes', 'before', { text: 'x'.repeat(50_000) }, 'MESH_STORE_TOO_LARGE'],
    ['larger than the store takes', 'after', { text: 'x'.repeat(50_000) }, 'MESH_STORE_TOO_LARGE'],
    ['so deep that it could not be read again', 'before', { deep, text: 'x'.repeat(20_000) }, 'MESH_INTERNAL'],
  ] as const)('whose document is %s (%s) is undone', async (_, when, answer, code) => {
    const memory = new MemoryStore();
    const fate = (_operation: number, written = ''): Fate => (written.length > 40_000 ? 'too large' : 'done');
    const { orders, catalogue, hooks, settle } = await host0(memory, { fate });
    hooks.answer = ({ phase }) => (phase === when ? [{ hook: 'order-network', output: '', tookMs: 1, answer }] : []);
    await orders.create(network('blue'));
    await settle();
    expect([orders.show(1).state, orders.show(1).error?.code]).toEqual(['undone', code]);
    expect(hooks.words.filter((words) => words === `order-network ${when} blue`)).toHaveLength(1);
    expect(catalogue.views().filter(({ activity }) => activity.phase !== 'deleting')).toEqual([]);
    const next = await host0(memory);
    expect(next.orders.show(1).state).toBe('undone');
  });

  test.each([
    ['is asked for again', true],
    ['is not asked for again', false],
  ])('whose making has no answer, nor the look for it, and that %s, is made once', async (_, isAskedAgain) => {
    let lost = Number.NaN;
    const fate = (operation: number, written: string): Fate => {
      if (Number.isNaN(lost) && written.includes('"name":"blue"')) lost = operation;
      return operation === lost ? 'lost' : operation === lost + 1 ? 'failed' : 'done';
    };
    const { orders, catalogue, settle, clock } = await host0(new MemoryStore(), { fate });
    const order: OrderRequest = { ...network('blue'), once: 'ticket' };
    await expect(orders.create(order)).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
    expect(orders.list()).toEqual([]);
    if (isAskedAgain) expect(await orders.create(order)).toMatchObject({ earlier: true, order: { id: 1 } });
    else await clock.pass(2_000);
    await settle();
    expect(orders.list().map(({ id, state }) => [id, state])).toEqual([[1, 'done']]);
    expect(catalogue.views()).toHaveLength(1);
  });

  test('is refused before it is made where it cannot be carried out', async () => {
    const { orders, owners, settle } = await host0(new MemoryStore());
    await owners.create({ name: 'acme' });
    await orders.create(network('blue', 'acme'));
    await settle();
    await expect(orders.create(network('blue', 'acme'))).rejects.toMatchObject({ code: 'MESH_NET_NAME_TWICE' });
    await expect(orders.create(network('red', 'nobody'))).rejects.toMatchObject({ code: 'MESH_OWNER_UNKNOWN' });
    await expect(orders.create({ wish: { kind: 'network', name: '7' } })).rejects.toMatchObject({
      code: 'MESH_NET_NAME_INVALID',
    });
    expect(orders.list()).toHaveLength(1);
    expect(() => orders.show(2)).toThrow(expect.objectContaining({ code: 'MESH_ORDER_UNKNOWN' }));
    expect(await orders.create(network('red', 'acme'), { dryRun: true })).toEqual({
      steps: ['make network red'],
      dryRun: true,
      earlier: false,
    });
    expect(orders.list()).toHaveLength(1);
  });

  test('with the word of an earlier order is that order', async () => {
    const { orders, settle } = await host0(new MemoryStore());
    const first = await orders.create({ ...network('blue'), once: 'ticket 7' });
    const [second] = await Promise.all([orders.create({ ...network('blue'), once: 'ticket 7' }), settle()]);
    expect([second.earlier, second.order?.id]).toEqual([true, first.order?.id]);
    await expect(orders.create({ ...network('red'), once: 'ticket 7' })).rejects.toMatchObject({ code: 'MESH_USAGE' });
    await orders.cancel(1);
    await settle();
    expect((await orders.create({ ...network('blue'), once: 'ticket 7' })).order?.id).toBe(2);
  });

  test('that is cancelled gives everything back, also while a hook runs', async () => {
    const { orders, catalogue, hooks, settle, clock } = await host0(new MemoryStore());
    await orders.create(network('blue'));
    await settle();
    await orders.cancel(1);
    await settle();
    expect([orders.show(1).state, orders.show(1).error?.code]).toEqual(['undone', 'MESH_ORDER_CANCELLED']);
    hooks.answer = ({ phase, signal }) =>
      phase !== 'before'
        ? []
        : new Promise((resolve) => {
            const ended = {
              ...failedHook('order-network', 'MESH_HOOK_FAILED', ''),
              error: { code: 'MESH_HOOK_ENDED', message: '' },
            } as const;
            signal?.addEventListener('abort', () => resolve([ended]));
          });
    await orders.create(network('red'));
    await orders.create(network('green'));
    await clock.pass(60_000);
    expect(orders.list().map(({ state }) => state)).toEqual(['undone', 'running', 'running']);
    await orders.cancel(2);
    await clock.pass(1_000);
    expect(orders.list().map(({ state }) => state)).toEqual(['undone', 'undone', 'running']);
    expect(catalogue.views()).toEqual([]);
    await orders.close();
    expect(orders.show(3).steps[0]?.state).toBe('asking');
  });

  test('that is cancelled while the store refuses asks the store again after a pause, and not at once', async () => {
    let isAway = false;
    let refusals = 0;
    // A loop without a pause would never let this test go on: it ends at the crash.
    const fate = (): Fate => (!isAway ? 'done' : ++refusals > 1_000 ? 'crash before' : 'failed');
    const { orders, hooks, settle, clock } = await host0(new MemoryStore(), { fate });
    let answer = () => {};
    const waiting = new Promise<readonly HookReport[]>((resolve) => {
      answer = () => resolve([]);
    });
    hooks.answer = ({ phase, signal }) => {
      // The store goes away as soon as it has noted that the order is cancelled.
      signal?.addEventListener('abort', () => {
        isAway = true;
        answer();
      });
      return phase === 'before' ? waiting : [];
    };
    await orders.create(network('blue'));
    await clock.pass(1_000);
    await orders.cancel(1);
    await clock.pass(60_000);
    expect(refusals).toBeGreaterThan(3);
    expect(refusals).toBeLessThan(40);
    expect(orders.show(1)).toMatchObject({ state: 'running', waits: { why: 'the disk is away' } });
    isAway = false;
    await settle();
    expect(orders.show(1).state).toBe('undone');
  });

  test('waits with its undoing while its network has ports, and shows why', async () => {
    const { orders, catalogue, settle, clock } = await host0(new MemoryStore());
    await orders.create(network('blue'));
    await settle();
    const ports = [{ interface: 'eth7', node: 'node1', machine: 'a0000000' }];
    let used = true;
    catalogue.usedBy({ ports: () => (used ? ports : []), nodes: () => [], unplug: async () => {} } as never);
    await orders.cancel(1);
    await clock.pass(90_000);
    expect(orders.show(1)).toMatchObject({
      state: 'undoing',
      waits: { why: 'network blue has a port: eth7 on node1' },
    });
    expect(orders.health().map(({ code }) => code)).toEqual(['MESH_ORDER_WAITS']);
    used = false;
    await settle();
    expect(orders.show(1).state).toBe('undone');
    expect(orders.health()).toEqual([]);
  });

  test('of an IPv6 network takes a prefix, and waits until the routers announce it', async () => {
    const { orders, addresses, catalogue, routers, hooks, settle, clock } = await host0(new MemoryStore());
    const order: OrderRequest = { wish: { kind: 'ipv6-network', name: 'blue' } };
    await expect(orders.create(order)).rejects.toMatchObject({ code: expect.stringContaining('MESH_IPAM_') });
    await addresses.createPool(addressPool());
    routers.why = 'node1: radvd has not been heard';
    await orders.create(order);
    await clock.pass(20_000);
    expect(orders.show(1)).toMatchObject({
      state: 'running',
      waits: { step: 2, why: 'node1: radvd has not been heard' },
    });
    expect(catalogue.find('blue').network.subnets.map(({ cidr }) => cidr)).toEqual(['2001:db8::/64']);
    routers.why = undefined;
    await settle();
    expect(orders.show(1).steps.map(({ kind, made }) => [kind, made.prefix ?? made.service ?? made.network])).toEqual([
      ['network', 'blue'],
      ['prefix', '2001:db8::/64'],
      ['advertisement', 'ra'],
    ]);
    expect(hooks.calls.at(-1)?.env).toMatchObject({ MESH_NETWORK: 'blue', MESH_PREFIX: '2001:db8::/64' });
    await orders.cancel(1);
    await settle();
    expect([orders.show(1).state, catalogue.views(), [...routers.announced]]).toEqual(['undone', [], []]);
    expect(addresses.list().map(({ state }) => state)).toEqual(['resting']);
    expect(await addresses.check()).toEqual([]);
    expect(hooks.words.slice(-3)).toEqual([
      'order-advertisement undo blue',
      'order-prefix undo blue',
      'order-network undo blue',
    ]);
  });

  test('of an IPv4 address maps it, and takes it back', async () => {
    const { orders, maps, settle } = await host0(new MemoryStore());
    await orders.create({ wish: { kind: 'ipv4-address', vm: 'web1' } });
    await settle();
    expect(orders.show(1)).toMatchObject({ state: 'done', steps: [{ made: { vm: 'web1', ipv4: '203.0.113.5' } }] });
    const again: OrderRequest = { wish: { kind: 'ipv4-address', vm: 'web1' } };
    await expect(orders.create(again)).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
    await orders.create({ wish: { kind: 'ipv4-address', vm: 'poor' } });
    await orders.cancel(1);
    await settle();
    expect(orders.list().map(({ error }) => error?.code)).toEqual(['MESH_ORDER_CANCELLED', 'MESH_ADDRESS_UNMAPPABLE']);
    expect(maps.list()).toEqual([]);
  });

  test('of a workload that another has made after the order was checked is undone, and leaves that workload alone', async () => {
    const { orders, workloads, hooks, settle } = await host0(new MemoryStore());
    hooks.answer = async ({ event, phase }) => {
      if (event === 'order-workload' && phase === 'before')
        await workloads.orders.start('web1', { workload: workloadNamed('web1') });
      return [];
    };
    await orders.create({ wish: { kind: 'vm', workload: workloadNamed('web1') } });
    await settle();
    expect([orders.show(1).state, orders.show(1).error?.code]).toEqual(['undone', 'MESH_WORKLOAD_TWICE']);
    expect(workloads.orders.list().map(({ name, wanted }) => [name, wanted])).toEqual([['web1', 'running']]);
  });

  test('of a workload starts it once', async () => {
    const { orders, workloads, settle } = await host0(new MemoryStore());
    await orders.create({ wish: { kind: 'vm', workload: workloadNamed('web1') } });
    await settle();
    expect(orders.show(1)).toMatchObject({ state: 'done', steps: [{ made: { workload: 'web1', node: 'node1' } }] });
    expect(workloads.orders.show('web1').generation).toBe(1);
    await orders.cancel(1);
    await settle();
    expect([orders.show(1).state, workloads.orders.list()]).toEqual(['undone', []]);
  });

  test('whose step was never begun takes nothing away that is not its own', async () => {
    const { orders, maps, workloads, hooks, settle } = await host0(new MemoryStore());
    hooks.answer = async ({ phase, object }) => {
      if (phase !== 'before') return [];
      // An operator makes the same while the hook is asked.
      if (object === 'web1') await maps.map('web1');
      else await workloads.orders.start('web2', { workload: workloadNamed('web2') });
      return [failedHook('order', 'MESH_HOOK_REFUSED', 'no')];
    };
    await orders.create({ wish: { kind: 'ipv4-address', vm: 'web1' } });
    await orders.create({ wish: { kind: 'vm', workload: workloadNamed('web2') } });
    await settle();
    expect(orders.list().map(({ state, error }) => [state, error?.code])).toEqual([
      ['undone', 'MESH_HOOK_REFUSED'],
      ['undone', 'MESH_HOOK_REFUSED'],
    ]);
    expect(hooks.words.filter((words) => words.includes(' undo '))).toHaveLength(2);
    expect(maps.list().map(({ vm }) => vm)).toEqual(['web1']);
    expect(workloads.orders.list().map(({ name, wanted }) => [name, wanted])).toEqual([['web2', 'running']]);
  });

  test('of a machine that is known, or that another order has, is refused', async () => {
    const { orders, workloads, hooks, settle, clock } = await host0(new MemoryStore());
    await workloads.orders.start('web1', { workload: workloadNamed('web1') });
    await expect(orders.create({ wish: { kind: 'vm', workload: workloadNamed('web1') } })).rejects.toMatchObject({
      code: 'MESH_WORKLOAD_TWICE',
    });
    const answers: (() => void)[] = [];
    hooks.answer = ({ phase }) => (phase === 'before' ? new Promise((resolve) => answers.push(() => resolve([]))) : []);
    const wishes: OrderRequest[] = [
      { wish: { kind: 'vm', workload: workloadNamed('web2', { networks: [] }) } },
      { wish: { kind: 'ipv4-address', vm: 'web2' } },
    ];
    for (const [index, wish] of wishes.entries()) {
      await orders.create(wish);
      // The first one has made nothing yet: its hook is asked.
      await expect(orders.create(wish)).rejects.toMatchObject({
        code: 'MESH_ALREADY_MADE',
        remedy: expect.stringContaining(`mesh order cancel ${index + 1}`),
      });
    }
    await clock.pass(1_000);
    for (const answer of answers) answer();
    await settle();
    expect(orders.list().map(({ wish, state }) => [wish.kind, state])).toEqual([
      ['vm', 'done'],
      ['ipv4-address', 'done'],
    ]);
  });
});
