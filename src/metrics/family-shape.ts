/** The shape of the metrics of a process, as `GET /metrics` answers them in JSON. */
import * as form from '../protocol/shapes/form.ts';
import type { Family } from './registry.ts';

const SAMPLES_MAX = 1_000_000;

/** All metrics of a process. */
export const FamiliesShape: form.Shape<Family[]> = form.listOf(
  form.looseObject({
    name: form.string(),
    type: form.oneOf(['counter', 'gauge', 'histogram']),
    help: form.string(),
    samples: form.listOf(
      form.looseObject({
        suffix: form.oneOf(['', '_bucket', '_sum', '_count']),
        labels: form.recordOf(form.string(), form.string(), 64),
        value: form.number(),
      }),
      SAMPLES_MAX,
    ),
  }),
  SAMPLES_MAX,
);
