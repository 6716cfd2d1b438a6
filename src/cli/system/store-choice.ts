/** `mesh system start --store`: writes into host0.conf where host0 keeps what it knows. */
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { Option } from 'commander';
import { writeDurable } from '../../disk/durable-file.ts';
import { readHost0Conf } from '../../formats/host0/host0-conf.ts';
import { parseStoreWord, STORE_EXAMPLE, STORE_RULE, storeWord } from '../../formats/host0/store-word.ts';
import { MeshError } from '../../model/error.ts';
import type { EtcdEndpoint } from '../../model/etcd-endpoint.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { isHost0Machine } from './agent.ts';

/** The option `--store`. */
export function storeOption(): Option {
  return new Option(
    '--store <store>',
    'where host0 keeps what it knows: sqlite, or etcd://HOST:PORT,…; kept in host0.conf',
  );
}

/** A store that host0 can have. */
interface StoreChoice {
  readonly members: readonly EtcdEndpoint[];
  /** Writes the choice into host0.conf. */
  readonly keep: () => Promise<void>;
}

/** Keeps the choice, before host0's daemon starts. @throws as `storeChoice` */
export async function chooseStore(context: Context, word: string): Promise<void> {
  await (await storeChoice(context, word)).keep();
}

/** The members that a word names; none for a file. @throws MESH_USAGE */
export function storeNamed(word: string, operation: string): readonly EtcdEndpoint[] {
  const wanted = parseStoreWord(word);
  if (wanted !== undefined) return wanted;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(word)} is not a store`, {
    operation,
    rule: STORE_RULE,
    remedy: `Write one such as --store ${STORE_EXAMPLE}`,
  });
}

/**
 * Looks whether host0 can have a store, and changes nothing.
 * @throws MESH_USAGE, MESH_CONF_*, MESH_ALREADY_RUNNING beside a host0 that has another store
 */
export async function storeChoice(context: Context, word: string): Promise<StoreChoice> {
  const wanted = storeNamed(word, 'start host0');
  if (!isHost0Machine(context)) {
    throw new MeshError('MESH_USAGE', 'this machine is a node, and only host0 has a store', {
      operation: 'start the agent',
      remedy: 'Leave --store out.',
    });
  }
  const { settings, errors } = await readHost0Conf(context.paths.host0Conf);
  if (settings === undefined) throw errors[0] ?? new MeshError('MESH_INTERNAL', 'host0.conf has no settings');
  if (isDeepStrictEqual(settings.store, wanted)) return { members: wanted, keep: async () => {} };
  if (await host0Client(context.paths).answers()) {
    throw new MeshError('MESH_ALREADY_RUNNING', `host0 runs already, with the store ${storeWord(settings.store)}`, {
      operation: 'start host0',
      remedy: 'Stop it first: `mesh system stop`.',
    });
  }
  return { members: wanted, keep: () => writeChoice(context, storeWord(wanted)) };
}

async function writeChoice(context: Context, word: string): Promise<void> {
  const [first = ''] = context.paths.host0Conf;
  const file = context.paths.host0Conf.find((path) => existsSync(path)) ?? first;
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const line = `store="${word}"`;
  const pattern = /^[ \t]*store[ \t]*=.*$/m;
  const after = pattern.test(before)
    ? before.replace(pattern, line)
    : `${before.replace(/\n*$/, before === '' ? '' : '\n')}${line}\n`;
  await writeDurable(file, after);
}
