/** The values that several calls share: networks and ports by name and UUID, leases, typed parameters. */
import {
  BOOL,
  type Codec,
  DOUBLE,
  HYPER,
  INT,
  optional,
  sequence,
  struct,
  TEXT_MAX_BYTES,
  text,
  UHYPER,
  UINT,
  UUID,
  type ValueOf,
} from '../xdr/codec.ts';
import { XdrFault } from '../xdr/xdr-fault.ts';

/** A text of the protocol (remote_nonnull_string). */
export const STRING = text(TEXT_MAX_BYTES);
/** A text that may be absent (remote_string). */
export const OPTIONAL_STRING = optional(STRING);

/** A network, as calls name it. Servers find it by its UUID. */
export const NETWORK = struct({ name: STRING, uuid: UUID });
/** The name and the UUID of a network. */
export type NetworkKey = ValueOf<typeof NETWORK>;

/** A port of a network. */
export const PORT = struct({ network: NETWORK, uuid: UUID });
/** The network and the UUID of a port. */
export type PortKey = ValueOf<typeof PORT>;

/** The most networks or ports in one answer (REMOTE_NETWORK_LIST_MAX, REMOTE_NETWORK_PORT_LIST_MAX). */
export const LIST_MAX = 16_384;
const LEASES_MAX = 65_536;
const PARAMETERS_MAX = 16;

/** What DHCP has given to a guest. */
export const LEASE = struct({
  iface: STRING,
  /** Seconds since 1970; 0 for ever. */
  expiryTime: HYPER,
  /** 0 IPv4, 1 IPv6. */
  type: INT,
  mac: OPTIONAL_STRING,
  iaid: OPTIONAL_STRING,
  address: STRING,
  prefix: UINT,
  hostname: OPTIONAL_STRING,
  clientId: OPTIONAL_STRING,
});
/** One lease. */
export type Lease = ValueOf<typeof LEASE>;
/** The leases of one network. */
export const LEASES = sequence(LEASE, LEASES_MAX);

/** The value of a typed parameter, with the number of its type (virTypedParameterType). */
export type ParameterValue =
  | { readonly type: 1; readonly value: number }
  | { readonly type: 2; readonly value: number }
  | { readonly type: 3; readonly value: bigint }
  | { readonly type: 4; readonly value: bigint }
  | { readonly type: 5; readonly value: number }
  | { readonly type: 6; readonly value: boolean }
  | { readonly type: 7; readonly value: string };

const PARAMETER_VALUE: Codec<ParameterValue> = {
  read(reader) {
    const type = reader.int();
    if (type === 1) return { type, value: INT.read(reader) };
    if (type === 2) return { type, value: UINT.read(reader) };
    if (type === 3) return { type, value: HYPER.read(reader) };
    if (type === 4) return { type, value: UHYPER.read(reader) };
    if (type === 5) return { type, value: DOUBLE.read(reader) };
    if (type === 6) return { type, value: BOOL.read(reader) };
    if (type === 7) return { type, value: STRING.read(reader) };
    throw new XdrFault(`${type} is no type of a parameter`);
  },
  write(writer, parameter) {
    writer.int(parameter.type);
    if (parameter.type === 1) INT.write(writer, parameter.value);
    else if (parameter.type === 2) UINT.write(writer, parameter.value);
    else if (parameter.type === 3) HYPER.write(writer, parameter.value);
    else if (parameter.type === 4) UHYPER.write(writer, parameter.value);
    else if (parameter.type === 5) DOUBLE.write(writer, parameter.value);
    else if (parameter.type === 6) BOOL.write(writer, parameter.value);
    else STRING.write(writer, parameter.value);
  },
  leastBytes: 8,
};

/** A number or text with a name, as `inbound.average`. */
export const PARAMETER = struct({ field: STRING, value: PARAMETER_VALUE });
/** One parameter. */
export type Parameter = ValueOf<typeof PARAMETER>;
/** The parameters of one port. */
export const TYPED_PARAMETERS = sequence(PARAMETER, PARAMETERS_MAX);
