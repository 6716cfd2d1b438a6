/** What one machine would install from the mirror if it booted now, and why each package. */
import { dependencyText, parseDependency } from '../../formats/apk/dependency.ts';
import { parsePackageIndex } from '../../formats/apk/package-index.ts';
import type { ErrorDocument } from '../../model/error.ts';
import type { CompiledMachine } from '../overlay/compilation.ts';
import { PackageCatalogue } from './catalogue.ts';
import { machineWords } from './machine-worlds.ts';
import type { ListedGeneration, MirrorStore } from './mirror-store.ts';
import { unsolvedRefusal } from './refusal.ts';
import type { Reason } from './selection.ts';
import { Solver } from './solver.ts';

/** The packages of one machine. */
export interface MachineInstallation {
  readonly generation: number;
  /** In the order in which apk decides. Empty if they do not fit. */
  readonly packages: readonly { readonly title: string; readonly why: string }[];
  /** Why the mirror has not all of it. */
  readonly fault?: ErrorDocument;
}

/** Works out what a machine installs from a generation. @throws MESH_MIRROR_DAMAGED */
export async function installationOf(
  store: MirrorStore,
  generation: ListedGeneration,
  machine: CompiledMachine,
): Promise<MachineInstallation> {
  const repositories = await Promise.all(
    generation.repositories.map(async ({ path, tag }) => ({
      name: path,
      ...(tag !== undefined && { tag }),
      records: parsePackageIndex(await store.indexText(generation, path)).records,
    })),
  );
  const catalogue = new PackageCatalogue(repositories);
  const words = machineWords(machine, generation.boot !== undefined).flatMap((word) => parseDependency(word) ?? []);
  const solution = Solver.solve(catalogue, words);
  const { number } = generation;
  if (!('choices' in solution)) {
    return { generation: number, packages: [], fault: unsolvedRefusal(catalogue, solution, machine.name).toJSON() };
  }
  const packages = solution.choices.map((choice) => ({ title: choice.package.title, why: whyOf(choice.reason) }));
  return { generation: number, packages };
}

/** The reason for a package, in a few words. */
function whyOf(reason: Reason): string {
  if (reason.type === 'word') return `named: ${dependencyText(reason.word)}`;
  if (reason.type === 'install_if') return `comes with ${reason.words.map(dependencyText).join(' and ')}`;
  return `${reason.of.title} needs ${dependencyText(reason.word)}`;
}
