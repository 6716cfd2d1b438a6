/** The pages in docs/reference are those that the source makes. */
import { expect, test } from 'vitest';
import { wholeTree } from '../../../test/cli/mesh.ts';
import { httpPage } from './http-page.ts';
import { cliPage, errorsPage, exitCodesPage } from './reference.ts';

// A stale page fails here; `vitest run src/cli/pages/reference.test.ts -u` writes it.

const page = (name: string) => new URL(`../../../docs/reference/${name}`, import.meta.url).pathname;

test('docs/reference/cli.md is the command tree', async () => {
  await expect(cliPage(await wholeTree())).toMatchFileSnapshot(page('cli.md'));
});

test('docs/reference/http.md is the tables of routes', async () => {
  await expect(httpPage()).toMatchFileSnapshot(page('http.md'));
});

test('docs/reference/exit-codes.md and errors.md are the table of errors', async () => {
  await expect(exitCodesPage()).toMatchFileSnapshot(page('exit-codes.md'));
  await expect(errorsPage()).toMatchFileSnapshot(page('errors.md'));
});
