/** Machine keys are derived the same way for ever: vectors that openssl confirms, and what is no identity. */

import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { parseMachineId } from './machine.ts';
import {
  channelPsk,
  GENERATION_MAX,
  isKeyIdentity,
  keyIdentity,
  machineKey,
  parseKeyIdentity,
  reportToken,
} from './machine-key.ts';

const SECRET = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const machine = parseMachineId('10eff964');

describe('vectors', () => {
  test.each([
    [
      1,
      'b06ca5c0d8592c13c49be77156c420149f5371e82f6808bc6d6427a029b45f6c',
      '780f41fbea6bbf7e21990f819014a6103a636c4eb5d1e9806da32ce43edb031b',
    ],
    [
      2,
      '1bdbb2c6b77894bd9495a111e60c14e9584598c023545bfa7d70a907f77bb346',
      '4043d008f38e9ca2001c09639e9f675737e0831409e2777894798aa37bdac571',
    ],
    [
      GENERATION_MAX,
      '7d66e5a11c5ce3941bc996128c2708a7c7052ad9d8f53e26857068a804b3b2f8',
      'b51ff4f0a7d74de5b9938c2431b34252a6a025d2f7717572148b004efb14dd84',
    ],
  ])('of generation %i', (generation, key, psk) => {
    const derived = machineKey(SECRET, { machine, generation });
    expect([derived.toString('hex'), channelPsk(derived).toString('hex')]).toEqual([key, psk]);
  });

  test('openssl derives the same', () => {
    const key = machineKey(SECRET, { machine, generation: 3 });
    const hmac = execFileSync(
      'openssl',
      ['mac', '-digest', 'SHA256', '-macopt', `hexkey:${SECRET.toString('hex')}`, 'HMAC'],
      {
        input: 'key\x0010eff964\x003',
        encoding: 'utf8',
      },
    );
    expect(hmac.trim().toLowerCase()).toBe(key.toString('hex'));
    const info = ['-kdfopt', `hexkey:${key.toString('hex')}`, '-kdfopt', 'info:meshwork node tls v1'];
    const psk = execFileSync('openssl', ['kdf', '-keylen', '32', '-kdfopt', 'digest:SHA256', ...info, 'HKDF'], {
      encoding: 'utf8',
    });
    expect(psk.trim().replaceAll(':', '').toLowerCase()).toBe(channelPsk(key).toString('hex'));
  });

  test('the token of reports is neither the key nor the PSK', () => {
    const key = machineKey(SECRET, { machine, generation: 1 });
    expect(reportToken(key)).toBe('80582526c8d81f12c746b849cf7bd6651a59ed586f4bfcb5e625c96b470a8dff');
  });

  test('another machine, generation or secret gives another key', () => {
    const keys = [
      machineKey(SECRET, { machine, generation: 1 }),
      machineKey(SECRET, { machine, generation: 11 }),
      machineKey(SECRET, { machine: parseMachineId('10eff961'), generation: 1 }),
      machineKey(Buffer.alloc(32), { machine, generation: 1 }),
    ].map((key) => key.toString('hex'));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('an identity', () => {
  test.each([1, 9, 10, 4_096, GENERATION_MAX])('of generation %i is read as it was printed', (generation) => {
    const identity = keyIdentity({ machine, generation });
    expect(identity).toBe(`10eff964.${generation}`);
    expect(parseKeyIdentity(identity)).toEqual({ machine, generation });
  });

  test.each([
    ['', 'nothing'],
    ['10eff964', 'no generation'],
    ['10eff964.', 'an empty generation'],
    ['10eff964.0', 'zero'],
    ['10eff964.01', 'a leading zero'],
    ['10eff964.+1', 'a sign'],
    ['10eff964.1.1', 'three parts'],
    ['10eff964.1.', 'a point too many'],
    ['10EFF964.1', 'capitals'],
    ['10eff964.2147483648', 'a generation too many'],
    ['10eff964.1\n', 'a line feed'],
    ['host0.1', 'host0'],
    [`10eff964.${'1'.repeat(100_000)}`, 'many digits'],
  ])('is not %j: %s', (text) => {
    expect(isKeyIdentity(text)).toBe(false);
  });
});
