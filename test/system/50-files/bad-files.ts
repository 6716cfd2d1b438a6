/** Invalid network files, and the error that each must give. */
import type { ErrorCode } from '../../../src/model/error.ts';

/** One invalid file. */
export interface BadFile {
  /** Names it in the test's title. */
  readonly title: string;
  readonly content: string | Uint8Array;
  readonly code: ErrorCode;
  /** Part of the error's message. */
  readonly message: RegExp;
  /** The place that the error names. */
  readonly line: number;
  readonly column: number;
}

const GOOD = { name: 'bad', prefix: 'fd42:2345:1234:9abe::/64', vni: '458', key: '458' } as const;

/** The text of a valid file with `changes`; a key whose value is undefined is left out. */
export function confWith(changes: { readonly [K in keyof typeof GOOD]?: string | undefined }): string {
  const entries = Object.entries({ ...GOOD, ...changes }).filter(([, value]) => value !== undefined);
  return entries.map(([key, value]) => `${key}=${value}\n`).join('');
}

/** One file for each kind of fault. */
export const BAD_FILES: readonly BadFile[] = [
  {
    title: 'a prefix of 48 bits',
    content: confWith({ prefix: 'fd42:2345:1234::/48' }),
    code: 'MESH_NET_PREFIX_NOT_64',
    message: /64/,
    line: 2,
    column: 8,
  },
  {
    title: 'no name',
    content: confWith({ name: undefined }),
    code: 'MESH_CONF_KEY_MISSING',
    message: /name is missing/,
    line: 4,
    column: 1,
  },
  {
    title: 'VNI 0',
    content: confWith({ vni: '0' }),
    code: 'MESH_NET_VNI_RANGE',
    message: /"0" is out of range/,
    line: 3,
    column: 5,
  },
  {
    title: 'VNI 16777216',
    content: confWith({ vni: '16777216' }),
    code: 'MESH_NET_VNI_RANGE',
    message: /"16777216" is out of range/,
    line: 3,
    column: 5,
  },
  {
    title: 'VNI abc',
    content: confWith({ vni: 'abc' }),
    code: 'MESH_NET_VNI_INVALID',
    message: /"abc" is not a decimal number/,
    line: 3,
    column: 5,
  },
  {
    title: 'VNI 0456',
    content: confWith({ vni: '0456' }),
    code: 'MESH_NET_NUMBER_FORM',
    message: /"0456" has leading zeros/,
    line: 3,
    column: 5,
  },
  {
    title: 'the VNI of another file',
    content: confWith({ vni: '456' }),
    code: 'MESH_NET_VNI_TWICE',
    message: /vni 456 is also that of .*:3/,
    line: 3,
    column: 5,
  },
  {
    title: 'a line of a megabyte',
    content: `${confWith({})}# ${'x'.repeat(1_000_000)}\n`,
    code: 'MESH_CONF_LINE_TOO_LONG',
    message: /longer than 1024 bytes/,
    line: 5,
    column: 1,
  },
  {
    title: 'binary junk',
    content: Uint8Array.from({ length: 4096 }, (_, index) => (index * 89 + 128) % 256),
    code: 'MESH_CONF_BINARY',
    message: /not text/,
    line: 1,
    column: 1,
  },
];
