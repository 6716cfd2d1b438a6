/** The form of a network in documents, and the rules between its parts. */
import * as form from '../form.ts';
import { BridgeShape } from './bridge.ts';
import { NetworkDnsShape } from './dns.ts';
import { BandwidthShape, NetworkGuestsShape } from './guests.ts';
import { HostAddressShape } from './host-address.ts';
import { NETWORK_SOURCES, type Network, type NetworkSpan } from './network.ts';
import { NetworkNumberShape, networkIdOf } from './number.ts';
import { PEERS, PeersShape } from './peers/peers.ts';
import { NetworkRouteShape, RoutingShape } from './routing.ts';
import { SubnetShape } from './subnet.ts';
import { subnetFault } from './subnet-rules.ts';
import { NETWORK_TYPES, NetworkTypeShape } from './types/network-type.ts';
import { LineShape, NameShape, NamesShape, NETWORK_LIST_MAX, NetworkIdShape } from './words.ts';

const LABELS_MAX = 64;

const SpanShape: form.Shape<NetworkSpan> = form.variants('kind', [
  form.object({ kind: form.literal('file') }),
  form.object({ kind: form.literal('everywhere') }),
  form.object({ kind: form.literal('on-demand') }),
  form.object({ kind: form.literal('nodes'), nodes: NamesShape }),
  form.object({ kind: form.literal('roles'), roles: NamesShape }),
]);

const PartsShape: form.Shape<Network> = form.object({
  id: NetworkIdShape,
  number: NetworkNumberShape,
  name: NameShape,
  uuid: form.exactOptional(
    form.worded(
      form.string({ pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ }),
      'A UUID in lower case, as 6fa459ea-ee8a-4ca4-894e-db77e160355e.',
    ),
  ),
  owner: form.exactOptional(LineShape),
  labels: form.defaulted(form.recordOf(NameShape, LineShape, LABELS_MAX), {}),
  title: form.exactOptional(LineShape),
  description: form.exactOptional(LineShape),
  bridge: form.exactOptional(BridgeShape),
  type: NetworkTypeShape,
  peers: form.exactOptional(PeersShape),
  // The smallest MTU of IPv6 is 1280 (RFC 8200 §5).
  mtuBytes: form.int(1_280, 65_535),
  hostAddress: HostAddressShape,
  subnets: form.defaulted(form.listOf(SubnetShape, NETWORK_LIST_MAX), []),
  routes: form.defaulted(form.listOf(NetworkRouteShape, NETWORK_LIST_MAX), []),
  routing: RoutingShape,
  dns: form.exactOptional(NetworkDnsShape),
  guests: form.exactOptional(NetworkGuestsShape),
  guestIpv6: form.exactOptional(form.boolean()),
  bandwidth: form.exactOptional(
    form.object({ in: form.exactOptional(BandwidthShape), out: form.exactOptional(BandwidthShape) }),
  ),
  dnsmasqOptions: form.exactOptional(form.listOf(LineShape, NETWORK_LIST_MAX)),
  span: SpanShape,
  source: form.oneOf(NETWORK_SOURCES),
  extra: form.defaulted(form.recordOf(form.string({ max: 64 }), form.unknown(), LABELS_MAX), {}),
});

/** A network of any type, whose parts fit each other. */
export const NetworkShape: form.Shape<Network> = {
  outline: PartsShape.outline,
  read: (value, strict) => {
    const network = PartsShape.read(value, strict);
    const misfit = idFault(network) ?? typeFault(network) ?? subnetFault(network) ?? natFault(network);
    if (misfit !== undefined) throw misfit;
    return network;
  },
};

/** The identifier of a `.conf` mesh has the VNI in decimal: marks in kernels depend on it. */
function idFault({ id, number }: Network): form.Misfit | undefined {
  const ids: readonly string[] = [networkIdOf(number), `mesh-${number}`];
  if (ids.includes(id)) return undefined;
  return new form.Misfit(['id'], { rule: `The identifier of network ${number} is ${ids[0]}.`, remedy: 'Leave id out' });
}

function typeFault({ type, bridge, peers, hostAddress }: Network): form.Misfit | undefined {
  const { hasBridge, hasPeers } = NETWORK_TYPES[type.kind];
  if (hasBridge !== (bridge !== undefined)) {
    return new form.Misfit(['bridge'], {
      rule: `A network of the type ${type.kind} has ${hasBridge ? 'a' : 'no'} bridge.`,
    });
  }
  if (bridge?.mac !== undefined && hostAddress.kind === 'derived') {
    return new form.Misfit(['bridge', 'mac'], {
      rule: 'Where host addresses are derived, the Ethernet addresses of bridges are, too: the other nodes derive them.',
      remedy: 'Leave mac out, or choose another hostAddress',
    });
  }
  if (hasPeers !== (peers !== undefined)) {
    return new form.Misfit(['peers'], {
      rule: `A network of the type ${type.kind} has ${hasPeers ? '' : 'no '}peers.`,
    });
  }
  if (peers === undefined || type.kind !== 'vxlan') return undefined;
  const words = PEERS[peers.kind].fault(peers, type);
  if (words !== undefined) return new form.Misfit(['peers'], words);
  if (peers.kind !== 'membership' || hostAddress.kind === 'derived') return undefined;
  return new form.Misfit(['hostAddress'], {
    rule: 'Members of a mesh have addresses that are derived from its key, in its prefix.',
    remedy: 'Write a hostAddress of the kind derived, with key and prefix, or other peers',
  });
}

function natFault({ routing: { mode, nat } }: Network): form.Misfit | undefined {
  if (nat === undefined || mode === 'nat') return undefined;
  return new form.Misfit(['routing', 'nat'], {
    rule: `A network of the mode ${mode} hides no guests.`,
    remedy: 'Leave nat out, or choose the mode nat',
  });
}
