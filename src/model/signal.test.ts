/** Who gets which value of a signal. */
import { expect, test } from 'vitest';
import { Signal } from './signal.ts';

/** A signal, and the values that its listeners got, each with the listener's name. */
function heardOn() {
  const signal = new Signal<number>();
  const heard: string[] = [];
  const listen = (name: string) => signal.subscribe((value) => heard.push(`${name} ${value}`));
  return { signal, heard, listen };
}

test('all listeners get each value in the order of subscription, until they unsubscribe', () => {
  const { signal, heard, listen } = heardOn();
  const end = listen('a');
  listen('b');
  signal.emit(1);
  end();
  end();
  signal.emit(2);
  expect(heard).toEqual(['a 1', 'b 1', 'b 2']);
  expect(signal.size).toBe(1);
});

test('a listener that throws does not stop the others; emit throws the first error', () => {
  const { signal, heard, listen } = heardOn();
  for (const fault of ['first', 'second']) {
    signal.subscribe(() => {
      throw new Error(fault);
    });
  }
  listen('a');
  expect(() => signal.emit(1)).toThrow('first');
  expect(heard).toEqual(['a 1']);
});

test('a listener may end another subscription, or its own, during an emit', () => {
  const { signal, heard, listen } = heardOn();
  const endOwn = signal.subscribe(() => endOwn());
  signal.subscribe(() => endOther());
  const endOther = listen('a');
  listen('b');
  signal.emit(1);
  expect(heard).toEqual(['b 1']);
  expect(signal.size).toBe(2);
});

test('a listener that is added during an emit does not get that value', () => {
  const { signal, heard, listen } = heardOn();
  signal.subscribe((value) => listen(`since ${value}`));
  signal.emit(1);
  expect(heard).toEqual([]);
  signal.emit(2);
  expect(heard).toEqual(['since 1 2']);
});

test('a function that subscribes twice is called twice; each subscription ends separately', () => {
  const signal = new Signal<number>();
  let calls = 0;
  const count = () => {
    calls++;
  };
  const end = signal.subscribe(count);
  signal.subscribe(count);
  signal.emit(1);
  end();
  signal.emit(2);
  expect(calls).toBe(3);
});
