/** How nft's listing of refused frames is read, and which sums grow. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { PortRefusals } from './port-refusals.ts';

const HEAD =
  'table bridge meshwork {\n\tset refused {\n\t\ttype ifname . mark\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 10m\n';

function counted(frames: number): string {
  return (
    `${HEAD}\t\telements = { "tap0" . 0x00000001 expires 9m59s996ms counter packets ${frames} bytes 600,\n` +
    '\t\t\t     "tap0" . 0x00000009 timeout 10m expires 9m counter packets 3 bytes 90 }\n\t}\n}\n'
  );
}

const OFFENDERS = `${HEAD}\t\telements = { "tap0" . 0x00000001 . 02:00:00:00:00:03 expires 9m59s }\n\t}\n}\n`;

function reading() {
  const kernel = { refused: counted(10), failing: false };
  const journal = new Journal(new ManualClock(), 'agent', 'node1');
  const refusals = new PortRefusals({
    kernel: {
      listBridgeSet: async (name) => {
        if (kernel.failing) throw new Error('nft fails');
        return name === 'refused' ? kernel.refused : OFFENDERS;
      },
    },
    journal,
  });
  return { kernel, refusals };
}

test('counts have a port, a kind and the addresses of the senders', async () => {
  const { refusals } = reading();
  await refusals.read();
  expect(refusals.counts).toEqual([
    { port: 'tap0', kind: 'member-mac', frames: 10 },
    { port: 'tap0', kind: 'router', frames: 3 },
  ]);
  expect(refusals.counts.map((count) => refusals.offendersOf(count))).toEqual([['02:00:00:00:00:03'], []]);
});

test('the sums grow, also when the kernel begins anew', async () => {
  const { kernel, refusals } = reading();
  for (const frames of [10, 15, 2]) {
    kernel.refused = counted(frames);
    await refusals.read();
  }
  expect([...refusals.totals][0]).toEqual({ port: 'tap0', kind: 'member-mac', frames: 17 });
});

test('a failure keeps the last reading', async () => {
  const { kernel, refusals } = reading();
  await refusals.read();
  kernel.failing = true;
  await refusals.read();
  expect(refusals.counts).toHaveLength(2);
});

test('without refused frames there is nothing', async () => {
  const { kernel, refusals } = reading();
  kernel.refused = '';
  await refusals.read();
  expect([refusals.counts, [...refusals.totals]]).toEqual([[], []]);
});
