/**
 * The agent as a package of Alpine, made by host0 from its own programs: machines that boot Alpine install it from host0's own
 * repository. Node.js comes from Alpine, since the one that Meshwork carries is for glibc.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  PACKAGE_SCRIPTS,
  type PackageScript,
  packageArchive,
  type WrittenPackage,
} from '../../formats/apk/package-archive.ts';
import type { PackagedFile } from '../../formats/apk/package-data-archive.ts';
import type { SigningKey } from '../../formats/apk/signature.ts';
import { VERSION } from '../../model/version.ts';
import { installPrograms } from '../node/node-programs.ts';
import { ALPINE_PACKAGING } from '../node/program-files.ts';
import { AGENT_PACKAGE } from '../overlay/alpine-system.ts';

/** The repository of host0's own packages, below a generation. */
export const OWN_REPOSITORY = 'meshwork/agent';

/**
 * What the agent needs, by Alpine's names. No package of Alpine is called libnftables: nftables has that library. koffi's native
 * code for musl needs libstdc++, the service setpriv, and the scripts of the package a shell.
 */
export const AGENT_DEPENDS = ['/bin/sh', 'nodejs>=22', 'so:libnftables.so.1', 'libstdc++', 'setpriv'];

const HOME = 'usr/lib/meshwork';
/** Programs of host0, scripts of other machines, and koffi for glibc. */
const NOT_OF_AGENTS =
  /^(?:host0|sqlite-worker|libvirt)\.mjs$|^(?:node-boot|alpine-boot|alpine-package|lab)\/|^node_modules\/@koromix\/koffi-linux-x64\/linux_x64\//;
/** The time of all files: the same programs give the same package. */
const BUILT_SEC = 1_767_225_600;
const [FILE, PROGRAM] = [0o644, 0o755];

/** Makes the package of the agent that this installation has. @throws MESH_IMAGE_FAILED */
export async function agentPackage(key: SigningKey): Promise<WrittenPackage> {
  const work = await mkdtemp(join(tmpdir(), 'mw-agent-'));
  try {
    await installPrograms(work);
    return packageArchive({ ...agentParts(work, ALPINE_PACKAGING), key });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * The parts of the package.
 * @param programs a directory with `dist` and `bin`
 * @param packaging a directory with `openrc`, `alpine` and `default`
 */
export function agentParts(programs: string, packaging: string): Parameters<typeof packageArchive>[0] {
  const dist = join(programs, 'dist');
  const file = (path: string, from: string, permissions = FILE): PackagedFile => ({
    type: 'file',
    path,
    content: readFileSync(from),
    permissions,
  });
  const files: PackagedFile[] = filesBelow(dist)
    .filter((path) => !NOT_OF_AGENTS.test(path))
    .map((path) => file(`${HOME}/dist/${path}`, join(dist, path)));
  files.push(
    file(`${HOME}/bin/mesh`, join(programs, 'bin/mesh'), PROGRAM),
    { type: 'link', path: 'usr/bin/mesh', to: '../lib/meshwork/bin/mesh' },
    file('etc/init.d/meshwork-agent', join(packaging, 'openrc/meshwork-agent'), PROGRAM),
    file('etc/conf.d/meshwork-agent', join(packaging, 'default')),
  );
  const version = `${VERSION}-r0`;
  return {
    description: {
      name: AGENT_PACKAGE,
      version,
      description: 'agent of Meshwork, a private cloud network on bare machines',
      license: 'Apache-2.0',
      architecture: 'x86_64',
      depends: AGENT_DEPENDS,
      provides: [`cmd:mesh=${version}`],
      builtSec: BUILT_SEC,
    },
    files,
    scripts: scriptsIn(join(packaging, 'alpine')),
  };
}

function scriptsIn(directory: string): Readonly<Partial<Record<PackageScript, Uint8Array>>> {
  const present = PACKAGE_SCRIPTS.filter((script) => statSync(join(directory, script), { throwIfNoEntry: false }));
  return Object.fromEntries(present.map((script) => [script, readFileSync(join(directory, script))]));
}

/** The paths of all files below a directory, sorted. */
function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
