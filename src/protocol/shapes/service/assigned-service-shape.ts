/** The forms of the services that a node is given. */
import { Ipv6CidrShape, Ipv6Shape } from '../../../model/address/address-shapes.ts';
import { NameShape, NETWORK_LIST_MAX } from '../../../model/network/words.ts';
import type { AssignedService, KnownService, OtherService } from '../../documents/service/assigned-service.ts';
import * as form from '../form.ts';
import { AssignedDhcp4Shape, AssignedDhcp6Shape, AssignedDnsShape } from './assigned-dhcp-shape.ts';
import { AssignedDns64Shape, AssignedNat64Shape, IdShape as ServiceIdShape } from './assigned-nat64-shape.ts';
import { AssignedNat44Shape, AssignedRouteShape } from './assigned-routing-shape.ts';

const KindShape = form.string({ max: 64 });
const SecondsShape = form.int(0, 0xffffffff);

const RaShape = form.object({
  kind: form.literal('ra'),
  id: ServiceIdShape,
  advertisement: form.object({
    lifetimeSec: form.int(0, 9_000),
    reachableMs: form.int(0, 3_600_000),
    mtuBytes: form.int(1_280, 65_535),
    prefixes: form.listOf(
      form.object({ prefix: Ipv6CidrShape, validSec: SecondsShape, preferredSec: SecondsShape }),
      NETWORK_LIST_MAX,
    ),
    resolvers: form.listOf(Ipv6Shape, 64),
    searchDomains: form.listOf(NameShape, 64),
    managed: form.exactOptional(form.literal(true)),
    otherConfig: form.exactOptional(form.literal(true)),
  }),
});

/** The services that this version knows. */
const KnownShape: form.Shape<KnownService> = form.variants('kind', [
  RaShape,
  AssignedDhcp4Shape,
  AssignedDhcp6Shape,
  AssignedDnsShape,
  AssignedNat44Shape,
  AssignedRouteShape,
  AssignedNat64Shape,
  AssignedDns64Shape,
]);

/** A node keeps a service that it cannot read in this form. A later version on the node may know the kind. */
const KeptShape = form.object({
  kind: form.literal('other'),
  id: ServiceIdShape,
  of: KindShape,
  document: form.unknown(),
});

const UnknownShape: form.Shape<OtherService> = form.mapped(
  form.looseObject({ kind: KindShape, id: ServiceIdShape }),
  (document) => ({ kind: 'other', id: document.id, of: document.kind, document }),
);

/** One service of a network on a node. Also the form on the node's disk. */
export const AssignedServiceShape: form.Shape<AssignedService> = form.union([
  form.mapped(form.object({ kind: form.literal('other'), document: KnownShape }), ({ document }) => document),
  KeptShape,
  KnownShape,
  UnknownShape,
]);
