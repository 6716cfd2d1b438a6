/** Networks in YAML: what people write is read as they mean it, and what is printed is read again as the same network. */
import { expect, test } from 'vitest';
import { LONG } from '../../../test/kit/long.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { randomNetwork } from '../../../test/kit/random-network.ts';
import type { MeshError } from '../../model/error.ts';
import { networkIdOf } from '../../model/network/number.ts';
import { errorText } from '../error-text.ts';
import { networkYaml, readNetworkYaml } from './network-yaml.ts';
import { orderedNetwork } from './ordered-network.ts';

/** The error of a document as people see it. */
function shown(text: string): string {
  try {
    readNetworkYaml('blue.yaml', text);
    return 'no error';
  } catch (error) {
    return errorText(error as MeshError, { color: false });
  }
}

test('a printed network is read as the same network', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  for (let at = 0; at < (LONG ? 3_000 : 60); at++) {
    const some = randomNetwork(random);
    const network = { ...some, id: networkIdOf(some.number), source: 'store' } as const;
    const text = networkYaml(network);
    const order = readNetworkYaml('random.yaml', text);
    expect(orderedNetwork(order, network), text).toEqual(network);
    // No character of the text acts on a terminal.
    expect(text).not.toMatch(/[[\p{C}\p{Zl}\p{Zp}]--\n]/v);
  }
});

test('numbers, booleans and words are what YAML 1.2 says, and keys are texts', () => {
  const read = (value: string) => readNetworkYaml('blue.yaml', `name: blue\nextra: { it: ${value} }`).extra;
  const values = ['0x1000', '010', '0o10', '1e3', 'yes', 'no', 'on', 'null', '~', 'true', '12:30', '1_000', '"010"'];
  expect(values.map((value) => Object.values(Object(read(value)))[0])).toEqual([
    ...[0x1000, 10, 8, 1000, 'yes', 'no', 'on', null, null, true, '12:30', '1_000', '010'],
  ]);
  expect(
    readNetworkYaml('blue.yaml', '\uFEFFname: "010"\r\nnumber: 0x1000\r\nlabels: { 1: "", null: "" }\r\n'),
  ).toEqual({
    name: '010',
    number: 0x1000,
    labels: { 1: '', null: '' },
  });
});

test('parts are shared by anchors, which cannot be used to make a document huge', () => {
  const order = readNetworkYaml('blue.yaml', 'name: blue\nextra:\n  a: &a { b: 1 }\n  c: [*a, *a]\n');
  expect(order.extra).toEqual({ a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] });
  const layer = (_: unknown, at: number) => `  l${at}: &l${at} [${Array(9).fill(at === 0 ? '1' : `*l${at - 1}`)}]`;
  const bomb = `name: blue\nextra:\n${Array.from({ length: 12 }, layer).join('\n')}`;
  expect(shown(bomb)).toContain('it has more than 100000 values [MESH_CONF_SYNTAX]');
  expect(shown('name: blue\nextra: &a { b: *a }')).toContain('nested deeper than 32');
  expect(shown('name: blue\nextra: { b: *a }')).toContain(
    'blue.yaml:2:13: error: the document cannot be read: nothing',
  );
  expect(shown('['.repeat(10_000))).toContain('the document is no YAML');
  expect(shown(`${'{a: '.repeat(40)}1${'}'.repeat(40)}`)).toContain('nested deeper than 32');
  expect(shown('x'.repeat(2 * 1024 * 1024))).toContain('[MESH_CONF_TOO_LARGE]');
});

