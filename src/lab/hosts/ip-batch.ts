/** Runs many `ip` commands in one process: a lab of fifty hosts needs thousands. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { MeshError } from '../../model/error.ts';

const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'KILL'] as const;

/**
 * Runs `commands` (without the leading `ip`) in order, in `netns` if given. Stops at the first that fails.
 * @throws MESH_LAB_FAILED with that command and the message of `ip`
 */
export async function ipBatch(commands: readonly string[], netns?: string): Promise<void> {
  if (commands.length === 0) return;
  // A process inside a namespace of the lab is found when the lab is taken down. Outside, it must end with this process.
  const [program, ...rest] = netns === undefined ? [...ENDS_WITH_US, 'ip'] : ['ip', '-n', netns];
  const ip = spawn(program, [...rest, '-batch', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  const exit = new Promise<number | null>((resolve, reject) => {
    ip.once('error', reject);
    ip.once('close', resolve);
  });
  // If `ip` fails early, it closes the pipe: its own message says more than EPIPE.
  ip.stdin.on('error', () => {});
  ip.stdin.end(`${commands.join('\n')}\n`);
  const [code, said] = await Promise.all([exit.catch(ipMissing), text(ip.stderr)]);
  if (code === 0) return;
  const line = /Command failed -:(\d+)/.exec(said)?.[1];
  const command = line === undefined ? undefined : commands[Number(line) - 1];
  const where = netns === undefined ? '' : ` in ${netns}`;
  throw new MeshError('MESH_LAB_FAILED', `ip ${command ?? '-batch'}${where}: ${said.split('\n')[0]}`, {
    operation: 'build the lab',
    object: netns ?? 'namespaces',
    remedy: 'Run `mesh lab down`, then try again; if the same command fails by hand too, the kernel lacks something.',
  });
}

function ipMissing(cause: unknown): never {
  throw new MeshError('MESH_LAB_FAILED', 'the program `ip` cannot be run', {
    cause,
    remedy: 'Run scripts/setup, or install the package iproute2.',
  });
}
