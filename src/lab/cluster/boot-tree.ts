/** The `/host0` of a lab with emulated machines: the example that `mesh system init` writes, and a folder for each machine. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { authorizedKeysIn } from '../../image/command-key.ts';
import { compile } from '../../image/overlay/compilation.ts';
import { writeExampleTree } from '../../image/overlay/example-tree.ts';
import { OverlayStore } from '../../image/overlay/overlay-store.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { EXAMPLE_CONF } from '../hosts/example-mesh.ts';
import { makeKeys } from '../hosts/host-shell.ts';
import type { LabHost } from '../hosts/lab-host.ts';

/**
 * Writes the tree, and compiles and publishes the machines' overlays.
 * @param images the directory to link to as `images` in host0's state directory
 * @throws MESH_MANIFEST_* and others of the compilation
 */
export async function writeBootTree(host0: LabHost, machines: readonly LabHost[], images: string): Promise<void> {
  const paths = pathsBelow(host0.root);
  mkdirSync(paths.host0Networks, { recursive: true });
  // A lab is a place of its own: its machines may join also without their folders, and all labs have one mesh. Its segments are
  // bridges without spanning tree, which forward at once.
  writeFileSync(join(paths.host0, 'host0.conf'), 'boot="auto"\nadmission="open"\nport_settle_sec="0"\n');
  writeFileSync(join(paths.host0Networks, 'manage.conf'), EXAMPLE_CONF);
  await writeExampleTree(paths.host0);
  mkdirSync(paths.state, { recursive: true });
  symlinkSync(images, join(paths.state, 'images'));
  await makeKeys(host0, machines);
  for (const machine of machines) {
    const folder = join(paths.host0, 'machines', machine.name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'UUID'), `${machine.machine}\n`);
    writeFileSync(join(folder, 'groups'), 'baseline\n');
    writeFileSync(join(folder, 'manifest'), '# What this machine alone gets.\n');
  }
  const {
    machines: compiled,
    errors: [error],
  } = await compile({ paths, authorizedKeys: await authorizedKeysIn(paths.state) });
  if (error !== undefined) throw error;
  await new OverlayStore(paths.state).publish(compiled, new Date());
}
