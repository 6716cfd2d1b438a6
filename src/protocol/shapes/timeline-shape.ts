/** The shapes of boots, as `mesh node boot` shows them (documents/timeline-view.ts). */

import { errorCodeOf } from '../../model/error.ts';
import { BOOT_STAGES, type BootStage, type BootTrouble, type TimelineView } from '../documents/timeline-view.ts';
import * as form from './form.ts';
import { Ipv4Shape, MachineIdShape, MacShape } from './parts.ts';

/** A stage of a boot. */
export const StageShape: form.Shape<BootStage> = form.oneOf(BOOT_STAGES);

/** Why a boot does not go on. */
export const BootTroubleShape: form.Shape<BootTrouble> = form.looseObject({
  code: form.mapped(form.string(), errorCodeOf),
  stage: StageShape,
  cause: form.string(),
  remedy: form.string(),
});

/** One boot of one machine. */
export const TimelineShape: form.Shape<TimelineView> = form.looseObject({
  mac: MacShape,
  device: form.string(),
  machine: form.exactOptional(MachineIdShape),
  name: form.exactOptional(form.string()),
  ipv4: form.exactOptional(Ipv4Shape),
  attempt: form.exactOptional(form.string()),
  model: form.exactOptional(form.string()),
  began: form.string(),
  ageMs: form.number(),
  state: form.oneOf(['booting', 'stuck', 'member']),
  stages: form.listOf(
    form.looseObject({
      stage: StageShape,
      atMs: form.number(),
      time: form.string(),
      detail: form.exactOptional(form.string()),
    }),
    BOOT_STAGES.length,
  ),
  due: form.exactOptional(
    form.looseObject({
      atMs: form.number(),
      ms: form.number(),
      from: form.oneOf(['table', 'learned']),
      boots: form.exactOptional(form.int()),
    }),
  ),
  trouble: form.exactOptional(BootTroubleShape),
});
