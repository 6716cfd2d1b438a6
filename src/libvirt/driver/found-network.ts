/** Finds what a call names, and what its flags mean for it. */
import type { NetworkKey, PortKey } from '../calls/values.ts';
import { badArgument, noNetwork, noPort, notNow, unsupportedFlags } from './refusals.ts';
import type { Session } from './session.ts';
import type { Affected, VirtualNetwork } from './virtual-networks.ts';

/** The network of a call: its UUID counts. @throws VirError 43 */
export function foundNetwork({ networks }: Session, { name, uuid }: NetworkKey): VirtualNetwork {
  const network = networks.byUuid(uuid);
  if (network === undefined) throw noNetwork(`no network with matching uuid '${uuid}' (${name})`);
  return network;
}

/** The active network of a port that is there. @throws VirError 43, 55, 107 */
export function foundPort(session: Session, { network: key, uuid }: PortKey): VirtualNetwork {
  const network = activeNetwork(session, key);
  if (!session.networks.ports(network.uuid).includes(uuid)) throw noPort(uuid);
  return network;
}

/** The network of a call that only an active one answers. @throws VirError 43, 55 */
export function activeNetwork(session: Session, key: NetworkKey): VirtualNetwork {
  const network = foundNetwork(session, key);
  if (!network.active) throw notNow(`network '${network.name}' is not active`);
  return network;
}

/** @throws VirError 8 for a flag that the function does not know */
export function checkFlags(flags: number, known: number, name: string): void {
  const others = (flags & ~known) >>> 0;
  if (others !== 0) throw unsupportedFlags(others, name);
}

/** virNetworkUpdateFlags, and the same numbers in virDomainModificationImpact. */
const LIVE = 1;
const CONFIG = 2;
/** All flags that say which document is meant. */
export const AFFECT_FLAGS = LIVE | CONFIG;

/** Which documents flags mean. Without a flag: the one in force, or the definition of a stopped network. @throws VirError 55 */
export function affectedBy(flags: number, { active, persistent }: VirtualNetwork): Affected {
  const live = (flags & LIVE) !== 0 || (flags === 0 && active);
  const config = (flags & CONFIG) !== 0 || (flags === 0 && !active);
  if (live && !active) throw notNow('network is not running');
  if (config && !persistent) throw notNow('cannot change persistent config of a transient network');
  return { live, config };
}

/** The one document that flags mean. @throws VirError 8, 55 */
export function oneAffected(flags: number, network: VirtualNetwork, name: string): { readonly inactive: boolean } {
  if (flags === AFFECT_FLAGS) {
    throw badArgument(
      `flags 'VIR_NETWORK_UPDATE_AFFECT_LIVE' and 'VIR_NETWORK_UPDATE_AFFECT_CONFIG' in ${name} are mutually exclusive`,
    );
  }
  return { inactive: affectedBy(flags, network).config };
}
