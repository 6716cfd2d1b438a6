/** What the reader says of a file that it may not read. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const READER = new URL('./conf-reader.ts', import.meta.url).pathname;
/** Root with the rights of the services: the permissions of files apply to it. */
const AS_SERVICE = ['bounding-set', 'inh-caps'].map((set) => `--${set}=-dac_override,-dac_read_search`);

test('a file of another user, which the services may not read, is to be given to root', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-conf-reader-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'blue.conf');
  writeFileSync(file, 'name=blue\n', { mode: 0o600 });
  chownSync(file, 1000, 1000);
  const script = `
import { readConfBytes, unreadable } from '${READER}';
try { await readConfBytes(process.argv[1]); } catch (error) {
  const { code, message, remedy } = unreadable(process.argv[1], error);
  console.log(JSON.stringify({ code, message, remedy }));
}`;
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script, file];
  const said = execFileSync('setpriv', [...AS_SERVICE, process.execPath, ...words], { encoding: 'utf8' });
  expect(JSON.parse(said)).toEqual({
    code: 'MESH_CONF_UNREADABLE',
    message: `${file} cannot be read: that is not allowed to this user`,
    remedy: expect.stringMatching(`^Give it to root: chown root ${file}\\. `),
  });
});
