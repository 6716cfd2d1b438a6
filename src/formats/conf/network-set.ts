/** The network files of one directory, checked together: names, VNIs and prefixes must be unique. */

import { type Ipv6Cidr, ipv6InSubnet, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { type MeshConf, parseMeshConf } from './mesh-conf.ts';

/** A file with its content, which is not parsed yet. */
export interface NetworkFile {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** The result of a check of all files. */
export interface NetworkSet {
  /** Files without errors. Of two files that collide, neither is accepted. */
  readonly accepted: readonly MeshConf[];
  readonly errors: readonly MeshError[];
  /** Doubtful values of accepted files. */
  readonly warnings: readonly MeshError[];
}

/**
 * Parses and checks `files`. Where two files collide, the error is at the later one and names the earlier one.
 * @param underlay subnets of the machine's own links and routes, without the default route and without meshes
 */
export function judgeNetworks(files: readonly NetworkFile[], underlay: readonly Ipv6Cidr[]): NetworkSet {
  const results = files.map(({ file, bytes }) => parseMeshConf(file, bytes));
  const confs = results.flatMap(({ conf }) => conf ?? []);
  const errors: MeshError[] = results.flatMap((result) => result.errors);
  const refused = new Set<MeshConf>();

  for (const { field, code, rule, remedy } of UNIQUE) {
    for (const [conf, first] of doubles(confs, field)) {
      errors.push(new MeshError(code, doubleText(conf, first, field), { rule, remedy, place: conf.places[field] }));
      refused.add(conf).add(first);
    }
  }
  for (const conf of confs) {
    const subnet = underlay.find((candidate) => overlap(candidate, conf.network.fabric.prefix));
    if (subnet === undefined) continue;
    errors.push(underlayPrefix(conf, subnet));
    refused.add(conf);
  }
  const accepted = confs.filter((conf) => !refused.has(conf));
  return { accepted, errors, warnings: doubles(accepted, 'key').map(([conf, first]) => sharedKey(conf, first)) };
}

type Field = keyof MeshConf['places'];

const UNIQUE = [
  {
    field: 'name',
    code: 'MESH_NET_NAME_TWICE',
    rule: 'Each mesh has a name of its own.',
    remedy: 'Write another name in one of the two files',
  },
  {
    field: 'vni',
    code: 'MESH_NET_VNI_TWICE',
    rule: 'Each mesh has a vni of its own: it names the devices and keeps the meshes apart on the underlay.',
    remedy: 'Write another vni in one of the two files',
  },
  {
    field: 'prefix',
    code: 'MESH_NET_PREFIX_TWICE',
    rule: 'Each mesh has a prefix of its own: a node has one route for it.',
    remedy: 'Write another prefix in one of the two files',
  },
] as const;

function fieldOf({ name, fabric }: Network, field: Field): string {
  return field === 'name' ? name : String(fabric[field]);
}

/** Each file with the same value of `field` as an earlier file, and the earliest of these. */
function doubles(confs: readonly MeshConf[], field: Field): (readonly [conf: MeshConf, first: MeshConf])[] {
  const firsts = new Map<string, MeshConf>();
  return confs.flatMap((conf) => {
    const value = fieldOf(conf.network, field);
    const first = firsts.get(value);
    if (first !== undefined) return [[conf, first] as const];
    firsts.set(value, conf);
    return [];
  });
}

function doubleText(conf: MeshConf, first: MeshConf, field: Field): string {
  return `${field} ${fieldOf(conf.network, field)} is also that of ${whereIs(first.places[field])}`;
}

function whereIs({ file, line }: SourcePlace): string {
  return `${file}:${line}`;
}

function sharedKey(conf: MeshConf, first: MeshConf): MeshError {
  return new MeshError('MESH_NET_KEY_SHARED', doubleText(conf, first, 'key'), {
    rule: 'Each mesh should have a key of its own, so that no two meshes derive the same addresses.',
    remedy: 'Write another key in one of the two files before nodes join: it changes their addresses',
    place: conf.places.key,
  });
}

function underlayPrefix({ network, places }: MeshConf, subnet: Ipv6Cidr): MeshError {
  const { prefix } = network.fabric;
  return new MeshError(
    'MESH_NET_PREFIX_UNDERLAY',
    `prefix ${prefix} overlaps ${subnet}, a subnet that this machine is in`,
    {
      rule: 'A mesh has addresses that the physical network does not use.',
      remedy: 'Write a prefix of your own from fd00::/8',
      place: places.prefix,
    },
  );
}

function overlap(a: Ipv6Cidr, b: Ipv6Cidr): boolean {
  return ipv6InSubnet(parseIpv6Interface(a).address, b) || ipv6InSubnet(parseIpv6Interface(b).address, a);
}
