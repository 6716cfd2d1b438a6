/** Agents of earlier images go on: their tokens are those of before, or follow from the keys, and end with the next key. */

import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { parseMachineId } from '../../model/machine.ts';
import { reportToken } from '../../model/machine-key.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { type EarlierTokens, KeyTokens } from './key-tokens.ts';
import { MachineKeys } from './machine-keys.ts';

const ONE = parseMachineId('10eff964');
const BEFORE = 'a'.repeat(64);
let keys: MachineKeys;
let before: string[];
let tokens: KeyTokens;

const earlier: EarlierTokens = {
  of: async () => before,
  sentBy: async () => before[0],
  used: async () => undefined,
  forget: async () => {
    before = [];
  },
};

beforeEach(async () => {
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  keys = await MachineKeys.open({ store: new MemoryStore(), secret: Buffer.alloc(32, 1), journal });
  before = [BEFORE];
  tokens = new KeyTokens(keys, earlier);
});

async function nextToken(): Promise<string> {
  return reportToken((await keys.offer(ONE))?.key ?? new Uint8Array());
}

test('a token of before holds until a key, or the token of a key, is used', async () => {
  const [first, second] = [await nextToken(), await nextToken()];
  expect(await tokens.of(ONE)).toEqual([BEFORE, first, second]);
  await tokens.used(ONE, BEFORE);
  expect([await tokens.of(ONE), await tokens.sentBy(ONE)]).toEqual([[BEFORE, first, second], BEFORE]);
  await tokens.used(ONE, second);
  expect([await tokens.of(ONE), await tokens.sentBy(ONE)]).toEqual([[second], undefined]);
});

test('a channel with a key ends the tokens of before, and so does a revocation', async () => {
  const key = await keys.offer(ONE);
  await keys.used(key?.identity ?? '');
  expect(before).toEqual([]);
  before = [BEFORE];
  await keys.revoke(ONE);
  expect(await tokens.of(ONE)).toEqual([]);
});

test('after a thousand forged boots a node proves its token, and a wrong proof is tried with few keys', async () => {
  before = [];
  const running = await nextToken();
  await tokens.used(ONE, running);
  for (let forged = 0; forged < 1_000; forged++) await keys.offer(ONE);
  const booted = await nextToken();
  const known = await tokens.of(ONE);
  expect([known.includes(running), known.includes(booted), known.length <= 64]).toEqual([true, true, true]);
});
