/** `npm run package`: makes the packages in `packages/`: a .deb for Debian, and an .apk for Alpine. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '../src/model/version.ts';
import { alpinePackage } from './alpine.ts';
import { TOP } from './bundle.ts';
import { debianPackage } from './debian.ts';

const output = join(TOP, 'packages');
mkdirSync(output, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'meshwork-deb-'));
try {
  const file = join(output, `meshwork_${VERSION}_amd64.deb`);
  await debianPackage(file, { work: join(work, 'tree'), version: VERSION });
  process.stdout.write(`${file}\n`);
  const apk = join(output, `meshwork-${VERSION}-r0.apk`);
  await alpinePackage(apk, { work: join(work, 'apk'), version: VERSION });
  process.stdout.write(`${apk}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
