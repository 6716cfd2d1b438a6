/** Proves with a real kernel that the loop repairs each change of our table by another program, whoever reads the table then. */
import { expect, test, vi } from 'vitest';
import { seedOfRun } from '../../../test/kit/damage.ts';
import { LONG } from '../../../test/kit/long.ts';
import { inside } from '../../../test/kit/namespaces.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { temporaryNetns } from '../../kernel/netns.ts';
import { Nft } from '../../kernel/nft.ts';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { itemMap } from '../items/item.ts';
import type { RulesetItem } from '../items/ruleset.ts';
import { SystemKernel } from '../kernel/system-kernel.ts';
import { Reconciler } from './reconciler.ts';

const ROUNDS = LONG ? 500 : 12;
/** A repair takes 50 ms. Where it is missed, the next audit would come within a minute. */
const REPAIR_DEADLINE_MS = 25_000;
const ADDRESSES = Array.from({ length: 8 }, (_, index) => `10.11.0.${index + 1}`);

function table(elements: readonly string[]): RulesetItem {
  const sources = { declaration: 'type ipv4_addr', late: true, elements: new Set(elements) };
  return { kind: 'ruleset', family: 'inet', intact: true, sets: new Map([['sources', sources]]), body: '' };
}

test('a change by another program is repaired, also when a reading of the table is under way', async () => {
  const random = randomFrom(seedOfRun());
  await using stack = new AsyncDisposableStack();
  const { path } = stack.adopt(temporaryNetns(), (netns) => netns.close());
  const nft = stack.adopt(await Nft.open({ netns: path }), (open) => open.close());
  const kernel = stack.adopt(await SystemKernel.open(() => {}, { netns: path }), (open) => open.close());
  let wanted: readonly string[] = ADDRESSES;
  let desired = itemMap([table(wanted)]);
  const reconciler = stack.adopt(
    new Reconciler({
      kernel,
      clock: systemClock,
      journal: new Journal(systemClock, 'agent', 'node1'),
      desire: () => ({ items: desired, recorded: () => [], mayDelete: () => false }),
      onLastingFailure: () => undefined,
    }),
    (open) => open.close(),
  );
  await reconciler.start();
  // A pass begins while a reading is under way.
  const list = kernel.listRuleset.bind(kernel);
  vi.spyOn(kernel, 'listRuleset').mockImplementation((family) => {
    const listing = list(family);
    if (random() < 0.5) void reconciler.wake();
    return listing;
  });
  const elements = async () => (await nft.list('inet', 'meshwork'))?.match(/\d+(\.\d+){3}/g)?.sort() ?? [];

  for (let round = 0; round < ROUNDS; round++) {
    const element = `element inet meshwork sources { ${pick(random, ADDRESSES)} }`;
    const foreign = 'add element inet meshwork sources { 10.11.0.77 }';
    // While the other program runs, this process waits, as an agent on a busy machine does.
    inside(
      path,
      'nft',
      pick(random, [`add ${element}; delete ${element}`, foreign, 'flush set inet meshwork sources']),
    );
    // As at a join, the agent may have a change of its own at that moment.
    if (random() < 0.3) {
      wanted = ADDRESSES.filter(() => random() < 0.8);
      desired = itemMap([table(wanted)]);
      void reconciler.wake();
    }
    await reconciler.drift();
    await expect.poll(elements, { timeout: REPAIR_DEADLINE_MS, message: `round ${round}` }).toEqual(wanted);
  }
});
