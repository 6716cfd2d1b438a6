/** The files of ifupdown (interfaces(5)), on Debian and Alpine: a card that they configure becomes the port of a bridge. */
import { type BridgeWish, type FileStep, type FileText, plainLinkName, unfitFiles } from './bridge-wish.ts';

/** A line with those that continue it, as it is in the file. */
interface Line {
  readonly raw: string;
  readonly words: readonly string[];
  /** The line begins a block: `iface`, `auto` and their like. The others are options of the block before them. */
  readonly begins: boolean;
}

const BLOCK = /^(?:iface|mapping|auto|source|source-directory|template|rename|no-auto-down|no-scripts|allow-.*)$/;
const START = /^(?:auto|allow-.*)$/;

/**
 * The writes that make the files say the bridge.
 * @param files in the order in which ifup reads them
 * @returns undefined if the files do not configure the card
 * @throws MESH_NIC_UNFIT, MESH_USAGE
 */
export function bridgeInterfaces(files: readonly FileText[], wish: BridgeWish): readonly FileStep[] | undefined {
  for (const name of [wish.card, wish.cardAfter, wish.bridge]) plainLinkName(name);
  const parsed = files.map(({ path, text }) => ({ path, text, lines: linesOf(text) }));
  if (!parsed.some(({ lines }) => lines.some((line) => isStanzaOf(line, wish.card)))) return undefined;
  for (const { path, lines } of parsed) mustBePlain(path, lines, wish.card);
  return wish.bridge === wish.card ? keptName(parsed, wish) : newName(parsed, wish);
}

type Parsed = FileText & { readonly lines: readonly Line[] };

/** Under the same name, only the first stanza gets lines: what starts the name starts the bridge. */
function keptName(files: readonly Parsed[], wish: BridgeWish): readonly FileStep[] {
  const file = files.find(({ lines }) => lines.some((line) => isStanzaOf(line, wish.card)));
  if (file === undefined) return [];
  const first = file.lines.findIndex((line) => isStanzaOf(line, wish.card));
  return [{ path: file.path, text: rendered(file.lines.flatMap((line, at) => withBridge(line, at === first, wish))) }];
}

/**
 * Under another name, the stanzas and what starts them change. In one file both change at once. Where they are in several files, the
 * stanzas of both names come first, then what is started changes in one write, and then the old stanzas go.
 */
function newName(files: readonly Parsed[], wish: BridgeWish): readonly FileStep[] {
  const { card } = wish;
  let found = false;
  const changed = files.flatMap((file) => {
    const finals: string[] = [];
    const stanzas: string[] = [];
    let inside = false;
    for (const line of file.lines) {
      if (line.begins) inside = isStanzaOf(line, card);
      const lines = inside
        ? withBridge({ ...line, raw: renamed(line.raw, wish) }, isStanzaOf(line, card) && !found, wish)
        : [startsBridge(line, wish)];
      if (isStanzaOf(line, card)) found = true;
      finals.push(...lines);
      if (inside) stanzas.push(...lines);
    }
    const starts = file.lines.some(({ words }) => START.test(words[0] ?? '') && words.includes(card));
    const text = rendered(finals);
    if (text === file.text) return [];
    const joint = file.text.endsWith('\n') || file.text === '' ? file.text : `${file.text}\n`;
    return [{ path: file.path, text, both: stanzas.length > 0 ? joint + rendered(stanzas) : undefined, starts }];
  });
  if (changed.length === 1) return changed.map(({ path, text }) => ({ path, text }));
  const starting = changed.filter(({ starts }) => starts);
  if (starting.length > 1) {
    throw unfitFiles(starting.map(({ path }) => path).join(' and '), `start ${card} in several files`);
  }
  return [
    ...changed.flatMap(({ path, both }) => (both === undefined ? [] : [{ path, text: both }])),
    ...starting.map(({ path, text }) => ({ path, text })),
    ...changed.filter(({ starts }) => !starts).map(({ path, text }) => ({ path, text })),
  ];
}

/** A line, and after the first stanza's own line what makes the bridge. */
function withBridge(line: Line, isFirst: boolean, wish: BridgeWish): string[] {
  return isFirst ? [line.raw, ...bridgeLines(wish)] : [line.raw];
}

/**
 * The commands of a stanza that make the bridge, by nothing but `ip`: they work with each ifupdown, and without bridge-utils. Where the
 * bridge takes the card's name, the card is renamed first, which needs no rules of udev.
 */
