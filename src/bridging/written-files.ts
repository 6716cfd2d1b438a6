/** The files of a distribution, written step by step and brought back step by step. */
import { lstat, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ifThere, syncDirectory, writeDurable } from '../disk/durable-file.ts';
import type { FileStep } from '../formats/distribution/bridge-wish.ts';
import { MeshError } from '../model/error.ts';

const PERMISSIONS = 0o644;

/** What the files of the steps are now, a file once. @throws MESH_NIC_UNFIT for what cannot be written back as it is */
export async function textsOf(root: string, steps: readonly FileStep[]): Promise<FileStep[]> {
  const paths = [...new Set(steps.map(({ path }) => path))];
  return await Promise.all(paths.map(async (path) => stepOf(path, await plainTextAt(root, path))));
}

/** Writes the steps in their order. Each is durable before the next. @throws MESH_DISK_REFUSED */
export async function writeSteps(root: string, steps: readonly FileStep[]): Promise<void> {
  for (const { path, text } of steps) await put(join(root, path), text);
}

/**
 * Goes back over the same states of the files, from the last to the first. All of them start the machine well, so a power cut between
 * two of them does no harm.
 */
export function stepsBack(steps: readonly FileStep[], before: readonly FileStep[]): FileStep[] {
  return steps
    .map(({ path }, at) => {
      const earlier =
        steps.slice(0, at).findLast((step) => step.path === path) ?? before.find((step) => step.path === path);
      return stepOf(path, earlier?.text);
    })
    .toReversed();
}

/**
 * Refuses to write over what others wrote.
 * @param known texts that the files may have
 * @throws MESH_NIC_UNFIT
 */
export async function mustBeKnown(root: string, known: readonly FileStep[]): Promise<void> {
  for (const { path, text } of await textsOf(root, known)) {
    if (known.some((step) => step.path === path && step.text === text)) continue;
    throw new MeshError('MESH_NIC_UNFIT', `${path} was changed by others since the bridge was made`, {
      operation: 'write the files of the card',
      object: path,
      rule: 'A file is written only over a text that Meshwork knows.',
      remedy: `Put the settings of the card into ${path} by hand, restart the machine, and forget the bridge with \`--forget\`.`,
    });
  }
}

async function put(path: string, text: string | undefined): Promise<void> {
  const present = await ifThere(lstat(path));
  if (text !== undefined) {
    await writeDurable(path, text, present === undefined ? PERMISSIONS : present.mode & 0o7777, present);
    return;
  }
  if (present === undefined) return;
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}

/** A file is replaced whole: a link would become a file, and bytes of another encoding would be lost. */
async function plainTextAt(root: string, path: string): Promise<string | undefined> {
  const found = await ifThere(lstat(join(root, path)));
  if (found === undefined) return undefined;
  if (!found.isFile()) {
    const remedy = `Put the file itself at ${path}, or write the files by hand and bridge the card with \`--tool none\`.`;
    throw unfitFile(path, 'is no regular file', remedy);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(join(root, path)));
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw unfitFile(path, 'is no UTF-8 text', `Convert it: \`iconv -f latin1 -t utf-8 ${path}\`.`);
  }
}

function unfitFile(path: string, what: string, remedy: string): MeshError {
  return new MeshError('MESH_NIC_UNFIT', `${path} ${what}`, {
    operation: 'write the files of the card',
    object: path,
    rule: 'Meshwork replaces such a file whole, and brings back the same bytes.',
    remedy,
  });
}

function stepOf(path: string, text: string | undefined): FileStep {
  return { path, ...(text !== undefined && { text }) };
}
