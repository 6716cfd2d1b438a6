/** The product's version, as `mesh --version` and status documents give it. */
export const VERSION = '0.1.0';

/** What a package was built from. */
export interface Build {
  /** The commit, abbreviated; `-modified` behind it if the checkout had other changes. */
  readonly commit: string;
  /** The day of that commit, `2026-11-30`. */
  readonly date: string;
}

/** packaging/bundle.ts puts the build here. In a checkout there is none: `git log` knows more. */
declare const MESHWORK_BUILD: Build | undefined;

const build = typeof MESHWORK_BUILD === 'undefined' ? undefined : MESHWORK_BUILD;

/** The document that `mesh --version --json` prints. */
export interface VersionView extends Partial<Build> {
  readonly name: 'meshwork';
  readonly version: string;
}

/** The version, and in a package the build. */
export function versionView(): VersionView {
  return { name: 'meshwork', version: VERSION, ...build };
}

/** `meshwork 0.1.0`, and the commit with its day in what is built. */
export function versionText(): string {
  const from = build === undefined ? '' : ` (commit ${build.commit} of ${build.date})`;
  return `meshwork ${VERSION}${from}`;
}
