/** The forms of what host0 tells of its catalogue of networks. */
import type { CatalogueChange, CatalogueView, NetworkActivity } from '../documents/catalogue.ts';
import * as form from './form.ts';
import { NetworkShape } from './network-shape.ts';
import { ErrorShape, NodeNameShape, TextShape } from './parts.ts';

/** More nodes than a cluster has, and more differences than two networks have. */
const LIST_MAX = 16_384;

const ActivityShape: form.Shape<NetworkActivity> = form.variants('phase', [
  form.object({ phase: form.literal('active'), id: form.exactOptional(form.int(1)) }),
  form.object({ phase: form.literal('stopped') }),
  form.object({ phase: form.literal('deleting'), nodes: form.listOf(NodeNameShape, LIST_MAX) }),
  form.object({ phase: form.literal('refused'), error: ErrorShape }),
]);

/** The form of a network of the catalogue. */
export const CatalogueViewShape: form.Shape<CatalogueView> = form.object({
  network: NetworkShape,
  activity: ActivityShape,
  holders: form.exactOptional(
    form.listOf(form.object({ node: NodeNameShape, ports: form.listOf(form.string(), LIST_MAX) }), LIST_MAX),
  ),
});

/** The form of the answer to a change. */
export const CatalogueChangeShape: form.Shape<CatalogueChange> = form.object({
  change: form.oneOf(['created', 'changed', 'unchanged', 'started', 'stopped', 'deleted']),
  network: NetworkShape,
  differences: form.listOf(TextShape, LIST_MAX),
  warnings: form.listOf(ErrorShape, 64),
  dryRun: form.boolean(),
});
