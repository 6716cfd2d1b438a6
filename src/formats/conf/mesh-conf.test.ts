/** The `.conf` format of meshes, and the error for each mistake. */
import { expect, test } from 'vitest';
import { errorText } from '../error-text.ts';
import { parseMeshConf } from './mesh-conf.ts';

const GOOD = { name: 'manage', prefix: 'fd42:2345:1234:9abc::/64', vni: '456', key: '456' };

/** The seed's example with some values replaced; undefined leaves the key out. */
function withValues(values: Partial<Record<keyof typeof GOOD, string | undefined>>): string {
  const lines = Object.entries({ ...GOOD, ...values }).filter(([, value]) => value !== undefined);
  return lines.map(([key, value]) => `${key}=${value}\n`).join('');
}

/** The remedy where no better value is known. */
const AS_ON_HOST0 =
  'remedy: Copy the line from the file of this mesh on host0; for a new mesh, `mesh network conf NAME` prints one';

/** All errors of the file as they are printed. */
function complaints(text: string | Uint8Array): string {
  const { errors } = parseMeshConf('manage.conf', Buffer.from(text));
  return errors.map((error) => errorText(error, { color: false })).join('\n');
}

test('the example of the seed is a network', () => {
  const { conf } = parseMeshConf('manage.conf', Buffer.from(withValues({})));
  expect(conf?.network).toEqual({
    id: 'mesh-456',
    name: 'manage',
    number: 456,
    labels: {},
    bridge: { name: 'br456', stp: false, forwardDelaySec: 0, macTable: 'learned' },
    type: { kind: 'vxlan', device: 'vxlan456', vni: 456, udpPort: 4789, underlay: 'ipv4', learning: true },
    peers: { kind: 'membership' },
    mtuBytes: 1380,
    hostAddress: { kind: 'derived', key: '456', prefix: 'fd42:2345:1234:9abc::/64' },
    subnets: [],
    routes: [],
    routing: { mode: 'isolated', via: [], rules: [] },
    span: { kind: 'file' },
    source: 'file',
    extra: {},
  });
  expect(conf?.places.vni).toEqual({ file: 'manage.conf', line: 3, column: 5, text: 'vni=456' });
});

test.each([
  ['comments and blank lines', `# the mesh\n\n  # of nodes\n${withValues({ vni: '456 # as in br456' })}\n\t\n`],
  ['CRLF', withValues({}).replaceAll('\n', '\r\n')],
  ['a byte-order mark', `\uFEFF${withValues({})}`],
  ['no newline at the end', withValues({}).trimEnd()],
  ['blanks around lines', withValues({}).replaceAll('\n', ' \t\n  ')],
  [
    'another order and another spelling of the prefix',
    'key=456\nvni=456\nprefix=FD42:2345:1234:9ABC:0::/64\nname=manage',
  ],
  ['the bounds of vni and key', withValues({ vni: '16777215', key: '18446744073709551615' })],
  ['the lowest vni and key', withValues({ vni: '1', key: '0' })],
])('accepts %s', (_, text) => {
  expect(complaints(text)).toBe('');
});

/** All warnings of the file as they are printed. */
function warnings(text: string): string {
  const { conf } = parseMeshConf('manage.conf', Buffer.from(text));
  return (conf?.warnings ?? []).map((each) => errorText(each, { color: false, severity: 'warning' })).join('\n');
}

test.each([
  ['a comment with CRLF', '# the mesh\r\n# of nodes\v\r\n', ''],
  ['tabs and plain spaces', '\t', ' \t# the mesh'],
])('warns of nothing in %s', (_, before, after) => {
  expect(warnings(`${before}${withValues({}).replace('456\n', `456${after}\n`)}`)).toBe('');
});

