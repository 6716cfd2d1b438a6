/**
 * Errors are part of the product. Every failure that a user can meet is a MeshError with a code from the one table
 * below; HTTP status and exit code come from that table, and the code is what scripts and bug reports quote.
 */

/** What a code means to a transport: the HTTP status of the API, and the exit code of the command line. */
interface ErrorClass {
  readonly http: number;
  readonly exit: number;
}

/** Exit codes of `mesh`: 0 done, 1 the input or the network is wrong, 2 usage, 3 not running, 4 not allowed, 5 the system refused, 6 not found. */
const INPUT = { http: 422, exit: 1 } as const;
const CONFLICT = { http: 409, exit: 1 } as const;
const USAGE = { http: 400, exit: 2 } as const;
const AWAY = { http: 503, exit: 3 } as const;
const DENIED = { http: 403, exit: 4 } as const;
const SYSTEM = { http: 500, exit: 5 } as const;
const MISSING = { http: 404, exit: 6 } as const;

export const ERRORS = {
  MESH_NET_BINARY: INPUT,
  MESH_NET_TOO_LARGE: INPUT,
  MESH_NET_LINE_TOO_LONG: INPUT,
  MESH_NET_SYNTAX: INPUT,
  MESH_NET_KEY_UNKNOWN: INPUT,
  MESH_NET_KEY_TWICE: INPUT,
  MESH_NET_KEY_MISSING: INPUT,
  MESH_NET_NAME_INVALID: INPUT,
  MESH_NET_PREFIX_INVALID: INPUT,
  MESH_NET_PREFIX_NOT_64: INPUT,
  MESH_NET_PREFIX_HOST_BITS: INPUT,
  MESH_NET_PREFIX_SCOPE: INPUT,
  MESH_NET_PREFIX_UNDERLAY: INPUT,
  MESH_NET_VNI_INVALID: INPUT,
  MESH_NET_VNI_RANGE: INPUT,
  MESH_NET_KEY_INVALID: INPUT,
  MESH_NET_KEY_SHARED: INPUT,
  MESH_NET_NUMBER_FORM: INPUT,
  MESH_NET_NAME_TWICE: CONFLICT,
  MESH_NET_VNI_TWICE: CONFLICT,
  MESH_NET_PREFIX_TWICE: CONFLICT,
  MESH_NET_DEVICE_TWICE: CONFLICT,
  MESH_NET_FILE_UNREADABLE: SYSTEM,
  MESH_HOST0_CONF_INVALID: INPUT,
  MESH_DISK_REFUSED: SYSTEM,
  MESH_NET_UNKNOWN: MISSING,
  MESH_NODE_UNKNOWN: MISSING,
  MESH_OBJECT_UNKNOWN: MISSING,
  MESH_ADDRESS_INVALID: INPUT,
  MESH_MACHINE_INVALID: INPUT,
  MESH_MACHINE_UNREADABLE: SYSTEM,
  MESH_MACHINE_NONE: SYSTEM,
  MESH_MEMBER_DOUBLE: CONFLICT,
  MESH_MEMBER_FORGED: DENIED,
  MESH_MEMBER_MOVING: CONFLICT,
  MESH_MEMBER_NOT_ADMITTED: DENIED,
  MESH_MEMBER_REPORT_INVALID: USAGE,
  MESH_KERNEL_REFUSED: SYSTEM,
  MESH_KERNEL_UNSUPPORTED: SYSTEM,
  MESH_KERNEL_MALFORMED: SYSTEM,
  MESH_KERNEL_FOREIGN_DEVICE: CONFLICT,
  MESH_KERNEL_VNI_BUSY: CONFLICT,
  MESH_NFT_REFUSED: SYSTEM,
  MESH_PACKET_TOO_BIG: CONFLICT,
  MESH_STORE_CONFLICT: CONFLICT,
  MESH_STORE_COMPACTED: { http: 410, exit: 5 },
  MESH_STORE_BROKEN: SYSTEM,
  MESH_HOST0_UNREACHABLE: AWAY,
  MESH_HOST0_STARTING: AWAY,
  MESH_HOST0_UNKNOWN: USAGE,
  MESH_NOT_RUNNING: AWAY,
  MESH_ALREADY_RUNNING: CONFLICT,
  MESH_NOT_ROOT: DENIED,
  MESH_USAGE: USAGE,
  MESH_LAB_FAILED: SYSTEM,
  MESH_PORT_UNKNOWN: MISSING,
  MESH_PORT_TAKEN: CONFLICT,
  MESH_INTERNAL: SYSTEM,
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof ERRORS;

/** The place in a text that an error speaks of. `line` and `column` count from 1; `text` is the whole line, as read. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export interface MeshErrorInit {
  /** What was being done, as a verb phrase: "read network file". */
  readonly operation?: string;
  /** What it was done to: a file, a device, a member. */
  readonly object?: string;
  /** The rule that was broken, as a sentence. */
  readonly rule?: string;
  /** What to write or do instead, as a sentence. */
  readonly remedy?: string;
  readonly place?: SourcePlace;
  readonly cause?: unknown;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
}

/** An error as it travels in JSON: over the control sockets, in status documents, and out of `--json`. */
export interface ErrorDocument {
  readonly code: ErrorCode;
  readonly message: string;
  readonly operation?: string;
  readonly object?: string;
  readonly rule?: string;
  readonly remedy?: string;
  readonly place?: SourcePlace;
  readonly retryable?: boolean;
}

export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly operation?: string;
  readonly object?: string;
  readonly rule?: string;
  readonly remedy?: string;
  readonly place?: SourcePlace;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, init: MeshErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'MeshError';
    this.code = code;
    this.retryable = init.retryable ?? false;
    if (init.operation !== undefined) this.operation = init.operation;
    if (init.object !== undefined) this.object = init.object;
    if (init.rule !== undefined) this.rule = init.rule;
    if (init.remedy !== undefined) this.remedy = init.remedy;
    if (init.place !== undefined) this.place = init.place;
  }

  get httpStatus(): number {
    return ERRORS[this.code].http;
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  toJSON(): ErrorDocument {
    const { code, message, operation, object, rule, remedy, place, retryable } = this;
    return {
      code,
      message,
      ...(operation !== undefined && { operation }),
      ...(object !== undefined && { object }),
      ...(rule !== undefined && { rule }),
      ...(remedy !== undefined && { remedy }),
      ...(place !== undefined && { place }),
      ...(retryable && { retryable }),
    };
  }

  static fromJSON(document: ErrorDocument): MeshError {
    const code = document.code in ERRORS ? document.code : 'MESH_INTERNAL';
    return new MeshError(code, document.message, document);
  }

  /** Any thrown thing as a MeshError; what is not one already is an internal fault and keeps its cause. */
  static from(thrown: unknown): MeshError {
    if (thrown instanceof MeshError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new MeshError('MESH_INTERNAL', message, { cause: thrown });
  }
}
