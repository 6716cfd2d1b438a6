/** What `mesh host0 join` does: it checks what this machine has, and writes host0.conf and the key file. */
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeDirectory, writeDurable } from '../../disk/durable-file.ts';
import { readHost0Conf } from '../../formats/host0/host0-conf.ts';
import { parseStoreWord, STORE_EXAMPLE, STORE_RULE, storeWord } from '../../formats/host0/store-word.ts';
import { permanentMacs } from '../../kernel/rtnl/permanent-macs.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { machineId } from '../../machine/machine-id.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import { etcdPlace } from '../../store/etcd/etcd-credentials.ts';
import { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { mustHaveOwnSecret } from '../../store/shared/own-secret.ts';
import { SealKey } from '../../store/shared/seal-key.ts';
import { SealedFiles } from '../../store/shared/sealed-files.ts';

/** The options of `mesh host0 join`. */
export interface JoinOptions {
  readonly store?: string;
  readonly key?: string;
}

/** What the command has found and done. */
export interface Joined {
  readonly host0s: readonly Ipv4[];
  /** No host0 has put its secrets into the store before. */
  readonly isFirst: boolean;
  /** Tells the key file from another. */
  readonly key: string;
}

const OPERATION = 'make this machine a host0';
const KEY_MODE = 0o600;

/** Makes this machine one of several host0s. @throws MESH_USAGE, MESH_SEAL_REFUSED, MESH_STORE_*, MESH_CONF_* */
export async function joinHost0s(paths: Paths, words: readonly string[], options: JoinOptions): Promise<Joined> {
  const { settings, errors } = await readHost0Conf(paths.host0Conf);
  if (settings === undefined) throw errors[0] ?? new MeshError('MESH_INTERNAL', 'host0.conf has no settings');
  const host0s = words.length === 0 ? settings.host0s : words.map(addressOf);
  mustBeOne(host0s);
  const members = options.store === undefined ? settings.store : (parseStoreWord(options.store) ?? []);
  if (members.length === 0) {
    throw new MeshError('MESH_USAGE', 'several host0s need one store, an etcd', {
      operation: OPERATION,
      rule: STORE_RULE,
      remedy: `Add --store ${STORE_EXAMPLE}. \`mesh system backup\` and \`restore\` carry over what a file of sqlite has.`,
    });
  }
  const copied = options.key === undefined ? undefined : await keyAt(options.key);
  const key = copied ?? (await SealKey.read(paths.host0Key));
  const store = await EtcdStore.open(await etcdPlace(members, paths.etcdConf), { clock: systemClock });
  let isFirst: boolean;
  try {
    isFirst = await hasNoSecrets(store, paths, key);
  } finally {
    await store.close();
  }
  if (options.key !== undefined) {
    await makeDirectory(dirname(paths.host0Key));
    await writeDurable(paths.host0Key, readFileSync(options.key, 'utf8'), KEY_MODE);
  } else if (key === undefined) await SealKey.make(paths.host0Key);
  const lines = [
    ...(isDeepStrictEqual(members, settings.store) ? [] : [['store', `"${storeWord(members)}"`] as const]),
    ...(isDeepStrictEqual(host0s, settings.host0s)
      ? []
      : [['host0s', host0s.map((one) => `"${one}"`).join(' ')] as const]),
  ];
  if (isFirst) await takeNodeKey(paths);
  if (lines.length > 0) await writeSettings(paths, lines);
  return { host0s, isFirst, key: (await keyAt(paths.host0Key)).id };
}

/** @throws MESH_SEAL_REFUSED without the key that opens the secrets, and where the secrets of another installation are expected */
async function hasNoSecrets(store: EtcdStore, paths: Paths, key: SealKey | undefined): Promise<boolean> {
  const { entries } = await store.range('/v1/sealed/');
  if (entries.length > 0) {
    if (key !== undefined) {
      await new SealedFiles({ store, key, directory: join(paths.state, 'keys'), clock: systemClock }).check();
      return false;
    }
    throw new MeshError(
      'MESH_SEAL_REFUSED',
      'the store has the secrets of an installation, and here is no key for them',
      {
        operation: OPERATION,
        object: paths.host0Key,
        remedy: `Copy ${paths.host0Key} from a host0 that leads, and name the copy with --key.`,
      },
    );
  }
  await mustHaveOwnSecret(store, join(paths.state, 'keys'));
  return true;
}

/**
 * Fetches the key of this machine as a node from the host0 that runs here: from its next start on, its agent is that of a node. The
 * daemon itself may not write there as a service.
 */
async function takeNodeKey(paths: Paths): Promise<void> {
  const { root, keyFile } = paths;
  const host0 = host0Client(paths);
  if (existsSync(keyFile) || !(await host0.answers())) return;
  const rtnl = await Rtnl.open();
  try {
    const { id: machine } = machineId({ root, env: process.env, permanentMacs: permanentMacs(await rtnl.links()) });
    const { text } = await host0.ask('POST /v1/machines/{machine}/key', { path: { machine }, body: { renew: true } });
    await makeDirectory(dirname(keyFile));
    await writeDurable(keyFile, text, KEY_MODE);
  } finally {
    await rtnl.close();
  }
}

async function keyAt(path: string): Promise<SealKey> {
  const key = await SealKey.read(path);
  if (key !== undefined) return key;
  throw new MeshError('MESH_SEAL_REFUSED', `there is no ${path}`, {
    operation: OPERATION,
    object: path,
    remedy: 'Copy /etc/meshwork/host0.key from a host0 that leads, and name the copy.',
  });
}

function addressOf(word: string): Ipv4 {
  if (isIpv4(word)) return word;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(word)} is no IPv4 address`, {
    operation: OPERATION,
    rule: 'Machines that can be host0 are named by their addresses on the underlay.',
    remedy: 'Write them as in `mesh host0 join 10.11.0.1 10.11.0.2`.',
  });
}

function mustBeOne(host0s: readonly Ipv4[]): void {
  const own = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []);
  if (host0s.length > 1 && host0s.some((address) => own.includes(address))) return;
  const text =
    host0s.length > 1 ? 'none of the addresses is one of this machine' : 'several host0s have several addresses';
  throw new MeshError('MESH_USAGE', text, {
    operation: OPERATION,
    rule: 'All machines that can be host0 are named, this one too, by their addresses on the underlay.',
    remedy: 'Write them as in `mesh host0 join 10.11.0.1 10.11.0.2`; `ip -4 address` prints those of this machine.',
  });
}

/** Writes lines into host0.conf, in place of those with the same keys. */
async function writeSettings(
  { host0Conf }: Paths,
  lines: readonly (readonly [key: string, value: string])[],
): Promise<void> {
  const [first = ''] = host0Conf;
  const file = host0Conf.find((path) => existsSync(path)) ?? first;
  let text = existsSync(file) ? readFileSync(file, 'utf8').replace(/\n*$/, '\n').replace(/^\n/, '') : '';
  for (const [key, value] of lines) {
    const pattern = new RegExp(`^[ \\t]*${key}[ \\t]*=.*$`, 'm');
    const line = `${key}=${value}`;
    text = pattern.test(text) ? text.replace(pattern, line) : `${text}${line}\n`;
  }
  await makeDirectory(dirname(file));
  await writeDurable(file, text);
}
