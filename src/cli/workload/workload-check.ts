/** `mesh workload check FILE…`: checks workload files as host0 and the nodes do, without a running process. */
import { errorText } from '../../formats/error-text.ts';
import { readWorkloadFile } from '../../formats/workload/workload-file.ts';
import { MeshError } from '../../model/error.ts';
import type { Workload } from '../../model/workload/workload.ts';
import type { Context } from '../context.ts';
import { bytesText } from '../print/bytes.ts';
import { plain } from '../print/color.ts';
import { type Column, table } from '../print/table.ts';

interface ReadWorkload {
  readonly file: string;
  readonly workload: Workload;
}

/** Prints every fault of every file, and sets exit code 1 when there is one. */
export async function checkWorkloadFiles(context: Context, files: readonly string[]): Promise<void> {
  const results = await Promise.all(files.map(readWorkloadFile));
  const read = results.flatMap(({ file, workload }) => (workload === undefined ? [] : [{ file, workload }]));
  const doubles = [...doublesOf(read, 'name'), ...doublesOf(read, 'uuid')];
  const errors = [...results.flatMap((result) => result.errors), ...doubles];
  const accepted = read.filter(({ file }) => doubles.every(({ object }) => object !== file));
  if (errors.length > 0) context.exitCode = 1;
  context.answer({ ok: errors.length === 0, accepted, errors }, () => {
    const color = context.paint !== plain;
    return [...errors.map((error) => `${errorText(error, { color })}\n`), table(accepted, COLUMNS, context.page)]
      .filter((part) => part !== '')
      .join('\n');
  });
}

/** An error for each file whose name or uuid an earlier one has. */
function doublesOf(read: readonly ReadWorkload[], key: 'name' | 'uuid'): MeshError[] {
  return read.flatMap(({ file, workload }, at) => {
    const first = read.slice(0, at).find((other) => other.workload[key] === workload[key]);
    if (first === undefined) return [];
    return [
      new MeshError('MESH_WORKLOAD_TWICE', `${file} has the ${key} of ${first.file}: ${workload[key]}`, {
        object: file,
        rule: `Each workload has a ${key} of its own.`,
        remedy: `Change the ${key} in one of the two files.`,
      }),
    ];
  });
}

const COLUMNS: readonly Column<ReadWorkload>[] = [
  { title: 'FILE', text: ({ file }) => file, flexible: true },
  { title: 'CHECK', text: () => 'ok', tone: () => 'good' },
  { title: 'WORKLOAD', text: ({ workload }) => workload.name },
  { title: 'MEMORY', text: ({ workload }) => bytesText(workload.memoryBytes, 1024), align: 'right' },
  { title: 'THREADS', text: ({ workload }) => String(workload.cpu.threads), align: 'right' },
  { title: 'NETWORKS', text: ({ workload }) => workload.networks.map(({ network }) => network).join(', ') || '–' },
];
