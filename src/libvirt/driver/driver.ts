/** The driver: answers the calls of one client with its networks. */

import { procedureTable, rpcError } from '../rpc/procedure.ts';
import type { CallAnswerer } from '../rpc/server-connection.ts';
import { CONNECTION_PROCEDURES } from './connection-procedures.ts';
import { isOwnFault, libvirtErrorOf } from './driver-errors.ts';
import { EVENT_PROCEDURES } from './event-procedures.ts';
import { LOOK_PROCEDURES } from './look-procedures.ts';
import { NETWORK_PROCEDURES } from './network-procedures.ts';
import { PORT_PROCEDURES } from './port-procedures.ts';
import { Session, type SessionInput } from './session.ts';

/** All procedures that are answered. */
export const PROCEDURES = procedureTable(
  CONNECTION_PROCEDURES,
  NETWORK_PROCEDURES,
  LOOK_PROCEDURES,
  EVENT_PROCEDURES,
  PORT_PROCEDURES,
);

/** What the driver of one client needs. */
export interface DriverInput extends SessionInput {
  /** Called with what is a fault of ours, and no refusal. */
  readonly onFault: (thrown: unknown) => void;
}

/** What answers one client. */
export function driverFor({ onFault, ...input }: DriverInput): CallAnswerer {
  const session = new Session(input);
  return {
    async answer(number, payload) {
      const procedure = PROCEDURES.get(number);
      // Clients take exactly this for "not supported", and fall back to what they have instead.
      if (procedure === undefined) throw rpcError(`unknown procedure: ${number}`);
      if (procedure.need !== 'nothing') session.mustBeAllowed(procedure.need, procedure.name);
      return await procedure.run(session, payload);
    },
    errorOf(thrown) {
      if (isOwnFault(thrown)) onFault(thrown);
      return libvirtErrorOf(thrown);
    },
    get isOpen() {
      return session.isOpen;
    },
    closed: () => session.close(),
  };
}
