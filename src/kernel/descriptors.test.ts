/** A real process that runs out of file descriptors notices it, and that it has some again. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const MODULE = new URL('descriptors.ts', import.meta.url).href;

test('a process without a file descriptor', () => {
  const script = `
    import { execFileSync } from 'node:child_process';
    import { descriptorLimit, hasDescriptor } from '${MODULE}';
    const limit = (count) => execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=' + count + ':']);
    const seen = [hasDescriptor()];
    limit(1000);
    seen.push(descriptorLimit().soft);
    limit(10);
    seen.push(hasDescriptor(), descriptorLimit() ?? 'unknown');
    process.stdout.write(JSON.stringify(seen));`;
  const stdout = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(JSON.parse(stdout)).toEqual([true, 1000, false, 'unknown']);
});
