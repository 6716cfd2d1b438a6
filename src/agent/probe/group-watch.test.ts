/** Whom nodes hear in a group, on a clock that the test moves. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import { GroupWatch, HELLO_EVERY_MS, SETTLED_AFTER_MS, SILENT_AFTER_MS } from './group-watch.ts';
import { helloText, readHello } from './hello.ts';

/** A wire on which `deaf` pairs (`a>b`) lose everything. */
function wire(clock: ManualClock) {
  const deaf = new Set<string>();
  const watches = new Map<string, GroupWatch>();
  let said = 0;
  const join = (name: string) => {
    const machine = name as MachineWord;
    const say = (hears: readonly MachineWord[]) => {
      said += 1;
      for (const [other, watch] of watches) {
        if (other === name || deaf.has(`${name}>${other}`)) continue;
        watch.take({ number: 'ff01', machine, hops: 1, hears });
      }
    };
    const watch = new GroupWatch({ machine, clock, random: () => 0.5, say, onChange: () => {} });
    watches.set(name, watch);
    return watch;
  };
  const hears = (name: string) => watches.get(name)?.hearing.hears.map(({ machine }) => machine);
  return { deaf, join, hears, watches, said: () => said };
}

const [A, B, C] = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] as const;

test('nodes hear each other within 3 s, also one that comes later', async () => {
  const clock = new ManualClock();
  const net = wire(clock);
  net.join(A);
  net.join(B);
  await clock.pass(SETTLED_AFTER_MS);
  expect(net.watches.get(A)?.hearing).toEqual({ hears: [{ machine: B, hops: 1 }], settled: true });
  net.join(C);
  await clock.pass(3_000);
  expect([net.hears(A), net.hears(B), net.hears(C)]).toEqual([
    [B, C],
    [A, C],
    [A, B],
  ]);
});

test('a node that is heard no more is silent after three hellos, and one-way multicast is told at both ends', async () => {
  const clock = new ManualClock();
  const net = wire(clock);
  net.join(A);
  net.join(B);
  await clock.pass(3_000);
  net.deaf.add(`${A}>${B}`);
  await clock.pass(SILENT_AFTER_MS + 2 * HELLO_EVERY_MS);
  expect([net.hears(A), net.hears(B)]).toEqual([[B], []]);
  await clock.pass(2 * HELLO_EVERY_MS);
  expect(net.watches.get(A)?.deaf).toEqual([B]);
  net.deaf.clear();
  await clock.pass(2 * HELLO_EVERY_MS);
  expect([net.hears(B), net.watches.get(A)?.deaf]).toEqual([[A], []]);
});

test('in quiet times a node says one hello each half minute, and strangers do not make it say more than one burst a second', async () => {
  const clock = new ManualClock();
  const net = wire(clock);
  const watch = net.join(A);
  await clock.pass(5_000);
  const before = net.said();
  await clock.pass(10 * HELLO_EVERY_MS);
  expect(net.said() - before).toBe(10);
  const calm = net.said();
  for (let number = 0; number < 1_000; number++) {
    const machine = number.toString(16).padStart(8, '0') as MachineWord;
    watch.take({ number: 'ff01', machine, hops: 1, hears: [] });
  }
  await clock.pass(2_000);
  expect(net.said() - calm).toBeLessThanOrEqual(5);
  for (const each of net.watches.values()) each.close();
  const after = net.said();
  await clock.pass(10 * HELLO_EVERY_MS);
  expect(net.said()).toBe(after);
});

test('a hello says what was put into it, and nothing else is a hello', () => {
  const hello = { number: 'ff01', machine: A as MachineWord, hops: 8, hears: [B, 'host0'] as MachineWord[] };
  expect(readHello(helloText(hello))).toEqual(hello);
  expect(readHello('meshwork hello 1 ff01 aaaaaaaa 255')).toMatchObject({ hops: 255 });
  const many = { ...hello, hears: Array.from({ length: 500 }, () => B as MachineWord) };
  expect(helloText(many).length).toBeLessThan(1_200);
  expect(readHello(helloText(many))?.hears).toHaveLength(100);
  for (const text of [
    '',
    'hello',
    'meshwork hello 2 ff01 aaaaaaaa 1',
    'meshwork hello 1 ff01 nobody01 1',
    'meshwork hello 1 ff01 aaaaaaaa 0',
    'meshwork hello 1 ff01 aaaaaaaa 256',
    `${helloText(hello)}\n`,
  ])
    expect(readHello(text), text).toBeUndefined();
});
