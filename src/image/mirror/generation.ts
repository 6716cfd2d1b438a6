/** The description of one generation of the mirror, `generation.json`: what is in it, for which machines, and why. */
import * as form from '../../protocol/shapes/form.ts';
import { TimeShape } from '../../protocol/shapes/parts.ts';

/** The number of this form. */
export const GENERATION_FORMAT = 1;

/** A package of a generation. */
export interface GenerationPackage {
  readonly name: string;
  readonly version: string;
  /** The path of its repository, such as `v3.19/main`. */
  readonly repository: string;
  readonly bytes: number;
  readonly checksum: string;
  readonly why: {
    /** `word`: machines name it. */
    readonly type: 'word' | 'dependency' | 'install_if';
    /** The word, or the words, that it is there for. */
    readonly word: string;
    /** `name-version` of the package that has the word. */
    readonly of?: string;
  };
}

/** Machines with the same words. */
export interface GenerationWorld {
  readonly machines: readonly string[];
  readonly words: readonly string[];
  /** `name-version` of what they install, in the order in which apk decides. */
  readonly packages: readonly string[];
}

/** A repository of a generation. */
export interface GenerationRepository {
  readonly path: string;
  readonly tag?: string;
  /** Of the index upstream, in hex. */
  readonly upstreamSha256: string;
  /** The key that has signed that. */
  readonly signedBy: string;
  /** When that was made, ISO 8601. */
  readonly madeAt: string;
  /** The number of packages upstream. */
  readonly offered: number;
}

/** Kernel, initramfs and modloop. */
export interface GenerationBoot {
  readonly version: string;
  /** Where they are below the source, with release and architecture; absent in generations that host0 made before it noted that. */
  readonly path?: string;
  /** What `uname -r` prints. */
  readonly kernelRelease: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** One generation. */
export interface Generation {
  /** Of this form; absent in generations of before it had a number. One of another form is left alone. */
  readonly format?: typeof GENERATION_FORMAT;
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly builtAt: string;
  readonly mode: 'exact' | 'superset';
  readonly architecture: string;
  /** SHA-256 over all that the generation was made from: the same gives the same packages. */
  readonly fingerprint: string;
  /** The key of host0 that has signed its indexes. */
  readonly signedBy: string;
  readonly repositories: readonly GenerationRepository[];
  readonly worlds: readonly GenerationWorld[];
  readonly packages: readonly GenerationPackage[];
  readonly boot?: GenerationBoot;
}

const WORLDS_MAX = 100_000;
const PACKAGES_MAX = 250_000;
const TextShape = form.string({ max: 2000 });
const HexShape = form.string({ pattern: /^[0-9a-f]{64}$/ });
const PathShape = form.string({ pattern: /^[a-z0-9.]+\/[a-z0-9_-]+$/ });
const NameShape = form.string({ pattern: /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}$/ });

/** The form of the file. */
export const GenerationShape: form.Shape<Generation> = form.object({
  format: form.exactOptional(form.literal(GENERATION_FORMAT)),
  number: form.int(1),
  builtAt: TimeShape,
  mode: form.union([form.literal('exact'), form.literal('superset')]),
  architecture: form.string({ pattern: /^[a-z0-9_-]{1,41}$/ }),
  fingerprint: HexShape,
  signedBy: TextShape,
  repositories: form.listOf(
    form.object({
      path: PathShape,
      tag: form.exactOptional(TextShape),
      upstreamSha256: HexShape,
      signedBy: TextShape,
      madeAt: TimeShape,
      offered: form.int(0),
    }),
    100,
  ),
  worlds: form.listOf(
    form.object({
      machines: form.listOf(TextShape, WORLDS_MAX),
      words: form.listOf(TextShape, PACKAGES_MAX),
      packages: form.listOf(TextShape, PACKAGES_MAX),
    }),
    WORLDS_MAX,
  ),
  packages: form.listOf(
    form.object({
      name: NameShape,
      version: form.string({ pattern: /^[0-9][A-Za-z0-9_.~+-]{0,199}$/ }),
      repository: PathShape,
      bytes: form.int(0),
      checksum: form.string({ pattern: /^Q1[A-Za-z0-9+/]{27}=$/ }),
      why: form.object({
        type: form.union([form.literal('word'), form.literal('dependency'), form.literal('install_if')]),
        word: form.string({ max: 20_000 }),
        of: form.exactOptional(TextShape),
      }),
    }),
    PACKAGES_MAX,
  ),
  boot: form.exactOptional(
    form.object({
      version: TextShape,
      path: form.exactOptional(TextShape),
      kernelRelease: TextShape,
      files: form.listOf(form.object({ name: NameShape, bytes: form.int(0), sha256: HexShape }), 10),
    }),
  ),
});

/** `name-version`, as in the name of the file. */
export function titleOf({ name, version }: Pick<GenerationPackage, 'name' | 'version'>): string {
  return `${name}-${version}`;
}
