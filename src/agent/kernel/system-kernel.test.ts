/** Proves that scripts for nft go together, and that a refused one keeps no other from taking effect. */
import { expect, test } from 'vitest';
import { kernelOfEachTest } from '../../../test/kit/kernel-of-each-test.ts';

const here = kernelOfEachTest();

function table(family: 'inet' | 'bridge', body = '') {
  return { do: 'nft', script: `table ${family} meshwork {${body}}\n` } as const;
}

test('two tables are written', async () => {
  expect(await here().kernel.apply([table('inet'), table('bridge')])).toEqual([undefined, undefined]);
  expect(await here().kernel.listRuleset('inet')).toContain('table inet');
  expect(await here().kernel.listRuleset('bridge')).toContain('table bridge');
});

test('of two tables the refused one has the error, and the other one is written', async () => {
  const errors = await here().kernel.apply([table('inet', ' nonsense '), table('bridge')]);
  expect(errors.map((error) => error?.code)).toEqual(['MESH_NFT_REFUSED', undefined]);
  expect(await here().kernel.listRuleset('inet')).toBeUndefined();
  expect(await here().kernel.listRuleset('bridge')).toContain('table bridge');
});