test('warns once of CRLF, at the first line that is no comment', () => {
  expect(warnings(`# the mesh\r\n${withValues({}).replaceAll('\n', '\r\n')}`)).toMatchInlineSnapshot(`
    "manage.conf:2:12: warning: the line has a carriage return (CRLF), which is no blank for a shell [MESH_CONF_SHELL]
      2 | name=manage
        |            ^
      rule: A network file is also a shell script with the same values, for nodes that have no agent.
      remedy: Save the file with Unix line ends: sed -i 's/\\r$//' manage.conf"
  `);
});

test('warns of each other blank that is part of a value for a shell', () => {
  const text = `\uFEFF${withValues({ vni: '456\v', prefix: `${GOOD.prefix}\u00A0 # ours` })}\u2003key=456`.replace(
    'key=456\n',
    '',
  );
  expect(warnings(`${withValues({})}\v\n`)).toMatch(/^manage\.conf:5:1: .* a vertical tab,/);
  expect(warnings(text)).toMatchInlineSnapshot(`
    "manage.conf:1:1: warning: the line has a byte-order mark, which is no blank for a shell [MESH_CONF_SHELL]
      1 | name=manage
        | ^
      rule: A network file is also a shell script with the same values, for nodes that have no agent.
      remedy: Save the file as UTF-8 without a byte-order mark
    manage.conf:2:32: warning: the line has a no-break space, which is no blank for a shell [MESH_CONF_SHELL]
      2 | prefix=fd42:2345:1234:9abc::/64  # ours
        |                                ^
      rule: A network file is also a shell script with the same values, for nodes that have no agent.
      remedy: Remove it, or type a plain space in its place
    manage.conf:3:8: warning: the line has a vertical tab, which is no blank for a shell [MESH_CONF_SHELL]
      3 | vni=456\\x0b
        |        ^
      rule: A network file is also a shell script with the same values, for nodes that have no agent.
      remedy: Remove it, or type a plain space in its place
    manage.conf:4:1: warning: the line has the blank U+2003, which is no blank for a shell [MESH_CONF_SHELL]
      4 |  key=456
        | ^
      rule: A network file is also a shell script with the same values, for nodes that have no agent.
      remedy: Remove it, or type a plain space in its place"
  `);
});

test.each([
  'export name=manage',
  'declare -x name=manage',
  'readonly name = manage',
  'set name manage',
])('%s is meant as name=manage', (line) => {
  const { errors } = parseMeshConf('manage.conf', Buffer.from(`${line}\n${withValues({ name: undefined })}`));
  expect(errors).toMatchObject([{ code: 'MESH_CONF_SYNTAX', remedy: 'Write name=manage' }]);
});

test.each([
  ['name', 'A mesh has a name, one word.', 'write: name=manage'],
  ['prefix', 'A mesh has a prefix, the IPv6 /64 that its members take their addresses from.', AS_ON_HOST0],
  ['vni', 'A mesh has a vni, a number that no other mesh has.', AS_ON_HOST0],
  ['key', 'A mesh has a key, the number from which the addresses of its members are made.', AS_ON_HOST0],
])('%s is missing', (key, rule, remedy) => {
  expect(complaints(withValues({ [key]: undefined }))).toBe(
    [
      `manage.conf:4:1: error: ${key} is missing [MESH_CONF_KEY_MISSING]`,
      '  4 |',
      '    | ^',
      `  rule: ${rule}`,
      `  ${remedy}`,
    ].join('\n'),
  );
});
test('every key of an empty file is missing', () => {
  const { errors } = parseMeshConf('/host0/network/blue.conf', Buffer.from(''));
  expect(errors.map(({ code, message, remedy }) => `${code}: ${message}. ${remedy}`)).toMatchInlineSnapshot(`
    [
      "MESH_CONF_KEY_MISSING: name is missing. Write name=blue",
      "MESH_CONF_KEY_MISSING: prefix is missing. Copy the line from the file of this mesh on host0; for a new mesh, \`mesh network conf NAME\` prints one",
      "MESH_CONF_KEY_MISSING: vni is missing. Copy the line from the file of this mesh on host0; for a new mesh, \`mesh network conf NAME\` prints one",
      "MESH_CONF_KEY_MISSING: key is missing. Copy the line from the file of this mesh on host0; for a new mesh, \`mesh network conf NAME\` prints one",
    ]
  `);
});

