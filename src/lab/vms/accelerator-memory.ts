/** The accelerator of this machine, found once in each boot: to see that KVM hangs takes two seconds. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../model/clock.ts';
import * as form from '../../model/form.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { bootId } from '../../services/process/process-record.ts';
import { type AcceleratorProbe, probeAccelerator } from '../../services/qemu/accelerator.ts';
import { guestCache } from '../guest/guest-cache.ts';

const ProbeShape: form.Shape<AcceleratorProbe> = form.object({
  accelerator: form.oneOf(['kvm', 'tcg']),
  why: form.exactOptional(form.string()),
});

/** The accelerator. Rejects never but where the cache cannot be written. */
export async function rememberedAccelerator(): Promise<AcceleratorProbe> {
  const file = join(guestCache(), `accelerator-${process.getuid?.() ?? 0}-${bootId().slice(0, 8)}.json`);
  const known = existsSync(file) ? readDocument(ProbeShape, readFileSync(file, 'utf8')).document : undefined;
  if (known !== undefined) return known;
  const probe = await probeAccelerator(systemClock);
  await mkdir(guestCache(), { recursive: true });
  await writeFile(file, `${JSON.stringify(probe)}\n`);
  return probe;
}
