/** `mesh` on a host of a lab, run by the process of the test: a process for each command takes a quarter of a processor second. */
import { runCommandLine } from '../../src/cli/command-line.ts';
import { programFile } from '../../src/image/node/program-files.ts';
import type { CommandOutcome } from '../../src/lab/hosts/host-shell.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';

/**
 * Runs a command that asks the processes of a host by their control sockets, as all do but those that start processes or read the kernel
 * themselves.
 * @param words what follows `mesh`
 */
export async function meshOn(host: LabHost, ...words: readonly string[]): Promise<CommandOutcome> {
  const said = { stdout: [] as string[], stderr: [] as string[] };
  const writerOf = (lines: string[]) => ({
    write: (text: string | Uint8Array) => lines.push(typeof text === 'string' ? text : Buffer.from(text).toString()),
  });
  const code = await runCommandLine(
    {
      stdout: writerOf(said.stdout),
      stderr: writerOf(said.stderr),
      entries: { host0: programFile('host0'), agent: programFile('agent') },
    },
    // MESH_HOST0_DIR may name the `/host0` of this machine's own host0. An empty directory counts as not set.
    ['--root', host.root, '--host0-dir', '', ...words],
  );
  return { code, stdout: said.stdout.join(''), stderr: said.stderr.join('') };
}