/**
 * Values that are refused, grouped by the rule that they break, each with the message and with the value to write
 * instead, if one is known.
 */
const BAD_VALUES: readonly {
  readonly key: keyof typeof GOOD;
  readonly code: string;
  readonly rule: string;
  readonly values: readonly (readonly [which: string, value: string, message: string, write: string | undefined])[];
}[] = [
  {
    key: 'name',
    code: 'MESH_NET_NAME_INVALID',
    rule: 'A name is one word: 1 to 63 letters, digits, dots, underscores and hyphens, with a letter or digit first.',
    values: [
      ['of two words', 'my mesh', '"my mesh" is not a word', 'mymesh'],
      ['in quotes', '"manage"', '"\\"manage\\"" is not a word', 'manage'],
      ['of 64 letters', 'm'.repeat(64), `"${'m'.repeat(40)}…" is not a word`, 'm'.repeat(63)],
      ['that begins with a hyphen', '-manage', '"-manage" is not a word', 'manage'],
      ['that is empty', '', 'is empty', 'manage'],
    ],
  },
  {
    key: 'prefix',
    code: 'MESH_NET_PREFIX_INVALID',
    rule: 'A prefix is an IPv6 address, a slash and 64.',
    values: [
      ['that is no address', 'fd42:2345::9abc::/64', '"fd42:2345::9abc::/64" is not an IPv6 network', undefined],
      ['that is IPv4', '10.11.0.0/16', '"10.11.0.0/16" is not an IPv6 network', undefined],
      [
        'with two lengths',
        'fd42:2345:1234:9abc::/64/64',
        '"fd42:2345:1234:9abc::/64/64" is not an IPv6 network',
        'fd42:2345:1234:9abc::/64',
      ],
    ],
  },
  {
    key: 'prefix',
    code: 'MESH_NET_PREFIX_NOT_64',
    rule: "A mesh's prefix is an IPv6 network of exactly 64 bits.",
    values: [
      ['of 48 bits', 'fd42:2345:1234::/48', 'is not a /64', 'fd42:2345:1234::/64'],
      ['of 80 bits', 'fd42:2345:1234:9abc:1::/80', 'is not a /64', 'fd42:2345:1234:9abc::/64'],
      ['without a length', 'fd42:2345:1234:9abc::', 'is not a /64', 'fd42:2345:1234:9abc::/64'],
    ],
  },
  {
    key: 'prefix',
    code: 'MESH_NET_NUMBER_FORM',
    rule: 'A number is written without leading zeros.',
    values: [
      [
        'with a zero before its length',
        'fd42:2345:1234:9abc::/064',
        'length has leading zeros',
        'fd42:2345:1234:9abc::/64',
      ],
    ],
  },
  {
    key: 'prefix',
    code: 'MESH_NET_PREFIX_HOST_BITS',
    rule: 'The last 64 bits of a prefix are zero: each member gets its own.',
    values: [['with host bits', 'fd42:2345:1234:9abc::1/64', 'has host bits set', 'fd42:2345:1234:9abc::/64']],
  },
  {
    key: 'prefix',
    code: 'MESH_NET_PREFIX_SCOPE',
    rule: 'A prefix is a network of unicast addresses, unique local (fd00::/8) or global.',
    values: [['that is link-local', 'fe80::/64', '"fe80::/64" is link-local', undefined]],
  },
  {
    key: 'vni',
    code: 'MESH_NET_VNI_INVALID',
    rule: 'A vni is a number from 1 to 16777215.',
    values: [
      ['abc', 'abc', '"abc" is not a decimal number', undefined],
      ['in hex', '0x1c8', '"0x1c8" is not a decimal number', '456'],
      ['in quotes', '"456"', '"\\"456\\"" is not a decimal number', '456'],
    ],
  },
  {
    key: 'vni',
    code: 'MESH_NET_VNI_RANGE',
    rule: 'A vni is a number from 1 to 16777215.',
    values: [
      ['0', '0', '"0" is out of range', undefined],
      ['16777216', '16777216', '"16777216" is out of range', undefined],
    ],
  },
  {
    key: 'vni',
    code: 'MESH_NET_NUMBER_FORM',
    rule: 'A number is written without leading zeros: addresses are derived from its text.',
    values: [['0456', '0456', '"0456" has leading zeros', '456']],
  },
  {
    key: 'key',
    code: 'MESH_NET_KEY_INVALID',
    rule: 'A key is a number from 0 to 18446744073709551615.',
    values: [
      ['abc', 'abc', '"abc" is not a decimal number', undefined],
      ['of more than 64 bits', '18446744073709551616', '"18446744073709551616" is out of range', undefined],
      ['that is empty', '', 'is empty', undefined],
    ],
  },
  {
    key: 'key',
    code: 'MESH_NET_NUMBER_FORM',
    rule: 'A number is written without leading zeros: addresses are derived from its text.',
    values: [['007', '007', '"007" has leading zeros', '7']],
  },
];

