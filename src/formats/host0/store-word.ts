/** Where host0 keeps what it knows, as people write it: `sqlite`, or `etcd://10.0.0.1:2379,10.0.0.2:2379`. */
import { isIPv6 } from 'node:net';
import { type EtcdEndpoint, endpointText } from '../../model/etcd-endpoint.ts';

/** The store of a single host0: a file of its own. */
export const SQLITE = 'sqlite';
/** The rule for a store. */
export const STORE_RULE = 'A store is sqlite, or etcd://HOST:PORT with a comma between the members of etcd.';
/** A store as people write it. */
export const STORE_EXAMPLE = 'etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379';

/** The port at which etcd serves clients unless it is told otherwise. */
const DEFAULT_PORT = 2379;
/** An etcd has an odd number of members, and hardly more than seven. */
const ENDPOINTS_MAX = 16;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})$/;

/** The members of etcd; an empty list for sqlite; undefined for a word that is neither. */
export function parseStoreWord(word: string): readonly EtcdEndpoint[] | undefined {
  if (word === SQLITE) return [];
  const [, list] = /^etcd:\/\/([^/?#@\s]+)\/?$/.exec(word) ?? [];
  const endpoints = list?.split(',').map(endpointOf) ?? [];
  const known = endpoints.filter((endpoint) => endpoint !== undefined);
  const isSound = known.length === endpoints.length && known.length > 0 && known.length <= ENDPOINTS_MAX;
  return isSound ? known : undefined;
}

/** Prints what `parseStoreWord` reads. */
export function storeWord(endpoints: readonly EtcdEndpoint[]): string {
  return endpoints.length === 0 ? SQLITE : `etcd://${endpoints.map(endpointText).join(',')}`;
}

function endpointOf(text: string): EtcdEndpoint | undefined {
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = inBrackets ?? plain ?? '';
  const port = Number(digits ?? DEFAULT_PORT);
  if (port < 1 || port > 65_535) return undefined;
  const isSound = inBrackets === undefined ? HOST.test(host) : isIPv6(host);
  return isSound ? { host, port } : undefined;
}
