/** `mesh network check FILE…`: checks network files as host0 and the nodes do, without a running process. */

import type { MeshConf } from '../../formats/conf/mesh-conf.ts';
import { readNetworkFile } from '../../formats/conf/network-files.ts';
import { judgeNetworkFiles } from '../../formats/conf/network-set.ts';
import { errorText } from '../../formats/error-text.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { type Column, table } from '../print/table.ts';

/** Prints every fault of every file, and sets exit code 1 when there is one. */
export async function checkNetworkFiles(context: Context, files: readonly string[]): Promise<void> {
  const { accepted, errors, warnings } = judgeNetworkFiles(await Promise.all(files.map(readNetworkFile)));
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
  { title: 'VNI', text: ({ network }) => String(network.type.vni), align: 'right' },
  { title: 'PREFIX', text: ({ network }) => network.hostAddress.prefix },
];
