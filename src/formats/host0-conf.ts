/**
 * host0's settings, `/host0/host0.conf` or `/etc/pxen/host0.conf`: lines of `key="value"`, several values side by side.
 *
 *     subnet_pool="10.11.0.0/16" "192.168.0.0/23"   # where new boot segments take their subnets from
 *     default_subnet_size="25"                      # bits of such a subnet's prefix, 1 to 30
 *     segment_ports="eth1" "eth2"                   # ports that boot segments may be on; without it, any that is fit
 *     admission="known"                             # who may join: open (anybody), known (machines with a folder), token
 *     metrics="manage"                              # the network that metrics are served in; without it, in none
 */
import { MeshError } from '../model/error.ts';
import { type Ipv4Cidr, parseIpv4Cidr } from '../model/ipv4.ts';
import { type ConfEntry, parseConfText } from './conf-file.ts';
import { ConfKeys, quoted } from './conf-keys.ts';
import { errnoOf, readConfBytes, unreadable } from './conf-reader.ts';
import { NETWORK_NAME } from './mesh-conf.ts';
import { nearest } from './nearest.ts';

const ADMISSIONS = ['open', 'known', 'token'] as const;
export type Admission = (typeof ADMISSIONS)[number];

export interface Host0Settings {
  readonly subnetPool: readonly Ipv4Cidr[];
  readonly defaultSubnetSize: number;
  /** Undefined: to be decided from the machine. */
  readonly segmentPorts: readonly string[] | undefined;
  readonly admission: Admission;
  /** Name of the network whose members may read host0's metrics. Undefined: none. */
  readonly metricsNetwork: string | undefined;
}

export const HOST0_DEFAULTS: Host0Settings = {
  subnetPool: [parseIpv4Cidr('10.11.0.0/16')],
  defaultSubnetSize: 25,
  segmentPorts: undefined,
  admission: 'open',
  metricsNetwork: undefined,
};

export interface Host0Conf {
  /** Absent when there are errors: half a configuration might admit whom the other half keeps out. */
  readonly settings?: Host0Settings;
  readonly errors: readonly MeshError[];
}

/** The settings in the first of `files` that exists; the defaults when none does. */
export async function readHost0Conf(files: readonly string[]): Promise<Host0Conf> {
  for (const file of files) {
    try {
      return parseHost0Conf(file, await readConfBytes(file));
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') return { errors: [unreadable(file, cause)] };
    }
  }
  return { settings: HOST0_DEFAULTS, errors: [] };
}

export function parseHost0Conf(file: string, bytes: Uint8Array): Host0Conf {
  const text = parseConfText(file, bytes);
  if (text instanceof MeshError) return { errors: [text] };
  const keys = new ConfKeys(text, ['subnet_pool', 'default_subnet_size', 'segment_ports', 'admission', 'metrics']);
  const settings: Host0Settings = {
    subnetPool: keys.optional('subnet_pool', listOf(parsePool)) ?? HOST0_DEFAULTS.subnetPool,
    defaultSubnetSize: keys.optional('default_subnet_size', oneOf(parseSize)) ?? HOST0_DEFAULTS.defaultSubnetSize,
    segmentPorts: keys.optional('segment_ports', listOf(parsePort)),
    admission: keys.optional('admission', oneOf(parseAdmission)) ?? HOST0_DEFAULTS.admission,
    metricsNetwork: keys.optional('metrics', oneOf(parseNetworkName)),
  };
  return keys.errors.length > 0 ? { errors: keys.errors } : { settings, errors: [] };
}

/** What is wrong with a value, and what to write for it. */
interface Fault {
  readonly fault: string;
  readonly rule: string;
  readonly example: string;
}
type ParseWord<T extends string | number> = (word: string) => T | Fault;

function parsePool(word: string): Ipv4Cidr | Fault {
  try {
    return parseIpv4Cidr(word);
  } catch (error) {
    const { message, remedy } = MeshError.from(error);
    const example = /^Write (\S+)\.$/.exec(remedy ?? '')?.[1] ?? HOST0_DEFAULTS.subnetPool.join();
    return { fault: message, rule: 'A pool is an IPv4 network, as in 10.11.0.0/16.', example };
  }
}

function parseSize(word: string): number | Fault {
  if (/^(?:[1-9]|[12][0-9]|30)$/.test(word)) return Number(word);
  const rule = 'A subnet size is the length of a prefix in bits, from 1 to 30.';
  return { fault: `${quoted(word)} is not a subnet size`, rule, example: String(HOST0_DEFAULTS.defaultSubnetSize) };
}

function parsePort(word: string): string | Fault {
  // What the kernel takes for a device name (net/core/dev.c, dev_valid_name).
  if (/^[^\s/:]{1,15}$/.test(word) && word !== '.' && word !== '..') return word;
  const rule = 'A port is the name of a network device, 1 to 15 characters without blanks, slashes and colons.';
  return { fault: `${quoted(word)} is not the name of a device`, rule, example: 'eth1' };
}

function parseNetworkName(word: string): string | Fault {
  if (NETWORK_NAME.test(word)) return word;
  const rule = 'Metrics are served in one network, by its name: letters, digits, dots, underscores and hyphens.';
  return { fault: `${quoted(word)} is not the name of a network`, rule, example: 'manage' };
}

function parseAdmission(word: string): Admission | Fault {
  const admission = ADMISSIONS.find((known) => known === word);
  if (admission !== undefined) return admission;
  const rule = 'Admission is open (anybody joins), known (machines that host0 knows) or token (who has a token).';
  return {
    fault: `${quoted(word)} is no kind of admission`,
    rule,
    example: nearest(word, ADMISSIONS) ?? HOST0_DEFAULTS.admission,
  };
}

function listOf<T extends string | number>(parse: ParseWord<T>) {
  return (entry: ConfEntry): T[] | MeshError => {
    const values: T[] = [];
    const words = wordsOf(entry.value);
    for (const [index, { word, column }] of words.entries()) {
      const value = parse(word);
      if (typeof value === 'object') {
        const better = words.map((other) => other.word).with(index, value.example);
        return invalid(entry, column, value.fault, value.rule, better);
      }
      values.push(value);
    }
    return values.length > 0 ? values : invalid(entry, 0, 'is empty', 'A key that is given has a value.', []);
  };
}

function oneOf<T extends string | number>(parse: ParseWord<T>) {
  const parseList = listOf(parse);
  return (entry: ConfEntry): T | MeshError => {
    const values = parseList(entry);
    if (values instanceof MeshError) return values;
    const [value, ...others] = values;
    if (value !== undefined && others.length === 0) return value;
    const column = wordsOf(entry.value)[1]?.column ?? 0;
    return invalid(entry, column, 'has several values', 'This key has one value.', [`${value}`]);
  };
}

/** The words of a value, without their quotes, and how far into it each begins. */
function wordsOf(value: string): { word: string; column: number }[] {
  return Array.from(value.matchAll(/"([^"]*)"|(\S+)/g), ({ 1: inQuotes, 2: bare, index }) =>
    inQuotes === undefined ? { word: bare ?? '', column: index } : { word: inQuotes, column: index + 1 },
  );
}

function invalid(
  { key, valuePlace }: ConfEntry,
  column: number,
  fault: string,
  rule: string,
  better: readonly string[],
): MeshError {
  const text = better.map((word) => `"${word}"`).join(' ');
  return new MeshError('MESH_HOST0_CONF_INVALID', `${key} ${fault}`, {
    rule,
    remedy: text === '' ? 'Write a value, or remove the line' : `Write ${key}=${text}`,
    place: { ...valuePlace, column: valuePlace.column + column },
  });
}
