/**
 * TLS between a node and host0: version 1.3 with a pre-shared key (RFC 8446 §2.2), by which each end proves who it is. No
 * certificates are involved.
 *
 * The node is the TLS client, and after the handshake the HTTP/2 server: host0 asks, and the node answers.
 */
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket, type TlsOptions } from 'node:tls';

/** A key as TLS uses it. The identity travels in clear. */
export interface ChannelKey {
  readonly identity: string;
  readonly psk: Buffer;
}

/** External pre-shared keys are tied to SHA-256 (RFC 8446 §4.2.11), so the cipher of SHA-384 cannot be used. */
const COMMON = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
  ALPNProtocols: ['h2'],
} as const satisfies TlsOptions & ConnectionOptions;

/** A handshake takes two round trips. A connection without one ends after this time. */
const HANDSHAKE_MS = 5_000;

/** The identity that a connection showed. Under HTTP/2 a socket is behind a proxy, which passes properties on. */
const SHOWN = Symbol('identity shown');

/** A connection on which an identity may have been shown. */
interface Showing extends TLSSocket {
  [SHOWN]?: string;
}

/**
 * The options of host0's server. Without tickets no session is resumed: a resumed one would arrive without an identity, and
 * with a key that host0 may have withdrawn.
 * @param pskOf the key of an identity; undefined refuses the connection
 */
export function channelServerTls(pskOf: (identity: string) => Buffer | undefined): TlsOptions {
  return {
    ...COMMON,
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: HANDSHAKE_MS,
    pskCallback: (socket: Showing, identity) => {
      socket[SHOWN] = identity;
      return pskOf(identity) ?? null;
    },
  };
}

/** The identity that a connection to host0's server has shown, proven only after the handshake. */
export function identityShown(socket: Showing): string | undefined {
  return socket[SHOWN];
}

/**
 * Begins the handshake of a node on a connection to host0.
 *
 * With TLS 1.3 and a pre-shared key, `checkServerIdentity` is not called. It is called when the other end shows a certificate
 * in place of the key, and then it must fail.
 */
export function secureChannel(socket: Socket, { identity, psk }: ChannelKey): TLSSocket {
  return connect({
    ...COMMON,
    socket,
    pskCallback: () => ({ identity, psk }),
    // An environment variable of Node could otherwise switch the refusal off.
    rejectUnauthorized: true,
    checkServerIdentity: () => new Error('host0 shows no certificates'),
  });
}
