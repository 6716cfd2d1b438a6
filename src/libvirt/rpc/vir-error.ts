/** Errors as libvirt sends them: a code, a domain, and a sentence. Programs look at the numbers, people at the sentence. */
import { type Codec, INT, optional, struct, TEXT_MAX_BYTES, text, UUID } from '../xdr/codec.ts';

/** Error codes (virErrorNumber), by what each means. */
export const VIR_CODE = {
  internal: 1,
  noSupport: 3,
  noConnect: 5,
  invalidArgument: 8,
  operationFailed: 9,
  noName: 21,
  xml: 27,
  denied: 29,
  system: 38,
  rpc: 39,
  noNetwork: 43,
  invalidMac: 44,
  operationInvalid: 55,
  unsupportedConfig: 67,
  hook: 70,
  overflow: 82,
  unsupportedOperation: 84,
  schema: 92,
  portExists: 106,
  noPort: 107,
  noMetadata: 111,
} as const;

/** The parts of libvirt that errors come from (virErrorDomain). */
export const VIR_DOMAIN = { none: 0, xml: 5, rpc: 7, network: 19 } as const;

/** What libvirt writes before the detail of an error of each code. */
const PREFIXES: ReadonlyMap<number, string> = new Map([
  [VIR_CODE.internal, 'internal error: '],
  [VIR_CODE.noSupport, 'this function is not supported by the connection driver: '],
  [VIR_CODE.noConnect, 'no connection driver available for '],
  [VIR_CODE.invalidArgument, 'invalid argument: '],
  [VIR_CODE.operationFailed, 'operation failed: '],
  [VIR_CODE.noName, 'missing name information in '],
  [VIR_CODE.xml, 'XML error: '],
  [VIR_CODE.denied, 'operation forbidden: '],
  [VIR_CODE.noNetwork, 'Network not found: '],
  [VIR_CODE.invalidMac, 'invalid MAC address: '],
  [VIR_CODE.operationInvalid, 'Requested operation is not valid: '],
  [VIR_CODE.unsupportedConfig, 'unsupported configuration: '],
  [VIR_CODE.hook, 'Hook script execution failed: '],
  [VIR_CODE.overflow, 'numerical overflow: '],
  [VIR_CODE.unsupportedOperation, 'Operation not supported: '],
  [VIR_CODE.schema, 'XML document failed to validate against schema: '],
  [VIR_CODE.noPort, 'network port not found: '],
  [VIR_CODE.noMetadata, 'metadata not found: '],
]);

/** The numbers and texts of an error beside its sentence. */
export interface VirErrorInit {
  readonly domain?: number;
  readonly str1?: string;
  readonly str2?: string;
  readonly int1?: number;
  readonly int2?: number;
}

/** An error for a libvirt client, or from a libvirt server. `message` is the whole sentence. */
export class VirError extends Error {
  readonly code: number;
  readonly domain: number;
  readonly str1: string | undefined;
  readonly str2: string | undefined;
  readonly int1: number;
  readonly int2: number;

  constructor(code: number, message: string, init: VirErrorInit = {}) {
    super(message);
    this.name = 'VirError';
    this.code = code;
    this.domain = init.domain ?? VIR_DOMAIN.network;
    this.str1 = init.str1;
    this.str2 = init.str2;
    this.int1 = init.int1 ?? -1;
    this.int2 = init.int2 ?? -1;
  }

  /** An error of a code with its usual beginning. @param detail the rest of the sentence */
  static of(code: number, detail: string, domain: number = VIR_DOMAIN.network): VirError {
    const prefix = PREFIXES.get(code) ?? '';
    // Without a detail, the sentence ends before what leads to one.
    if (detail === '') return new VirError(code, prefix.replace(/(?:: | in )$/, ''), { domain });
    return new VirError(code, prefix + detail, { domain, str1: `${prefix}%s`, str2: detail });
  }
}

const OPTIONAL_TEXT = optional(text(TEXT_MAX_BYTES));
const LEVEL_ERROR = 2;
const NAMED = struct({ name: text(TEXT_MAX_BYTES), uuid: UUID });
const DOMAIN_NAMED = struct({ name: text(TEXT_MAX_BYTES), uuid: UUID, id: INT });

const WIRE = struct({
  code: INT,
  domain: INT,
  message: OPTIONAL_TEXT,
  level: INT,
  guest: optional(DOMAIN_NAMED),
  str1: OPTIONAL_TEXT,
  str2: OPTIONAL_TEXT,
  str3: OPTIONAL_TEXT,
  int1: INT,
  int2: INT,
  network: optional(NAMED),
});

/** How an error travels (virNetMessageError). */
export const VIR_ERROR: Codec<VirError> = {
  read(reader) {
    const { code, message, ...rest } = WIRE.read(reader);
    return new VirError(code, message ?? `error ${code}`, {
      domain: rest.domain,
      int1: rest.int1,
      int2: rest.int2,
      ...(rest.str1 !== undefined && { str1: rest.str1 }),
      ...(rest.str2 !== undefined && { str2: rest.str2 }),
    });
  },
  write(writer, { code, domain, message, str1, str2, int1, int2 }) {
    const absent = { guest: undefined, str3: undefined, network: undefined };
    WIRE.write(writer, { code, domain, message, level: LEVEL_ERROR, str1, str2, int1, int2, ...absent });
  },
  leastBytes: WIRE.leastBytes,
};
