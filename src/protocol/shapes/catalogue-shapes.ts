/** The forms of what host0 tells of its catalogue of networks. */
import {
  type CatalogueChange,
  type CatalogueView,
  LIFECYCLE_KINDS,
  type LifecycleNews,
  type MulticastView,
  type NetworkActivity,
  type RefusedDocument,
} from '../documents/catalogue.ts';
import * as form from './form.ts';
import { NetworkShape } from './network-shape.ts';
import { ErrorShape, NetworkIdShape, NodeNameShape, TextShape } from './parts.ts';

/** More nodes than a cluster has, and more differences than two networks have. */
const LIST_MAX = 16_384;

const ActivityShape: form.Shape<NetworkActivity> = form.variants('phase', [
  form.object({ phase: form.literal('active'), id: form.exactOptional(form.int(1)) }),
  form.object({ phase: form.literal('stopped') }),
  form.object({ phase: form.literal('deleting'), nodes: form.listOf(NodeNameShape, LIST_MAX) }),
  form.object({ phase: form.literal('refused'), error: ErrorShape }),
]);

/** More pairs than host0 tells. */
const PAIRS_MAX = 1_000_000;

const MulticastViewShape: form.Shape<MulticastView> = form.object({
  hears: form.listOf(NodeNameShape, LIST_MAX),
  pairs: form.int(0),
  silent: form.listOf(
    form.object({ from: NodeNameShape, to: NodeNameShape, why: form.oneOf(['silence', 'router', 'segments']) }),
    PAIRS_MAX,
  ),
  pending: form.listOf(NodeNameShape, LIST_MAX),
});

/** The form of a network of the catalogue. */
export const CatalogueViewShape: form.Shape<CatalogueView> = form.object({
  network: NetworkShape,
  activity: ActivityShape,
  persistent: form.exactOptional(form.literal(false)),
  autostart: form.exactOptional(form.boolean()),
  definition: form.exactOptional(NetworkShape),
  uuid: form.exactOptional(TextShape),
  holders: form.exactOptional(
    form.listOf(form.object({ node: NodeNameShape, ports: form.listOf(form.string(), LIST_MAX) }), LIST_MAX),
  ),
  multicast: form.droppable(MulticastViewShape),
});

/** The form of a document that is not taken up. */
export const RefusedDocumentShape: form.Shape<RefusedDocument> = form.object({ key: TextShape, error: ErrorShape });

/** The form of news of a network. */
export const LifecycleNewsShape: form.Shape<LifecycleNews> = form.object({
  time: TextShape,
  kind: form.oneOf(LIFECYCLE_KINDS),
  network: NetworkIdShape,
  name: TextShape,
  uuid: TextShape,
});

/** The form of the answer to a change. */
export const CatalogueChangeShape: form.Shape<CatalogueChange> = form.object({
  change: form.oneOf(['created', 'defined', 'changed', 'unchanged', 'started', 'stopped', 'undefined', 'deleted']),
  network: NetworkShape,
  differences: form.listOf(TextShape, LIST_MAX),
  warnings: form.listOf(ErrorShape, 64),
  dryRun: form.boolean(),
});
