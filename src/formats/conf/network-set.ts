/** The network files of one directory, checked together: names, VNIs and prefixes must be unique. */

import { ipv6InSubnet, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { claimsOf, type NetworkClaim } from '../../model/network/network-conflicts.ts';
import type { UnderlayPrefix } from '../../model/network/underlay-prefix.ts';
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

/** The machine that a set of files is for. */
export interface Surroundings {
  /** What the machine uses outside of its meshes. */
  readonly underlay: readonly UnderlayPrefix[];
  /** The networks that work on the machine now. Whatever the underlay becomes, they are accepted again. */
  readonly inForce: readonly Mesh[];
}

/** For files that are not for this machine, or that were accepted before. */
const ANYWHERE: Surroundings = { underlay: [], inForce: [] };

/**
 * Parses and checks `files`. Where two files collide, the error is at the later one and names the earlier one.
 * @param surroundings for files that this machine is to use
 */
export function judgeNetworkFiles(
  files: readonly NetworkFile[],
  { underlay, inForce }: Surroundings = ANYWHERE,
): NetworkSet {
  const results = files.map(({ file, bytes }) => parseMeshConf(file, bytes));
  const confs = results.flatMap(({ conf }) => conf ?? []);
  const errors: MeshError[] = results.flatMap((result) => result.errors);
  const refused = new Set<MeshConf>();

  for (const { field, part, code, rule, remedy } of UNIQUE) {
    for (const { conf, first, value } of doubles(confs, ({ network }) => claimOf(network, part))) {
      errors.push(new MeshError(code, doubleText(first, field, value), { rule, remedy, place: conf.places[field] }));
      refused.add(conf).add(first);
    }
  }
  const inUse = new Set(inForce.map(({ hostAddress }) => hostAddress.prefix));
  for (const conf of confs.filter(({ network }) => !inUse.has(network.hostAddress.prefix))) {
    const faults = underlayFaults([conf], underlay);
    errors.push(...faults);
    if (faults.length > 0) refused.add(conf);
  }
  const accepted = confs.filter((conf) => !refused.has(conf));
  const sharedKeys = doubles(accepted, ({ network }) => network.hostAddress.key).map(sharedKey);
  return { accepted, errors, warnings: [...accepted.flatMap(({ warnings }) => warnings), ...sharedKeys] };
}

/** MESH_NET_PREFIX_UNDERLAY for each of `confs` of whose prefix the underlay uses a part. */
export function underlayFaults(confs: readonly MeshConf[], underlay: readonly UnderlayPrefix[]): MeshError[] {
  return confs.flatMap((conf) => {
    const other = underlay.find((candidate) => isWithin(candidate, conf.network));
    return other === undefined ? [] : [usedElsewhere(conf, other)];
  });
}

type Field = keyof MeshConf['places'];

const UNIQUE = [
  {
    field: 'name',
    part: 'name',
    code: 'MESH_NET_NAME_TWICE',
    rule: 'Each mesh has a name of its own.',
    remedy: 'Write another name in one of the two files',
  },
  {
    field: 'vni',
    part: 'number',
    code: 'MESH_NET_VNI_TWICE',
    rule: 'Each mesh has a vni of its own: it names the devices and keeps the meshes apart on the underlay.',
    remedy: 'Write another vni in one of the two files',
  },
  {
    field: 'prefix',
    part: 'prefix',
    code: 'MESH_NET_PREFIX_TWICE',
    rule: 'Each mesh has a prefix of its own: a node has one route for it.',
    remedy: 'Write another prefix in one of the two files',
  },
] as const;

/** What of a part the network alone can have: the model has the rules, and this file knows where in a file the part stands. */
function claimOf(network: Mesh, part: NetworkClaim['part']): string | undefined {
  return claimsOf(network).find((claim) => claim.part === part)?.text;
}

interface Double {
  readonly conf: MeshConf;
  readonly first: MeshConf;
  readonly value: string;
}

/** Each file with the same value as an earlier file, and the earliest of these. */
function doubles(confs: readonly MeshConf[], claimedBy: (conf: MeshConf) => string | undefined): Double[] {
  const firsts = new Map<string, MeshConf>();
  return confs.flatMap((conf) => {
    const value = claimedBy(conf);
    if (value === undefined) return [];
    const first = firsts.get(value);
    if (first !== undefined) return [{ conf, first, value }];
    firsts.set(value, conf);
    return [];
  });
}

function doubleText(first: MeshConf, field: Field, value: string): string {
  return `${field} ${value} is also that of ${whereIs(first.places[field])}`;
}

function whereIs({ file, line }: SourcePlace): string {
  return `${file}:${line}`;
}

function sharedKey({ conf, first, value }: Double): MeshError {
  return new MeshError('MESH_NET_KEY_SHARED', doubleText(first, 'key', value), {
    rule: 'Each mesh should have a key of its own, so that no two meshes derive the same addresses.',
    remedy: 'Write another key in one of the two files before nodes join: it changes their addresses',
    place: conf.places.key,
  });
}

function usedElsewhere({ network, places }: MeshConf, { prefix, device }: UnderlayPrefix): MeshError {
  return new MeshError(
    'MESH_NET_PREFIX_UNDERLAY',
    `prefix ${network.hostAddress.prefix} is used elsewhere: this machine has ${prefix} on ${device}`,
    {
      rule: 'A mesh has addresses that the physical network does not use.',
      remedy: `Take ${prefix} off ${device}, or write another prefix from fd00::/8 in all files of this mesh`,
      place: places.prefix,
    },
  );
}

/** Whether the /64 of the mesh holds all of `prefix`. A route to more than the /64 leads nothing away from the mesh. */
function isWithin({ prefix }: UnderlayPrefix, { hostAddress }: Mesh): boolean {
  const { address, length } = parseIpv6Interface(prefix);
  return length >= parseIpv6Interface(hostAddress.prefix).length && ipv6InSubnet(address, hostAddress.prefix);
}
