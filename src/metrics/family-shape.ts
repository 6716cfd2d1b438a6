/** The shape of the metrics of a process, as `GET /metrics` answers them in JSON. */
import * as z from 'zod/mini';
import { listOf, recordOf, type Shape } from '../protocol/shapes/document.ts';
import type { Family } from './registry.ts';

const SAMPLES_MAX = 1_000_000;

/** All metrics of a process. */
export const FamiliesShape: Shape<Family[]> = listOf(
  z.looseObject({
    name: z.string(),
    type: z.enum(['counter', 'gauge', 'histogram']),
    help: z.string(),
    samples: listOf(
      z.looseObject({
        suffix: z.enum(['', '_bucket', '_sum', '_count']),
        labels: recordOf(z.string(), z.string(), 64),
        value: z.number(),
      }),
      SAMPLES_MAX,
    ),
  }),
  SAMPLES_MAX,
);
