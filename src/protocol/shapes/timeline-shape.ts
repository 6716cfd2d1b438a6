/** The shapes of boots, as `mesh node boot` shows them (documents/timeline-view.ts). */
import * as z from 'zod/mini';
import { errorCodeOf } from '../../model/error.ts';
import { BOOT_STAGES, type BootStage, type BootTrouble, type TimelineView } from '../documents/timeline-view.ts';
import { listOf, type Shape } from './document.ts';
import { Ipv4Shape, MachineIdShape, MacShape } from './parts.ts';

/** A stage of a boot. */
export const StageShape: Shape<BootStage> = z.enum(BOOT_STAGES);

/** Why a boot does not go on. */
export const BootTroubleShape: Shape<BootTrouble> = z.looseObject({
  code: z.pipe(z.string(), z.transform(errorCodeOf)),
  stage: StageShape,
  cause: z.string(),
  remedy: z.string(),
});

/** One boot of one machine. */
export const TimelineShape: Shape<TimelineView> = z.looseObject({
  mac: MacShape,
  device: z.string(),
  machine: z.exactOptional(MachineIdShape),
  name: z.exactOptional(z.string()),
  ipv4: z.exactOptional(Ipv4Shape),
  attempt: z.exactOptional(z.string()),
  model: z.exactOptional(z.string()),
  began: z.string(),
  ageMs: z.number(),
  state: z.enum(['booting', 'stuck', 'member']),
  stages: listOf(
    z.looseObject({ stage: StageShape, atMs: z.number(), time: z.string(), detail: z.exactOptional(z.string()) }),
    BOOT_STAGES.length,
  ),
  due: z.exactOptional(
    z.looseObject({
      atMs: z.number(),
      ms: z.number(),
      from: z.enum(['table', 'learned']),
      boots: z.exactOptional(z.int()),
    }),
  ),
  trouble: z.exactOptional(BootTroubleShape),
});