test('a fault is shown with its line, a caret, the rule and what to write', () => {
  expect(shown('name: blue\ntype:\n  kind: vxlan\n  vni: 70000000\n')).toMatchInlineSnapshot(`
    "blue.yaml:4:3: error: type.vni: 70000000 does not fit [MESH_NET_INVALID]
      4 |   vni: 70000000
        |   ^
      rule: A VNI is a whole number from 1 to 16777215."
  `);
  expect(shown('name: blue\nsubnets:\n  - cidr: 10.0.0.0/24\n  - cidr: 10.0.0.7\n')).toMatchInlineSnapshot(`
    "blue.yaml:4:5: error: subnets.1.cidr: "10.0.0.7" does not fit [MESH_NET_INVALID]
      4 |   - cidr: 10.0.0.7
        |     ^
      rule: A subnet without host bits, as 10.11.0.0/24 or fd42:2345:1234:9abc::/64."
  `);
  expect(shown('network:\n  name: blue\n  mtuByte: 1400\n')).toMatchInlineSnapshot(`
    "blue.yaml:3:3: error: mtuByte: 1400 does not fit [MESH_NET_INVALID]
      3 |   mtuByte: 1400
        |   ^
      rule: The fields here are id, number, name, uuid, owner, labels, title, description, bridge, type, peers, mtuBytes, hostAddress, subnets, routes, routing, dns, guests, guestIpv6, bandwidth, dnsmasqOptions, span, source, extra."
  `);
  expect(shown('name: blue\npeers: multicast\n')).toMatchInlineSnapshot(`
    "blue.yaml:2:1: error: peers: {"group":"ff05::1000","kind":"multicast"} does not fit [MESH_NET_INVALID]
      2 | peers: multicast
        | ^
      rule: A network with multicast peers names the underlay device on which the nodes hear the group.
      remedy: Name it: \`--device eth1\`, or \`dev\` in the type of a document"
  `);
  expect(shown('name: 010\n')).toMatchInlineSnapshot(`
    "blue.yaml:1:1: error: name: 10 does not fit [MESH_NET_INVALID]
      1 | name: 010
        | ^
      rule: A name is one word: 1 to 63 letters, digits, dots, underscores and hyphens, with a letter or digit first.
      write: "010""
  `);
  expect(shown('name: blue\ndescription: 1e3\n')).toMatchInlineSnapshot(`
    "blue.yaml:2:1: error: description: 1000 does not fit [MESH_NET_INVALID]
      2 | description: 1e3
        | ^
      rule: A text of one line, of at most 1000 characters.
      write: "1e3""
  `);
  expect(shown('name: blue\nmtuBytes: lots\n')).toMatchInlineSnapshot(`
    "blue.yaml:2:1: error: mtuBytes: "lots" does not fit [MESH_NET_INVALID]
      2 | mtuBytes: lots
        | ^
      rule: A whole number from 1280 to 65535."
  `);
});

test('a text that is no YAML, or says a thing twice, is shown at its place', () => {
  expect(shown('name: blue\nmtuBytes: 1400\nmtuBytes: 1380\n')).toMatchInlineSnapshot(`
    "blue.yaml:3:1: error: mtuBytes stands twice [MESH_CONF_KEY_TWICE]
      3 | mtuBytes: 1380
        | ^
      rule: A key stands once in its object.
      remedy: Remove one of the two"
  `);
  expect(shown('name: blue\ntype:\n\tkind: vxlan\n')).toMatchInlineSnapshot(`
    "blue.yaml:3:1: error: the line is indented by a tab [MESH_CONF_SYNTAX]
      3 |     kind: vxlan
        | ^
      rule: YAML is indented by spaces.
      remedy: Put spaces in the place of the tab"
  `);
  expect(shown('name: blue\n---\nname: red\n')).toMatchInlineSnapshot(`
    "blue.yaml:2:1: error: another document begins [MESH_CONF_SYNTAX]
      2 | ---
        | ^
      rule: A file has one document, which is one network.
      remedy: Put each network into a file of its own"
  `);
  expect(shown('name: blue\ndescription: office: second floor\n')).toMatchInlineSnapshot(`
    "blue.yaml:2:14: error: a key begins within a value [MESH_CONF_SYNTAX]
      2 | description: office: second floor
        |              ^
      rule: After \`key:\` there is one value, or its parts on lines of their own.
      remedy: Put a text with a colon into quotes, and each key on a line of its own"
  `);
  expect(shown('name: blue\nlabels: { a: "b"\n')).toMatchInlineSnapshot(`
    "blue.yaml:3:1: error: the document is no YAML: Flow map in block collection must be sufficiently indented and end with a } [MESH_CONF_SYNTAX]
      3 |
        | ^
      rule: A document of a network is YAML: lines of \`key: value\`, with parts of a part indented by two spaces.
      remedy: Compare it with one that host0 prints: \`mesh network show NAME --yaml\`"
  `);
  expect(shown('name:blue\n')).toMatchInlineSnapshot(`
    "blue.yaml:1:1: error: the document is not an object [MESH_NET_INVALID]
      1 | name:blue
        | ^
      rule: A network is lines of \`key: value\`, with a blank after the colon.
      write: name: blue"
  `);
  expect(shown('type: bridge\n')).toMatchInlineSnapshot(`
    "blue.yaml:1:1: error: the document names no network [MESH_NET_INVALID]
      1 | type: bridge
        | ^
      rule: A network has a name.
      write: name: blue"
  `);
  expect(shown('name: !!js/function x\n')).toMatchInlineSnapshot(`
    "blue.yaml:1:7: error: the value has a tag [MESH_CONF_SYNTAX]
      1 | name: !!js/function x
        |       ^
      rule: A value has no tag.
      remedy: Leave the tag out"
  `);
  expect(shown('name: blue\nnumber: eleven\n')).toContain('blue.yaml:2:1: error: number: "eleven" does not fit');
  expect(shown(`name: blue\ndescription: ${'x'.repeat(5_000)}`).length).toBeLessThan(600);
  expect(shown('')).toContain('the document is not an object');
});
