/** The example `/host0` that `mesh system init` writes: it works unchanged, and its comments say what can be changed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createDurable } from '../../disk/durable-file.ts';
import { explainedMeshConf, newMesh } from '../../formats/conf/new-mesh.ts';

/**
 * Writes every file of the example that does not exist yet.
 * @param directory the path of `/host0`
 * @returns the files that it made
 * @throws MESH_DISK_REFUSED
 */
export async function writeExampleTree(directory: string): Promise<string[]> {
  const made: string[] = [];
  for (const [path, text] of Object.entries(exampleTree())) {
    const file = join(directory, path);
    if (existsSync(file)) continue;
    await createDurable(file, () => text, 0o644);
    made.push(file);
  }
  return made;
}

/** Paths below `/host0`, with their texts. Each call has another mesh `manage`. */
const exampleTree = (): Readonly<Record<string, string>> => ({
  'host0.conf': `# host0's settings, which its daemon reads when it starts. Each line may be left out: the values here hold without it.

# Where boot segments without a DHCP server of their own get their subnets from, and how large these are (prefix bits).
subnet_pool="10.11.0.0/16"
default_subnet_size="25"

# Whether host0 boots machines: off (it sends and answers nothing), auto (it looks for other DHCP servers first, adds boot
# files beside them, and gives addresses by DHCP where no other server does), dry (it only says what it would have answered).
boot="off"

# Networks that every machine is in, whatever its manifest says: names of files in network/.
default_networks="manage"

# Who may join: open (anybody on the segment), known (machines with a folder in machines/), token (machines that booted from
# this host0). Without the line: open until the first machine has a folder, then known.
#admission="known"
`,
  'network/manage.conf': explainedMeshConf(newMesh('manage')),
  packages: `# Packages that the mirror holds besides those that machines and groups name, one per line.
`,
  'groups/baseline/manifest': `# What all machines of this group get. A line is one of:
#   O MODE=user:group:permissions SRC=/on/host0 TGT=/on/the/machine    a file
#   A MODE=user:group:permissions SRC=/on/host0 TGT=/on/the/machine    lines at the end of a file
#   L SRC=/on/the/machine TGT=/on/the/machine                          a link at TGT that points to SRC
#   D MODE=user:group:permissions TGT=/on/the/machine                  a directory
#   R TGT=/on/the/machine                                              removes what an earlier line put there
O MODE=root:root:0644 SRC=/host0/groups/baseline/motd TGT=/etc/motd
`,
  'groups/baseline/motd': `This machine runs from memory: what is changed here is gone after a reboot.
Change /host0 on host0, run \`mesh system configure\` there, and reboot this machine.
`,
  'groups/baseline/packages': `# Packages to install, one per line.
`,
  'machines/default/UUID': `default
`,
  'machines/default/groups': `baseline
`,
  'machines/default/manifest': `# What machines without a folder of their own get. \`mesh node adopt ID NAME\` on host0 makes a folder.
`,
});