/** Where the value of each key begins in `withValues`: line and column, counted from 1. */
const PLACES = { name: [1, 6], prefix: [2, 8], vni: [3, 5], key: [4, 5] } as const;

test.each(
  BAD_VALUES.flatMap(({ values, ...broken }) =>
    values.map(([which, value, message, write]) => ({ ...broken, which, value, message, write })),
  ),
)('$key $which', ({ key, code, rule, value, message, write }) => {
  const [line, column] = PLACES[key];
  expect(complaints(withValues({ [key]: value }))).toBe(
    [
      `manage.conf:${line}:${column}: error: ${key} ${message} [${code}]`,
      `  ${line} | ${key}=${value}`,
      `    | ${' '.repeat(column - 1)}^`,
      `  rule: ${rule}`,
      write === undefined ? `  ${AS_ON_HOST0}` : `  write: ${key}=${write}`,
    ].join('\n'),
  );
});

test.each([
  ['ff02::/64', 'prefix "ff02::/64" is multicast'],
  ['::/64', 'prefix "::/64" is the unspecified address'],
  ['::1/64', 'prefix "::1/64" is the loopback address'],
  ['::ffff:10.11.0.0/64', 'prefix "::ffff:10.11.0.0/64" holds IPv4-mapped addresses'],
  ['::2/64', 'prefix "::2/64" is reserved'],
])('prefix %s has no unicast addresses for members', (prefix, message) => {
  const { errors } = parseMeshConf('manage.conf', Buffer.from(withValues({ prefix })));
  expect(errors).toMatchObject([{ code: 'MESH_NET_PREFIX_SCOPE', message }]);
});

