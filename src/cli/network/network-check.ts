/** `mesh network check FILE…`: checks network files as host0 and the nodes do, without a running process. */

import type { MeshConf } from '../../formats/conf/mesh-conf.ts';
import { readNetworkFile } from '../../formats/conf/network-files.ts';
import { judgeNetworkFiles } from '../../formats/conf/network-set.ts';
import { errorText } from '../../formats/error-text.ts';
import { MeshError } from '../../model/error.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { type Column, table } from '../print/table.ts';
import { isXmlFile, readXmlFile } from './network-input.ts';

/** Prints every fault of every file, and sets exit code 1 when there is one. */
export async function checkNetworkFiles(context: Context, files: readonly string[], validate: boolean): Promise<void> {
  const [documents, confs] = [files.filter(isXmlFile), files.filter((file) => !isXmlFile(file))];
  const meshes = judgeNetworkFiles(await Promise.all(confs.map(readNetworkFile)));
  const read = await Promise.all(documents.map((file) => checkedXml(file, validate)));
  const accepted: readonly Accepted[] = [...meshes.accepted, ...read.flatMap(({ accepted: one }) => one)];
  const errors = [...meshes.errors, ...read.flatMap((one) => one.errors)];
  const warnings = [...meshes.warnings, ...read.flatMap((one) => one.warnings)];
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

/** A file without faults. A document of another format has no number before host0 gives one. */
interface Accepted {
  readonly file: string;
  readonly network: MeshConf['network'] | { readonly name: string };
}

interface Judged {
  readonly accepted: readonly Accepted[];
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

async function checkedXml(file: string, validate: boolean): Promise<Judged> {
  try {
    const { order, name, warnings } = await readXmlFile(file, validate);
    return { accepted: [{ file, network: { ...order, name } }], errors: [], warnings };
  } catch (error) {
    return { accepted: [], errors: [MeshError.from(error)], warnings: [] };
  }
}

const ACCEPTED_COLUMNS: readonly Column<Accepted>[] = [
  { title: 'FILE', text: ({ file }) => file, flexible: true },
  { title: 'CHECK', text: () => 'ok', tone: () => 'good' },
  { title: 'NETWORK', text: ({ network }) => network.name },
  { title: 'VNI', text: ({ network }) => ('hostAddress' in network ? String(network.type.vni) : '–'), align: 'right' },
  { title: 'PREFIX', text: ({ network }) => ('hostAddress' in network ? network.hostAddress.prefix : '–') },
];
