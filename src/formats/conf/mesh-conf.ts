/**
 * The `.conf` format of a mesh: four keys, all required.
 *
 *     name=manage                        # a word: 1 to 63 of A-Z a-z 0-9 . _ -, a letter or digit first
 *     prefix=fd42:2345:1234:9abc::/64    # the IPv6 /64 that members take their addresses from
 *     vni=456                            # 1 to 16777215; devices are vxlan456 and br456
 *     key=456                            # 0 to 18446744073709551615; the seed of address derivation
 */
import { basename } from 'node:path';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import { type Mesh, meshNetwork } from '../../model/network/mesh.ts';
import { VNI_MAX, type Vni } from '../../model/network/types/vxlan.ts';
import { NETWORK_NAME, NETWORK_NAME_RULE } from '../../model/network/words.ts';
import { type ConfEntry, parseConfText } from './conf-file.ts';
import { ConfKeys, quoted } from './conf-keys.ts';
import { AS_ON_HOST0, parseMeshPrefix } from './mesh-prefix.ts';

const KEYS = ['name', 'prefix', 'vni', 'key'] as const;
type MeshKey = (typeof KEYS)[number];

/** `key` fits into 64 bits, so that shell scripts can compute with it. */
const KEY_MAX = 2n ** 64n - 1n;

const PURPOSE: Readonly<Record<MeshKey, string>> = {
  name: 'A mesh has a name, one word.',
  prefix: 'A mesh has a prefix, the IPv6 /64 that its members take their addresses from.',
  vni: 'A mesh has a vni, a number that no other mesh has.',
  key: 'A mesh has a key, the number from which the addresses of its members are made.',
};

/** The name that errors suggest when nothing better is known. */
const EXAMPLE_NAME = 'manage';

/** A file without errors. Rules that compare files need the places of its values. */
export interface MeshConf {
  readonly file: string;
  readonly network: Mesh;
  readonly places: Readonly<Record<MeshKey, SourcePlace>>;
  /** What a shell that reads the file would take otherwise. */
  readonly warnings: readonly MeshError[];
}

/** A network, or the errors of its file. */
export type MeshConfResult = { readonly conf: MeshConf; readonly errors: readonly [] } | MeshConfFaults;
interface MeshConfFaults {
  readonly conf?: undefined;
  /** All errors of the file, in the order of its lines. */
  readonly errors: readonly MeshError[];
}

/** Parses one file. Rules between several files are in network-set.ts. */
export function parseMeshConf(file: string, bytes: Uint8Array): MeshConfResult {
  const text = parseConfText(file, bytes);
  if (text instanceof MeshError) return { errors: [text] };
  const keys = new ConfKeys(text, KEYS);
  const required = <T>(key: MeshKey, parse: (entry: ConfEntry) => T | MeshError, remedy = AS_ON_HOST0) =>
    keys.required(key, parse, { rule: PURPOSE[key], remedy });
  const name = required('name', parseName, `Write name=${wordFrom(basename(file, '.conf'))}`);
  const prefix = required('prefix', parseMeshPrefix);
  const vni = required('vni', parseVni);
  const key = required('key', parseKey);

  const complete = name !== undefined && prefix !== undefined && vni !== undefined && key !== undefined;
  if (keys.errors.length > 0 || !complete) return { errors: keys.errors };
  const places = Object.fromEntries(KEYS.map((key) => [key, keys.placeOf(key)])) as MeshConf['places'];
  const network = meshNetwork({ name, prefix, vni, key });
  return { conf: { file, network, places, warnings: text.warnings }, errors: [] };
}

/** The text of a file that `parseMeshConf` reads as this network. */
export function printMeshConf(network: Mesh): string {
  const { prefix, key } = network.hostAddress;
  return `name=${network.name}\nprefix=${prefix}\nvni=${network.number}\nkey=${key}\n`;
}

function parseName({ value, valuePlace }: ConfEntry): string | MeshError {
  if (NETWORK_NAME.test(value)) return value;
  return new MeshError(
    'MESH_NET_NAME_INVALID',
    value === '' ? 'name is empty' : `name ${quoted(value)} is not a word`,
    {
      rule: NETWORK_NAME_RULE,
      remedy: `Write name=${wordFrom(value)}`,
      place: valuePlace,
    },
  );
}

/** A valid name from the permitted characters of `text`. */
function wordFrom(text: string): string {
  const word = text.replace(/[^A-Za-z0-9._-]/g, '').replace(/^[._-]+/, '');
  return word.slice(0, 63) || EXAMPLE_NAME;
}

function parseVni(entry: ConfEntry): Vni | MeshError {
  const rule = `A vni is a number from 1 to ${VNI_MAX}.`;
  const digits = decimalDigits('vni', entry, 'MESH_NET_VNI_INVALID', rule);
  if (digits instanceof MeshError) return digits;
  const vni = Number(digits);
  if (vni < 1 || vni > VNI_MAX) {
    return new MeshError('MESH_NET_VNI_RANGE', `vni ${quoted(entry.value)} is out of range`, {
      rule,
      remedy: AS_ON_HOST0,
      place: entry.valuePlace,
    });
  }
  return canonicalForm(entry, digits) ?? (vni as Vni);
}

function parseKey(entry: ConfEntry): string | MeshError {
  const rule = `A key is a number from 0 to ${KEY_MAX}.`;
  const digits = decimalDigits('key', entry, 'MESH_NET_KEY_INVALID', rule);
  if (digits instanceof MeshError) return digits;
  if (BigInt(digits) > KEY_MAX) {
    return new MeshError('MESH_NET_KEY_INVALID', `key ${quoted(entry.value)} is out of range`, {
      rule,
      remedy: AS_ON_HOST0,
      place: entry.valuePlace,
    });
  }
  return canonicalForm(entry, digits) ?? digits;
}

/** The value without leading zeros; an error unless it consists of digits. */
function decimalDigits(
  key: 'vni' | 'key',
  { value, valuePlace }: ConfEntry,
  code: 'MESH_NET_VNI_INVALID' | 'MESH_NET_KEY_INVALID',
  rule: string,
): string | MeshError {
  if (/^[0-9]+$/.test(value)) return value.replace(/^0+(?=[0-9])/, '');
  const hex = /^0x[0-9a-f]{1,6}$/i.test(value) ? String(Number(value)) : undefined;
  const unquoted = /^(["'])([0-9]{1,20})\1$/.exec(value)?.[2];
  const meant = hex ?? unquoted;
  return new MeshError(code, value === '' ? `${key} is empty` : `${key} ${quoted(value)} is not a decimal number`, {
    rule,
    remedy: meant === undefined ? AS_ON_HOST0 : `Write ${key}=${meant}`,
    place: valuePlace,
  });
}

/** A number must be written without leading zeros, because addresses are derived from its text. */
function canonicalForm({ key, value, valuePlace }: ConfEntry, digits: string): MeshError | undefined {
  if (value === digits) return undefined;
  return new MeshError('MESH_NET_NUMBER_FORM', `${key} ${quoted(value)} has leading zeros`, {
    rule: 'A number is written without leading zeros: addresses are derived from its text.',
    remedy: `Write ${key}=${digits}`,
    place: valuePlace,
  });
}
