import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inNetns, temporaryNetns } from './netns.ts';

const here = (): string => readlinkSync('/proc/thread-self/ns/net');

test('a temporary namespace is another one, and making it leaves this thread where it was', () => {
  const home = here();
  const netns = temporaryNetns();
  try {
    expect(here()).toBe(home);
    expect(inNetns(netns.path, here)).not.toBe(home);
    expect(here()).toBe(home);
  } finally {
    netns.close();
  }
});

test('a body that throws is left all the same', () => {
  const home = here();
  const netns = temporaryNetns();
  try {
    const body = (): void => {
      throw new Error('body');
    };
    expect(() => inNetns(netns.path, body)).toThrow('body');
    expect(here()).toBe(home);
  } finally {
    netns.close();
  }
});
