/** Entering a network namespace and returning, also after an error. */
import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inNetns, temporaryNetns } from './netns.ts';

const here = (): string => readlinkSync('/proc/thread-self/ns/net');

test('making a temporary namespace leaves this thread in its own namespace', () => {
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

test('the thread returns also when the body throws', () => {
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
