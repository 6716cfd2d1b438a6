/**
 * How host0 shows to etcd who it is, `/etc/meshwork/etcd.conf`: lines of `key="value"`. The file has a password, and names a
 * private key, so nobody but root may read it.
 *
 *     ca="/etc/etcd/ca.pem"              # with this key, the members of etcd speak TLS
 *     cert="/etc/meshwork/etcd.pem"      # a certificate of host0 without a common name, where etcd asks for one
 *     key="/etc/meshwork/etcd.key"
 *     user="meshwork"                    # where etcd has authentication switched on
 *     password="…"
 */
import { MeshError } from '../../model/error.ts';
import { type ConfEntry, parseConfText } from '../conf/conf-file.ts';
import { ConfKeys } from '../conf/conf-keys.ts';

const ETCD_KEYS = ['ca', 'cert', 'key', 'user', 'password'] as const;

/** What the file says. The first three are paths of PEM files. */
export type EtcdConf = Readonly<Partial<Record<(typeof ETCD_KEYS)[number], string>>>;

/** Parses a file; `file` is its name in errors. @throws MESH_CONF_*, MESH_HOST0_CONF_INVALID: the first error of the file */
export function parseEtcdConf(file: string, bytes: Uint8Array): EtcdConf {
  const text = parseConfText(file, bytes);
  if (text instanceof MeshError) throw text;
  const keys = new ConfKeys(text, ETCD_KEYS);
  const conf: Partial<Record<(typeof ETCD_KEYS)[number], string>> = {};
  for (const name of ETCD_KEYS) {
    const value = keys.optional(name, parseWord);
    if (value !== undefined) conf[name] = value;
  }
  const [error] = keys.errors;
  if (error !== undefined) throw error;
  for (const [one, other] of [
    ['cert', 'key'],
    ['key', 'cert'],
    ['user', 'password'],
    ['password', 'user'],
    ['cert', 'ca'],
  ] as const) {
    if (conf[one] === undefined || conf[other] !== undefined) continue;
    throw new MeshError('MESH_CONF_KEY_MISSING', `${other} is missing`, {
      rule: `With ${one}, ${other} is given, too.`,
      remedy: `Write a line ${other}="…"`,
      place: keys.placeOf(one),
    });
  }
  return conf;
}

function parseWord({ key, value, valuePlace }: ConfEntry): string | MeshError {
  const [, inQuotes, bare] = /^(?:"([^"]+)"|([^\s"]+))$/.exec(value.trim()) ?? [];
  const word = inQuotes ?? bare;
  if (word !== undefined) return word;
  return new MeshError('MESH_HOST0_CONF_INVALID', `${key} has no value, or several`, {
    rule: 'This key has one value.',
    remedy: `Write ${key}="…"`,
    place: { ...valuePlace, text: `${key}=…` },
  });
}
