/** Files that services read, such as the configuration of a dnsmasq. They are below a directory in which all files are ours. */
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind, ServiceOperation } from './item-kind.ts';
import { RANK } from './rank.ts';

/** One file of the agent. */
export interface FileItem {
  readonly kind: 'file';
  /** The network that it is for. Absent: the node. */
  readonly network?: NetworkId;
  readonly path: string;
  readonly content: string;
  /** Permissions, such as 0o640: a file with a secret has 0o600. */
  readonly mode: number;
  /** What is at the path in place of a plain file of ours; absent in a desired item. */
  readonly flaw?: string;
}

/** The key of the file at a path. */
export function fileKey(path: string): ItemKey {
  return `file:${path}`;
}

const OCTAL_DIGITS = 4;
const octal = (mode: number) => mode.toString(8).padStart(OCTAL_DIGITS, '0');

/** A file is written before the process that reads it is started, and is replaced in one step. */
export const fileKind: ItemKind<FileItem, ServiceOperation> = {
  key: ({ path }) => fileKey(path),
  dependsOn: () => [],
  rank: () => RANK.file,
  // The content is not shown: it may be a secret.
  differences: (have, want) => [
    ...(have.flaw === undefined ? [] : [have.flaw]),
    ...(have.content === want.content ? [] : ['content']),
    ...(have.mode === want.mode ? [] : [`mode ${octal(have.mode)} → ${octal(want.mode)}`]),
  ],
  mustRecreate: () => false,
  print: ({ path }) => `write ${path}`,
  printRemove: ({ path }) => `rm ${path}`,
  create: (item) => [{ do: 'file-write', ...fileOf(item) }],
  change: (_, item) => [{ do: 'file-write', ...fileOf(item) }],
  remove: ({ path }) => [{ do: 'file-remove', path }],
};

function fileOf({ path, content, mode }: FileItem) {
  return { path, content, mode };
}
