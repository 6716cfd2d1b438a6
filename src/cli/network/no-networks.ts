/** What `mesh network list` says on a machine without networks: where their files go, and which files do not count. */
import { readdirSync } from 'node:fs';

/** @param directory where the network files of this machine are */
export function noNetworksText(directory: string): string {
  const others = namesIn(directory).filter((name) => !name.endsWith('.conf'));
  const ignored = others.length === 0 ? '' : `Ignored, since no name ends in .conf: ${others.join(', ')}.\n`;
  return (
    `There are no networks here yet. Each file ${directory}/NAME.conf makes one, and \`mesh network conf NAME\` prints such a file.\n` +
    ignored
  );
}

/** The names of the files; none if the directory is missing or may not be read. */
function namesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => JSON.stringify(name).slice(1, -1));
  } catch {
    return [];
  }
}
