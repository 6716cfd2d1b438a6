/** The part of nftables that our own scripts use: replacing a whole table, adding and deleting set elements, and emptying sets. */
import type { Ipv4Cidr } from '../../src/model/address/ipv4.ts';

/** One parsed table. */
export interface SimTable {
  /** Elements by set name. */
  readonly sets: Map<string, Set<string>>;
  /** The text of the table without its sets. */
  readonly body: string;
  /** Subnets from which VXLAN packets of any network are accepted. */
  readonly open: readonly Ipv4Cidr[];
}

/** Runs a script as one transaction. @returns the name of the errno, when nothing was changed; undefined for success */
export function runScript(tables: Map<string, SimTable>, script: string): string | undefined {
  const family = /^(?:table|add element|delete element|flush set) (\w+)/.exec(script)?.[1];
  if (family === undefined) return 'EINVAL';
  if (script.startsWith('table')) {
    const whole = /^table \w+ \w+ \{\n([\s\S]*)\}\n$/m.exec(script)?.[1];
    if (whole === undefined) tables.delete(family);
    else tables.set(family, parseTable(whole));
    return undefined;
  }
  const before = tables.get(family);
  if (before === undefined) return 'ENOENT';
  const changes = script.split('\n').filter(Boolean).map(parseChange);
  for (const { verb, set, elements } of changes) {
    const have = before.sets.get(set);
    if (have === undefined || (verb === 'delete' && elements.some((element) => !have.has(element)))) return 'ENOENT';
  }
  for (const { verb, set, elements } of changes) {
    if (verb === 'clear') before.sets.get(set)?.clear();
    else for (const element of elements) before.sets.get(set)?.[verb](element);
  }
  return undefined;
}

function parseChange(line: string): { verb: 'add' | 'delete' | 'clear'; set: string; elements: string[] } {
  const emptied = /^flush set \w+ \w+ (\w+)$/.exec(line)?.[1];
  if (emptied !== undefined) return { verb: 'clear', set: emptied, elements: [] };
  const [, verb, set = '', list = ''] = /^(add|delete) element \w+ \w+ (\w+) \{ (.*) \}$/.exec(line) ?? [];
  return { verb: verb === 'delete' ? verb : 'add', set, elements: list.split(', ') };
}

function parseTable(text: string): SimTable {
  const sets = new Map<string, Set<string>>();
  for (const [, name = '', list] of text.matchAll(
    /^ {2}(?:set|map) (\w+) \{ [^{}]*?;(?: elements = \{ (.*?) \};)? \}$/gm,
  )) {
    sets.set(name, new Set(list === undefined ? [] : list.split(', ')));
  }
  const body = text.replaceAll(/^ {2}(?:set|map) .*\n/gm, '');
  const open = [...body.matchAll(/udp dport 4789 iifname "[^"]+" ip saddr (\S+) accept/g)].map(
    ([, subnet]) => subnet as Ipv4Cidr,
  );
  return { sets, body, open };
}

/** Prints a table in nft's form, as far as the agent reads that form. */
export function printTable({ sets, body }: SimTable): string {
  const lines = [...sets].map(([name, set]) => {
    const elements = set.size === 0 ? '' : `\t\telements = { ${[...set].join(', ')} }\n`;
    return `\tset ${name} {\n${elements}\t}\n`;
  });
  return `${lines.join('')}\n${body}`;
}
