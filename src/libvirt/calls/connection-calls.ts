/** The calls of a connection. */
import { BOOL, INT, sequence, struct, UHYPER, UINT, VOID } from '../xdr/codec.ts';
import { call } from './call.ts';
import { OPTIONAL_STRING, PARAMETER, STRING } from './values.ts';

const AUTH_TYPES_MAX = 20;
const IDENTITY_MAX = 20;

/** By what they do. */
export const CONNECTION_CALLS = {
  open: call(1, 'connectOpen', struct({ name: OPTIONAL_STRING, flags: UINT }), VOID),
  close: call(2, 'connectClose', VOID, VOID),
  getType: call(3, 'connectGetType', VOID, struct({ type: STRING })),
  getLibVersion: call(157, 'connectGetLibVersion', VOID, struct({ version: UHYPER })),
  getUri: call(110, 'connectGetURI', VOID, struct({ uri: STRING })),
  isSecure: call(149, 'connectIsSecure', VOID, struct({ secure: BOOL })),
  supportsFeature: call(60, 'connectSupportsFeature', struct({ feature: INT }), struct({ supported: INT })),
  authList: call(66, 'authList', VOID, struct({ types: sequence(INT, AUTH_TYPES_MAX) })),
  registerCloseCallback: call(360, 'connectRegisterCloseCallback', VOID, VOID),
  unregisterCloseCallback: call(361, 'connectUnregisterCloseCallback', VOID, VOID),
  setIdentity: call(
    419,
    'connectSetIdentity',
    struct({ parameters: sequence(PARAMETER, IDENTITY_MAX), flags: UINT }),
    VOID,
  ),
} as const;

/** What a peer can be asked for with `supportsFeature`. */
export const FEATURE = {
  fdPassing: 8,
  typedParamString: 9,
  keepalive: 10,
  eventCallbackIds: 14,
  closeCallback: 15,
  /** The arguments of networkUpdate come in their written order. */
  networkUpdateOrder: 16,
} as const;

/** The flag of `open` for a connection that only reads. */
export const OPEN_READ_ONLY = 1;
