/** Proves that scripts for nft go together, and that a refused one keeps no other from taking effect. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TemporaryNetns, temporaryNetns } from '../../kernel/netns.ts';
import { SystemKernel } from './system-kernel.ts';

let netns: TemporaryNetns;
let kernel: SystemKernel;

beforeEach(async () => {
  netns = temporaryNetns();
  kernel = await SystemKernel.open(() => undefined, { netns: netns.path });
});

afterEach(async () => {
  await kernel.close();
  netns.close();
});

function table(family: 'inet' | 'bridge', body = '') {
  return { do: 'nft', script: `table ${family} meshwork {${body}}\n` } as const;
}

test('two tables are written', async () => {
  expect(await kernel.apply([table('inet'), table('bridge')])).toEqual([undefined, undefined]);
  expect(await kernel.listRuleset('inet')).toContain('table inet');
  expect(await kernel.listRuleset('bridge')).toContain('table bridge');
});

test('of two tables the refused one has the error, and the other one is written', async () => {
  const errors = await kernel.apply([table('inet', ' nonsense '), table('bridge')]);
  expect(errors.map((error) => error?.code)).toEqual(['MESH_NFT_REFUSED', undefined]);
  expect(await kernel.listRuleset('inet')).toBeUndefined();
  expect(await kernel.listRuleset('bridge')).toContain('table bridge');
});
