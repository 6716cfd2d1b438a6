/** The procedures of a connection. */
import { CONNECTION_CALLS as CALLS, FEATURE, OPEN_READ_ONLY } from '../calls/connection-calls.ts';
import { type Procedure, serve } from '../rpc/procedure.ts';
import { VIR_CODE, VIR_DOMAIN, VirError } from '../rpc/vir-error.ts';
import { unsupportedFlags } from './refusals.ts';
import type { Session } from './session.ts';

/** The version of libvirt whose behaviour the driver has: 12.8.0. */
const LIB_VERSION = 12_008_000n;
/** No authentication: the file mode of the socket says who may connect. */
const AUTH_NONE = 0;

const SUPPORTED: ReadonlySet<number> = new Set(Object.values(FEATURE));

export const CONNECTION_PROCEDURES: readonly Procedure<Session>[] = [
  serve(CALLS.authList, 'nothing', () => ({ types: [AUTH_NONE] })),
  serve(CALLS.supportsFeature, 'nothing', (session: Session, { feature }) => {
    if (feature === FEATURE.keepalive) session.startKeepalive();
    return { supported: SUPPORTED.has(feature) ? 1 : 0 };
  }),
  serve(CALLS.open, 'nothing', (session: Session, { name, flags }) => {
    if ((flags & ~OPEN_READ_ONLY) !== 0) throw unsupportedFlags(flags & ~OPEN_READ_ONLY, 'virConnectOpenInternal');
    session.open(ownUri(name ?? ''), (flags & OPEN_READ_ONLY) !== 0);
  }),
  serve(CALLS.close, 'nothing', () => undefined),
  serve(CALLS.getType, 'open', () => ({ type: 'network' })),
  serve(CALLS.getLibVersion, 'open', () => ({ version: LIB_VERSION })),
  serve(CALLS.getUri, 'open', ({ uri }: Session) => ({ uri })),
  // What passes a Unix socket, nobody else reads.
  serve(CALLS.isSecure, 'open', () => ({ secure: true })),
  serve(CALLS.registerCloseCallback, 'open', () => undefined),
  serve(CALLS.unregisterCloseCallback, 'open', () => undefined),
  // A libvirt daemon tells for whom it asks. Who may connect may do all, so that nothing hangs on the identity.
  serve(CALLS.setIdentity, 'nothing', () => undefined),
];

/** @throws VirError for anything but the networks of this machine */
function ownUri(name: string): string {
  if (name === '') return 'network:///system';
  const [, scheme, path] = /^([^:/?#]*):\/\/\/([^?#]*)/.exec(name) ?? [];
  if (scheme !== 'network') {
    throw VirError.of(VIR_CODE.noConnect, name, VIR_DOMAIN.none);
  }
  if (path !== 'system') {
    throw VirError.of(VIR_CODE.internal, `unexpected network URI path '/${path}', try network:///system`);
  }
  return name;
}
