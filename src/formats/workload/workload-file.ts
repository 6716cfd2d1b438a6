/** Reads workload files from a disk, each with the file of its user data. */
import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { USER_DATA_MAX_LENGTH } from '../../model/workload/cloud.ts';
import type { Workload } from '../../model/workload/workload.ts';
import { errnoOf, readConfBytes, unreadable } from '../conf/conf-reader.ts';
import { systemWords } from '../system-error.ts';
import { parseWorkloadConf, type WorkloadConf } from './workload-conf.ts';
import { unquoted, wrongValue } from './workload-values.ts';

/** A workload, or what is wrong with its file. */
export type WorkloadFileResult =
  | { readonly file: string; readonly workload: Workload; readonly errors: readonly [] }
  | { readonly file: string; readonly workload?: undefined; readonly errors: readonly MeshError[] };

/** Reads one file. */
export async function readWorkloadFile(file: string): Promise<WorkloadFileResult> {
  let bytes: Uint8Array;
  try {
    bytes = await readConfBytes(file);
  } catch (cause) {
    return { file, errors: [unreadable(file, cause)] };
  }
  const { conf, errors } = parseWorkloadConf(file, bytes);
  if (conf === undefined) return { file, errors };
  const workload = await withUserData(conf);
  return workload instanceof MeshError ? { file, errors: [workload] } : { file, workload, errors: [] };
}

/**
 * The file of the workload of this name: `NAME.conf`, or another file of the directory with `name=NAME`.
 * @returns undefined if the directory has none
 */
export async function findWorkloadFile(directory: string, name: string): Promise<WorkloadFileResult | undefined> {
  const files = await readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw unreadable(directory, error);
  });
  const confs = files.filter((file) => file.endsWith('.conf')).toSorted();
  const own = `${name}.conf`;
  for (const file of [...confs.filter((conf) => conf === own), ...confs.filter((conf) => conf !== own)]) {
    const result = await readWorkloadFile(join(directory, file));
    if (result.workload?.name === name) return result;
    // A wrong file of this name is what was meant.
    if (file === own && result.workload === undefined) return result;
  }
  return undefined;
}

async function withUserData({ file, workload, userData }: WorkloadConf): Promise<Workload | MeshError> {
  if (userData === undefined) return workload;
  const path = resolve(dirname(file), unquoted(userData));
  const rule = `The user data is a file of text on the machine that starts the workload, of at most ${USER_DATA_MAX_LENGTH} bytes.`;
  try {
    const bytes = await readConfBytes(path);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (bytes.length > USER_DATA_MAX_LENGTH)
      return wrongValue(userData, 'names a file that is too large', rule, undefined);
    return { ...workload, cloud: { keys: [], ...workload.cloud, userData: text } };
  } catch (cause) {
    return wrongValue(userData, `names a file that cannot be read: ${systemWords(cause)}`, rule, undefined);
  }
}
