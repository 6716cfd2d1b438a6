/**
 * Where a network of libvirt is: on the one machine that its daemon runs on. The XML format calls that machine `host0`, so that a
 * document is the same on every installation; the catalogue names the node.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Network } from '../../model/network/network.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';

const HOME = { kind: 'nodes', nodes: ['host0'] } as const;

/** An order that names the node. */
export function atNode(order: NetworkOrder, node: string): NetworkOrder {
  return isDeepStrictEqual(order.span, HOME) ? { ...order, span: { kind: 'nodes', nodes: [node] } } : order;
}

/** A network as the XML format takes it. */
export function atHost0(network: Network, node: string): Network {
  const { span } = network;
  return span.kind === 'nodes' && isDeepStrictEqual(span.nodes, [node]) ? { ...network, span: HOME } : network;
}