test('a key given twice', () => {
  expect(complaints(`${withValues({})}vni=457\n`)).toMatchInlineSnapshot(`
    "manage.conf:5:1: error: vni is given a second time, first in line 3 [MESH_CONF_KEY_TWICE]
      5 | vni=457
        | ^
      rule: Each key is given once.
      remedy: Remove one of the two lines"
  `);
});
test('a misspelt key is not also reported as missing', () => {
  expect(complaints(withValues({}).replace('name', 'nmae'))).toMatchInlineSnapshot(`
    "manage.conf:1:1: error: unknown key "nmae" [MESH_CONF_KEY_UNKNOWN]
      1 | nmae=manage
        | ^
      rule: The keys are name, prefix, vni and key.
      write: name=manage"
  `);
});
test('a key that resembles none', () => {
  expect(complaints(`${withValues({})}colour=blue\n`)).toMatchInlineSnapshot(`
    "manage.conf:5:1: error: unknown key "colour" [MESH_CONF_KEY_UNKNOWN]
      5 | colour=blue
        | ^
      rule: The keys are name, prefix, vni and key.
      remedy: Remove the line"
  `);
});
test('blanks around the equals sign', () => {
  expect(complaints(withValues({}).replace('vni=', 'vni = '))).toMatchInlineSnapshot(`
    "manage.conf:3:1: error: the line is not key=value [MESH_CONF_SYNTAX]
      3 | vni = 456
        | ^
      rule: A line is key=value with no blanks around the equals sign, a comment that begins with #, or empty.
      write: vni=456"
  `);
});
test('a line that is neither an entry nor a comment', () => {
  expect(complaints(`${withValues({})}this is my mesh\n`)).toMatchInlineSnapshot(`
    "manage.conf:5:1: error: the line is not key=value [MESH_CONF_SYNTAX]
      5 | this is my mesh
        | ^
      rule: A line is key=value with no blanks around the equals sign, a comment that begins with #, or empty.
      write: key=value, or # before a comment"
  `);
});
test('every error of a file is reported, in the order of its lines', () => {
  expect(
    complaints('name=a b\nprefix=fe80::/64\nvni=0\nkey=x\nfoo\n').match(/^\S+: error.*$/gm),
  ).toMatchInlineSnapshot(`
    [
      "manage.conf:1:6: error: name "a b" is not a word [MESH_NET_NAME_INVALID]",
      "manage.conf:2:8: error: prefix "fe80::/64" is link-local [MESH_NET_PREFIX_SCOPE]",
      "manage.conf:3:5: error: vni "0" is out of range [MESH_NET_VNI_RANGE]",
      "manage.conf:4:5: error: key "x" is not a decimal number [MESH_NET_KEY_INVALID]",
      "manage.conf:5:1: error: the line is not key=value [MESH_CONF_SYNTAX]",
    ]
  `);
});

test('a NUL byte', () => {
  expect(complaints(`name=manage\nprefix=\0\n`)).toMatchInlineSnapshot(`
    "manage.conf:2:8: error: the file is not text [MESH_CONF_BINARY]
      2 | prefix=\\x00
        |        ^
      rule: A file of settings is UTF-8 text without NUL bytes.
      remedy: Save the file as text, or remove it"
  `);
});
test('bytes that are not UTF-8', () => {
  expect(complaints(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff, 0xfe, 0x0a, 0xc3]))).toMatchInlineSnapshot(`
    "manage.conf:1:5: error: the file is not text [MESH_CONF_BINARY]
      1 | \\x7fELF��
        |        ^
      rule: A file of settings is UTF-8 text without NUL bytes.
      remedy: Save the file as text, or remove it"
  `);
});
test('a line of 1 MB', () => {
  expect(complaints(`name=manage\nname=${'x'.repeat(1 << 20)}\n`)).toMatchInlineSnapshot(`
    "manage.conf:2:1: error: the line is longer than 1024 bytes [MESH_CONF_LINE_TOO_LONG]
      2 | name=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
        | ^
      rule: A line has at most 1024 bytes.
      remedy: Write one key=value on each line"
  `);
});
test('a line of 1 MB, cut in the middle of a character', () => {
  const head = Buffer.from(`name=${'ä'.repeat(1 << 16)}`).subarray(0, 64 * 1024 + 1);
  expect(complaints(head)).toMatch(/error: the line is longer than 1024 bytes/);
});
test('a file of more than 64 KiB', () => {
  expect(complaints('# comment\n'.repeat(7000))).toMatchInlineSnapshot(`
    "error: manage.conf is larger than 65536 bytes [MESH_CONF_TOO_LARGE]
      while: read settings: manage.conf
      rule: A file of settings has at most 65536 bytes.
      remedy: Remove what does not belong in the file"
  `);
});
