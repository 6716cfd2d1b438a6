/** Which requests count as those of a program that means this endpoint. */
import { expect, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import type { MeshError } from '../../model/error.ts';
import { mustBeOwnRequest } from './own-request.ts';

const MESH = { address: parseIpv6('fd42:2345:1234:9abc::1'), port: 8000 };
const SEGMENT = { address: parseIpv4('10.11.0.1'), port: 80 };
const HOST = '[fd42:2345:1234:9abc::1]:8000';

test.each([
  [{ host: HOST }, MESH],
  [{ host: '[FD42:2345:1234:9abc:0:0:0:1]:8000' }, MESH],
  [{ host: HOST, 'sec-fetch-site': 'none' }, MESH],
  [{ host: HOST, origin: `http://${HOST}`, 'sec-fetch-site': 'same-origin' }, MESH],
  [{}, MESH],
  [{ host: '10.11.0.1' }, SEGMENT],
  [{ host: '10.11.0.1:80' }, SEGMENT],
  // Machines have this name in /etc/hosts.
  [{ host: 'host0' }, SEGMENT],
  [{ host: 'agent' }, undefined],
])('%o is answered', (headers, listener) => {
  expect(() => mustBeOwnRequest(headers, listener)).not.toThrow();
});

test.each([
  [{ host: 'evil.example:8000' }, MESH],
  [{ host: 'evil.example' }, MESH],
  [{ host: '[fd42:2345:1234:9abc::1]' }, MESH],
  [{ host: '[fd42:2345:1234:9abc::2]:8000' }, MESH],
  [{ host: '[fd42:2345:1234:9abc::1]:8001' }, MESH],
  [{ host: '[no address]:8000' }, MESH],
  [{ host: 'fd42:2345:1234:9abc::1:8000' }, MESH],
  [{ host: '' }, MESH],
  [{ host: HOST, origin: 'http://evil.example' }, MESH],
  [{ host: HOST, origin: 'null' }, MESH],
  [{ host: HOST, 'sec-fetch-site': 'cross-site' }, MESH],
  [{ host: HOST, 'sec-fetch-site': 'same-site' }, MESH],
  [{ host: 'host0.example' }, SEGMENT],
  [{ host: 'host0:8000' }, MESH],
  [{ host: 'host0:8000' }, { ...SEGMENT, port: 8000 }],
  [{ host: 'host0', origin: 'http://evil.example' }, SEGMENT],
  [{ host: '10.11.0.1.example' }, SEGMENT],
  [{ host: 'agent', origin: 'http://evil.example' }, undefined],
  [{ host: 'agent', 'sec-fetch-site': 'cross-site' }, undefined],
])('%o is refused', (headers, listener) => {
  expect(() => mustBeOwnRequest(headers, listener)).toThrow(
    expect.objectContaining({ code: 'MESH_REQUEST_FOREIGN', httpStatus: 403 }),
  );
});

test('the remedy names the address to use', () => {
  try {
    mustBeOwnRequest({ host: 'evil.example' }, MESH);
    expect.unreachable();
  } catch (error) {
    expect((error as MeshError).remedy).toBe(`Use the address itself, http://${HOST}/, and a program such as curl.`);
  }
});
