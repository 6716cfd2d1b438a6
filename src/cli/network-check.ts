/** `mesh network check FILE…`: judges network files as host0 and the nodes would, without a running process. */
import { open } from 'node:fs/promises';
import { CONF_FILE_MAX_BYTES } from '../formats/conf-file.ts';
import { errorText } from '../formats/error-text.ts';
import type { MeshConf } from '../formats/mesh-conf.ts';
import { judgeNetworks, type NetworkFile } from '../formats/network-set.ts';
import { MeshError } from '../model/error.ts';
import { plain } from './color.ts';
import type { Context } from './context.ts';
import { type Column, table } from './table.ts';

/** Prints every fault of every file; the exit code is 1 when there is one. */
export async function checkNetworkFiles(context: Context, files: readonly string[]): Promise<void> {
  const { accepted, errors, warnings } = judgeNetworks(await Promise.all(files.map(readNetworkFile)), []);
  if (errors.length > 0) context.exitCode = 1;
  context.answer(
    { ok: errors.length === 0, accepted: accepted.map(({ file, network }) => ({ file, network })), errors, warnings },
    () => {
      const color = context.paint !== plain;
      return [
        ...errors.map((error) => `${errorText(error, { color })}\n`),
        ...warnings.map((warning) => `${errorText(warning, { color, severity: 'warning' })}\n`),
        table(accepted, ACCEPTED_COLUMNS, context.page),
      ]
        .filter((part) => part !== '')
        .join('\n');
    },
  );
}

const ACCEPTED_COLUMNS: readonly Column<MeshConf>[] = [
  { title: 'FILE', text: ({ file }) => file, flexible: true },
  { title: 'CHECK', text: () => 'ok', tone: () => 'good' },
  { title: 'NETWORK', text: ({ network }) => network.name },
  { title: 'VNI', text: ({ network }) => String(network.fabric.vni), align: 'right' },
  { title: 'PREFIX', text: ({ network }) => network.fabric.prefix },
];

/** Reads one byte more than a network file may have, which is enough to refuse it. */
async function readNetworkFile(file: string): Promise<NetworkFile> {
  try {
    await using handle = await open(file, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(CONF_FILE_MAX_BYTES + 1));
    return { file, bytes: buffer.subarray(0, bytesRead) };
  } catch (error) {
    throw new MeshError('MESH_NET_FILE_UNREADABLE', `${file} cannot be read`, {
      operation: 'read network file',
      object: file,
      remedy: `Name a file that is there and that you may read: ${(error as Error).message}.`,
      cause: error,
    });
  }
}
