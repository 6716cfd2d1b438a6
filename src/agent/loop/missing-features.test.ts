/** Proves that missing features are tested once, written to the journal, and kept as findings. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Feature } from '../../kernel/probe.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { MissingFeatures } from './missing-features.ts';

const FEATURES: readonly Feature[] = [
  { name: 'vxlan', present: true, costs: 'This machine cannot take part in a mesh.' },
  { name: 'nft bridge', present: false, costs: 'Guests get no TCP.', why: 'EOPNOTSUPP' },
  { name: 'br_netfilter', present: false, costs: 'Nothing.' },
];

test('a missing feature is tested once, and reported with its cost', async () => {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const events: string[] = [];
  journal.subscribe(({ kind, message }) => events.push(`${kind}: ${message}`));
  let probes = 0;
  const features = new MissingFeatures({
    journal,
    probe: async () => {
      probes++;
      return FEATURES;
    },
  });
  expect(features.findings).toEqual([]);
  features.look();
  features.look();
  await clock.pass(0);
  expect(probes).toBe(1);
  expect(events).toEqual(['feature missing: this kernel cannot do «nft bridge» (EOPNOTSUPP). Guests get no TCP.']);
  expect(features.findings).toMatchObject([{ code: 'MESH_KERNEL_UNSUPPORTED', object: 'nft bridge' }]);
});
