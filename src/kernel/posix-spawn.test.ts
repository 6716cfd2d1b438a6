/** Commands that are started without a fork: their streams, codes, environment, signals and namespace. */
import { expect, test } from 'vitest';
import { temporaryNetns } from './netns.ts';
import { outcomeOf } from './posix-spawn.ts';

test('a command has its output, error output and exit code, and no input', async () => {
  const script = 'cat; echo said; echo complained >&2; exit 7';
  expect(await outcomeOf(['sh', '-c', script], {})).toEqual({ code: 7, stdout: 'said\n', stderr: 'complained\n' });
});

test('a signal that ended the command is its code, as in a shell', async () => {
  expect(await outcomeOf(['sh', '-c', 'kill -9 $$'], {})).toMatchObject({ code: 137 });
});

test('signals that this process ignores end a command: a writer without a reader', async () => {
  const { stderr } = await outcomeOf(['sh', '-c', 'yes | head -n 1'], {});
  expect(stderr).toBe('');
});

test('more output than a pipe holds, from many commands at once', async () => {
  const outcomes = Array.from({ length: 8 }, () => outcomeOf(['head', '-c', '1000000', '/dev/zero'], {}));
  for (const { code, stdout } of await Promise.all(outcomes)) expect([code, stdout.length]).toEqual([0, 1_000_000]);
});

test('a command that closes its output before it ends has its exit code', async () => {
  expect(await outcomeOf(['sh', '-c', 'exec >&- 2>&-; sleep 0.1; exit 3'], {})).toMatchObject({ code: 3 });
});

test('the environment is the given one, and the program is found in its PATH', async () => {
  const env = { PATH: '/nowhere:/usr/bin:/bin', GREETING: 'hello' };
  expect(await outcomeOf(['sh', '-c', 'echo $GREETING'], { env })).toMatchObject({ stdout: 'hello\n' });
  await expect(outcomeOf(['sh', '-c', ':'], { env: { PATH: '/nowhere' } })).rejects.toMatchObject({
    code: 'MESH_KERNEL_REFUSED',
  });
});

test('a command runs in the namespace, and this thread stays where it is', async () => {
  using netns = new DisposableStack();
  const { path, close } = temporaryNetns();
  netns.defer(close);
  const namesOf = async (place: { netns?: string }) =>
    (await outcomeOf(['readlink', '/proc/self/ns/net'], place)).stdout;
  const [own, inside, after] = [await namesOf({}), await namesOf({ netns: path }), await namesOf({})];
  expect(inside).not.toBe(own);
  expect(after).toBe(own);
});
