/**
 * Tells requests of programs from those that a web page of another site has made a browser send.
 *
 * A browser on a machine of a mesh can reach the endpoints there. A page whose name is made to lead to an endpoint's
 * address (DNS rebinding) sends that name as Host; a page of another site sends `Origin` or `Sec-Fetch-Site`. Programs use
 * the literal address and send neither.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';

/** The address and port that a listener is bound to. */
export interface ListenAddress {
  readonly address: Ipv4 | Ipv6;
  readonly port: number;
}

/** A browser says this of a page of the same site, and of an address that the user has typed in. */
const OWN_SITES: ReadonlySet<string> = new Set(['none', 'same-origin']);
const HTTP_PORT = 80;
/**
 * The name by which machines find host0's boot server, in their `/etc/hosts`. It has no dot: who owns a domain cannot make it lead to
 * an address. Endpoints inside meshes, which listen at IPv6 addresses, do not answer to it.
 */
const BOOT_SERVER_NAME = 'host0';

/**
 * Checks the headers of a request before its handler sees the request.
 * @param listener absent for a Unix socket, which has no address and which no browser reaches
 * @throws MESH_REQUEST_FOREIGN
 */
export function mustBeOwnRequest(headers: IncomingHttpHeaders, listener?: ListenAddress): void {
  const { host, origin, 'sec-fetch-site': site } = headers;
  // HTTP/1.0 has no Host, and no browser leaves it out. In HTTP/1.1, node:http requires it.
  if (listener !== undefined && host !== undefined && !leadsTo(host, listener)) {
    throw foreign(`the request is for the host ${quoted(host)}`, listener);
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw foreign(`a page of ${quoted(origin)} has caused the request`, listener);
  }
  if (site !== undefined && !OWN_SITES.has(String(site))) {
    throw foreign('a page of another site has caused the request', listener);
  }
}

/** Whether the text of a Host header is this literal address and port, in any spelling of the address, or the boot server's name. */
function leadsTo(host: string, { address, port }: ListenAddress): boolean {
  const [, literal, plain, digits = String(HTTP_PORT)] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(host) ?? [];
  if (Number(digits) !== port) return false;
  if (literal !== undefined) return isSameIpv6(literal, address);
  return plain === address || (plain === BOOT_SERVER_NAME && port === HTTP_PORT && !address.includes(':'));
}

function isSameIpv6(text: string, address: string): boolean {
  try {
    return parseIpv6(text) === address;
  } catch {
    return false;
  }
}

function foreign(message: string, listener: ListenAddress | undefined): MeshError {
  const url = listener === undefined ? 'no Origin header' : `the address itself, ${urlOf(listener)}`;
  return new MeshError('MESH_REQUEST_FOREIGN', message, {
    rule: 'An endpoint answers requests for its literal address, and none that a web page of another site has caused.',
    remedy: `Use ${url}, and a program such as curl.`,
  });
}

function urlOf({ address, port }: ListenAddress): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return port === HTTP_PORT ? `http://${host}/` : `http://${host}:${port}/`;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
