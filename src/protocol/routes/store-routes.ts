/** Routes of host0's control socket: the store as a whole, for backups. */
import * as form from '../shapes/form.ts';
import { TimeShape } from '../shapes/parts.ts';
import { lines, type RouteTable } from './route.ts';

/** The first line: where and when the entries are of. */
export interface StoreHead {
  /** ISO 8601. */
  readonly takenAt: string;
  readonly epoch: string;
  readonly revision: number;
}

/** A line of the answer. The last one is `end`: without it, the answer was cut off. */
export type StoreLine =
  | { readonly head: StoreHead }
  | { readonly entries: readonly { readonly key: string; readonly value: string }[] }
  | { readonly end: number };

/** So many entries are in a line at most. */
export const STORE_LINE_ENTRIES = 200;

const StoreLineShape: form.Shape<StoreLine> = form.union([
  form.object({
    head: form.object({ takenAt: TimeShape, epoch: form.string({ max: 64 }), revision: form.int(0) }),
  }),
  form.object({
    entries: form.listOf(form.object({ key: form.string({ max: 1_024 }), value: form.string() }), STORE_LINE_ENTRIES),
  }),
  form.object({ end: form.int(0) }),
]);

/** The table. */
export const STORE_ROUTES = {
  'GET /v1/store': {
    summary: 'Gives all entries of the store at one revision, a part in each line, and at the end how many there are.',
    answer: lines(StoreLineShape),
    errors: ['MESH_STORE_BROKEN'],
  },
} as const satisfies RouteTable;
