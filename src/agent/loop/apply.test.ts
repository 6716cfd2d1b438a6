/** Proves that a failed create stops its own further operations and dependent steps, and no others. */
import { expect, test } from 'vitest';
import { linksAndAddresses } from '../../../test/kit/desired-input.ts';
import { mesh } from '../../../test/kit/networks.ts';
import { MeshError } from '../../model/error.ts';
import { type Item, itemKey } from '../items/item.ts';
import type { Operation } from '../items/item-kind.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { apply } from './apply.ts';
import type { Step } from './plan.ts';

function itemsOf(vni: number): Item[] {
  return linksAndAddresses(mesh(`m${vni}`, vni), 'host0');
}

function creates(items: readonly Item[]): Step[] {
  return items.map((item) => ({ action: 'create', key: itemKey(item), item }));
}

test('a link that could not be created is not marked or set up, and dependent steps wait', async () => {
  const done: Operation[] = [];
  const kernel: Pick<KernelPort, 'apply'> = {
    apply: async (operations) =>
      operations.map((operation) => {
        const taken = operation.do === 'link-add' && operation.name === 'br1';
        if (!taken) done.push(operation);
        return taken ? new MeshError('MESH_KERNEL_REFUSED', 'EEXIST') : undefined;
      }),
  };
  const [bridge, vxlan, ...addresses] = itemsOf(1);
  const others = itemsOf(2);
  if (bridge === undefined || vxlan === undefined) throw new TypeError('two links');
  const outcomes = await apply(creates([bridge, ...others, ...addresses]), kernel as KernelPort);

  const links = done.flatMap((operation) => ('link' in operation ? [operation.link] : []));
  expect(new Set(links)).toEqual(new Set(['br2', 'vxlan2']));
  expect(done.some((operation) => operation.do === 'sysctl' && operation.path.includes('br1'))).toBe(false);
  expect(outcomes.filter(({ error }) => error !== undefined).map(({ step }) => step.key)).toEqual([itemKey(bridge)]);
  expect(outcomes.filter(({ waitsFor }) => waitsFor === itemKey(bridge))).toHaveLength(addresses.length);
});
