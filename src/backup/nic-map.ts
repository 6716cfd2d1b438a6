/**
 * Which network card of this machine stands for which one of the backup. The settings of host0, and the subnets of its segments, name
 * cards by what the kernel of another machine called them.
 */
import { namedDevices } from '../formats/host0/device-settings.ts';
import type { Host0Settings } from '../formats/host0/host0-conf.ts';
import { MeshError } from '../model/error.ts';
import { readJson } from '../protocol/shapes/document.ts';
import type { StoreBackup } from '../store/store-backup.ts';
import type { BackedNic, BackupManifest } from './archive/manifest.ts';

/** A card of this machine. */
export type OwnNic = BackedNic;

/** How a card was found. */
type NicReason = 'named' | 'same card' | 'same name' | 'the only one left';

/** One card of the backup. */
export interface NicChoice {
  readonly from: string;
  /** Its Ethernet address on the machine of the backup. */
  readonly mac?: string;
  /** Its name here; undefined if it is not known which card it is. */
  readonly to?: string;
  readonly reason?: NicReason;
}

/** Where the store keeps which segment has which subnet, with the names of its cards. */
const SUBNETS = '/v1/pools/subnets/';
const KEYS = /^([ \t]*(?:segment_ports|boot_mode|manual_subnets|join_groups)[ \t]*=)(.*)$/gm;
/** A word of a value up to its equals sign: the name of a card. */
const WORD = /(^|["\s])([^"\s=#]+)(?=["\s=]|$)/g;

/** The cards that a backup names and needs. */
export function neededNics(
  settings: Pick<Host0Settings, 'segmentNics' | 'bootModes' | 'manualSubnets' | 'joinGroups'>,
  store: StoreBackup,
): readonly string[] {
  const named = namedDevices(settings).map(({ device }) => device);
  const stored = store.entries.filter(({ key }) => key.startsWith(SUBNETS)).flatMap(({ value }) => portsIn(value));
  return [...new Set([...named, ...stored])].toSorted();
}

/**
 * Finds the cards.
 * @param needed names of the backup
 * @param own the cards of this machine
 * @param named what the administrator says: names of the backup, with those here
 * @throws MESH_USAGE for a card that is neither here nor there
 */
export function chooseNics(
  { nics }: Pick<BackupManifest, 'nics'>,
  needed: readonly string[],
  own: readonly OwnNic[],
  named: ReadonlyMap<string, string>,
): readonly NicChoice[] {
  mustBeThere(nics, needed, own, named);
  const taken = new Set(named.values());
  const choices = new Map<string, NicChoice>();
  const choose = (from: string, to: string, reason: NicReason): void => {
    const mac = nics.find(({ name }) => name === from)?.mac;
    choices.set(from, { from, to, reason, ...(mac !== undefined && { mac }) });
    taken.add(to);
  };
  for (const [from, to] of named) choose(from, to, 'named');
  const open = () => needed.filter((from) => !choices.has(from));
  for (const from of open()) {
    const mac = nics.find(({ name }) => name === from)?.mac;
    const same = own.find((nic) => nic.mac === mac && !taken.has(nic.name));
    if (same !== undefined) choose(from, same.name, 'same card');
  }
  for (const from of open()) {
    // A card that the other machine had not, either, keeps its name: the settings name it in advance.
    const wasThere = nics.some(({ name }) => name === from);
    const same = own.find(({ name }) => name === from && !taken.has(name));
    if (same !== undefined || !wasThere) choose(from, from, 'same name');
  }
  const [only, ...others] = open();
  const [left, ...more] = own.filter(({ name }) => !taken.has(name));
  if (only !== undefined && others.length === 0 && left !== undefined && more.length === 0)
    choose(only, left.name, 'the only one left');
  return needed.map((from) => {
    const mac = nics.find(({ name }) => name === from)?.mac;
    return choices.get(from) ?? { from, ...(mac !== undefined && { mac }) };
  });
}

/** The new names of all cards that have another one here. @throws MESH_BACKUP_NIC while one is not known */
export function renamedNics(choices: readonly NicChoice[], own: readonly OwnNic[]): ReadonlyMap<string, string> {
  const open = choices.filter(({ to }) => to === undefined);
  if (open.length > 0) {
    const names = open.map(({ from, mac }) => (mac === undefined ? from : `${from} (${mac})`)).join(', ');
    const here = own.map(({ name, mac }) => `${name} (${mac})`).join(', ') || 'none';
    throw new MeshError('MESH_BACKUP_NIC', `which cards of this machine stand for ${names} is not known`, {
      operation: 'restore backup',
      object: open.map(({ from }) => from).join(', '),
      rule: 'Settings of host0 name network cards, and each needs one of this machine.',
      remedy: `Name it: --nic ${open[0]?.from ?? 'OLD'}=NEW. This machine has ${here}. Nothing was changed.`,
    });
  }
  return new Map(choices.flatMap(({ from, to }) => (to === undefined || to === from ? [] : [[from, to] as const])));
}

/** A host0.conf with other names of cards. All else of the text stays as it is. */
export function renameInConf(text: string, renamed: ReadonlyMap<string, string>): string {
  return text.replace(KEYS, (_, key: string, value: string) => {
    const words = value.replace(WORD, (_word, before: string, name: string) => `${before}${renamed.get(name) ?? name}`);
    return `${key}${words}`;
  });
}

/** The entries of a store with other names of cards. */
export function renameInStore(store: StoreBackup, renamed: ReadonlyMap<string, string>): StoreBackup {
  if (renamed.size === 0) return store;
  const entries = store.entries.map(({ key, value }) => {
    const { document } = key.startsWith(SUBNETS) ? readJson(value) : {};
    if (!hasPorts(document)) return { key, value };
    const ports = document.ports.map((name) => (typeof name === 'string' ? (renamed.get(name) ?? name) : name));
    return { key, value: JSON.stringify({ ...document, ports }) };
  });
  return { ...store, entries };
}

function portsIn(value: string): readonly string[] {
  const { document } = readJson(value);
  return hasPorts(document) ? document.ports.filter((name) => typeof name === 'string') : [];
}

function hasPorts(document: unknown): document is { readonly ports: readonly unknown[] } {
  return typeof document === 'object' && document !== null && 'ports' in document && Array.isArray(document.ports);
}

function mustBeThere(
  nics: readonly BackedNic[],
  needed: readonly string[],
  own: readonly OwnNic[],
  named: ReadonlyMap<string, string>,
): void {
  for (const [from, to] of named) {
    const isThere = needed.includes(from) || nics.some(({ name }) => name === from);
    const isHere = own.some(({ name }) => name === to);
    if (isThere && isHere) continue;
    const [what, list] = isThere
      ? [`this machine has no card ${to}`, own.map(({ name }) => name)]
      : [`the backup names no card ${from}`, needed];
    throw new MeshError('MESH_USAGE', `--nic ${from}=${to}: ${what}`, {
      operation: 'restore backup',
      remedy: `There are ${list.join(', ') || 'none'}.`,
    });
  }
  const twice = [...named.values()].find((to, index, all) => all.indexOf(to) !== index);
  if (twice === undefined) return;
  throw new MeshError('MESH_USAGE', `--nic names ${twice} twice`, {
    operation: 'restore backup',
    rule: 'Each card of this machine stands for one of the backup.',
    remedy: 'Name another card.',
  });
}
