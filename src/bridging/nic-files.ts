/** The files of this machine that configure a card: which tool reads them, and what they must say for the bridge. */
import { globSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { textAt } from '../disk/durable-file.ts';
import type { BridgeWish, FileStep, FileText } from '../formats/distribution/bridge-wish.ts';
import { bridgeInterfaces, sourcePatterns } from '../formats/distribution/interfaces.ts';
import { bridgeNetworkd } from '../formats/distribution/networkd.ts';
import { bridgeIfcfg, bridgeProfiles } from '../formats/distribution/printed-files.ts';
import { MeshError } from '../model/error.ts';
import type { Tool } from './nic-record.ts';

/** What the tool of a card needs for the bridge. Paths are those of the machine, without the root. */
export interface NicFiles {
  readonly tool: Tool;
  /** The writes that make the bridge last, in their order. */
  readonly steps: readonly FileStep[];
  /** The writes that tell a running tool of the bridge. They are in a place that a restart empties. */
  readonly trialFiles: readonly FileStep[];
  /** Files that the administrator writes, for tools whose files we do not write. */
  readonly printed: readonly FileText[];
}

const INTERFACES = '/etc/network/interfaces';
const NETWORKD = { lasting: '/etc/systemd/network', trial: '/run/systemd/network' };
const NOTHING = { steps: [], trialFiles: [], printed: [] };

/**
 * Finds the tool that configures the card, and what its files must say.
 * @param index of the card, by which running tools note their devices
 * @param wanted the tool that the administrator names; undefined: the one that is found
 * @throws MESH_NIC_UNFIT if none is found, MESH_NIC_UNFIT
 */
export async function nicFiles(root: string, index: number, wish: BridgeWish, wanted?: Tool): Promise<NicFiles> {
  if (wanted === 'none') return { tool: 'none', ...NOTHING };
  const finders: Readonly<Record<Exclude<Tool, 'none'>, () => Promise<NicFiles | undefined>>> = {
    networkd: () => ofNetworkd(root, index, wish),
    networkmanager: () => ofNetworkManager(root, index, wish),
    ifupdown: () => ofIfupdown(root, wish),
    ifcfg: () => ofIfcfg(root, wish),
  };
  for (const [tool, find] of Object.entries(finders)) {
    const found = wanted === undefined || wanted === tool ? await find() : undefined;
    if (found !== undefined) return found;
  }
  const who = wanted === undefined ? 'no tool that Meshwork knows configures' : `${wanted} does not configure`;
  throw new MeshError('MESH_NIC_UNFIT', `${who} ${wish.card}`, {
    operation: 'write the configuration of the bridge',
    object: wish.card,
    rule: 'Files are written for ifupdown and systemd-networkd, and shown for ifcfg and NetworkManager.',
    remedy: 'Bridge the card until the next restart only, with `--tool none`.',
  });
}

async function ofIfupdown(root: string, wish: BridgeWish): Promise<NicFiles | undefined> {
  const files = await interfaceFiles(root, INTERFACES);
  const steps = bridgeInterfaces(files, wish);
  return steps && { tool: 'ifupdown', ...NOTHING, steps };
}

/** A file of ifupdown with those that it names, in the order in which ifup reads them. */
async function interfaceFiles(root: string, path: string, depth = 0): Promise<FileText[]> {
  const text = await textAt(join(root, path)).catch(() => undefined);
  if (text === undefined || depth > 8) return [];
  const files: FileText[] = [{ path, text }];
  for (const { pattern, directory } of sourcePatterns(text)) {
    const absolute = pattern.startsWith('/') ? pattern : join('/etc/network', pattern);
    const found = directory ? inDirectory(root, absolute) : globSync(join(root, absolute)).toSorted();
    for (const file of found) files.push(...(await interfaceFiles(root, withoutRoot(root, file), depth + 1)));
  }
  return files;
}

/** ifupdown reads only such names in a directory. */
function inDirectory(root: string, directory: string): string[] {
  try {
    const names = readdirSync(join(root, directory)).filter((name) => /^[a-zA-Z0-9_-]+$/.test(name));
    return names.toSorted().map((name) => join(root, directory, name));
  } catch {
    return [];
  }
}

function withoutRoot(root: string, path: string): string {
  return root === '/' ? path : path.slice(root.length);
}

async function ofNetworkd(root: string, index: number, wish: BridgeWish): Promise<NicFiles | undefined> {
  const state = (await textAt(join(root, `run/systemd/netif/links/${index}`))) ?? '';
  const file = settingOf(state, 'NETWORK_FILE');
  if (settingOf(state, 'ADMIN_STATE') === 'unmanaged' || file === undefined) return undefined;
  const places = [file, ...(settingOf(state, 'NETWORK_FILE_DROPINS') ?? '').split(/[\s:]+/)].filter(
    (place) => place !== '',
  );
  const texts = await Promise.all(places.map(async (place) => (await textAt(join(root, place))) ?? ''));
  const files = bridgeNetworkd(texts.join('\n'), wish);
  const below = (directory: string) => files.map(({ path, text }) => ({ path: join(directory, path), text }));
  // A renaming is for udev, at the next start.
  const trialFiles = below(NETWORKD.trial).filter(({ path }) => !path.endsWith('.link'));
  return { tool: 'networkd', steps: below(NETWORKD.lasting), trialFiles, printed: [] };
}

async function ofNetworkManager(root: string, index: number, wish: BridgeWish): Promise<NicFiles | undefined> {
  const state = (await textAt(join(root, `run/NetworkManager/devices/${index}`))) ?? '';
  if (settingOf(state, 'managed') !== 'true') return undefined;
  const uuid = settingOf(state, 'connection-uuid');
  const profiles = globSync(join(root, 'etc/NetworkManager/system-connections/*.nmconnection'));
  const texts = await Promise.all(profiles.map(async (path) => (await textAt(path)) ?? ''));
  const own = texts.find((text) => settingOf(text, 'uuid') === uuid && uuid !== undefined) ?? '';
  return { tool: 'networkmanager', ...NOTHING, printed: bridgeProfiles(own, wish) };
}

async function ofIfcfg(root: string, wish: BridgeWish): Promise<NicFiles | undefined> {
  const text = await textAt(join(root, `etc/sysconfig/network-scripts/ifcfg-${basename(wish.card)}`));
  return text === undefined ? undefined : { tool: 'ifcfg', ...NOTHING, printed: bridgeIfcfg(text, wish) };
}

function settingOf(text: string, key: string): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${key}=`));
  return line?.slice(key.length + 1).trim() || undefined;
}
