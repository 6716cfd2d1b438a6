/** As much of nftables as our own scripts use: a table replaced whole, and elements added to and deleted from its sets. */

export interface SimTable {
  readonly sets: Map<string, Set<string>>;
  readonly body: string;
}

/** @returns the errno's name, and then nothing was changed: a script is one transaction */
export function runScript(tables: Map<string, SimTable>, script: string): string | undefined {
  const family = /^(?:table|add element|delete element) (\w+)/.exec(script)?.[1];
  if (family === undefined) return 'EINVAL';
  if (script.startsWith('table')) {
    const whole = /^table \w+ \w+ \{\n([\s\S]*)\}\n$/m.exec(script)?.[1];
    if (whole === undefined) tables.delete(family);
    else tables.set(family, parseTable(whole));
    return undefined;
  }
  const before = tables.get(family);
  if (before === undefined) return 'ENOENT';
  const sets = new Map([...before.sets].map(([name, elements]) => [name, new Set(elements)]));
  for (const line of script.split('\n').filter(Boolean)) {
    const [, verb, name = '', list = ''] = /^(add|delete) element \w+ \w+ (\w+) \{ (.*) \}$/.exec(line) ?? [];
    const set = sets.get(name);
    if (set === undefined) return 'ENOENT';
    for (const element of list.split(', ')) {
      if (verb === 'add') set.add(element);
      else if (!set.delete(element)) return 'ENOENT';
    }
  }
  tables.set(family, { sets, body: before.body });
  return undefined;
}

function parseTable(text: string): SimTable {
  const sets = new Map<string, Set<string>>();
  for (const [, name = '', list] of text.matchAll(/^ {2}set (\w+) \{ [^{}]*?;(?: elements = \{ (.*?) \};)? \}$/gm)) {
    sets.set(name, new Set(list === undefined ? [] : list.split(', ')));
  }
  return { sets, body: text.replaceAll(/^ {2}set .*\n/gm, '') };
}

export function printTable({ sets, body }: SimTable): string {
  const lines = [...sets].map(([name, elements]) => `set ${name} { ${[...elements].sort().join(', ')} }`);
  return `${lines.join('\n')}\n${body}`;
}
