/**
 * Debian packages from the apt sources of this machine, fetched into a directory of Meshwork's. The packages installed on
 * this machine are neither used nor changed: apt gets an empty list of installed packages, and writes nowhere else.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { MeshError } from '../../model/error.ts';

/** One package, as apt would fetch it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** `NAME_VERSION_ARCHITECTURE.deb`; a colon in the version is written `%3a`. */
const PACKAGE_FILE = /^([^_]+)_([^_]+)_([^_]+)\.deb$/;

/** What apt-get has written. */
interface AptOutcome {
  readonly output: string;
  /** Also a success may have warnings. */
  readonly complaint: string;
}

/** A package list that was not fetched: `W: Failed to fetch URL  REASON`. A failure of all lists is an error, with `E:`. */
const MISSED_LIST = /^[WE]: Failed to fetch (\S+) +(.*)$/;

/** Runs apt-get for one image. One call at a time. */
export class Apt {
  readonly #directory: string;
  readonly #sources: string | undefined;
  /** Package lists fetched into our directory are used; before that, the machine's own lists. */
  #ownLists = false;
  /** Why lists are missing. apt-get calls that a success, and says later that it does not know the packages. */
  #missedLists: readonly string[] = [];

  /**
   * @param directory for lists and packages: a cache that may be deleted at any time
   * @param sources a file of apt sources, in place of those of this machine
   */
  constructor(directory: string, sources?: string) {
    this.#directory = directory;
    this.#sources = sources;
  }

  /**
   * The packages and all that they depend on, sorted by name.
   * @throws MESH_IMAGE_PACKAGES
   */
  async closure(names: readonly string[]): Promise<DebianPackage[]> {
    const printed = await this.#run(['--print-uris', '--yes', 'install', ...names]);
    return printed
      .split('\n')
      .flatMap((line) => packageOf(/^'[^']+' (\S+) \d+/.exec(line)?.[1] ?? '') ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Downloads the packages that are missing, and deletes files of other packages.
   * @returns the package files, in the order of `packages`
   * @throws MESH_IMAGE_PACKAGES
   */
  async fetch(packages: readonly DebianPackage[]): Promise<string[]> {
    const archives = join(this.#directory, 'archives');
    await mkdir(archives, { recursive: true });
    const files = packages.map(fileOf);
    for (const name of await readdir(archives)) {
      if (!files.includes(name)) await rm(join(archives, name), { recursive: true });
    }
    const missing = packages.filter((wanted) => !existsSync(join(archives, fileOf(wanted))));
    if (missing.length > 0) {
      await this.#run(
        ['download', ...missing.map(({ name, architecture, version }) => `${name}:${architecture}=${version}`)],
        archives,
      );
    }
    return files.map((file) => join(archives, file));
  }

  /** Tries once more with fresh package lists if apt-get fails: the machine's lists may be old or deleted. */
  async #run(args: readonly string[], cwd?: string): Promise<string> {
    try {
      return (await this.#aptGet(args, cwd)).output;
    } catch (error) {
      if (this.#ownLists) throw error;
      this.#ownLists = true;
      const { complaint } = await this.#aptGet(['update']);
      this.#missedLists = missedLists(complaint);
      return (await this.#aptGet(args, cwd)).output;
    }
  }

  async #aptGet(args: readonly string[], cwd = this.#directory): Promise<AptOutcome> {
    const options = await this.#options();
    const child = spawn('apt-get', ['--quiet=2', ...options.flatMap((option) => ['--option', option]), ...args], {
      cwd,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', APT_CONFIG: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    try {
      const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
      const [status] = await closed;
      if (status === 0) return { output, complaint };
      throw this.#missedLists.length > 0 ? unreachable(args, this.#missedLists) : refused(args, complaint);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw noApt(error);
      throw error;
    }
  }

  async #options(): Promise<string[]> {
    const status = join(this.#directory, 'status');
    const lists = join(this.#directory, 'lists');
    for (const directory of [join(lists, 'partial'), join(this.#directory, 'cache/archives/partial')]) {
      await mkdir(directory, { recursive: true });
    }
    await writeFile(status, '');
    return [
      `Dir::State::status=${status}`,
      `Dir::Cache=${join(this.#directory, 'cache')}`,
      ...(this.#ownLists ? [`Dir::State::lists=${lists}`] : []),
      ...(this.#sources === undefined
        ? []
        : [`Dir::Etc::sourcelist=${this.#sources}`, 'Dir::Etc::sourceparts=/dev/null']),
      'APT::Architecture=amd64',
      'APT::Install-Recommends=false',
      // Only root may write to the directory. Without this, apt warns that its own user cannot, and continues as root.
      'APT::Sandbox::User=root',
    ];
  }
}

function fileOf({ name, version, architecture }: DebianPackage): string {
  return `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
}

function packageOf(file: string): DebianPackage | undefined {
  const [, name, version, architecture] = PACKAGE_FILE.exec(basename(file)) ?? [];
  if (name === undefined || version === undefined || architecture === undefined) return undefined;
  return { name, version: version.replaceAll('%3a', ':'), architecture };
}

function refused(args: readonly string[], complaint: string): MeshError {
  const reasons = complaint.split('\n').filter((line) => line.startsWith('E:'));
  const reason = (reasons.length > 0 ? reasons : complaint.trim().split('\n').slice(-1))
    .map((line) => line.replace(/^E: /, ''))
    .join('; ');
  return new MeshError('MESH_IMAGE_PACKAGES', `apt cannot give the packages of the image: ${reason}`, {
    operation: 'fetch packages',
    object: `apt-get ${args.join(' ').slice(0, 200)}`,
    rule: 'An image is built from the packages of the apt sources of this machine.',
    remedy:
      'Check that `apt-get update` works here, and that the packages are in its sources (`apt-cache policy NAME`).',
    retryable: true,
  });
}

/** The lists that an update has not fetched, each with the reason. */
function missedLists(complaint: string): string[] {
  return complaint.split('\n').flatMap((line) => {
    const [, url, reason] = MISSED_LIST.exec(line) ?? [];
    return url === undefined || reason === undefined ? [] : [`${url}: ${reason.trim()}`];
  });
}

function unreachable(args: readonly string[], missed: readonly string[]): MeshError {
  const [first = '', ...others] = missed;
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return new MeshError('MESH_IMAGE_PACKAGES', `apt cannot fetch the package lists: ${first}${more}`, {
    operation: 'fetch packages',
    object: `apt-get ${args.join(' ').slice(0, 200)}`,
    rule: 'An image is built from the packages of the apt sources of this machine.',
    remedy:
      'Make the apt sources of this machine reachable: its name servers, its proxy (`apt-config dump Acquire`), the addresses in /etc/apt. `apt-get update` shows when they are.',
    retryable: true,
  });
}

function noApt(cause: unknown): MeshError {
  return new MeshError('MESH_IMAGE_PACKAGES', 'there is no apt-get on this machine', {
    operation: 'fetch packages',
    rule: 'The Debian flavour is built from Debian packages.',
    remedy: 'Build the image on a machine with Debian or a system derived from it, and copy it here.',
    cause,
  });
}