function bridgeLines({ card, cardAfter, bridge, mac, mtuBytes }: BridgeWish): string[] {
  const rename =
    cardAfter === card
      ? []
      : [
          `pre-up ip link show dev ${cardAfter} >/dev/null 2>&1 || ip link set dev ${card} down`,
          `pre-up ip link show dev ${cardAfter} >/dev/null 2>&1 || ip link set dev ${card} name ${cardAfter}`,
        ];
  return [
    ...rename,
    `pre-up ip link show dev ${bridge} >/dev/null 2>&1 || ip link add name ${bridge} type bridge`,
    `pre-up ip link set dev ${bridge} address ${mac}`,
    ...(mtuBytes === undefined ? [] : [`pre-up ip link set dev ${cardAfter} mtu ${mtuBytes}`]),
    `pre-up ip link set dev ${cardAfter} addrgenmode none || true`,
    `pre-up ip link set dev ${cardAfter} master ${bridge}`,
    `pre-up ip link set dev ${cardAfter} up`,
    ...(mtuBytes === undefined ? [] : [`pre-up ip link set dev ${bridge} mtu ${mtuBytes}`]),
    `post-down ip link delete dev ${bridge} 2>/dev/null || true`,
  ].map((line) => `    ${line}`);
}

/** `auto eth0 eth1` becomes `auto br0 eth1`. A bridge never comes by hotplug, so it is started by `auto`. */
function startsBridge(line: Line, { card, bridge }: BridgeWish): string {
  const [keyword = '', ...names] = line.words;
  if (!START.test(keyword) || !names.includes(card)) return line.raw;
  if (keyword === 'auto') return [keyword, ...names.map((name) => (name === card ? bridge : name))].join(' ');
  const others = names.filter((name) => name !== card);
  const rest = others.length === 0 ? [] : [[keyword, ...others].join(' ')];
  return [`auto ${bridge}`, ...rest].join('\n');
}

/** The line with the name of the bridge wherever the card's name is a word. */
function renamed(raw: string, { card, bridge }: BridgeWish): string {
  return raw
    .split(/([\s=,;"'/]+)/)
    .map((word) => (word === card ? bridge : word))
    .join('');
}

function isStanzaOf({ words }: Line, card: string): boolean {
  return words[0] === 'iface' && words[1] === card;
}

/** @throws MESH_NIC_UNFIT for what would mean something else beside a bridge */
function mustBePlain(path: string, lines: readonly Line[], card: string): void {
  let own = false;
  for (const { words, begins } of lines) {
    const [keyword = '', ...names] = words;
    if (begins) own = keyword === 'iface' && names[0] === card;
    const isPattern = (name: string) => /^\/|[*?[\]]|=/.test(name);
    if ((START.test(keyword) || keyword === 'mapping') && names.some(isPattern)) {
      throw unfitFiles(path, `has patterns of names in \`${words.join(' ')}\``);
    }
    if (keyword === 'rename' || ((keyword === 'mapping' || keyword === 'template') && names.includes(card))) {
      throw unfitFiles(path, `has \`${words.join(' ')}\``);
    }
    if (keyword === 'iface' && (names[0]?.startsWith(`${card}.`) || names[0]?.startsWith(`${card}:`))) {
      throw unfitFiles(path, `configures ${names[0]}, which is on ${card}`);
    }
    if (own && /^bridge[_-]ports$/.test(keyword)) throw unfitFiles(path, `makes a bridge of ${card} already`);
    if (!own && !START.test(keyword) && names.includes(card)) {
      throw unfitFiles(path, `names ${card} in \`${words.join(' ')}\` too`);
    }
  }
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let raw = '';
  for (const line of text.replace(/\n$/, '').split('\n')) {
    raw = raw === '' ? line : `${raw}\n${line}`;
    const isComment = raw.trimStart().startsWith('#');
    if (!isComment && line.endsWith('\\')) continue;
    const words = isComment
      ? []
      : raw
          .replaceAll('\\\n', ' ')
          .split(/\s+/)
          .filter((word) => word !== '');
    lines.push({ raw, words, begins: BLOCK.test(words[0] ?? '') });
    raw = '';
  }
  if (raw !== '') lines.push({ raw, words: [], begins: false });
  return lines;
}

function rendered(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** The patterns of further files that a file names, in its order, each with whether it is a directory. */
export function sourcePatterns(text: string): readonly { readonly pattern: string; readonly directory: boolean }[] {
  return linesOf(text).flatMap(({ words: [keyword, ...patterns] }) =>
    keyword === 'source' || keyword === 'source-directory'
      ? patterns.map((pattern) => ({ pattern, directory: keyword === 'source-directory' }))
      : [],
  );
}
