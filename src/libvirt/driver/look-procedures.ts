/** The procedures that look at networks. */
import { METADATA_TYPE } from '../calls/event-calls.ts';
import { NETWORK_CALLS as CALLS, XML_ID, XML_INACTIVE } from '../calls/network-calls.ts';
import { LIST_MAX, type NetworkKey } from '../calls/values.ts';
import { type Procedure, serve } from '../rpc/procedure.ts';
import { VIR_CODE, VirError } from '../rpc/vir-error.ts';
import { AFFECT_FLAGS, checkFlags, foundNetwork, oneAffected } from './found-network.ts';
import { badArgument, noNetwork } from './refusals.ts';
import type { Session } from './session.ts';
import type { VirtualNetwork } from './virtual-networks.ts';

/** The flags of a list in pairs (virConnectListAllNetworksFlags): with none or both of a pair, the pair asks for all. */
const PAIRS: readonly (readonly [number, number, (network: VirtualNetwork) => boolean])[] = [
  [2, 1, ({ active }) => active],
  [4, 8, ({ persistent }) => persistent],
  [16, 32, ({ autostart }) => autostart],
];
const LIST_FLAGS = 63;

export const LOOK_PROCEDURES: readonly Procedure<Session>[] = [
  serve(CALLS.numOfNetworks, 'open', (session: Session) => ({ number: activeOnes(session).length })),
  serve(CALLS.numOfDefinedNetworks, 'open', (session: Session) => ({ number: stoppedOnes(session).length })),
  serve(CALLS.listNetworks, 'open', (session: Session, { max }) => ({ names: namesOf(activeOnes(session), max) })),
  serve(CALLS.listDefinedNetworks, 'open', (session: Session, { max }) => ({
    names: namesOf(stoppedOnes(session), max),
  })),
  serve(CALLS.listAllNetworks, 'open', ({ networks }: Session, { needResults, flags }) => {
    checkFlags(flags, LIST_FLAGS, CALLS.listAllNetworks.name);
    const found = networks.list().filter((network) => isWanted(network, flags));
    return { networks: needResults === 0 ? [] : found.slice(0, LIST_MAX).map(keyOf), count: found.length };
  }),
  serve(CALLS.lookupByName, 'open', ({ networks }: Session, { name }) => {
    const network = networks.byName(name);
    if (network === undefined) throw noNetwork(`no network with matching name '${name}'`);
    return { network: keyOf(network) };
  }),
  serve(CALLS.lookupByUuid, 'open', ({ networks }: Session, { uuid }) => {
    const network = networks.byUuid(uuid);
    if (network === undefined) throw noNetwork(`no network with matching uuid '${uuid}'`);
    return { network: keyOf(network) };
  }),
  serve(CALLS.getXmlDesc, 'open', (session: Session, { network, flags }) => {
    checkFlags(flags, XML_INACTIVE | XML_ID, CALLS.getXmlDesc.name);
    const { uuid, id } = foundNetwork(session, network);
    const xml = session.networks.xml(uuid, { inactive: (flags & XML_INACTIVE) !== 0 });
    return { xml: (flags & XML_ID) === 0 || id === undefined ? xml : xml.replace(/^<network/, `<network id='${id}'`) };
  }),
  serve(CALLS.getBridgeName, 'open', (session: Session, { network }) => {
    const { name, bridge } = foundNetwork(session, network);
    if (bridge !== undefined) return { name: bridge };
    throw VirError.of(VIR_CODE.internal, `network '${name}' does not have a bridge name.`);
  }),
  serve(CALLS.getAutostart, 'open', (session: Session, { network }) => ({
    autostart: foundNetwork(session, network).autostart,
  })),
  serve(CALLS.isActive, 'open', (session: Session, { network }) => ({ active: foundNetwork(session, network).active })),
  serve(CALLS.isPersistent, 'open', (session: Session, { network }) => ({
    persistent: foundNetwork(session, network).persistent,
  })),
  serve(CALLS.getDhcpLeases, 'open', async (session: Session, { network, mac, needResults, flags }) => {
    checkFlags(flags, 0, CALLS.getDhcpLeases.name);
    if (mac !== undefined && !MAC.test(mac)) throw VirError.of(VIR_CODE.invalidMac, mac);
    const { uuid, active } = foundNetwork(session, network);
    const all = active ? await session.networks.leases(uuid) : [];
    const leases = mac === undefined ? all : all.filter((lease) => lease.mac?.toLowerCase() === mac.toLowerCase());
    return { leases: needResults === 0 ? [] : leases, count: leases.length };
  }),
  serve(CALLS.getMetadata, 'open', (session: Session, { network, type, uri, flags }) => {
    checkFlags(flags, AFFECT_FLAGS, CALLS.getMetadata.name);
    if (type === METADATA_TYPE.element && uri === undefined) {
      throw badArgument('uri in virNetworkGetMetadata must not be NULL');
    }
    const found = foundNetwork(session, network);
    const { inactive } = oneAffected(flags, found, 'virNetworkGetMetadata');
    return { metadata: session.networks.metadata(found.uuid, { type, uri }, { inactive }) };
  }),
];

const MAC = /^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}$/i;

function keyOf({ name, uuid }: NetworkKey): NetworkKey {
  return { name, uuid };
}

function isWanted(network: VirtualNetwork, flags: number): boolean {
  return PAIRS.every(([yes, no, is]) => {
    const wanted = flags & (yes | no);
    return wanted === 0 || wanted === (yes | no) || (wanted === yes) === is(network);
  });
}

function activeOnes({ networks }: Session): readonly VirtualNetwork[] {
  return networks.list().filter(({ active }) => active);
}

function stoppedOnes({ networks }: Session): readonly VirtualNetwork[] {
  return networks.list().filter(({ active, persistent }) => !active && persistent);
}

function namesOf(networks: readonly VirtualNetwork[], max: number): readonly string[] {
  return networks.slice(0, Math.max(0, Math.min(max, LIST_MAX))).map(({ name }) => name);
}
