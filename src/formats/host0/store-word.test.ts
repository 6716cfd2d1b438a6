/** Where host0 keeps what it knows, as people write it, and what it shows to etcd. */
import { expect, test } from 'vitest';
import { parseEtcdConf } from './etcd-conf.ts';
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
