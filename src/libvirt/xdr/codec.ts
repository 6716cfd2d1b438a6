/** Codecs: what a value of the protocol is, put together from parts. One codec serves both ends of a connection. */
import { XdrFault } from './xdr-fault.ts';
import { XdrReader } from './xdr-reader.ts';
import { XdrWriter } from './xdr-writer.ts';

/** How values of one type travel. */
export interface Codec<T> {
  /** @throws XdrFault */
  readonly read: (reader: XdrReader) => T;
  /** @throws XdrFault where the peer would not take the value */
  readonly write: (writer: XdrWriter, value: T) => void;
  /** The bytes that the shortest value has. */
  readonly leastBytes: number;
}

/** The type of a codec's values. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** 32 bits with a sign. */
export const INT: Codec<number> = {
  read: (reader) => reader.int(),
  write: (writer, value) => writer.int(value),
  leastBytes: 4,
};

/** 32 bits. */
export const UINT: Codec<number> = {
  read: (reader) => reader.uint(),
  write: (writer, value) => writer.uint(value),
  leastBytes: 4,
};

/** 64 bits with a sign. */
export const HYPER: Codec<bigint> = {
  read: (reader) => reader.hyper(),
  write: (writer, value) => writer.hyper(value),
  leastBytes: 8,
};

/** 64 bits. */
export const UHYPER: Codec<bigint> = {
  read: (reader) => reader.uhyper(),
  write: (writer, value) => writer.uhyper(value),
  leastBytes: 8,
};

/** A number in 64 bits of IEEE 754. */
export const DOUBLE: Codec<number> = {
  read: (reader) => reader.double(),
  write: (writer, value) => writer.double(value),
  leastBytes: 8,
};

/** A truth value. As in libvirt, every number but 0 is true. */
export const BOOL: Codec<boolean> = {
  read: (reader) => reader.int() !== 0,
  write: (writer, value) => writer.int(value ? 1 : 0),
  leastBytes: 4,
};

/** A call without arguments, or an answer without a value. */
export const VOID: Codec<void> = { read: () => undefined, write: () => undefined, leastBytes: 0 };

/** The longest text that libvirt sends or takes (REMOTE_STRING_MAX). */
export const TEXT_MAX_BYTES = 4_194_304;

/** A text in UTF-8 of at most so many bytes. */
export function text(maxBytes: number): Codec<string> {
  return {
    read: (reader) => reader.text(maxBytes),
    write: (writer, value) => writer.text(value, maxBytes),
    leastBytes: 4,
  };
}

/** A UUID: 16 bytes here, a text of 36 characters for everybody else. */
export const UUID: Codec<string> = {
  read: (reader) => uuidText(reader.fixed(16)),
  write: (writer, value) => writer.fixed(uuidBytes(value)),
  leastBytes: 16,
};

/** A value that may be absent. */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    read: (reader) => (reader.flag() ? codec.read(reader) : undefined),
    write(writer, value) {
      writer.uint(value === undefined ? 0 : 1);
      if (value !== undefined) codec.write(writer, value);
    },
    leastBytes: 4,
  };
}

/** A list of at most so many values. */
export function sequence<T>(codec: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    read: (reader) => reader.list(max, codec.leastBytes, () => codec.read(reader)),
    write: (writer, values) => writer.list(values, max, (value) => codec.write(writer, value)),
    leastBytes: 4,
  };
}

/** Several values, one after another in the order of the fields. */
export function struct<F extends Record<string, unknown>>(fields: { readonly [K in keyof F]: Codec<F[K]> }): Codec<F> {
  const names: readonly (keyof F)[] = Object.keys(fields);
  return {
    read(reader) {
      const read: Partial<F> = {};
      for (const name of names) read[name] = fields[name].read(reader);
      if (!isWhole(read, names)) throw new XdrFault('a field is missing');
      return read;
    },
    write(writer, value) {
      for (const name of names) fields[name].write(writer, value[name]);
    },
    leastBytes: names.reduce((sum, name) => sum + fields[name].leastBytes, 0),
  };
}

/** Reads one value from a whole payload. @throws XdrFault also where bytes are left */
export function decode<T>(codec: Codec<T>, payload: Buffer): T {
  const reader = new XdrReader(payload);
  const value = codec.read(reader);
  reader.end();
  return value;
}

/** The bytes of one value. @throws XdrFault */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.write(writer, value);
  return writer.written;
}

function isWhole<F>(read: Partial<F>, names: readonly (keyof F)[]): read is F {
  return names.every((name) => Object.hasOwn(read, name));
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function uuidBytes(uuid: string): Buffer {
  const digits = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw new XdrFault('not a UUID');
  return Buffer.from(digits, 'hex');
}
