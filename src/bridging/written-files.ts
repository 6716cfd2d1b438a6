/** The files of a distribution, written step by step and brought back step by step. */
import { rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ifThere, syncDirectory, textAt, writeDurable } from '../disk/durable-file.ts';
import type { FileStep } from '../formats/distribution/bridge-wish.ts';
import { MeshError } from '../model/error.ts';

const PERMISSIONS = 0o644;

/** What the files of the steps are now, a file once. */
export async function textsOf(root: string, steps: readonly FileStep[]): Promise<FileStep[]> {
  const paths = [...new Set(steps.map(({ path }) => path))];
  return await Promise.all(paths.map(async (path) => stepOf(path, await textAt(join(root, path)))));
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
  const permissions = (await ifThere(stat(path)))?.mode;
  if (text !== undefined) {
    await writeDurable(path, text, permissions === undefined ? PERMISSIONS : permissions & 0o777);
    return;
  }
  if (permissions === undefined) return;
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}

function stepOf(path: string, text: string | undefined): FileStep {
  return { path, ...(text !== undefined && { text }) };
}
