/** Words of host0.conf: where host0 keeps what it knows, what it shows to etcd, and which numbers it gives. */
import { expect, test } from 'vitest';
import { parseEtcdConf } from './etcd-conf.ts';
import { parseNumberRange } from './number-words.ts';
import { parseStoreWord, storeWord } from './store-word.ts';

test.each([
  ['sqlite', []],
  ['etcd://10.0.0.1:2379', [{ host: '10.0.0.1', port: 2379 }]],
  [
    'etcd://[fd00::1]:4001,db-2.example',
    [
      { host: 'fd00::1', port: 4001 },
      { host: 'db-2.example', port: 2379 },
    ],
  ],
])('%s is a store', (word, endpoints) => {
  expect(parseStoreWord(word)).toEqual(endpoints);
  expect(parseStoreWord(storeWord(endpoints))).toEqual(endpoints);
});

test.each([
  ...['', 'etcd', 'etcd://', 'etcd://a:0', 'etcd://a:70000', 'etcd://a,,b', 'etcd://[10.0.0.1]:1', 'http://a:1'],
  ...['etcd://user:password@a:2379', 'etcd://a:1/path', 'etcd://-a:1', 'etcd://fd00::1:2379'],
  `etcd://${Array.from({ length: 17 }, (_, at) => `a${at}`).join()}`,
])('%s is no store', (word) => {
  expect(parseStoreWord(word)).toBeUndefined();
});

const conf = (text: string) => parseEtcdConf('etcd.conf', Buffer.from(text));

test('etcd.conf has certificates and a user', () => {
  expect(conf('')).toEqual({});
  expect(conf('ca="/ca.pem"\nuser=mesh\npassword="a b#c"\n')).toEqual({
    ca: '/ca.pem',
    user: 'mesh',
    password: 'a b#c',
  });
});

test.each([
  ['cert="/a"\n', 'MESH_CONF_KEY_MISSING'],
  ['user="mesh"\n', 'MESH_CONF_KEY_MISSING'],
  ['cert="/a"\nkey="/b"\n', 'MESH_CONF_KEY_MISSING'],
  ['pasword="x"\n', 'MESH_CONF_KEY_UNKNOWN'],
  ['user="a" "b"\npassword="x"\n', 'MESH_HOST0_CONF_INVALID'],
])('etcd.conf is refused as a whole: %s', (text, code) => {
  expect(() => conf(text)).toThrow(expect.objectContaining({ code }));
});

test('an error in etcd.conf does not show the password', () => {
  const shown = (text: string) => {
    try {
      conf(text);
    } catch (error) {
      return JSON.stringify(error);
    }
    return 'nothing';
  };
  expect(shown('user="a"\npassword="hush" "hush"\n')).not.toContain('hush');
});

test.each([
  ['0x1000-0xFFFF', { first: 0x1000, last: 0xffff }],
  ['4096', { first: 4096, last: 4096 }],
  ['1-0xffffff', { first: 1, last: 0xffffff }],
])('%s is a range of numbers', (word, range) => {
  expect(parseNumberRange(word)).toEqual(range);
});

test.each([
  '',
  '0',
  '0x0-1',
  '2-1',
  '1-',
  '-1',
  '0x1000000',
  'ff',
  '1-2-3',
  '99999999',
])('%s is no range of numbers', (word) => {
  expect(parseNumberRange(word)).toBeUndefined();
});
