/** What a failed handshake means. OpenSSL names the cause in other words at each end. */
import { MeshError } from '../../model/error.ts';

/** Why no channel came about, for the metrics of host0. */
export const CHANNEL_REFUSALS = ['unknown key', 'different key', 'foreign', 'slow', 'second', 'too many'] as const;
/** One of the reasons. */
export type ChannelRefusal = (typeof CHANNEL_REFUSALS)[number];

/** How a node gets a key that host0 knows. */
const NEW_KEY = 'Boot the machine from host0 again, or enrol it again: `mesh node enroll` on host0.';

/** The OpenSSL errors of a server, by what they mean. Others come from what is no node of Meshwork. */
const SERVER_CAUSES: Readonly<Record<string, ChannelRefusal>> = {
  ERR_SSL_BINDER_DOES_NOT_VERIFY: 'different key',
  // No key was found, and there is no certificate to show in its place.
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'unknown key',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'slow',
  ECONNRESET: 'slow',
};

/** The OpenSSL errors of a client that is turned away by host0. */
const ALERT_KEY_DIFFERS = 'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR';
const ALERT_KEY_UNKNOWN = 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE';

/**
 * Why host0 refused a connection in the handshake.
 * @param cause the error of the TLS server
 * @param identity the identity that the connection showed, if any; a text of a stranger
 */
export function refusalCause(cause: unknown, identity: string | undefined): ChannelRefusal {
  const known = SERVER_CAUSES[codeOf(cause)] ?? 'foreign';
  return known === 'unknown key' && identity === undefined ? 'foreign' : known;
}

/**
 * A refusal in words, for host0's findings.
 * @param who the machine that the connection showed, with its address; or the address alone
 * @param why what host0 knows of the key that was shown, as a sentence without a full stop
 */
export function refusalError(refusal: ChannelRefusal, who: string, object: string, why?: string): MeshError {
  switch (refusal) {
    case 'unknown key':
      return new MeshError(
        'MESH_CHANNEL_KEY_UNKNOWN',
        `host0 does not take the key of ${who}${why ? `: ${why}` : ''}`,
        {
          object,
          remedy: `The key may be of another host0, or a copy of an earlier key. ${NEW_KEY}`,
        },
      );
    case 'different key':
      return new MeshError('MESH_CHANNEL_KEY_DIFFERS', `the key of ${who} differs from host0's`, {
        object,
        remedy: `The key may be of another host0, or another machine poses as this one. ${NEW_KEY}`,
      });
    case 'second':
      return new MeshError('MESH_MEMBER_DOUBLE', `a second machine asks for the channel of ${who}, which answers`, {
        object,
        rule: 'One machine has one channel.',
        remedy:
          'A disk with a key was copied, or a key was stolen. Take the second machine from the network, and give one of the two a new key: `mesh node enroll` on host0.',
      });
    case 'foreign':
    case 'slow':
    case 'too many':
      return new MeshError('MESH_CHANNEL_FOREIGN', `${who} asks for a channel, but does not speak as a node does`, {
        object,
        remedy: 'See which machine has that address (`mesh node list`), and what runs there.',
      });
  }
}

/**
 * Why a node has got no channel.
 * @param where host0's address and port
 * @param cause the error of the node's socket or TLS connection
 */
export function channelError(where: string, cause: unknown): MeshError {
  const code = codeOf(cause);
  if (code === ALERT_KEY_DIFFERS) {
    return new MeshError('MESH_CHANNEL_KEY_DIFFERS', `the key of this machine differs from the one that host0 has`, {
      object: 'channel',
      cause,
      retryable: true,
      remedy: `host0 may be another one than the one that gave the key. ${NEW_KEY}`,
    });
  }
  if (code === ALERT_KEY_UNKNOWN) {
    return new MeshError('MESH_CHANNEL_KEY_UNKNOWN', 'host0 does not take the key of this machine', {
      object: 'channel',
      cause,
      retryable: true,
      remedy: NEW_KEY,
    });
  }
  if (/^ERR_(?:SSL|TLS)_|CERT|SIGNATURE/.test(code) || (cause instanceof Error && /certificate/.test(cause.message))) {
    return new MeshError('MESH_CHANNEL_IMPOSTOR', `${where} answers, but does not have host0's key: ${code}`, {
      object: 'channel',
      cause,
      retryable: true,
      remedy: 'Look for a machine or a guest that has host0’s address: `mesh doctor` here and on host0.',
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MeshError('MESH_CHANNEL_DOWN', `host0 takes no channel at ${where}: ${why}`, {
    object: 'channel',
    cause,
    retryable: true,
    remedy:
      'See on host0 whether its daemon runs (`mesh system status`), whether its version knows channels, and whether `management` in host0.conf names this mesh.',
  });
}

function codeOf(cause: unknown): string {
  const code: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
