/** The form of a network in documents of other processes and of the disk. Its names stand in commands, nft's text and the kernel. */

import { isMesh, type Mesh, meshNetwork } from '../../model/network/mesh.ts';
import { NETWORK_SOURCES, type Network, type NetworkSpan } from '../../model/network/network.ts';
import { isNetworkNumber, type NetworkNumber } from '../../model/network/number.ts';
import { ROUTING_MODES } from '../../model/network/routing.ts';
import { VNI_MAX, type Vni } from '../../model/network/types/vxlan.ts';
import * as form from './form.ts';
import {
  DeviceShape,
  Ipv4CidrShape,
  Ipv4Shape,
  Ipv6CidrShape,
  Ipv6Shape,
  MacShape,
  NetworkIdShape,
  TextShape,
} from './parts.ts';

/** More of anything than a network has. */
const LIST_MAX = 4_096;
const LABELS_MAX = 64;

/** The smallest MTU of IPv6 is 1280 (RFC 8200 §5). */
const MtuShape = form.int(1_280, 65_535);
const WordShape = form.string({ pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/ });
const KeyShape = form.string({ pattern: /^[0-9]{1,20}$/ });
const VniShape = form.guard<Vni>((value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= VNI_MAX);
const PortShape = form.int(1, 65_535);
const AddressShape = form.union([Ipv4Shape, Ipv6Shape]);
const CidrShape = form.union([Ipv4CidrShape, Ipv6CidrShape]);
const Verdict = form.oneOf(['accept', 'drop', 'reject']);
const Names = form.listOf(WordShape, LIST_MAX);

const BridgeShape = form.object({
  name: DeviceShape,
  mac: form.exactOptional(MacShape),
  stp: form.boolean(),
  forwardDelaySec: form.number(),
  macTable: form.oneOf(['learned', 'managed']),
});

const TypeShape = form.variants('kind', [
  form.object({
    kind: form.literal('vxlan'),
    device: DeviceShape,
    vni: VniShape,
    udpPort: PortShape,
    underlay: form.oneOf(['ipv4', 'ipv6']),
    local: form.exactOptional(AddressShape),
    dev: form.exactOptional(DeviceShape),
    hopLimit: form.exactOptional(form.int(1, 255)),
    learning: form.boolean(),
  }),
  form.object({ kind: form.literal('bridge') }),
]);

const PeersShape = form.variants('kind', [
  form.object({ kind: form.literal('membership') }),
  form.object({ kind: form.literal('assigned') }),
  form.object({ kind: form.literal('multicast'), group: AddressShape }),
]);

const HostAddressShape = form.variants('kind', [
  form.object({ kind: form.literal('derived'), key: KeyShape, prefix: Ipv6CidrShape }),
  form.object({ kind: form.literal('given') }),
  form.object({ kind: form.literal('per-node') }),
  form.object({ kind: form.literal('none') }),
]);

const SubnetShape = form.object({
  cidr: CidrShape,
  hostAddress: form.exactOptional(AddressShape),
  dhcp: form.exactOptional(
    form.object({
      ranges: form.listOf(form.object({ first: AddressShape, last: AddressShape }), LIST_MAX),
      hosts: form.listOf(
        form.object({
          mac: form.exactOptional(MacShape),
          id: form.exactOptional(TextShape),
          name: form.exactOptional(WordShape),
          address: form.exactOptional(AddressShape),
        }),
        LIST_MAX,
      ),
      leaseSec: form.exactOptional(form.int(1)),
      options: form.listOf(form.object({ number: form.int(1, 65_535), value: TextShape }), LIST_MAX),
      bootp: form.exactOptional(form.object({ file: TextShape, server: form.exactOptional(TextShape) })),
    }),
  ),
  ra: form.exactOptional(form.boolean()),
  localPtr: form.exactOptional(form.boolean()),
  tftp: form.exactOptional(form.object({ root: TextShape })),
});

const RoutingShape = form.object({
  mode: form.oneOf(ROUTING_MODES),
  via: form.listOf(DeviceShape, LIST_MAX),
  policy: form.exactOptional(form.object({ in: Verdict, out: Verdict })),
  rules: form.listOf(
    form.object({
      direction: form.oneOf(['in', 'out']),
      match: form.object({
        protocol: form.exactOptional(form.oneOf(['tcp', 'udp', 'icmp', 'icmpv6'])),
        from: form.exactOptional(CidrShape),
        to: form.exactOptional(CidrShape),
        ports: form.exactOptional(form.object({ first: PortShape, last: PortShape })),
      }),
      verdict: Verdict,
      forwardTo: form.exactOptional(form.object({ address: AddressShape, port: form.exactOptional(PortShape) })),
    }),
    LIST_MAX,
  ),
  nat64: form.exactOptional(form.object({ prefix: Ipv6CidrShape, pool: Ipv4CidrShape })),
});

const DnsShape = form.object({
  domain: form.exactOptional(TextShape),
  hosts: form.listOf(form.object({ address: AddressShape, names: Names }), LIST_MAX),
  srv: form.listOf(
    form.object({
      service: TextShape,
      protocol: form.oneOf(['tcp', 'udp']),
      domain: form.exactOptional(TextShape),
      target: TextShape,
      port: PortShape,
      priority: form.exactOptional(form.int(0, 65_535)),
      weight: form.exactOptional(form.int(0, 65_535)),
    }),
    LIST_MAX,
  ),
  txt: form.listOf(form.object({ name: TextShape, value: TextShape }), LIST_MAX),
  forwarders: form.listOf(form.object({ address: AddressShape, domain: form.exactOptional(TextShape) }), LIST_MAX),
});

const RateShape = form.object({
  averageBytesPerSec: form.int(1),
  peakBytesPerSec: form.exactOptional(form.int(1)),
  burstBytes: form.exactOptional(form.int(1)),
});
const LIMITS = {
  binding: form.exactOptional(form.boolean()),
  isolation: form.exactOptional(form.boolean()),
  bandwidth: form.exactOptional(form.object({ in: form.exactOptional(RateShape), out: form.exactOptional(RateShape) })),
  vlan: form.exactOptional(form.int(1, 4_094)),
  trust: form.exactOptional(form.boolean()),
};
const GuestsShape = form.object({
  ...LIMITS,
  portGroups: form.listOf(form.object({ ...LIMITS, name: WordShape, isDefault: form.boolean() }), LIST_MAX),
});

const SpanShape: form.Shape<NetworkSpan> = form.variants('kind', [
  form.object({ kind: form.literal('file') }),
  form.object({ kind: form.literal('everywhere') }),
  form.object({ kind: form.literal('on-demand') }),
  form.object({ kind: form.literal('nodes'), nodes: Names }),
  form.object({ kind: form.literal('roles'), roles: Names }),
]);

/** A network of any type. */
export const NetworkShape: form.Shape<Network> = form.object({
  id: NetworkIdShape,
  number: form.guard<NetworkNumber>(isNetworkNumber),
  name: WordShape,
  uuid: form.exactOptional(form.string({ pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ })),
  owner: form.exactOptional(TextShape),
  labels: form.recordOf(WordShape, TextShape, LABELS_MAX),
  title: form.exactOptional(TextShape),
  description: form.exactOptional(TextShape),
  bridge: form.exactOptional(BridgeShape),
  type: TypeShape,
  peers: form.exactOptional(PeersShape),
  mtuBytes: MtuShape,
  hostAddress: HostAddressShape,
  subnets: form.listOf(SubnetShape, LIST_MAX),
  routes: form.listOf(
    form.object({ cidr: CidrShape, via: AddressShape, metric: form.exactOptional(form.int(0, 0xffffffff)) }),
    LIST_MAX,
  ),
  routing: RoutingShape,
  dns: form.exactOptional(DnsShape),
  guests: form.exactOptional(GuestsShape),
  span: SpanShape,
  source: form.oneOf(NETWORK_SOURCES),
  extra: form.recordOf(form.string({ max: 64 }), form.unknown(), LABELS_MAX),
});

/** A mesh of the version before. Its devices follow from its VNI. */
const FormerMesh: form.Shape<Mesh> = form.mapped(
  form.object({
    name: WordShape,
    fabric: form.object({
      kind: form.literal('mesh'),
      vni: VniShape,
      key: KeyShape,
      prefix: Ipv6CidrShape,
      mtuBytes: MtuShape,
    }),
  }),
  ({ name, fabric: { mtuBytes, vni, key, prefix } }) => ({ ...meshNetwork({ name, vni, key, prefix }), mtuBytes }),
);

/** A mesh, as this version writes it and as the version before did. */
export const MeshShape: form.Shape<Mesh> = {
  read: (value) => {
    if (typeof value === 'object' && value !== null && !Object.hasOwn(value, 'number')) return FormerMesh.read(value);
    const network = NetworkShape.read(value);
    if (isMesh(network)) return network;
    throw new form.Misfit(['type']);
  },
};
