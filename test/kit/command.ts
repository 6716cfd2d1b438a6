/** Runs commands one after the other, as `spawnSync` does, and cheaper. */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { libc, MFD_CLOEXEC } from '../../src/kernel/libc.ts';
import { startCommand, waitForEnd } from '../../src/kernel/posix-spawn.ts';

/** The end of a command. */
interface Ended {
  /** The exit code; 128 and the number of the signal that ended the command, as in a shell. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end, and blocks this process meanwhile.
 * @param input the text on its standard input
 * @param netns the path of the network namespace in which the command runs; absent: that of this process
 * @throws MESH_KERNEL_REFUSED when there is no such program
 */
export function runToEnd(
  argv: readonly string[],
  { input = '', netns }: { readonly input?: string; readonly netns?: string } = {},
): Ended {
  // Files and no pipes: a command that says much would wait for a reader.
  using files = new DisposableStack();
  const file = (text = ''): number => {
    const fd = libc.memfd_create('stream', MFD_CLOEXEC);
    files.defer(() => closeSync(fd));
    if (text !== '') writeSync(fd, text, 0);
    return fd;
  };
  const [stdin, stdout, stderr] = [file(input), file(), file()];
  const status = waitForEnd(startCommand(argv, [stdin, stdout, stderr], { netns }));
  return { status, stdout: textOf(stdout), stderr: textOf(stderr) };
}

function textOf(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString('utf8');
}
