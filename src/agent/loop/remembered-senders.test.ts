/** Proves with a real kernel that a changed way empties what the rules remember. */
import { expect, test } from 'vitest';
import { ip } from '../../../test/kit/namespaces.ts';
import { temporaryNetns } from '../../kernel/netns.ts';
import { Nft } from '../../kernel/nft.ts';
import { systemClock } from '../../model/clock.ts';
import { itemMap } from '../items/item.ts';
import { type RulesetItem, rulesetScript } from '../items/ruleset.ts';
import { SystemKernel } from '../kernel/system-kernel.ts';
import { RememberedSenders } from './remembered-senders.ts';

/** Its elements do not go by themselves while the test runs. */
const TABLE_WITH_PATHS: RulesetItem = {
  kind: 'ruleset',
  family: 'inet',
  intact: true,
  sets: new Map(),
  remembering: ['paths'],
  body: '  set paths { type ipv4_addr; flags dynamic,timeout; timeout 1h; }\n',
};

test.each([
  ['a route comes', 'route add 10.50.0.0/24 via 10.11.1.2'],
  ['a rule comes', 'rule add from 10.50.0.0/24 priority 100 table 100'],
  ['an address goes', 'address del 10.11.1.1/24 dev eth1'],
  ['a link goes down', 'link set eth1 down'],
])('the rules forget senders when %s', async (_, change) => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.adopt(temporaryNetns(), (netns) => netns.close());
  ip(
    path,
    'link add eth1 type veth peer name eth0',
    'address add 10.11.1.1/24 dev eth1',
    'link set eth1 up',
    'link set eth0 up',
  );
  const nft = stack.adopt(await Nft.open({ netns: path }), (open) => open.close());
  await nft.run(rulesetScript(TABLE_WITH_PATHS));
  const kernel = stack.adopt(await SystemKernel.open(() => {}, { netns: path }), (open) => open.close());
  const desired = itemMap([TABLE_WITH_PATHS]);
  const senders = new RememberedSenders({ kernel, clock: systemClock, desired: () => desired });
  stack.defer(() => senders.stop());
  const remembers = async () => (await nft.listSet('inet', 'meshwork', 'paths')).includes('10.11.1.2');

  await nft.run('add element inet meshwork paths { 10.11.1.2 }\n');
  expect(await remembers()).toBe(true);
  ip(path, change);
  await expect.poll(remembers).toBe(false);
});
