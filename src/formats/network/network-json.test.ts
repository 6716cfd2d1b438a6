/** Documents of networks: what is wrong is shown at its place, with the rule. */
import { expect, test } from 'vitest';
import type { MeshError } from '../../model/error.ts';
import { errorText } from '../error-text.ts';
import { readNetworkJson } from './network-json.ts';

/** The error of a document as people see it. */
function shown(text: string): string {
  try {
    readNetworkJson('blue.json', text);
    return 'no error';
  } catch (error) {
    return errorText(error as MeshError, { color: false });
  }
}

test('a name is enough, and words stand for objects with a kind', () => {
  expect(readNetworkJson('blue.json', '{"name": "blue", "type": "bridge", "prefix": "auto"}')).toEqual({
    name: 'blue',
    type: 'bridge',
    prefix: 'auto',
  });
});

test('a fault is shown with its line, a caret and the rule', () => {
  expect(shown('{\n  "name": "blue",\n  "type": { "kind": "vxlan", "vni": 70000000 }\n}\n')).toMatchInlineSnapshot(`
    "blue.json:3:30: error: type.vni: 70000000 does not fit [MESH_NET_INVALID]
      3 |   "type": { "kind": "vxlan", "vni": 70000000 }
        |                              ^
      rule: A VNI is a whole number from 1 to 16777215."
  `);
  expect(shown('{\n  "name": "blue",\n  "mtuByte": 1400\n}\n')).toMatchInlineSnapshot(`
    "blue.json:3:3: error: mtuByte: 1400 does not fit [MESH_NET_INVALID]
      3 |   "mtuByte": 1400
        |   ^
      rule: The fields here are id, number, name, uuid, owner, labels, title, description, bridge, type, peers, mtuBytes, hostAddress, subnets, routes, routing, dns, guests, guestIpv6, bandwidth, dnsmasqOptions, span, source, extra."
  `);
  expect(
    shown('{\n  "name": "blue",\n  "subnets": [{ "cidr": "10.0.0.0/24" }, { "cidr": "10.0.0.7" }]\n}\n'),
  ).toMatchInlineSnapshot(`
    "blue.json:3:44: error: subnets.1.cidr: "10.0.0.7" does not fit [MESH_NET_INVALID]
      3 |   "subnets": [{ "cidr": "10.0.0.0/24" }, { "cidr": "10.0.0.7" }]
        |                                            ^
      rule: A subnet without host bits, as 10.11.0.0/24 or fd42:2345:1234:9abc::/64."
  `);
  expect(shown('{ "name": "blue", "peers": "multicast" }')).toMatchInlineSnapshot(`
    "blue.json:1:19: error: peers: {"group":"ff05::1000","kind":"multicast"} does not fit [MESH_NET_INVALID]
      1 | { "name": "blue", "peers": "multicast" }
        |                   ^
      rule: A network with multicast peers names the underlay device on which the nodes hear the group.
      remedy: Name it: \`--device eth1\`, or \`dev\` in the type of a document"
  `);
});

test('a text that is no JSON is shown where it stops to be JSON', () => {
  expect(shown('{\n  "name": "blue"\n  "type": "vxlan"\n}\n')).toMatchInlineSnapshot(`
    "blue.json:3:3: error: the document is no JSON [MESH_CONF_SYNTAX]
      3 |   "type": "vxlan"
        |   ^
      rule: A document of a network is JSON.
      remedy: Compare it with one that host0 prints: \`mesh network show NAME --json\`"
  `);
  expect(shown('{ "name": "blue"')).toMatchInlineSnapshot(`
    "blue.json:1:17: error: the document is no JSON [MESH_CONF_SYNTAX]
      1 | { "name": "blue"
        |                 ^
      rule: A document of a network is JSON.
      remedy: Compare it with one that host0 prints: \`mesh network show NAME --json\`"
  `);
  expect(shown('[]')).toContain('the document is not an object');
  expect(shown('{ "type": "vxlan" }')).toContain('names no network');
});
