/** The calls that ask for events, and the messages that tell them. */
import { INT, optional, struct, VOID } from '../xdr/codec.ts';
import { call, message } from './call.ts';
import { NETWORK, OPTIONAL_STRING } from './values.ts';

/** The kinds of events (virNetworkEventID). */
export const EVENT_ID = { lifecycle: 0, metadataChange: 1 } as const;

/** What happened to a network (virNetworkEventLifecycleType). */
export const LIFECYCLE = { defined: 0, undefined: 1, started: 2, stopped: 3 } as const;

/** What was changed of a network's metadata (virNetworkMetadataType). */
export const METADATA_TYPE = { description: 0, title: 1, element: 2 } as const;

/** By what they do. */
export const EVENT_CALLS = {
  register: call(
    313,
    'connectNetworkEventRegisterAny',
    struct({ eventId: INT, network: optional(NETWORK) }),
    struct({ callbackId: INT }),
  ),
  deregister: call(314, 'connectNetworkEventDeregisterAny', struct({ callbackId: INT }), VOID),
} as const;

/** A network was defined, undefined, started or stopped. */
export const LIFECYCLE_MESSAGE = message(315, struct({ callbackId: INT, network: NETWORK, event: INT, detail: INT }));

/** The title, the description or the metadata of a network were changed. */
export const METADATA_MESSAGE = message(
  446,
  struct({ callbackId: INT, network: NETWORK, type: INT, uri: OPTIONAL_STRING }),
);
