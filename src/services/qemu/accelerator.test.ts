/** The accelerator is what a real guest shows. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { guestPrints, probeAccelerator } from './accelerator.ts';

test('the guest of the probe prints, and ends', async () => {
  expect(await guestPrints('tcg', systemClock, 60_000)).toBeUndefined();
}, 70_000);

test('without a device there is no KVM, and the reason names the device', async () => {
  expect(await probeAccelerator(systemClock, '/no/kvm')).toEqual({
    accelerator: 'tcg',
    why: 'This machine has no /no/kvm.',
  });
});

test('a device that opens is no proof: the guest must print', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-probe-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const device = join(directory, 'kvm');
  writeFileSync(device, '');
  const { accelerator, why = '' } = await probeAccelerator(systemClock, device);
  // A machine with a KVM that works is the only one where it says so.
  expect(accelerator === 'kvm' ? '' : why).toMatch(accelerator === 'kvm' ? /^$/ : /KVM/);
}, 30_000);
