/** The keys of a workload file. Those of volumes, cards and public keys have a word in them, which the file chooses. */
import type { ConfEntry } from '../conf/conf-file.ts';

const FIXED = [
  'name',
  'uuid',
  'platform.memory.size',
  'platform.cpu.threads',
  'platform.cpu.mode',
  'platform.console.serial',
  'platform.console.vnc',
  'platform.firmware',
  'platform.restart',
  'platform.place',
  'platform.cloud.hostname',
  'platform.cloud.user_data',
  'platform.kernel.path',
  'platform.kernel.initrd',
  'platform.kernel.append',
];
const VOLUME = 'platform.volume.';
const CARD = 'platform.network.';
const PUBLIC_KEY = 'platform.cloud.key.';
const VOLUME_PARTS = ['type', 'path', 'source', 'sha256', 'size'];
const CARD_PARTS = ['network', 'mac', 'address', 'model'];
const PARTS: Readonly<Record<string, readonly string[]>> = { [VOLUME]: VOLUME_PARTS, [CARD]: CARD_PARTS };

/** All keys as the reference page shows them. */
export const SHOWN_KEYS: readonly string[] = [
  ...FIXED,
  ...VOLUME_PARTS.map((part) => `${VOLUME}<id>.${part}`),
  ...CARD_PARTS.map((part) => `${CARD}<id>.${part}`),
  `${PUBLIC_KEY}<id>`,
];

/** The keys that a file with these entries may have. */
export function keysOf(entries: readonly ConfEntry[]): readonly string[] {
  return [
    ...FIXED,
    ...idsOf(entries, VOLUME).flatMap((id) => VOLUME_PARTS.map((part) => `${VOLUME}${id}.${part}`)),
    ...idsOf(entries, CARD).flatMap((id) => CARD_PARTS.map((part) => `${CARD}${id}.${part}`)),
    ...idsOf(entries, PUBLIC_KEY).map((id) => `${PUBLIC_KEY}${id}`),
  ];
}

/** The words of volumes, cards or public keys, in the order of their first lines. */
export function idsOf(entries: readonly ConfEntry[], prefix: string): readonly string[] {
  const parts = PARTS[prefix];
  const ids = entries.flatMap(({ key }) => {
    if (!key.startsWith(prefix)) return [];
    const [, id = '', part] = /^([A-Za-z0-9][A-Za-z0-9_-]{0,30})(?:\.(.+))?$/.exec(key.slice(prefix.length)) ?? [];
    const isKnown = parts === undefined ? part === undefined : part !== undefined && parts.includes(part);
    return id !== '' && isKnown ? [id] : [];
  });
  return [...new Set(ids)];
}
